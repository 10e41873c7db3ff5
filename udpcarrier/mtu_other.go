//go:build !linux

package udpcarrier

import (
	"net"
	"net/netip"
	"syscall"
	"time"

	"example.com/culvert/internal/interfaces"
)

// mtuLife is how long an interface's MTU is believed: it hardly changes, and
// listing the interfaces is dear.
const mtuLife = time.Minute

// routeMTU is the MTU of the interface that owns the address from which the system
// would send to peer. Connecting a UDP socket tells that address and sends nothing.
func routeMTU(peer netip.Addr) (mtu int, local netip.Addr) {
	const discard = 9 // RFC 863; the route does not depend on the port
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(peer, discard)))
	if err != nil {
		return 0, local
	}
	defer conn.Close()
	local = conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	return interfaces.MTU(local), local
}

// socketMTU: no such question here.
func socketMTU(syscall.RawConn, bool) int { return 0 }

//go:build !linux

package udpcarrier

import (
	"net"
	"net/netip"
	"syscall"
	"time"
)

// mtuLife is how long an interface's MTU is believed: it hardly changes, and
// listing the interfaces is dear.
const mtuLife = time.Minute

// routeMTU is the MTU of the interface that owns the address from which the system
// would send to peer. Connecting a UDP socket tells that address and sends nothing.
func routeMTU(peer netip.Addr) int {
	const discard = 9 // RFC 863; the route does not depend on the port
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(peer, discard)))
	if err != nil {
		return 0
	}
	local := conn.LocalAddr().(*net.UDPAddr).IP
	conn.Close()
	interfaces, err := net.Interfaces()
	if err != nil {
		return 0
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(local) {
				return i.MTU
			}
		}
	}
	return 0
}

// socketMTU: no such question here.
func socketMTU(syscall.RawConn, bool) int { return 0 }

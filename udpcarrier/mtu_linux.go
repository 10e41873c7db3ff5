package udpcarrier

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mtuLife is how long a route's MTU is believed: asking is cheap, and a report or a
// failed send makes it forgotten at once.
const mtuLife = 5 * time.Second

// routeMTU asks the system by a socket that is connected to peer (nothing is sent)
// and closed at once, and what address it would send from.
func routeMTU(peer netip.Addr) (mtu int, local netip.Addr) {
	family, sa := unix.AF_INET6, discardPort(peer)
	if peer.Unmap().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, local
	}
	defer unix.Close(fd)
	if unix.Connect(fd, sa) != nil {
		return 0, local
	}
	if from, err := unix.Getsockname(fd); err == nil {
		local = peerOf(from).Addr()
	}
	return fdMTU(fd, family == unix.AF_INET6), local
}

// discardPort is peer with some port: the route does not depend on it.
func discardPort(peer netip.Addr) unix.Sockaddr {
	const discard = 9 // RFC 863
	if a := peer.Unmap(); a.Is4() {
		return &unix.SockaddrInet4{Port: discard, Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Port: discard, Addr: peer.As16(), ZoneId: zones.id(peer.Zone())}
}

// socketMTU asks the same of a connected socket.
func socketMTU(raw syscall.RawConn, inet6 bool) int {
	mtu := 0
	raw.Control(func(fd uintptr) { mtu = fdMTU(int(fd), inet6) })
	return mtu
}

func fdMTU(fd int, inet6 bool) int {
	if inet6 {
		if mtu, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU); err == nil {
			return mtu
		}
	}
	mtu, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU)
	if err != nil {
		return 0
	}
	return mtu
}

package rawcarrier

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// route asks the system by a UDP socket that is connected to peer (nothing is sent) and
// closed at once: the address that it would send from, and the MTU of the way.
func route(peer netip.Addr) (source netip.Addr, mtu int) {
	if !peer.Unmap().Is4() {
		return source, 0
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return source, 0
	}
	defer unix.Close(fd)
	const discard = 9 // RFC 863; the route does not depend on it
	if unix.Connect(fd, &unix.SockaddrInet4{Port: discard, Addr: peer.Unmap().As4()}) != nil {
		return source, 0
	}
	if name, err := unix.Getsockname(fd); err == nil {
		source = netip.AddrFrom4(name.(*unix.SockaddrInet4).Addr)
	}
	mtu, err = unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU)
	if err != nil {
		mtu = 0
	}
	return source, mtu
}

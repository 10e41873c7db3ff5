//go:build linux || darwin || freebsd

package udpcarrier

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawName is room for a socket address of IPv4, which is the shorter, or IPv6.
type rawName = unix.RawSockaddrInet6

// setName writes peer as a socket wants it that is IPv6 or not, and returns how many
// bytes the address has. An IPv6 peer stays one on an IPv4 socket: the kernel says
// EAFNOSUPPORT. (Where an address has its length in it, the kernel writes that itself.)
func setName(s *rawName, peer netip.AddrPort, inet6 bool) uint32 {
	ip, port := peer.Addr(), netOrder(peer.Port())
	if !inet6 && ip.Unmap().Is4() {
		s4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(s))
		*s4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: ip.Unmap().As4()}
		return unix.SizeofSockaddrInet4
	}
	// As16 gives an IPv4 peer's mapped address.
	*s = rawName{Family: unix.AF_INET6, Port: port, Addr: ip.As16(), Scope_id: zones.id(ip.Zone())}
	return unix.SizeofSockaddrInet6
}

// ofName reads the first n bytes of s as the kernel wrote them, an IPv4-mapped
// address as the one that it stands for; the zero AddrPort if they are none of UDP's.
func ofName(s *rawName, n uint32) netip.AddrPort {
	switch {
	case s.Family == unix.AF_INET && n >= unix.SizeofSockaddrInet4:
		s4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(s))
		return netip.AddrPortFrom(netip.AddrFrom4(s4.Addr), netOrder(s4.Port))
	case s.Family == unix.AF_INET6 && n >= unix.SizeofSockaddrInet6:
		ip := netip.AddrFrom16(s.Addr).Unmap()
		if s.Scope_id != 0 && ip.Is6() {
			ip = ip.WithZone(zones.name(s.Scope_id))
		}
		return netip.AddrPortFrom(ip, netOrder(s.Port))
	}
	return netip.AddrPort{}
}

// netOrder turns a port into the network's order of bytes, and back.
func netOrder(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

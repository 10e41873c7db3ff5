//go:build darwin || freebsd

package udpcarrier

import (
	"net/netip"

	"example.com/culvert/internal/cmsg"
	"golang.org/x/sys/unix"
)

// appendControl appends a control message for the source address, the only thing
// that is asked for here (see Caps).
func appendControl(b []byte, k controlKey) []byte {
	if !k.source.IsValid() || k.v4 != k.source.Is4() {
		return b
	}
	if k.v4 {
		return appendSource4(b, k.source.As4())
	}
	// struct in6_pktinfo (RFC 3542 section 6): address, interface index.
	var info [unix.SizeofInet6Pktinfo]byte
	src := k.source.As16()
	copy(info[:], src[:])
	return cmsg.Append(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, info[:])
}

// parseControl reads the address that a datagram was sent to.
func parseControl(b []byte) (m received) {
	for h, data := range cmsg.All(b) {
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_RECVDSTADDR && len(data) >= 4:
			m.local = netip.AddrFrom4([4]byte(data))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			if a := netip.AddrFrom16([16]byte(data[:16])); !m.local.IsValid() {
				m.local = a.Unmap()
			}
		}
	}
	return m
}

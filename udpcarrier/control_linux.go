package udpcarrier

import (
	"encoding/binary"
	"net/netip"

	"example.com/culvert/internal/cmsg"
	"golang.org/x/sys/unix"
)

// appendControl appends the control messages that k asks for (ip(7), ipv6(7)), none
// for the zero key. An IPv6 socket understands IPv4's when it sends to such a peer.
func appendControl(b []byte, k controlKey) []byte {
	if k.source.IsValid() {
		switch {
		case k.v4 && k.source.Is4():
			// struct in_pktinfo: interface index, source, destination (unused).
			var info [unix.SizeofInet4Pktinfo]byte
			src := k.source.As4()
			copy(info[4:], src[:])
			b = cmsg.Append(b, unix.IPPROTO_IP, unix.IP_PKTINFO, info[:])
		case !k.v4 && !k.source.Is4():
			// struct in6_pktinfo (RFC 3542 section 6): address, interface index.
			var info [unix.SizeofInet6Pktinfo]byte
			src := k.source.As16()
			copy(info[:], src[:])
			b = cmsg.Append(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, info[:])
		}
	}
	var n [4]byte
	if k.trafficClass != 0 {
		binary.NativeEndian.PutUint32(n[:], uint32(k.trafficClass))
		if k.v4 {
			b = cmsg.Append(b, unix.IPPROTO_IP, unix.IP_TOS, n[:])
		} else {
			b = cmsg.Append(b, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, n[:])
		}
	}
	if k.hopLimit != 0 {
		binary.NativeEndian.PutUint32(n[:], uint32(k.hopLimit))
		if k.v4 {
			b = cmsg.Append(b, unix.IPPROTO_IP, unix.IP_TTL, n[:])
		} else {
			b = cmsg.Append(b, unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT, n[:])
		}
	}
	if k.segmentSize != 0 {
		var n [2]byte
		binary.NativeEndian.PutUint16(n[:], k.segmentSize)
		b = cmsg.Append(b, unix.SOL_UDP, unix.UDP_SEGMENT, n[:])
	}
	return b
}

// parseControl reads what the kernel tells about a message that was received.
func parseControl(b []byte) (m received) {
	for h, data := range cmsg.All(b) {
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			// ipi_spec_dst, not ipi_addr: it is ours even if the datagram was broadcast.
			m.local = netip.AddrFrom4([4]byte(data[4:8]))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			// An IPv4 datagram on a dual-stack socket has both; IPv4's own is more exact.
			if a := netip.AddrFrom16([16]byte(data[:16])); !m.local.IsValid() {
				m.local = a.Unmap()
			}
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TOS && len(data) >= 1:
			m.trafficClass = data[0]
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_TCLASS && len(data) >= 4:
			m.trafficClass = uint8(binary.NativeEndian.Uint32(data))
		case h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			// An int; what is no size is as good as none.
			m.segmentSize = max(0, int(int32(binary.NativeEndian.Uint32(data))))
		}
	}
	return m
}

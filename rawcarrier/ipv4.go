package rawcarrier

import (
	"encoding/binary"
	"net/netip"
)

// Protocol numbers.
const (
	protocolICMP = 1
	protocolTCP  = 6
)

// header is what matters here of an IPv4 header (RFC 791 section 3.1).
type header struct {
	src, dst     netip.Addr
	trafficClass uint8
	protocol     uint8
	payload      []byte
}

// parseHeader reads the IPv4 datagram that fills b; ok is false if it is none, or a
// fragment. What lies beyond its total length is padding.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < ipv4Header || b[0]>>4 != 4 {
		return h, false
	}
	size, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if size < ipv4Header || total < size || total > len(b) {
		return h, false
	}
	// More fragments, or an offset. The kernel has put together what it hands on.
	if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return h, false
	}
	return header{
		src: netip.AddrFrom4([4]byte(b[12:16])), dst: netip.AddrFrom4([4]byte(b[16:20])),
		trafficClass: b[1], protocol: b[9], payload: b[size:total],
	}, true
}

// ports reads the ports of a segment, which must have them.
func ports(seg []byte) (src, dst uint16) {
	return binary.BigEndian.Uint16(seg), binary.BigEndian.Uint16(seg[2:])
}

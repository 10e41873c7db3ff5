package rawcarrier

import (
	"encoding/binary"
	"net/netip"

	"example.com/culvert/tcpcore/segment"
)

// ICMP messages of RFC 792 that a host answers, and the answer.
const (
	icmpEchoReply   = 0
	icmpEchoRequest = 8
)

// echoReply makes the answer to the ICMP message of a datagram, in its own memory,
// which begins with room for an IP header without options; nil if it is no echo
// request (RFC 1122 section 3.2.2.6). It is as long as the question.
func echoReply(datagram []byte, h *header) []byte {
	m := h.payload
	if h.protocol != protocolICMP || len(m) < icmpHeader || m[0] != icmpEchoRequest || m[1] != 0 || segment.InternetSum(m) != 0xffff {
		return nil
	}
	m[0] = icmpEchoReply
	m[2], m[3] = 0, 0
	binary.BigEndian.PutUint16(m[2:], ^segment.InternetSum(m))
	// The options of the question stay behind.
	begin := len(datagram) - len(m) - ipv4Header
	reply := datagram[begin:]
	putHeader(reply[:ipv4Header], protocolICMP, len(m), h.trafficClass, 0, h.dst, h.src)
	return reply
}

// defaultTTL is the recommended one (RFC 1700).
const defaultTTL = 64

// putHeader writes the header of an IPv4 datagram that must not be fragmented, which is
// why its identification is 0 (RFC 6864 section 4.1). ttl 0 means the default.
func putHeader(b []byte, protocol byte, payload int, trafficClass, ttl uint8, src, dst netip.Addr) {
	const dontFragment = 0x4000
	if ttl == 0 {
		ttl = defaultTTL
	}
	clear(b[:ipv4Header])
	b[0], b[1], b[8], b[9] = 0x45, trafficClass, ttl, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(ipv4Header+payload))
	binary.BigEndian.PutUint16(b[6:], dontFragment)
	s, d := src.As4(), dst.As4()
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	binary.BigEndian.PutUint16(b[10:], ^segment.InternetSum(b[:ipv4Header]))
}

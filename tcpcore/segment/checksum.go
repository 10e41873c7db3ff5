package segment

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// protocolTCP is TCP's number in the pseudo-header.
const protocolTCP = 6

// SetChecksum writes the checksum (RFC 9293 section 3.1, MUST-2) into the segment
// that fills b, which must be at least a header long. IPv4-mapped IPv6 addresses
// count as IPv4.
func SetChecksum(b []byte, src, dst netip.Addr) {
	b[offChecksum], b[offChecksum+1] = 0, 0
	binary.LittleEndian.PutUint16(b[offChecksum:], ^sum(b, src, dst))
}

// VerifyChecksum reports whether the segment that fills b carries the right checksum
// (RFC 9293 section 3.1, MUST-3). IPv4-mapped IPv6 addresses count as IPv4. It is
// false for anything shorter than a header.
func VerifyChecksum(b []byte, src, dst netip.Addr) bool {
	return len(b) >= FixedHeaderLen && sum(b, src, dst) == 0xffff
}

// PartialChecksum reports whether the checksum field of the segment that fills b holds
// the sum of the pseudo-header and nothing else. That is what a system leaves there for
// the device to complete, and so what it shows to whoever looks at a segment that has
// not met a device (another program of the same host sent it), or whose pieces were
// verified when they were joined to this one. A segment from elsewhere that was altered
// on the way looks like this as often as an altered one passes VerifyChecksum.
func PartialChecksum(b []byte, src, dst netip.Addr) bool {
	return len(b) >= FixedHeaderLen &&
		binary.LittleEndian.Uint16(b[offChecksum:]) == fold(pseudo(len(b), src, dst))
}

// InternetSum returns the ones' complement sum of RFC 1071 over b, an odd last octet padded
// with zero: what IPv4 headers and ICMP messages hold the complement of. It is 0xffff over
// one that holds its right checksum, which is in network byte order.
func InternetSum(b []byte) uint16 { return bits.ReverseBytes16(fold(add(0, b))) }

// sum is the ones' complement sum of the pseudo-header and b, its octets swapped.
// The sum of swapped words is the swapped sum (RFC 1071 section 2 (B)), so that
// reading words with the low octet first, as most machines do, costs nothing.
func sum(b []byte, src, dst netip.Addr) uint16 {
	return fold(add(pseudo(len(b), src, dst), b))
}

// pseudo is the sum, in 64 bits, of the pseudo-header of a segment of n bytes.
func pseudo(n int, src, dst netip.Addr) uint64 {
	src, dst = src.Unmap(), dst.Unmap()
	if src.Is4() && dst.Is4() {
		var p [12]byte
		s, d := src.As4(), dst.As4()
		copy(p[:], s[:])
		copy(p[4:], d[:])
		p[9] = protocolTCP
		binary.BigEndian.PutUint16(p[10:], uint16(n))
		return add(0, p[:])
	}
	// RFC 8200 section 8.1.
	var p [40]byte
	s, d := src.As16(), dst.As16()
	copy(p[:], s[:])
	copy(p[16:], d[:])
	binary.BigEndian.PutUint32(p[32:], uint32(n))
	p[39] = protocolTCP
	return add(0, p[:])
}

// fold makes 16 bits of 64. Each step may carry once more.
func fold(acc uint64) uint16 {
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	return uint16(acc)
}

// add returns the ones' complement sum of acc and b in 64 bits, an odd last octet
// padded with zero.
func add(acc uint64, b []byte) uint64 {
	var carry uint64
	for len(b) >= 32 {
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[8:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[16:]), carry)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b[24:]), carry)
		b = b[32:]
	}
	for len(b) >= 8 {
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b), carry)
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		copy(last[:], b)
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(last[:]), carry)
	}
	return acc + carry // with a carry, acc is not all ones
}

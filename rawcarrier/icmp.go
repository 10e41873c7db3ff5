package rawcarrier

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"example.com/culvert/carrier"
	"example.com/culvert/tcpcore/segment"
)

// ICMP types of RFC 792 that say that a datagram did not get through. A source quench
// is none of them (RFC 9293 MUST-55).
const (
	icmpUnreachable      = 3
	icmpTimeExceeded     = 11
	icmpParameterProblem = 12
	codeFragNeeded       = 4 // of unreachable: fragmentation needed and DF set
)

// leastMTU is the smallest there is (RFC 791 section 3.2).
const leastMTU = 68

// icmpHeader is the length of an ICMP error's header; what it quotes comes behind it.
const icmpHeader = 8

// parseICMP reads the ICMP message that fills b and returns the report that it makes
// about a segment of ours; ok is false if it makes none. The report's Data is what is
// quoted of the segment, 8 octets at least (RFC 792), and points into b.
func parseICMP(b []byte) (d carrier.Datagram, ok bool) {
	if len(b) < icmpHeader || segment.InternetSum(b) != 0xffff {
		return d, false
	}
	err := icmpError(b[0], b[1])
	if err == 0 {
		return d, false
	}
	// The quoted datagram is cut short, so that its total length says nothing.
	q := b[icmpHeader:]
	if len(q) < ipv4Header || q[0]>>4 != 4 || q[9] != protocolTCP || q[6]&0x1f != 0 || q[7] != 0 {
		return d, false
	}
	size := int(q[0]&15) * 4
	if size < ipv4Header || len(q) < size+8 {
		return d, false
	}
	seg := q[size:]
	_, port := ports(seg)
	d = carrier.Datagram{
		Peer:  netip.AddrPortFrom(netip.AddrFrom4([4]byte(q[16:20])), port),
		Local: netip.AddrFrom4([4]byte(q[12:16])),
		Data:  seg, Err: err,
	}
	if err == syscall.EMSGSIZE {
		// The next hop's MTU (RFC 1191 section 4), 0 from routers that do not tell.
		if mtu := int(binary.BigEndian.Uint16(b[6:])); mtu >= leastMTU {
			d.SegmentSize = mtu - ipv4Header
		}
	}
	return d, true
}

// unreachables are the errors for the codes of "destination unreachable" (RFC 1812
// section 5.2.7.1), as Linux translates them for its own sockets.
var unreachables = [...]syscall.Errno{
	0:  syscall.ENETUNREACH,  // network
	1:  syscall.EHOSTUNREACH, // host
	2:  syscall.ENOPROTOOPT,  // protocol
	3:  syscall.ECONNREFUSED, // port
	4:  syscall.EMSGSIZE,     // fragmentation needed and DF set
	5:  syscall.EOPNOTSUPP,   // source route failed
	6:  syscall.ENETUNREACH,  // network unknown
	7:  syscall.EHOSTDOWN,    // host unknown
	8:  syscall.EHOSTUNREACH, // source host isolated
	9:  syscall.ENETUNREACH,  // network prohibited
	10: syscall.EHOSTUNREACH, // host prohibited
	11: syscall.ENETUNREACH,  // network, for this type of service
	12: syscall.EHOSTUNREACH, // host, for this type of service
	13: syscall.EHOSTUNREACH, // communication prohibited
	14: syscall.EHOSTUNREACH, // precedence violation
	15: syscall.EHOSTUNREACH, // precedence cutoff
}

// icmpError returns the error that a message stands for, 0 if for none.
func icmpError(kind, code uint8) syscall.Errno {
	switch kind {
	case icmpUnreachable:
		if int(code) < len(unreachables) {
			return unreachables[code]
		}
		return syscall.EHOSTUNREACH
	case icmpTimeExceeded:
		return syscall.EHOSTUNREACH
	case icmpParameterProblem:
		return syscall.EPROTO
	}
	return 0
}

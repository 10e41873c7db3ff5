package segment

import (
	"encoding/binary"
	"fmt"
)

// Lengths of a TCP header, in bytes: without options, and with all that its data offset can
// express.
const (
	FixedHeaderLen = 20
	MaxHeaderLen   = 15 * 4
)

// Offsets of header fields (RFC 9293 section 3.1).
const (
	offSrcPort  = 0
	offDstPort  = 2
	offSeq      = 4
	offAck      = 8
	offData     = 12
	offFlags    = 13
	offWindow   = 14
	offChecksum = 16
	offUrgent   = 18
)

// Flags are the control bits of RFC 9293 section 3.1, byte 13 of the header.
type Flags uint8

// Control bits.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has reports whether every bit of f2 is set in f.
func (f Flags) Has(f2 Flags) bool { return f&f2 == f2 }

// String spells the bits as tcpdump does: "S." is SYN and ACK.
func (f Flags) String() string {
	const letters = "FSRP.UEW"
	var b [8]byte
	n := 0
	for i := range len(letters) {
		if f&(1<<i) != 0 {
			b[n] = letters[i]
			n++
		}
	}
	if n == 0 {
		return "none"
	}
	return string(b[:n])
}

// Segment is a TCP segment, parsed or to be sent. Payload (and Experiment's data)
// alias the bytes given to Parse. The checksum is not part of it: see SetChecksum.
type Segment struct {
	SrcPort, DstPort uint16
	Seq, Ack         Seq
	Flags            Flags
	Window           uint16 // as on the wire, unscaled
	Urgent           uint16
	Options          Options
	Payload          []byte
	// TrafficClass is of the IP header that brought the segment, which Parse does not
	// see and leaves alone.
	TrafficClass uint8
}

// Parse reads the segment that fills b into *s, all of which it overwrites. The
// error, if any, is one of the Err values of this package, and *s is then of no use.
// The checksum and the reserved bits are not looked at.
func Parse(s *Segment, b []byte) error {
	if len(b) < FixedHeaderLen {
		return ErrShort
	}
	hdr := int(b[offData]>>4) * 4
	switch {
	case hdr < FixedHeaderLen:
		return ErrDataOffset
	case hdr > len(b):
		return ErrHeaderTruncated
	}
	s.SrcPort = binary.BigEndian.Uint16(b[offSrcPort:])
	s.DstPort = binary.BigEndian.Uint16(b[offDstPort:])
	s.Seq = Seq(binary.BigEndian.Uint32(b[offSeq:]))
	s.Ack = Seq(binary.BigEndian.Uint32(b[offAck:]))
	s.Flags = Flags(b[offFlags])
	s.Window = binary.BigEndian.Uint16(b[offWindow:])
	s.Urgent = binary.BigEndian.Uint16(b[offUrgent:])
	s.Options = Options{}
	s.Payload = b[hdr:]
	if hdr == FixedHeaderLen {
		return nil
	}
	return s.Options.parse(b[FixedHeaderLen:hdr:hdr])
}

// Append appends the segment to b and returns the longer slice; it allocates only
// if b's capacity is too small. The checksum is zero. Options take their order and
// padding from docs/WIRE.md; SACK blocks that do not fit into a header are left
// out, the last first, and so is an Experiment.
func (s *Segment) Append(b []byte) []byte {
	l := s.Options.layout()
	b = binary.BigEndian.AppendUint16(b, s.SrcPort)
	b = binary.BigEndian.AppendUint16(b, s.DstPort)
	b = binary.BigEndian.AppendUint32(b, uint32(s.Seq))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Ack))
	b = append(b, byte((FixedHeaderLen+l.size)/4)<<4, byte(s.Flags), byte(s.Window>>8), byte(s.Window),
		0, 0, byte(s.Urgent>>8), byte(s.Urgent))
	b = s.Options.append(b, l)
	return append(b, s.Payload...)
}

// HeaderLen returns the length of the header that Append writes, options and
// padding included, in bytes: 20 to 60, a multiple of 4.
func (s *Segment) HeaderLen() int { return FixedHeaderLen + s.Options.layout().size }

// Len returns SEG.LEN: the sequence numbers that the segment occupies, which are
// its payload's octets, SYN and FIN (RFC 9293 section 3.3.1).
func (s *Segment) Len() int {
	n := len(s.Payload)
	if s.Flags.Has(SYN) {
		n++
	}
	if s.Flags.Has(FIN) {
		n++
	}
	return n
}

// PutSeq overwrites the sequence number of the segment that b begins with, which
// must be at least a header long.
func PutSeq(b []byte, q Seq) { binary.BigEndian.PutUint32(b[offSeq:], uint32(q)) }

// PutFlags overwrites the control bits of the segment that b begins with, which
// must be at least a header long.
func PutFlags(b []byte, f Flags) { b[offFlags] = byte(f) }

// String describes the segment in the manner of tcpdump, with raw sequence
// numbers, for messages of tests:
//
//	1024 > 2048: Flags [P.], seq 1:101, ack 7, win 512, options [TS val 1 ecr 2], length 100
func (s *Segment) String() string {
	b := fmt.Appendf(nil, "%d > %d: Flags [%v], seq %d", s.SrcPort, s.DstPort, s.Flags, s.Seq)
	if n := len(s.Payload); n > 0 {
		b = fmt.Appendf(b, ":%d", s.Seq.Add(n))
	}
	if s.Flags.Has(ACK) {
		b = fmt.Appendf(b, ", ack %d", s.Ack)
	}
	b = fmt.Appendf(b, ", win %d", s.Window)
	if s.Flags.Has(URG) {
		b = fmt.Appendf(b, ", urg %d", s.Urgent)
	}
	if o := s.Options.String(); o != "" {
		b = fmt.Appendf(b, ", options [%s]", o)
	}
	return string(fmt.Appendf(b, ", length %d", len(s.Payload)))
}

// String lists the options in the manner of tcpdump, without padding; it is empty
// if there are none.
func (o *Options) String() string {
	var b []byte
	add := func(format string, args ...any) {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, format, args...)
	}
	if o.MSS != 0 {
		add("mss %d", o.MSS)
	}
	if o.SACKPermitted {
		add("sackOK")
	}
	if o.HasTimestamps {
		add("TS val %d ecr %d", o.TSVal, o.TSEcr)
	}
	if o.HasWindowScale {
		add("wscale %d", o.WindowScale)
	}
	if n := min(o.SACKCount, MaxSACK); n > 0 {
		add("sack %d ", n)
		for _, k := range o.SACK[:n] {
			b = fmt.Appendf(b, "{%d:%d}", k.Left, k.Right)
		}
	}
	if o.Experiment != nil {
		add("exp 0x%04x 0x%x", o.ExID, o.Experiment)
	}
	return string(b)
}

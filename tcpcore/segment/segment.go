package segment

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

// Segment is a TCP segment, parsed or to be sent. Payload (and Experiment's data)
// alias the bytes given to Parse.
type Segment struct {
	SrcPort, DstPort uint16
	Seq, Ack         Seq
	Flags            Flags
	Window           uint16 // as on the wire, unscaled
	Urgent           uint16
	Options          Options
	Payload          []byte
}

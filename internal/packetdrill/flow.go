package packetdrill

import (
	"time"

	"example.com/culvert/conn"
)

// flow is one connection as the script sees it: how its numbers and the live ones
// correspond.
type flow struct {
	tap           *tap
	local, remote uint16 // live ports; 0 while not known
	script        ports  // ports as the script writes them, if it does
	hasScript     bool
	udpPort       uint16     // the peer's, of the carrier
	c             *conn.Conn // once the script, or its file, has it

	queue []*live // sent by the stack, and not yet expected

	// seqOff is what must be added to the script's sequence numbers of the stack to
	// get live ones; those of the peer are live as they are.
	seqOff  uint32
	isn     uint32 // live, valid if hasISN
	hasISN  bool
	peerISN uint32
	hasPeer bool
	// nextPeerISN is of the last SYN that was injected: it counts if the stack answers
	// it with a connection of its own.
	nextPeerISN uint32

	// Timestamps of the stack: tsOff is added likewise, and tsLive has the exact value
	// of each that the script has named.
	tsOff    uint32
	hasTS    bool
	tsLive   map[uint32]uint32
	written  []byte // the stream that the script wrote, from the octet behind the SYN
	known    bool   // written is all that the script wrote
	literals bool   // the peer's bytes are not the pattern's alone

	// For the lenient level.
	expAck   uint32 // highest acknowledgment expected so far
	liveAck  uint32 // highest that was seen
	hasAck   bool
	lastWin  int
	debts    []debt
	lastSent map[uint32]time.Duration // when the stack last sent from a sequence number
}

// ports identify a connection in a script, the stack's first.
type ports struct{ local, remote uint16 }

// debt is an acknowledgment that was expected and may yet come.
type debt struct {
	ack      uint32
	deadline time.Duration
	script   string
	pos      Pos
}

// pattern is the octet at a place of a stream, so that a byte in the wrong place
// shows. seq is a sequence number of the script.
func pattern(seq uint32) byte { return byte(seq*7 + seq>>8*13 + seq>>16*31) }

func patternBytes(seq uint32, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = pattern(seq + uint32(i))
	}
	return b
}

// learnISN notes the stack's initial sequence number when it sends a SYN. script is the
// number that the script has for it.
func (f *flow) learnISN(liveSeq, script uint32) {
	if f.hasISN {
		// Another connection with the same addresses and ports.
		f.c, f.written, f.known, f.literals = nil, nil, false, false
		f.peerISN = f.nextPeerISN
		f.hasTS, f.tsLive = false, nil
		f.hasAck, f.liveAck, f.debts = false, 0, nil
	}
	f.isn, f.hasISN = liveSeq, true
	f.seqOff = liveSeq - script
}

// toScript turns a live segment into the script's numbers.
func (f *flow) toScript(l *live) Packet {
	k := l.k
	k.Seq -= f.seqOff
	if l.cut {
		// The flags that begin a segment were matched with its first part.
		k.Flags &^= FlagSYN
	}
	k.Options = append([]TCPOption(nil), k.Options...)
	for i := range k.Options {
		o := &k.Options[i]
		if o.Kind == OptTS && f.hasTS {
			o.Value -= f.tsOff
		}
	}
	return k
}

// toLive turns a packet of the script that goes in into live numbers.
func (f *flow) toLive(k *Packet) Packet {
	p := *k
	if p.HasAck || p.Flags&FlagACK != 0 {
		p.Ack += f.seqOff
	}
	p.Options = append([]TCPOption(nil), k.Options...)
	for i := range p.Options {
		o := &p.Options[i]
		switch o.Kind {
		case OptTS:
			if v, ok := f.tsLive[o.Ecr]; ok {
				o.Ecr = v
			} else if f.hasTS && o.Ecr != 0 {
				o.Ecr += f.tsOff
			}
		case OptSACK:
			// They report the stack's own sequence space.
			o.Blocks = append([]Block(nil), o.Blocks...)
			for j := range o.Blocks {
				o.Blocks[j].Left += f.seqOff
				o.Blocks[j].Right += f.seqOff
			}
		}
	}
	return p
}

// matchTS notes which live timestamp a script's stands for, the first time it appears.
func (f *flow) matchTS(script, liveVal uint32) {
	if f.tsLive == nil {
		f.tsLive = make(map[uint32]uint32)
	}
	if !f.hasTS {
		f.hasTS, f.tsOff = true, liveVal-script
	}
	f.tsLive[script] = liveVal
}

package tcpcore

import (
	"encoding/binary"
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// fuzzOps is how many operations one input may ask for, fuzzEvents how many events
// the world then has to come to rest.
const (
	fuzzOps    = 300
	fuzzEvents = 3000
)

// A fuzzSource hands out an input's bytes, then zeros.
type fuzzSource struct{ b []byte }

func (f *fuzzSource) byte() byte {
	if len(f.b) == 0 {
		return 0
	}
	v := f.b[0]
	f.b = f.b[1:]
	return v
}

func (f *fuzzSource) uint16() uint16 { return uint16(f.byte())<<8 | uint16(f.byte()) }
func (f *fuzzSource) uint32() uint32 { return uint32(f.uint16())<<16 | uint32(f.uint16()) }

func (f *fuzzSource) take(n int) []byte {
	n = min(n, len(f.b))
	v := f.b[:n]
	f.b = f.b[n:]
	return v
}

// near returns a number close to zero most of the time, and any at others.
func (f *fuzzSource) near() int {
	switch c := f.byte(); {
	case c < 128:
		return int(c%16) - 8
	case c < 224:
		return int(int16(f.uint16()))
	default:
		return int(int32(f.uint32()))
	}
}

// segment makes one that a peer of h might send, or somebody who would like to be it.
func (f *fuzzSource) segment(h *simHost) []byte {
	p := &h.peer.wire
	g := segment.Segment{SrcPort: h.p.RemotePort, DstPort: h.p.LocalPort}
	g.Flags = segment.Flags(f.byte())
	g.Seq = p.iss.Add(p.sndMax).Add(f.near())
	g.Ack = h.wire.iss.Add(h.wire.sndMax).Add(f.near())
	g.Window = f.uint16()
	g.Urgent = uint16(f.near())
	o := f.byte()
	if o&1 != 0 {
		g.Options.HasTimestamps, g.Options.TSVal, g.Options.TSEcr = true, f.uint32(), f.uint32()
	}
	if o&2 != 0 {
		g.Options.SACKCount = 1 + int(o>>6)%3
		for i := range g.Options.SACKCount {
			left := h.wire.iss.Add(h.wire.sndMax).Add(f.near())
			g.Options.SACK[i] = segment.SACKBlock{Left: left, Right: left.Add(f.near())}
		}
	}
	if o&4 != 0 && g.Flags.Has(SYN) {
		g.Options.MSS = f.uint16()
		g.Options.HasWindowScale, g.Options.WindowScale = o&8 != 0, f.byte()
		g.Options.SACKPermitted = o&16 != 0
	}
	if o&32 != 0 {
		g.Payload = make([]byte, int(f.uint16())%1500)
	}
	return g.Append(nil)
}

// FuzzInput lets the input play network, attacker and both users of a pair of
// engines. Whatever it does, they neither panic nor spin, and what they hold stays
// within its bounds.
func FuzzInput(f *testing.F) {
	f.Add([]byte{})
	for seed := range uint64(40) {
		b := binary.BigEndian.AppendUint64(nil, seed)
		x := seed*0x9e3779b97f4a7c15 + 1
		for range 60 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			b = binary.BigEndian.AppendUint64(b, x)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := runFuzz(b, nil); err != nil {
			runFuzz(b, t.Logf)
			t.Fatal(err)
		}
	})
}

// runFuzz plays an input, and prints what happens if printf is set.
func runFuzz(b []byte, printf func(string, ...any)) error {
	src := &fuzzSource{b}
	var seed [8]byte
	copy(seed[:], src.take(8))
	s := newSim(binary.BigEndian.Uint64(seed[:]))
	s.chaos, s.strict = true, false // forged segments may say anything
	s.traceOn, s.printf = printf != nil, printf
	s.begin()
	for n := 0; len(src.b) > 0 && n < fuzzOps && s.err == nil; n++ {
		src.operate(s)
	}
	for range fuzzEvents {
		if !s.step() {
			break
		}
	}
	return s.err
}

// operate does what the next bytes say.
func (f *fuzzSource) operate(s *sim) {
	op := f.byte()
	h := s.hosts[op>>7]
	h.wire.excuses++
	switch op % 16 {
	default:
		for range 1 + op%16 {
			s.step()
		}
		return
	case 8, 9, 10:
		h.deliver(f.segment(h))
	case 11: // as it comes, but for the ports
		b := append([]byte(nil), f.take(20+int(f.byte()))...)
		if len(b) >= 4 {
			binary.BigEndian.PutUint16(b, h.p.RemotePort)
			binary.BigEndian.PutUint16(b[2:], h.p.LocalPort)
		}
		h.deliver(b)
	case 12:
		h.act(simAct(f.byte()) % simActs)
	case 13:
		s.now += Time(f.uint16()) * Time(time.Millisecond)
		h.e.Advance(h.now())
	case 14:
		switch f.byte() % 8 {
		case 0:
			h.e.CloseWrite(h.now())
			h.app.ended = true
		case 1:
			h.e.Close(h.now())
			h.app.closed = true
		case 2:
			h.e.Abort(h.now())
			h.app.closed = true
		case 3:
			h.e.CloseRead(h.now())
			h.app.deaf = true
		default:
			n, _ := h.e.Read(h.now(), make([]byte, f.byte()))
			h.app.delivered += n
		}
	case 15:
		p := make([]byte, int(f.uint16())%5000)
		if op&64 != 0 {
			h.e.WriteUrgent(h.now(), p)
		} else {
			h.e.Write(h.now(), p)
		}
	}
	h.flush()
}

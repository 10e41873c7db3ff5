package tcpcore

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// A runPair is two engines that are told the same.
type runPair struct {
	t             *testing.T
	rng           *rand.Rand
	with, without *bulkPair
	acked         segment.Seq
	first         acked // what an acknowledgment told the first of them
}

func newRunPair(t *testing.T, seed uint64) *runPair {
	cfg := Config{ECN: seed%3 == 0, NoSACK: seed%5 == 0, NoTimestamps: seed%7 == 0, InitialWindow: 3 + int(seed)%100, NoDelay: seed%8 < 3}
	cfg.Congestion = []func() congestion.Controller{congestion.NewCubic, congestion.NewBBR}[seed%2]
	mms := []int{1000, 9000}[seed/2%2]
	p := &runPair{t: t, rng: rand.New(rand.NewPCG(seed, 2)), with: newBulkPair(t, cfg, mms), without: newBulkPair(t, cfg, mms)}
	p.without.a.cfg = p.with.a.cfg // or its functions would differ
	p.with.a.p.Gather, p.without.a.p.Gather = seed%4 == 2, seed%4 == 2
	p.acked = p.with.a.snd.una
	return p
}

// both lets a while pass or none, a timer fire if it is due, and then do happen to both.
func (p *runPair) both(do func(p *bulkPair)) {
	now := p.with.now + Time(p.rng.IntN(2)*p.rng.IntN(int(500*time.Microsecond)))
	for _, b := range []*bulkPair{p.with, p.without} {
		b.now = now
		if b.a.Deadline() <= now {
			b.a.Advance(now)
		}
		do(b)
	}
}

// write has both write some, perhaps urgently or as a record, and marked or not when it is sent.
func (p *runPair) write() {
	n, how, mute := p.rng.IntN(100_000), p.rng.IntN(12), p.rng.IntN(3) == 0
	p.both(func(b *bulkPair) {
		if how == 0 {
			b.a.WriteUrgent(b.now, b.w[:n])
		} else {
			b.a.Write(b.now, b.w[:n]) // as much as there is room for
		}
		if how == 1 {
			b.a.EndRecord()
			b.a.Write(b.now, b.w[:n])
		}
		b.a.ecn.mute, b.a.ecn.proven = mute, false
	})
}

// output compares what both send.
func (p *runPair) output() {
	a, b := p.with, p.without
	for {
		more := a.a.Output(a.now, &a.t)
		if b.a.Output(b.now, &b.t) != more {
			p.t.Fatal("only one has something to send")
		}
		if !more {
			return
		}
		if !bytes.Equal(a.t.Buf, b.t.Buf) || !bytes.Equal(a.t.Data, b.t.Data) || a.t.SegmentSize != b.t.SegmentSize || a.t.TrafficClass != b.t.TrafficClass {
			p.t.Fatalf("a train of %d octets is sent, or one of %d", len(a.t.Buf)+len(a.t.Data), len(b.t.Buf)+len(b.t.Data))
		}
	}
}

// ack makes an acknowledgment of a part of what is in flight, perhaps with a block.
func (p *runPair) ack() segment.Segment {
	e := p.with.a
	s := segment.Segment{SrcPort: 2000, DstPort: 1000, Flags: ACK, Seq: e.rcv.nxt, Window: uint16(20 + p.rng.IntN(1000))}
	s.Options.HasTimestamps = e.ts.on
	s.Options.TSVal, s.Options.TSEcr = e.ts.recent, e.tsClock(p.with.now)
	s.Ack = e.snd.una
	if n := e.sent.len(); n > 0 {
		s.Ack = e.sent.at(p.rng.IntN(n)).end().Add(-p.rng.IntN(2))
		if p.rng.IntN(4) == 0 {
			s.Ack = e.snd.nxt
		}
		if i := p.rng.IntN(n); e.sack && s.Ack.Less(e.sent.at(i).seq) {
			s.Options.SACK[0] = segment.SACKBlock{Left: e.sent.at(i).seq, Right: e.sent.at(min(i+p.rng.IntN(5), n-1)).end()}
			s.Options.SACKCount = 1
		}
	}
	return s
}

// TestSendRun: it makes no difference that segments like the one before are sent in a run. One
// of two engines is told of a push far ahead, which keeps it from doing so.
func TestSendRun(t *testing.T) {
	runs := 0
	for seed := range uint64(84) {
		p := newRunPair(t, seed)
		for step := range 200 {
			p.write()
			m := p.with.a.snd.marks
			m.list, m.head = append(slices.Clone(m.list[m.head:]), mark{at: p.without.a.snd.nxt.Add(1 << 30)}), 0
			p.without.a.snd.marks = m
			p.output()
			if p.with.a.sent.len() > 2 {
				runs++
			}
			s := p.ack()
			p.both(func(b *bulkPair) {
				in := s
				b.a.Input(b.now, &in)
			})
			p.without.a.snd.marks = p.with.a.snd.marks
			if field := differs(p.with.a, p.without.a); field != "" {
				t.Fatalf("seed %d, step %d: runs make a difference to %s", seed, step, field)
			}
		}
	}
	if runs < 1000 {
		t.Errorf("only %d runs, perhaps", runs)
	}
}

// TestPopRun: it makes no difference that records of no news are taken off in a run. One of two
// engines takes note of each by itself.
func TestPopRun(t *testing.T) {
	popped := 0
	for seed := range uint64(84) {
		p := newRunPair(t, seed)
		for step := range 200 {
			p.write()
			p.output()
			s := p.ack()
			p.both(func(b *bulkPair) {
				e, a := b.a, acked{}
				e.snd.una = s.Ack
				if b == p.with {
					n := e.sent.len()
					e.popAcked(b.now, &s, &a)
					popped += n - e.sent.len()
				}
				for b == p.without && e.sent.len() > 0 && e.sent.at(0).end().LessEq(s.Ack) {
					if e.sent.at(0).state != sacked {
						e.deliveredRecord(b.now, 0, &s, &a)
					}
					e.sent.pop()
				}
				if b == p.without {
					e.popAcked(b.now, &s, &a) // trims what is left
				}
				e.snd.buf.drop(s.Ack.Sub(p.acked))
				in := s
				e.Input(b.now, &in)
				if b == p.with {
					p.first = a
				} else if a != p.first {
					t.Fatalf("seed %d, step %d: %+v, or one at a time %+v", seed, step, p.first, a)
				}
			})
			p.acked = s.Ack
			if field := differs(p.with.a, p.without.a); field != "" {
				t.Fatalf("seed %d, step %d: runs make a difference to %s", seed, step, field)
			}
		}
	}
	if popped < 10_000 {
		t.Errorf("only %d records were acknowledged", popped)
	}
}

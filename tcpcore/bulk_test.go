package tcpcore

import (
	"errors"
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// A bulkPair is two engines back to back that move data one way without loss.
type bulkPair struct {
	tb   testing.TB
	a, b *Engine // a sends
	now  Time
	t    Train
	seg  segment.Segment
	w, r []byte

	segments int // that b received
}

// newBulkPair returns an established pair.
func newBulkPair(tb testing.TB, cfg Config, mms int) *bulkPair {
	tb.Helper()
	p := &bulkPair{tb: tb, a: New(cfg), b: New(cfg), now: Time(time.Second), w: make([]byte, 256<<10), r: make([]byte, 256<<10)}
	if err := p.b.OpenPassive(p.now, Params{LocalPort: 2000, RemotePort: 1000, ISN: 7, MMS: mms}); err != nil {
		tb.Fatal(err)
	}
	if err := p.a.OpenActive(p.now, Params{LocalPort: 1000, RemotePort: 2000, ISN: 5, MMS: mms}); err != nil {
		tb.Fatal(err)
	}
	for range 3 {
		p.move(p.a, p.b)
		p.move(p.b, p.a)
	}
	if p.a.State() != Established || p.b.State() != Established {
		tb.Fatalf("%v and %v after the handshake", p.a.State(), p.b.State())
	}
	return p
}

// move carries all that from has to send.
func (p *bulkPair) move(from, to *Engine) {
	for from.Output(p.now, &p.t) {
		for b := p.t.Buf; len(b) > 0; {
			n := min(p.t.SegmentSize, len(b))
			if err := segment.Parse(&p.seg, b[:n]); err != nil {
				p.tb.Fatal(err)
			}
			to.Input(p.now, &p.seg)
			p.segments++
			b = b[n:]
		}
	}
	from.Events()
}

// round lets a millisecond pass: a writes what fits, b reads all, acknowledgments return.
func (p *bulkPair) round() {
	p.now += Time(time.Millisecond)
	for _, e := range []*Engine{p.a, p.b} {
		if e.Deadline() <= p.now {
			e.Advance(p.now)
		}
	}
	if _, err := p.a.Write(p.now, p.w); err != nil && !errors.Is(err, ErrWouldBlock) {
		p.tb.Fatal(err)
	}
	p.move(p.a, p.b)
	for {
		n, err := p.b.Read(p.now, p.r)
		if n == 0 {
			if !errors.Is(err, ErrWouldBlock) {
				p.tb.Fatal(err)
			}
			break
		}
	}
	p.move(p.b, p.a)
}

// TestNoAllocations moves data in the steady state.
func TestNoAllocations(t *testing.T) {
	for _, cfg := range []Config{{}, {NoTimestamps: true, NoSACK: true, NoWindowScale: true}} {
		p := newBulkPair(t, cfg, 1480)
		for range 200 {
			p.round()
		}
		before := p.segments
		if n := testing.AllocsPerRun(200, p.round); n != 0 {
			t.Errorf("%v allocations a round of about %d segments", n, (p.segments-before)/200)
		}
		if p.segments-before < 2000 {
			t.Errorf("only %d segments were moved", p.segments-before)
		}
	}
}

// TestNoAllocationsWithLoss drops every fiftieth segment: recovery costs memory once, not always.
func TestNoAllocationsWithLoss(t *testing.T) {
	p := newBulkPair(t, Config{}, 1480)
	n := 0
	lossy := func() {
		p.now += Time(5 * time.Millisecond)
		for _, e := range []*Engine{p.a, p.b} {
			if e.Deadline() <= p.now {
				e.Advance(p.now)
			}
		}
		if _, err := p.a.Write(p.now, p.w); err != nil && !errors.Is(err, ErrWouldBlock) {
			t.Fatal(err)
		}
		for p.a.Output(p.now, &p.t) {
			for b := p.t.Buf; len(b) > 0; {
				k := min(p.t.SegmentSize, len(b))
				if err := segment.Parse(&p.seg, b[:k]); err != nil {
					t.Fatal(err)
				}
				if n++; n%50 != 0 {
					p.b.Input(p.now, &p.seg)
				}
				b = b[k:]
			}
		}
		for {
			if k, _ := p.b.Read(p.now, p.r); k == 0 {
				break
			}
		}
		p.move(p.b, p.a)
	}
	for range 500 {
		lossy()
	}
	before := p.a.Info().Retransmits
	got := testing.AllocsPerRun(500, lossy)
	if p.a.Info().Retransmits == before {
		t.Fatal("nothing was retransmitted")
	}
	// The list of ranges beyond a hole is let go whenever it is empty.
	if got > 3 {
		t.Errorf("%v allocations a round", got)
	}
}

// TestIdleHoldsNothing lets go of buffers.
func TestIdleHoldsNothing(t *testing.T) {
	p := newBulkPair(t, Config{}, 1480)
	for range 100 {
		p.round()
	}
	p.w = p.w[:0]
	for range 20 {
		p.round()
	}
	for range 10 {
		p.now += Time(time.Second)
		p.a.Advance(p.now)
		p.b.Advance(p.now)
		p.move(p.a, p.b)
		p.move(p.b, p.a)
	}
	for _, e := range []*Engine{p.a, p.b} {
		if e.snd.buf.buf != nil || e.rcv.buf.buf != nil || e.sent.recs != nil {
			t.Errorf("an idle engine holds %d, %d bytes and %d records", len(e.snd.buf.buf), len(e.rcv.buf.buf), len(e.sent.recs))
		}
		if e.told != nil || e.rcv.q.ranges != nil {
			t.Error("an idle engine holds what only traffic needs")
		}
		if e.Deadline() != Never {
			t.Errorf("an idle engine wants to be woken at %v", time.Duration(e.Deadline()))
		}
	}
}

// BenchmarkPair moves data from one engine to another.
func BenchmarkPair(b *testing.B) {
	for _, c := range []struct {
		name string
		mms  int
	}{{"1452", 1452}, {"65507", 65507}} {
		b.Run(c.name, func(b *testing.B) {
			p := newBulkPair(b, Config{}, c.mms)
			begin := p.b.Info().BytesDelivered
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				p.round()
				n++
			}
			b.SetBytes(int64(p.b.Info().BytesDelivered-begin) / int64(n))
		})
	}
}

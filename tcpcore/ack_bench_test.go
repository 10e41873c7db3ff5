package tcpcore

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// openWindow lets everything go, so that only the peer decides what is in flight.
type openWindow struct{ congestion.Controller }

func (openWindow) Window() int                  { return 1 << 30 }
func (openWindow) PacingRate() int64            { return 0 }
func (openWindow) Reduces() bool                { return false }
func (openWindow) OnAck(*congestion.Ack)        {}
func (openWindow) OnLost(*congestion.Lost)      {}
func (openWindow) OnLoss(congestion.Loss)       {}
func (openWindow) OnSend(congestion.Send)       {}
func (openWindow) OnSpurious(now time.Duration) {}

// A flood is an engine with records in flight, and what a peer may answer.
type flood struct {
	tb   testing.TB
	e    *Engine
	now  Time
	n    int // records in flight
	rng  *rand.Rand
	data []byte
	t    Train
	g    segment.Segment
	seq  segment.Seq // of the peer
	step int
}

const floodMSS = 100

func newFlood(tb testing.TB, n int, noRACK bool) *flood {
	f := &flood{tb: tb, n: n, now: Time(time.Second), rng: rand.New(rand.NewPCG(1, 2)), data: make([]byte, 64*floodMSS)}
	f.e = New(Config{SendBuffer: 1 << 24, NoDelay: true, MSS: floodMSS, NoRACK: noRACK,
		Congestion: func() congestion.Controller { return openWindow{congestion.NewReno()} }})
	if err := f.e.OpenActive(f.now, Params{LocalPort: 1, RemotePort: 2, MMS: 1480}); err != nil {
		tb.Fatal(err)
	}
	f.drain()
	f.g = segment.Segment{SrcPort: 2, DstPort: 1, Seq: 99, Ack: f.e.snd.nxt, Flags: SYN | ACK, Window: 65535}
	f.g.Options.SACKPermitted, f.g.Options.HasWindowScale, f.g.Options.WindowScale = true, true, 14
	f.now += Time(time.Millisecond)
	f.e.Input(f.now, &f.g)
	f.seq = 100
	f.ack(f.e.snd.una)
	f.fill()
	return f
}

func (f *flood) drain() {
	for f.e.Output(f.now, &f.t) {
	}
	f.e.Events()
}

// fill brings the records in flight up to n.
func (f *flood) fill() {
	for f.e.sent.len() < f.n {
		k := min(f.n-f.e.sent.len(), 64)
		if m, err := f.e.Write(f.now, f.data[:k*floodMSS]); m != k*floodMSS {
			f.tb.Fatal(m, err)
		}
		f.drain()
	}
}

// ack lets an acknowledgment with blocks arrive, and a microsecond pass.
func (f *flood) ack(ack segment.Seq, blocks ...segment.SACKBlock) {
	f.now += Time(time.Microsecond)
	f.g = segment.Segment{SrcPort: 2, DstPort: 1, Seq: f.seq, Ack: ack, Flags: ACK, Window: 65535}
	f.g.Options.SACKCount = copy(f.g.Options.SACK[:], blocks)
	f.e.Input(f.now, &f.g)
	f.drain()
}

// at is where the i-th record begins.
func (f *flood) at(i int) segment.Seq { return f.e.snd.una.Add(i * floodMSS) }

// floods are what a peer may do, one acknowledgment each; those after the first three
// do harm on purpose. Each reports whether all was acknowledged, and new data is due.
var floods = []struct {
	name string
	ack  func(f *flood, blocks []segment.SACKBlock)
}{
	{"in order", func(f *flood, _ []segment.SACKBlock) {
		f.ack(f.at(2))
		f.fill()
	}},
	{"one hole", func(f *flood, b []segment.SACKBlock) {
		i := f.step % (f.n - 1)
		if i == 0 {
			f.ack(f.e.snd.nxt)
			f.fill()
		}
		b[0] = segment.SACKBlock{Left: f.at(1), Right: f.at(2 + i)}
		f.ack(f.e.snd.una, b[:1]...)
	}},
	{"every second lost", func(f *flood, b []segment.SACKBlock) {
		i := 2 * (f.step % (f.n / 2))
		if i == 0 {
			f.ack(f.e.snd.nxt)
			f.fill()
		}
		b[0] = segment.SACKBlock{Left: f.at(1 + i), Right: f.at(2 + i)}
		f.ack(f.e.snd.una, b[:1]...)
	}},
	{"random blocks", func(f *flood, b []segment.SACKBlock) {
		for i := range b {
			b[i].Left = f.at(f.rng.IntN(2*f.n) - f.n/2)
			b[i].Right = f.at(f.rng.IntN(2*f.n) - f.n/2)
		}
		f.ack(f.e.snd.una, b...)
		f.renew()
	}},
	{"inverted and huge blocks", func(f *flood, b []segment.SACKBlock) {
		b[0] = segment.SACKBlock{Left: f.e.snd.nxt, Right: f.at(1)}
		b[1] = segment.SACKBlock{Left: f.at(1), Right: f.at(1).Add(1 << 30)}
		b[2] = segment.SACKBlock{Left: f.at(0).Add(-1 << 30), Right: f.e.snd.nxt}
		b[3] = segment.SACKBlock{Left: f.at(1), Right: f.at(f.n)}
		f.ack(f.e.snd.una, b...)
		f.renew()
	}},
	{"alternating blocks", func(f *flood, b []segment.SACKBlock) {
		// The same long run from ever other ends.
		for i := range b {
			b[i] = segment.SACKBlock{Left: f.at(1 + f.rng.IntN(f.n-1)), Right: f.e.snd.nxt}
		}
		f.ack(f.e.snd.una, b...)
		f.renew()
	}},
	{"octets", func(f *flood, b []segment.SACKBlock) {
		for i := range b {
			b[i].Left = f.at(f.rng.IntN(f.n)).Add(1)
			b[i].Right = b[i].Left.Add(1)
		}
		f.ack(f.e.snd.una.Add(1), b...)
		f.fill()
	}},
	{"one at each end", func(f *flood, b []segment.SACKBlock) {
		b[0] = segment.SACKBlock{Left: f.at(f.n - 1), Right: f.at(f.n)}
		b[1] = segment.SACKBlock{Left: f.at(1), Right: f.at(2)}
		f.ack(f.e.snd.una, b[:2]...)
		f.renew()
	}},
	{"duplicates reported", func(f *flood, b []segment.SACKBlock) {
		b[0] = segment.SACKBlock{Left: f.at(-1), Right: f.at(0)}
		b[1] = segment.SACKBlock{Left: f.at(1 + f.step%(f.n-1)), Right: f.e.snd.nxt}
		f.ack(f.e.snd.una, b[:2]...)
		f.renew()
	}},
}

// renew begins with a new window now and then, so that a flood goes on finding something.
func (f *flood) renew() {
	if f.step%f.n == f.n-1 {
		f.ack(f.e.snd.nxt)
		f.fill()
	}
}

// BenchmarkACK is the work of one acknowledgment, and its share of the segments sent for it,
// by how many records are in flight. It is to be flat. Each that is in order takes two segments,
// in place of which two are written and sent, as a train.
func BenchmarkACK(b *testing.B) {
	for _, fl := range floods {
		for _, n := range []int{10, 100, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", fl.name, n), func(b *testing.B) {
				f := newFlood(b, n, false)
				blocks := make([]segment.SACKBlock, segment.MaxSACK)
				b.ReportAllocs()
				for b.Loop() {
					fl.ack(f, blocks)
					f.step++
				}
			})
		}
	}
}

// TestWorkPerACK holds the work with 10,000 records in flight against that with 10. Where
// each acknowledgment walks through them it is a thousandfold, or a hundredfold where the
// cost of sending hides it; caches make a few.
func TestWorkPerACK(t *testing.T) {
	for _, noRACK := range []bool{false, true} {
		for i, fl := range floods {
			few, many := floodCost(t, i, 10, noRACK), floodCost(t, i, 10_000, noRACK)
			for range 5 { // a busy machine is not the engine's fault
				if many <= 20*few+time.Microsecond {
					break
				}
				many = min(many, floodCost(t, i, 10_000, noRACK))
			}
			t.Logf("%s, NoRACK %v: %v with 10 in flight, %v with 10,000", fl.name, noRACK, few, many)
			if many > 20*few+time.Microsecond {
				t.Errorf("%s, NoRACK %v: an acknowledgment costs %v with 10 records in flight, %v with 10,000", fl.name, noRACK, few, many)
			}
		}
	}
}

// floodCost is the least mean time of an acknowledgment.
func floodCost(t *testing.T, fl, n int, noRACK bool) time.Duration {
	f := newFlood(t, n, noRACK)
	blocks := make([]segment.SACKBlock, segment.MaxSACK)
	best := time.Duration(1 << 62)
	const acks = 5000
	for range 5 {
		begin := time.Now()
		for range acks {
			floods[fl].ack(f, blocks)
			f.step++
		}
		best = min(best, time.Since(begin)/acks)
	}
	return best
}

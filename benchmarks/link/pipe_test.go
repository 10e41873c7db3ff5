package link

import (
	"math"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// even is a path of 1000 bytes per millisecond.
func even() Path { return Path{Rate: 1e6, Delay: 20 * ms, Queue: 10_000} }

// packet is n bytes that begin with an identity.
func packet(id byte, n int) []byte {
	b := make([]byte, n)
	b[0] = id
	return b
}

// arrival is a packet that came out, and when it was due.
type arrival struct {
	id byte
	at time.Duration
}

// all pops what there is, in order.
func all(q *Pipe) (got []arrival) {
	for q.Next() != Never {
		at := q.Next()
		p, ok := q.Pop(at)
		if !ok || p.Due != at {
			panic("BUG: Next and Pop do not agree")
		}
		got = append(got, arrival{p.Data[0], p.Due})
	}
	return got
}

// TestRateAndDelay: packets leave one after another at the rate and are there a delay later.
func TestRateAndDelay(t *testing.T) {
	q := NewPipe(even(), AToB, 1)
	for id := range byte(3) {
		if !q.Push(5*ms, packet(id, 1000)) {
			t.Fatalf("packet %d was dropped", id)
		}
	}
	q.Push(50*ms, packet(3, 500)) // the link had a rest
	want := []arrival{{0, 26 * ms}, {1, 27 * ms}, {2, 28 * ms}, {3, 50*ms + ms/2 + 20*ms}}
	if got := all(q); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if c := q.Counts(); c.Offered != 4 || c.Delivered != 4 || c.OfferedBytes != 3500 || c.DeliveredBytes != 3500 {
		t.Errorf("counts are %+v", c)
	}
	if h := q.Queueing(); h.Max() != 2*ms || h.Count() != 4 {
		t.Errorf("queueing: %d packets, at most %v; want 4, 2ms", h.Count(), h.Max())
	}
}

// TestNotBefore: nothing comes out before its time.
func TestNotBefore(t *testing.T) {
	q := NewPipe(even(), AToB, 1)
	q.Push(0, packet(0, 1000))
	if _, ok := q.Pop(21*ms - 1); ok {
		t.Error("a packet came out too early")
	}
	if _, ok := q.Pop(21 * ms); !ok {
		t.Error("a packet did not come out in time")
	}
	if _, ok := q.Pop(time.Hour); ok || q.Next() != Never {
		t.Error("an empty pipe has a packet")
	}
}

// TestDropTail: what does not fit into the queue is dropped, and room comes back at the rate.
func TestDropTail(t *testing.T) {
	q := NewPipe(even(), AToB, 1)
	kept := 0
	for range 15 {
		if q.Push(0, packet(0, 1000)) {
			kept++
		}
	}
	if kept != 10 || q.Counts().QueueDrops != 5 {
		t.Errorf("%d were kept and %d dropped, want 10 and 5", kept, q.Counts().QueueDrops)
	}
	if q.Backlog(4*ms) != 6*ms {
		t.Errorf("after 4 ms the queue is %v, want 6ms", q.Backlog(4*ms))
	}
	for i := range 5 {
		if got, want := q.Push(4*ms, packet(0, 1000)), i < 4; got != want {
			t.Errorf("packet %d after 4 ms: kept is %v", i, got)
		}
	}
}

// shares sends n packets at half the rate and returns which came, in the order they left.
func shares(p Path, d Direction, seed uint64, n int) (came []bool, q *Pipe) {
	q = NewPipe(p, d, seed)
	now := time.Duration(0)
	for range n {
		came = append(came, q.Push(now, packet(0, 1000)))
		now += 2 * ms
		for _, ok := q.Pop(now); ok; _, ok = q.Pop(now) {
		}
	}
	return came, q
}

// lossOf is the share of packets that did not come, and the mean length of losses.
func lossOf(came []bool) (share, length float64) {
	lost, runs := 0, 0
	for i, ok := range came {
		if !ok {
			lost++
			if i == 0 || came[i-1] {
				runs++
			}
		}
	}
	return float64(lost) / float64(len(came)), float64(lost) / float64(max(1, runs))
}

func near(got, want, share float64) bool { return math.Abs(got-want) <= share*want }

// TestLoss: each kind of loss has the share asked for, and its pattern.
func TestLoss(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Path)
		d      Direction
		share  float64
		length float64
	}{
		{"none", func(*Path) {}, AToB, 0, 0},
		{"independent", func(p *Path) { p.Loss = 0.02 }, AToB, 0.02, 1 / 0.98},
		{"independent, back", func(p *Path) { p.Loss = 0.02 }, BToA, 0.02, 1 / 0.98},
		{"bursts of 8", func(p *Path) { p.Loss, p.Burst = 0.02, 8 }, AToB, 0.02, 8},
		{"fades of 20 ms, which are 10 packets", func(p *Path) { p.Loss, p.Fade = 0.05, 20*ms }, AToB, 0.05, 10},
		{"acknowledgments", func(p *Path) { p.AckLoss = 0.1 }, BToA, 0.1, 1 / 0.9},
		{"acknowledgments, not data", func(p *Path) { p.AckLoss = 0.1 }, AToB, 0, 0},
		{"all", func(p *Path) { p.Loss = 1 }, AToB, 1, 200_000},
	} {
		p := even()
		c.change(&p)
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		came, q := shares(p, c.d, 7, 200_000)
		share, length := lossOf(came)
		if !near(share, c.share, 0.1) || !near(length, c.length, 0.15) {
			t.Errorf("%s: %.4f were lost, %.2f in a row; want %.4f, %.2f", c.name, share, length, c.share, c.length)
		}
		if float64(q.Counts().Lost) != math.Round(share*200_000) {
			t.Errorf("%s: %d losses were counted", c.name, q.Counts().Lost)
		}
	}
}

// TestLostPacketsUseTheLink: loss strikes on the way, not before the queue.
func TestLostPacketsUseTheLink(t *testing.T) {
	p := even()
	p.Loss = 1
	q := NewPipe(p, AToB, 1)
	q.Push(0, packet(0, 1000))
	if q.Backlog(0) != ms {
		t.Errorf("after a lost packet the link is busy for %v, want 1ms", q.Backlog(0))
	}
}

// TestSeed: the same seed decides alike, another one otherwise, and each direction for itself.
func TestSeed(t *testing.T) {
	p := even()
	p.Loss = 0.1
	run := func(d Direction, seed uint64) []bool { came, _ := shares(p, d, seed, 1000); return came }
	if !slices.Equal(run(AToB, 3), run(AToB, 3)) {
		t.Error("the same seed made other decisions")
	}
	if slices.Equal(run(AToB, 3), run(AToB, 4)) {
		t.Error("another seed made the same decisions")
	}
	if slices.Equal(run(AToB, 3), run(BToA, 3)) {
		t.Error("both directions make the same decisions")
	}
	with := p
	with.Duplicate, with.Reorder, with.ReorderBy = 0.5, 0.5, ms
	came, _ := shares(with, AToB, 3, 1000)
	if !slices.Equal(run(AToB, 3), came) {
		t.Error("duplication and reordering changed what is lost")
	}
}

// TestReorder: a share of packets comes later, all others in order and in time.
func TestReorder(t *testing.T) {
	p := even()
	p.Reorder, p.ReorderBy = 0.1, 10*ms
	q := NewPipe(p, AToB, 1)
	var got []arrival
	const n = 20_000
	for i := range n {
		now := time.Duration(i) * ms
		if !q.Push(now, packet(0, 1000)) {
			t.Fatal("a packet was dropped")
		}
		for p, ok := q.Pop(now); ok; p, ok = q.Pop(now) {
			got = append(got, arrival{0, p.Due})
		}
	}
	got = append(got, all(q)...)
	if len(got) != n {
		t.Fatalf("%d of %d came", len(got), n)
	}
	if !slices.IsSortedFunc(got, func(a, b arrival) int { return int(a.at - b.at) }) {
		t.Error("packets came out before others that were due")
	}
	if c := q.Counts(); !near(float64(c.Reordered), 0.1*n, 0.1) {
		t.Errorf("%d went round, want %v", c.Reordered, 0.1*n)
	}
	// Two packets at one moment: one that went round and one that was sent 10 ms later.
	twice := 0
	for i := 1; i < n; i++ {
		if got[i].at == got[i-1].at {
			twice++
		}
	}
	if c := q.Counts().Reordered; !near(float64(twice), 0.9*float64(c), 0.1) {
		t.Errorf("%d came together with a later one, %d went round", twice, c)
	}
}

// TestDuplicate: a share is marked to come twice, at no cost to the link.
func TestDuplicate(t *testing.T) {
	p := even()
	p.Duplicate = 0.1
	q := NewPipe(p, AToB, 1)
	twice := 0
	const n = 20_000
	for i := range n {
		now := time.Duration(i) * ms
		q.Push(now, packet(0, 1000))
		if q.Backlog(now) != ms {
			t.Fatal("a duplicate used the link")
		}
		for p, ok := q.Pop(now); ok; p, ok = q.Pop(now) {
			if p.Twice {
				twice++
			}
		}
	}
	if c := q.Counts(); !near(float64(twice), 0.1*n, 0.1) || c.Duplicated < uint64(twice) || c.Delivered > n {
		t.Errorf("%d came twice, want %v; counts are %+v", twice, 0.1*n, c)
	}
}

// TestOutage: everything that leaves within it is lost, counted from the start, and the
// pipe tells when sending went on.
func TestOutage(t *testing.T) {
	p := even()
	p.Outages = []Outage{{10 * ms, 5 * ms}, {100 * ms, 10 * ms}}
	q := NewPipe(p, AToB, 1)
	if !q.Push(12*ms, packet(0, 1000)) {
		t.Error("lost before the start of the transfer")
	}
	q.Start(1000 * ms)
	for _, c := range []struct {
		at   time.Duration // since the start; the packet leaves 1 ms later
		kept bool
	}{
		{0, true}, {8 * ms, true}, {9 * ms, false}, {13 * ms, false}, {17 * ms, true}, {98 * ms, true}, {105 * ms, false}, {300 * ms, true},
	} {
		if got := q.Push(1000*ms+c.at, packet(0, 1000)); got != c.kept {
			t.Errorf("%v after the start: kept is %v", c.at, got)
		}
	}
	if n := q.Counts().OutageDrops; n != 3 {
		t.Errorf("%d were counted, want 3", n)
	}
	if got, want := q.Resumed(), []time.Duration{3 * ms, 191 * ms}; !slices.Equal(got, want) {
		t.Errorf("resumed after %v, want %v", got, want)
	}
}

// TestRing: the ring grows in order, wherever its head stands.
func TestRing(t *testing.T) {
	var f fifo
	next, want := time.Duration(0), time.Duration(0)
	for round := range 50 {
		for range 3*round + 1 {
			f.push(Packet{Due: next})
			next++
		}
		for range 2 * round {
			if got := f.pop().Due; got != want {
				t.Fatalf("popped %d, want %d", got, want)
			}
			want++
		}
	}
	for f.due() != Never {
		if got := f.pop().Due; got != want {
			t.Fatalf("popped %d, want %d", got, want)
		}
		want++
	}
	if want != next {
		t.Errorf("%d came out of %d", want, next)
	}
}

// FuzzPipe: whatever is pushed, every packet has one fate, and none comes out early.
func FuzzPipe(f *testing.F) {
	f.Add(uint64(1), byte(10), byte(20), byte(30), byte(1), []byte{1, 2, 3, 200, 0, 9})
	f.Fuzz(func(t *testing.T, seed uint64, loss, reorder, duplicate, burst byte, steps []byte) {
		p := even()
		p.Loss, p.Reorder, p.ReorderBy, p.Duplicate = float64(loss)/256, float64(reorder)/256, 7*ms, float64(duplicate)/256
		p.Burst = int(burst)
		p.Outages = []Outage{{30 * ms, 10 * ms}}
		q := NewPipe(p, AToB, seed)
		q.Start(0)
		var now time.Duration
		var within uint64
		for _, s := range steps {
			now += time.Duration(s%16) * ms / 4
			for {
				before := q.Next()
				out, ok := q.Pop(now)
				if !ok {
					break
				}
				if out.Due > now || out.Due != before {
					t.Fatalf("a packet due at %v came out at %v", out.Due, now)
				}
				within--
			}
			if q.Push(now, packet(s, 40+int(s)*5)) {
				within++
			}
			if q.Backlog(now) > p.transmission(p.Queue)+1000 {
				t.Fatalf("the queue holds %v", q.Backlog(now))
			}
		}
		if c := q.Counts(); c.Offered != c.Delivered+c.Lost+c.QueueDrops+c.OutageDrops+within {
			t.Fatalf("%d are within, counts are %+v", within, c)
		}
	})
}

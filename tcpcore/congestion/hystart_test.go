package congestion

import (
	"testing"
	"time"
)

// TestHyStartRounds plays rounds of given round trip times (RFC 9406 section 4.2), by its
// letter and as it is used.
func TestHyStartRounds(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		what   string
		rtts   []time.Duration // of each round
		css    []bool          // after each round
		letter int             // the round in which slow start ends by the letter; 0 if it does not
		used   int
	}{
		{"steady", []time.Duration{40 * ms, 40 * ms, 41 * ms, 44 * ms, 47 * ms}, []bool{false, false, false, false, false}, 0, 0},
		{"an eighth longer", []time.Duration{80 * ms, 89 * ms}, []bool{false, false}, 0, 0},
		{"an eighth and more", []time.Duration{80 * ms, 90 * ms}, []bool{false, true}, 0, 0},
		{"4 ms at least", []time.Duration{8 * ms, 11 * ms, 15 * ms}, []bool{false, false, true}, 0, 0},
		{"16 ms at most", []time.Duration{400 * ms, 415 * ms, 431 * ms}, []bool{false, false, true}, 0, 0},
		{"a quarter longer", []time.Duration{40 * ms, 50 * ms, 52 * ms, 55 * ms, 60 * ms, 60 * ms, 60 * ms},
			[]bool{false, true, true, true, true, true, true}, 7, 4},
		{"less than a quarter", []time.Duration{40 * ms, 49 * ms, 49 * ms, 49 * ms, 49 * ms, 49 * ms, 49 * ms},
			[]bool{false, true, true, true, true, true, true}, 7, 7},
		{"8 ms at least", []time.Duration{10 * ms, 17 * ms, 17 * ms, 17 * ms, 19 * ms, 19 * ms, 19 * ms},
			[]bool{false, true, true, true, true, true, true}, 7, 7},
		{"jitter is taken back", []time.Duration{40 * ms, 50 * ms, 43 * ms, 43 * ms, 43 * ms, 43 * ms, 43 * ms, 43 * ms, 43 * ms},
			[]bool{false, true, false, false, false, false, false, false, false}, 0, 0},
	} {
		for _, letter := range []bool{true, false} {
			h := hystart{letter: letter}
			delivered := int64(0)
			left := 0
			for i, rtt := range c.rtts {
				for k := range 10 {
					delivered += feedMSS
					// The first acknowledgment of a round finds all of the next in flight.
					if h.onAck(&Ack{Delivered: delivered, InFlight: (10 - k) * feedMSS, RTT: rtt}) && left == 0 {
						left = i + 1
					}
				}
				if h.css != c.css[i] {
					t.Errorf("%s, letter %v: CSS is %v after round %d", c.what, letter, h.css, i+1)
				}
			}
			if want := map[bool]int{true: c.letter, false: c.used}[letter]; left != want {
				t.Errorf("%s, letter %v: left slow start in round %d, want %d", c.what, letter, left, want)
			}
		}
	}
}

// TestHyStartLate checks what the letter misses: the end of a round tells of a queue that its
// beginning did not meet. And CSS that began so is not taken back by that beginning.
func TestHyStartLate(t *testing.T) {
	for _, letter := range []bool{true, false} {
		h := hystart{letter: letter}
		delivered := int64(0)
		for i := range 60 {
			delivered += feedMSS
			rtt := 40 * time.Millisecond
			if i >= 32 {
				rtt = 46 * time.Millisecond
			}
			h.onAck(&Ack{Delivered: delivered, InFlight: 20 * feedMSS, RTT: rtt})
			if i == 39 && h.css == letter {
				t.Errorf("letter %v: CSS is %v at the end of the round", letter, h.css)
			}
		}
		if !h.css {
			t.Errorf("letter %v: no CSS a round later", letter)
		}
	}
}

// TestHyStartSamples checks that fewer than eight samples in a round prove nothing.
func TestHyStartSamples(t *testing.T) {
	var h hystart
	delivered := int64(0)
	for _, rtt := range []time.Duration{40, 60, 80, 100} {
		for k := range 7 {
			delivered += feedMSS
			if h.onAck(&Ack{Delivered: delivered, InFlight: (7 - k) * feedMSS, RTT: rtt * time.Millisecond}) || h.css {
				t.Fatal("seven samples were enough")
			}
		}
	}
}

// TestHyStartGrowth checks the growth: all that is acknowledged, eight segments of it without
// pacing (RFC 9406 section 4.3), a quarter in CSS; and that a second slow start does
// without HyStart++.
func TestHyStartGrowth(t *testing.T) {
	f := newFeed(t, NewCubic(), 20, 50*time.Millisecond)
	f.ack(20)
	f.want("paced", 40)
	f = newFeed(t, NewCubicWith(CubicOptions{Unpaced: true})(), 20, 50*time.Millisecond)
	f.ack(20)
	f.want("unpaced", 28)

	c := NewCubic().(*Cubic)
	f = newFeed(t, c, 20, 50*time.Millisecond)
	f.round()
	for !c.hystart.css {
		f.ack(1, rttIs(60*time.Millisecond))
	}
	w := float64(f.c.Window()) / feedMSS
	f.ack(8, rttIs(60*time.Millisecond))
	f.want("a quarter in CSS", w+2)
	for i := 0; f.c.Threshold() == Infinite; i++ {
		if f.round(rttIs(60 * time.Millisecond)); i > 5 {
			t.Fatal("CSS does not end")
		}
	}
	if c.curve.k != 0 || c.prior != c.Ssthresh {
		t.Errorf("congestion avoidance begins with K = %.2f, prior %d", c.curve.k, c.prior)
	}
	f.lose(Timeout)
	c.hystart = nil
	f.round(rttIs(50 * time.Millisecond))
	for f.c.Window() < f.c.Threshold() {
		f.round(rttIs(90 * time.Millisecond))
	}
	if c.hystart != nil {
		t.Error("HyStart++ in a slow start that has a threshold")
	}
}

// TestHyStartAtOnce has the queue fill within a round.
func TestHyStartAtOnce(t *testing.T) {
	for _, c := range []struct {
		rtt  time.Duration
		left bool
	}{{55 * time.Millisecond, false}, {56 * time.Millisecond, true}} {
		var h hystart
		delivered, left := int64(0), 0
		for k := range 20 {
			delivered += feedMSS
			h.onAck(&Ack{Delivered: delivered, InFlight: (100 - k) * feedMSS, RTT: 40 * time.Millisecond})
		}
		h.round.end = delivered // a round begins, which lasts
		for k := range 50 {
			delivered += feedMSS
			if h.onAck(&Ack{Delivered: delivered, InFlight: 200 * feedMSS, RTT: c.rtt}) && left == 0 {
				left = k + 1
			}
		}
		if (left == leaveSamples) != c.left || !c.left && left > 0 {
			t.Errorf("round trips of %v instead of 40 ms: left slow start with sample %d", c.rtt, left)
		}
	}
}

// TestHyStartSACK has a late segment hold the cumulative acknowledgment back.
func TestHyStartSACK(t *testing.T) {
	c := NewCubic()
	c.Start(Start{MSS: feedMSS, Window: 10 * feedMSS, RTT: 40 * time.Millisecond})
	delivered := int64(0)
	ack := func(n int, rtt time.Duration, cumulative int) {
		for range n {
			delivered += feedMSS
			c.OnAck(&Ack{Acked: cumulative, Sacked: feedMSS - cumulative, Prior: 10 * feedMSS, InFlight: 10 * feedMSS,
				Delivered: delivered, RTT: rtt, SRTT: rtt, CwndLimited: true})
		}
	}
	ack(30, 40*time.Millisecond, feedMSS)
	was := c.Window()
	ack(40, 60*time.Millisecond, 0)
	if c.Window() != was || c.Threshold() != was {
		t.Errorf("window %d, then %d and a threshold of %d", was, c.Window(), c.Threshold())
	}
}

// TestHyStartPath checks what it is for: slow start is left with a full pipe, and before the
// queue overflows. CSS by the letter goes on growing for five rounds, by a quarter
// each, which only a deep queue survives; but it loses fewer segments than slow start.
func TestHyStartPath(t *testing.T) {
	for _, queue := range []time.Duration{60, 100, 400} {
		lost := map[string]int64{}
		for what, o := range map[string]CubicOptions{"default": {}, "letter": {PlainHyStart: true}, "none": {NoHyStart: true}} {
			p := newPath(50e6, queue*time.Millisecond, 1)
			f := p.start(NewCubicWith(o)(), 50*time.Millisecond, 0)
			if !p.run(5*time.Second, func() bool { return f.c.Threshold() != Infinite }) {
				t.Fatal("still in slow start after 5 s")
			}
			if bdp := 50e6 / 8 * 0.05; float64(f.c.Window()) < bdp {
				t.Errorf("%s, queue of %d ms: left with a window of %d, and the pipe holds %.0f", what, queue, f.c.Window(), bdp)
			}
			p.run(p.now+time.Second, nil)
			lost[what] = f.lost / testMSS
		}
		t.Logf("queue of %d ms: lost %v", queue, lost)
		if lost["default"] > 10 || lost["letter"] > lost["none"]/4 || lost["letter"] > 0 && queue == 400 {
			t.Errorf("queue of %d ms: lost %v", queue, lost)
		}
	}
}

// TestHyStartJitter checks that jitter of up to 20 ms does not end slow start far below what the
// path carries.
func TestHyStartJitter(t *testing.T) {
	for _, rtt := range []time.Duration{20, 50, 100} {
		p := newPath(50e6, 2*rtt*time.Millisecond, 1)
		f := p.start(NewCubic(), rtt*time.Millisecond, 0)
		draw, last := random{5}, time.Duration(0)
		f.reorder = func(int) time.Duration { // later, but in order
			at := max(p.freeAt+time.Duration(draw.below(20e6)), last)
			last = at
			return at - p.freeAt
		}
		p.run(5*time.Second, func() bool { return f.c.Threshold() != Infinite })
		if bdp := 50e6 / 8 * (rtt * time.Millisecond).Seconds(); float64(f.c.Window()) < bdp {
			t.Errorf("RTT of %d ms: left with a window of %d, and the pipe holds %.0f", rtt, f.c.Window(), bdp)
		}
	}
}

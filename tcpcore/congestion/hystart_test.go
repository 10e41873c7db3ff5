package congestion

import (
	"testing"
	"time"
)

// TestHyStartRounds plays rounds of given round trip times (RFC 9406 section 4.2).
func TestHyStartRounds(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		what  string
		rtts  []time.Duration // of each round
		css   []bool          // after each round
		leave int             // the round in which slow start ends; 0 if it does not
	}{
		{"steady", []time.Duration{40 * ms, 40 * ms, 41 * ms, 44 * ms, 47 * ms}, []bool{false, false, false, false, false}, 0},
		{"an eighth longer", []time.Duration{80 * ms, 89 * ms}, []bool{false, false}, 0},
		{"an eighth and more", []time.Duration{80 * ms, 90 * ms}, []bool{false, true}, 0},
		{"4 ms at least", []time.Duration{8 * ms, 11 * ms, 15 * ms}, []bool{false, false, true}, 0},
		{"16 ms at most", []time.Duration{400 * ms, 415 * ms, 431 * ms}, []bool{false, false, true}, 0},
		{"five rounds of it", []time.Duration{40 * ms, 50 * ms, 52 * ms, 55 * ms, 60 * ms, 60 * ms, 60 * ms},
			[]bool{false, true, true, true, true, true, true}, 7},
		{"jitter is taken back", []time.Duration{40 * ms, 50 * ms, 49 * ms, 49 * ms, 49 * ms, 49 * ms, 49 * ms, 49 * ms, 49 * ms},
			[]bool{false, true, false, false, false, false, false, false, false}, 0},
	} {
		var h hystart
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
				t.Errorf("%s: CSS is %v after round %d", c.what, h.css, i+1)
			}
		}
		if left != c.leave {
			t.Errorf("%s: left slow start in round %d, want %d", c.what, left, c.leave)
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
	c.hystart = hystart{}
	f.round(rttIs(50 * time.Millisecond))
	for f.c.Window() < f.c.Threshold() {
		f.round(rttIs(90 * time.Millisecond))
	}
	if c.hystart.css || c.hystart.samples > 0 {
		t.Error("HyStart++ in a slow start that has a threshold")
	}
}

// TestHyStartPath checks what it is for: slow start is left before a deep queue overflows,
// and with a full pipe. CSS goes on growing for five rounds, by a quarter each, which a queue
// of little more than a bandwidth-delay product does not survive; but it loses far fewer
// segments than slow start.
func TestHyStartPath(t *testing.T) {
	lost := map[time.Duration]map[bool]int64{}
	for _, queue := range []time.Duration{60 * time.Millisecond, 400 * time.Millisecond} {
		lost[queue] = map[bool]int64{}
		for _, no := range []bool{false, true} {
			p := newPath(50e6, queue, 1)
			f := p.start(NewCubicWith(CubicOptions{NoHyStart: no})(), 50*time.Millisecond, 0)
			if !p.run(5*time.Second, func() bool { return f.c.Threshold() != Infinite }) {
				t.Fatal("still in slow start after 5 s")
			}
			if bdp := 50e6 / 8 * 0.05; float64(f.c.Window()) < bdp {
				t.Errorf("left with a window of %d, and the pipe holds %.0f", f.c.Window(), bdp)
			}
			p.run(p.now+time.Second, nil)
			lost[queue][no] = f.lost / testMSS
		}
	}
	deep, shallow := lost[400*time.Millisecond], lost[60*time.Millisecond]
	if deep[false] > 0 || deep[true] < 1000 {
		t.Errorf("deep queue: lost %d segments with HyStart++, %d without", deep[false], deep[true])
	}
	if shallow[false] > shallow[true]/4 {
		t.Errorf("shallow queue: lost %d segments with HyStart++, %d without", shallow[false], shallow[true])
	}
}

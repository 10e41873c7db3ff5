package congestion

import (
	"math"
	"testing"
	"time"
)

// cubicAt is a CUBIC that lost a segment with the given window, on a path of the given
// round trip time, and that finds no loss more.
func cubicAt(t *testing.T, window int, rtt time.Duration, o CubicOptions) (*feed, *Cubic) {
	c := NewCubicWith(o)().(*Cubic)
	f := newFeed(t, c, window, rtt)
	f.lose(FastRetransmit)
	return f, c
}

// TestCubicCurve checks that the window follows the cubic to its target, through the concave
// and the convex region (RFC 9438 sections 4.4 and 4.5): the values are W_cubic(t+RTT) of
// equation (1) for a W_max of 1000 segments, by hand, reached a round trip later.
//
// Shows: RFC9438-2.
func TestCubicCurve(t *testing.T) {
	f, _ := cubicAt(t, 1000, 100*time.Millisecond, CubicOptions{})
	f.want("beta", 700)
	for _, c := range []struct{ t, want float64 }{
		{1, 788.54}, {2, 857.74}, {5, 972.72}, {8, 999.49}, {10, 1000.31}, {12, 1009.90}, {15, 1082.76}, {18, 1283.32},
	} {
		f.until(time.Duration(c.t * 1e9))
		near(t, "window in segments at "+f.now.String(), float64(f.c.Window())/feedMSS, c.want, 0.012)
	}
}

// TestCubicCuts checks that the growth does not depend on how acknowledgments are cut, nor
// much on the round trip time (section 3.3).
func TestCubicCuts(t *testing.T) {
	var got []float64
	for _, rtt := range []time.Duration{50, 100, 200} {
		for _, cut := range []int{1, 2, 8} {
			f, _ := cubicAt(t, 800, rtt*time.Millisecond, CubicOptions{})
			for f.now < 12*time.Second {
				n := f.c.Window() / feedMSS
				for i := 0; i < n; i += cut {
					f.now += f.rtt * time.Duration(cut) / time.Duration(n)
					f.ack(cut)
				}
			}
			got = append(got, float64(f.c.Window())/feedMSS)
		}
	}
	for _, w := range got {
		near(t, "window", w, got[0], 0.03)
	}
}

// TestCubicRenoFriendly checks that on a short path the window grows as Reno's would
// (section 4.3): by alpha = 3*0.3/1.7 = 0.529 segments a round trip, and by one beyond
// cwnd_prior.
//
// Shows: RFC9438-5.
func TestCubicRenoFriendly(t *testing.T) {
	f, _ := cubicAt(t, 20, 5*time.Millisecond, CubicOptions{})
	f.want("beta", 14)
	rounds := 0
	for f.c.Window() < 20*feedMSS {
		f.round()
		rounds++
	}
	near(t, "round trips from 14 to 20 segments", float64(rounds), 6/0.529, 0.1)
	w := f.c.Window()
	for range 10 {
		f.round()
	}
	near(t, "segments in ten round trips beyond", float64(f.c.Window()-w)/feedMSS, 10, 0.06)
}

// TestCubicTarget checks the bounds of the target (section 4.2): never below the window,
// never above one and a half of it, so that growth is slower than slow start's.
func TestCubicTarget(t *testing.T) {
	f, _ := cubicAt(t, 10, 2*time.Second, CubicOptions{})
	for range 12 {
		w := f.c.Window()
		f.round()
		if got := f.c.Window(); got < w || got > w*3/2+feedMSS {
			t.Errorf("from %d to %d in a round trip", w, got)
		}
	}
	// A window above the curve stays.
	f, c := cubicAt(t, 1000, 100*time.Millisecond, CubicOptions{})
	f.ack(1)
	c.Cwnd = 900 * feedMSS
	f.ack(1)
	f.want("above the curve", 900)
}

// TestCubicApplicationLimited checks that time in which the window was not used does not
// count: neither a pause nor a slow application lets the curve run ahead (sections 4.2, 5.8),
// and an unused window does not grow (4.6).
//
// Shows: RFC9438-1, RFC9438-3.
func TestCubicApplicationLimited(t *testing.T) {
	f, c := cubicAt(t, 1000, 100*time.Millisecond, CubicOptions{})
	f.until(3 * time.Second)
	for range f.c.Window() / feedMSS { // the pipe runs empty
		f.ack(1, appLimited)
	}
	w, at := f.c.Window(), c.curve.t

	for range 50 { // a trickle
		f.now += 200 * time.Millisecond
		f.ack(1, appLimited)
	}
	f.c.OnSend(Send{Now: f.now})
	if got := f.c.Window(); got != w {
		t.Errorf("an unused window went from %d to %d", w, got)
	}
	if c.curve.t-at > f.rtt {
		t.Errorf("a trickle of 10 s counted for %v", c.curve.t-at)
	}
	f.now += 20 * time.Second // nothing at all
	f.c.OnSend(Send{Now: f.now})
	f.round()
	if got := c.curve.t - at; got > 3*f.rtt {
		t.Errorf("a pause of 20 s counted for %v", got)
	}
	if got := float64(f.c.Window()-w) / feedMSS; got > 30 {
		t.Errorf("grew by %.1f segments in the round trip after it", got)
	}
}

// TestCubicIdle checks the restart after idle time: slow start to the threshold, then a new
// stage towards the same W_max.
func TestCubicIdle(t *testing.T) {
	c := NewCubic().(*Cubic)
	f := newFeed(t, c, 10, 100*time.Millisecond)
	for f.c.Window() < 1000*feedMSS {
		f.round()
	}
	f.lose(FastRetransmit)
	f.until(f.now + 2*time.Second)
	threshold := f.c.Threshold()
	f.now += time.Minute
	f.c.OnSend(Send{Now: f.now, Idle: true})
	f.want("restart", 10)
	f.wantThreshold("restart", float64(threshold)/feedMSS)
	for f.c.Window() < f.c.Threshold() {
		f.round()
	}
	wMax := c.wMax
	f.ack(1)
	if c.wMax != wMax || c.curve.k < 5 {
		t.Errorf("the new stage aims at %d in %.1f s, want %d as before", c.wMax, c.curve.k, wMax)
	}
}

// TestCubicLoss checks the reduction (section 4.6) and fast convergence (section 4.7).
//
// Shows: RFC9438-3.
func TestCubicLoss(t *testing.T) {
	for _, fast := range []bool{true, false} {
		f, c := cubicAt(t, 1000, 100*time.Millisecond, CubicOptions{NoFastConvergence: !fast})
		f.want("a loss", 700)
		f.wantThreshold("a loss", 700)
		f.ack(1, inRecovery)
		f.want("in recovery", 700)
		if c.wMax != 1000*feedMSS {
			t.Errorf("W_max is %d", c.wMax)
		}
		f.lose(FastRetransmit)
		f.want("another", 490)
		want := 700
		if fast {
			want = 595 // 700*(1+0.7)/2
		}
		if c.wMax != want*feedMSS {
			t.Errorf("W_max is %d after a loss below it, want %d segments", c.wMax, want)
		}
	}
	f, _ := cubicAt(t, 2, 100*time.Millisecond, CubicOptions{})
	f.want("two segments at least", 2)

	// What the application left unused of the window is not what the path carried.
	f = newFeed(t, NewCubic(), 100, 100*time.Millisecond)
	for range 10 {
		f.now += f.rtt
		f.ack(1, func(a *Ack) { a.CwndLimited, a.Prior, a.InFlight = false, 40*feedMSS, 39*feedMSS })
	}
	f.c.OnLoss(Loss{Cause: FastRetransmit, InFlight: 30 * feedMSS})
	f.want("0.7 of what was used of late", 28)
}

// TestCubicTimeout checks section 4.8: one segment, slow start to 0.7, and then a curve that
// begins where it is.
//
// Shows: RFC9438-4.
func TestCubicTimeout(t *testing.T) {
	f, c := cubicAt(t, 1000, 100*time.Millisecond, CubicOptions{})
	f.until(3 * time.Second)
	w := f.c.Window()
	f.lose(Timeout)
	f.want("a timeout", 1)
	f.wantThreshold("a timeout", float64(w*7/10)/feedMSS)
	for last := 1; f.c.Window() < f.c.Threshold(); last = f.c.Window() / feedMSS {
		f.round()
		if got := f.c.Window() / feedMSS; got > 2*last && last > 1 {
			t.Fatalf("slow start from %d to %d", last, got)
		}
	}
	f.ack(1)
	if c.curve.k != 0 || math.Abs(c.curve.wMax-float64(f.c.Window())) > 2*feedMSS {
		t.Errorf("the stage after a timeout has K = %.2f and W_max = %.0f with a window of %d", c.curve.k, c.curve.wMax, f.c.Window())
	}
	f.lose(FastRetransmit)
	f.ack(1)
	if c.curve.k == 0 {
		t.Error("the stage after the next loss still has K = 0")
	}
}

// TestCubicSpurious checks section 4.9: all is as if there had been no loss, the time of the
// curve included; but a window that has outgrown the old one stays.
func TestCubicSpurious(t *testing.T) {
	for _, cause := range []Cause{FastRetransmit, Timeout} {
		f, c := cubicAt(t, 1000, 100*time.Millisecond, CubicOptions{})
		g, d := cubicAt(t, 1000, 100*time.Millisecond, CubicOptions{})
		f.until(2 * time.Second)
		g.until(2 * time.Second)
		f.lose(cause)
		f.now += 50 * time.Millisecond
		f.ack(1, afterRTO)
		f.now += 50 * time.Millisecond
		f.c.OnSpurious(f.now)
		g.round()
		f.until(f.now + 3*time.Second)
		g.until(g.now + 3*time.Second)
		near(t, "window 3 s after it was taken back", float64(f.c.Window()), float64(g.c.Window()), 0.01)
		near(t, "time of the curve", c.curve.t.Seconds(), d.curve.t.Seconds(), 0.01)
		if c.wMax != d.wMax || c.prior != d.prior || c.Ssthresh != d.Ssthresh {
			t.Errorf("W_max %d, prior %d, threshold %d; want %d, %d, %d", c.wMax, c.prior, c.Ssthresh, d.wMax, d.prior, d.Ssthresh)
		}
		before := f.c.Window()
		f.c.OnSpurious(f.now)
		if f.c.Window() != before {
			t.Error("given back twice")
		}
	}
	f, c := cubicAt(t, 1000, 100*time.Millisecond, CubicOptions{})
	f.until(15 * time.Second)
	w, th := f.c.Window(), c.Ssthresh
	f.c.OnSpurious(f.now)
	if f.c.Window() != w || c.Ssthresh != th {
		t.Errorf("a window of %d became %d", w, f.c.Window())
	}
	f, _ = cubicAt(t, 1000, 100*time.Millisecond, CubicOptions{})
	f.lose(ECN)
	f.c.OnSpurious(f.now)
	f.want("a mark is never spurious", 490)
}

// TestCubicECN checks the answer to marks: as to a loss, but down to one segment, and below by
// pacing (section 4.6); 0.85 with ABE (RFC 8511 section 3.1).
func TestCubicECN(t *testing.T) {
	f := newFeed(t, NewCubic(), 10, 100*time.Millisecond)
	for _, want := range []float64{7, 4.9, 3.43, 2.401, 1.68, 1.176, 1} {
		f.lose(ECN)
		f.want("a mark", want)
	}
	f.lose(ECN)
	f.want("a mark", 1)
	if got, want := f.c.PacingRate(), int64(feedMSS*5); got != want {
		t.Errorf("below a segment: %d bytes/s, want %d", got, want)
	}
	f.wantThreshold("two at least", 2)
	f.c.OnLoss(Loss{Cause: FastRetransmit, InFlight: 10 * feedMSS})
	f.want("a loss", 2)
	f.c.OnLoss(Loss{Cause: ECN, InFlight: 10 * feedMSS})
	f.want("a mark in the window that lost something", 2)

	f = newFeed(t, NewCubicWith(CubicOptions{ABE: true})(), 100, 100*time.Millisecond)
	f.lose(ECN)
	f.want("in slow start", 70)
	f.lose(ECN)
	f.want("in congestion avoidance", 59.5)
	f.lose(FastRetransmit)
	f.want("a loss is not a mark", 41.65)
}

// TestCubicPacing checks when and how fast CUBIC is paced.
func TestCubicPacing(t *testing.T) {
	f := newFeed(t, NewCubic(), 100, 50*time.Millisecond)
	if got, want := f.c.PacingRate(), int64(2*100*feedMSS*20); got != want {
		t.Errorf("in slow start %d bytes/s, want %d", got, want)
	}
	f.lose(FastRetransmit)
	if got, want := f.c.PacingRate(), int64(70*feedMSS*20*5/4); got != want {
		t.Errorf("in congestion avoidance %d bytes/s, want %d", got, want)
	}
	for what, c := range map[string]Controller{
		"a short path":       newFeed(t, NewCubic(), 100, time.Millisecond).c,
		"an unknown path":    newFeed(t, NewCubic(), 100, 0).c,
		"unpaced, as chosen": newFeed(t, NewCubicWith(CubicOptions{Unpaced: true})(), 100, 50*time.Millisecond).c,
	} {
		if c.PacingRate() != 0 {
			t.Errorf("%s: paced at %d bytes/s", what, c.PacingRate())
		}
	}
}

// TestCubicMSS checks that the curve counts in the new segments.
func TestCubicMSS(t *testing.T) {
	f, c := cubicAt(t, 100, 100*time.Millisecond, CubicOptions{})
	f.ack(1)
	f.c.OnMSS(feedMSS / 2)
	if c.curve.mss != feedMSS/2 || c.MSS != feedMSS/2 {
		t.Errorf("MSS %d, of the curve %.0f", c.MSS, c.curve.mss)
	}
	f.lose(Timeout)
	f.want("a segment", 0.5)
}

// TestCubicPath checks goodput and queue on a path with a deep and with a shallow queue, where
// CUBIC's smaller reduction keeps the pipe fuller than Reno's.
func TestCubicPath(t *testing.T) {
	for _, c := range []struct {
		queue time.Duration
		least float64
	}{{100 * time.Millisecond, 0.98}, {5 * time.Millisecond, 0.88}} {
		p := newPath(20e6, c.queue, 1)
		f := p.start(NewCubic(), 50*time.Millisecond, 0)
		p.run(5*time.Second, nil)
		before := f.delivered
		p.run(30*time.Second, nil)
		if got := mbit(f.goodput(5*time.Second, before)); got < c.least*20 || f.timeouts > 0 {
			t.Errorf("queue of %v: %.2f of 20 Mbit/s, %d timeouts", c.queue, got, f.timeouts)
		}
	}
}

package congestion

import (
	"testing"
	"time"
)

// TestBBRAggregationStartup is the case "Achieving Expected STARTUP Bandwidth on a Link With
// Aggregation": acknowledgments come every 20 ms.
func TestBBRAggregationStartup(t *testing.T) {
	r := newBBRRun(t, 20e6, 40*time.Millisecond, 100*time.Millisecond, BBROptions{})
	r.p.aggregate = 20 * time.Millisecond
	most := int64(0)
	r.f.onAck = func(*Ack) {
		if r.b.state == startup {
			most = max(most, r.b.ctl.cwnd)
		}
	}
	r.when("the end of Startup", 3*time.Second, func() bool { return r.b.state != startup })
	near(t, "max_bw in Mbit/s", mbit(r.b.bw.max()), 20, 0.05)
	near(t, "extra_acked", float64(r.b.extra.extra), 20e6/8*0.02, 0.3)
	if float64(most) <= 2*r.bdp() {
		t.Errorf("a window of %d, and the BDP is %.0f", most, r.bdp())
	}
}

// TestBBRAggregationCruise is the case "Achieving Expected Cruise Bandwidth on a Link With
// Aggregation".
func TestBBRAggregationCruise(t *testing.T) {
	r := newBBRRun(t, 20e6, 40*time.Millisecond, 100*time.Millisecond, BBROptions{Literal: true})
	r.to(probeBWCruise, 2*time.Second)
	if r.b.extra.extra > 5*testMSS {
		t.Errorf("extra_acked is %d without aggregation", r.b.extra.extra)
	}
	r.p.aggregate = 30 * time.Millisecond
	r.pass(500 * time.Millisecond)
	burst := 20e6 / 8 * 0.03
	if got := float64(r.b.extra.extra); got < 0.8*burst {
		t.Errorf("extra_acked is %.0f, a burst %.0f", got, burst)
	}
	near(t, "the window", float64(r.b.ctl.cwnd), 2*float64(r.b.bdp())+float64(r.b.extra.extra), 0.05)
	if got := r.goodput(3 * time.Second); got < 18.8 {
		t.Errorf("%.2f Mbit/s", got)
	}
	r.p.aggregate = 0
	r.pass(time.Second) // more than ten round trips
	if r.b.extra.extra > 5*testMSS {
		t.Errorf("extra_acked is %d long after", r.b.extra.extra)
	}
}

// TestBBRSubPacket is the case "Correctly Managing Sub-Packet BDPs".
func TestBBRSubPacket(t *testing.T) {
	r := newBBRRun(t, 500_000, 10*time.Millisecond, time.Second, BBROptions{})
	if r.bdp() >= testMSS {
		t.Fatal("the BDP is more than a packet")
	}
	r.to(probeBWDown, 20*time.Second)
	low := r.b.ctl.cwnd
	r.f.onAck = func(*Ack) { low = min(low, r.b.ctl.cwnd) }
	got := r.goodput(10 * time.Second)
	if low != r.b.minPipeCwnd() {
		t.Errorf("the smallest window was %d, want %d", low, r.b.minPipeCwnd())
	}
	near(t, "goodput in Mbit/s", got, 0.5, 0.02)
	near(t, "max_bw in Mbit/s", mbit(r.b.bw.max()), 0.5, 0.03)
}

// TestBBRFaster is the case "Increasing Bandwidth 10x and Ensuring Full Bandwidth is Reached",
// with a long-term bound from before.
func TestBBRFaster(t *testing.T) {
	r := newBBRRun(t, 10e6, 40*time.Millisecond, 20*time.Millisecond, BBROptions{Literal: true, ProbeRTTInterval: time.Hour})
	r.to(probeBWUp, 10*time.Second)
	r.leave(probeBWDown, time.Second)
	if r.b.bounds.longterm == infinite {
		t.Fatal("no inflight_longterm")
	}
	r.p.rate *= 10
	r.p.queue *= 10
	r.to(probeBWUp, 5*time.Second)
	from := r.b.round.count
	steps := map[int64]bool{}
	r.f.onAck = func(*Ack) { steps[int64(r.b.probe.upRounds)] = true }
	r.when("90 Mbit/s", 10*time.Second, func() bool { return mbit(r.b.bw.max()) > 90 })
	if n := r.b.round.count - from; n > 60 {
		t.Errorf("took %d round trips", n)
	} else {
		t.Logf("took %d round trips", n)
	}
	for k := int64(1); k <= 5; k++ {
		if !steps[k] {
			t.Errorf("the slope was not raised to step %d: %v", k, steps)
		}
	}
	r.pass(time.Second)
	if got := r.goodput(3 * time.Second); got < 90 {
		t.Errorf("%.2f of 100 Mbit/s afterwards", got)
	}
}

// TestBBRSlower is the case "Decreasing Bandwidth 10x and Ensuring Max Bandwidth Adapts Down".
func TestBBRSlower(t *testing.T) {
	r := newBBRRun(t, 100e6, 40*time.Millisecond, 20*time.Millisecond, BBROptions{})
	r.to(probeBWCruise, 5*time.Second)
	r.p.rate /= 10
	r.p.queue /= 10
	r.when("bw_shortterm to adapt", 2*time.Second, func() bool { return mbit(r.b.bounds.bwShortterm) < 12 })
	r.when("max_bw to adapt", 15*time.Second, func() bool { return mbit(r.b.bw.max()) < 10.5 })
	lost, delivered := r.f.lost, r.f.delivered
	got := r.goodput(5 * time.Second)
	if part := float64(r.f.lost-lost) / float64(r.f.delivered-delivered); got < 8.5 || part > 0.02 {
		t.Errorf("%.2f of 10 Mbit/s, and %.3f of it lost", got, part)
	}
}

// TestBBRPolicer is the case "Handling Token Bucket Policers".
func TestBBRPolicer(t *testing.T) {
	r := newBBRRun(t, 100e6, 40*time.Millisecond, 100*time.Millisecond, BBROptions{})
	r.p.token = &tokenBucket{rate: 10e6 / 8, burst: 6e6, tokens: 6e6}
	bounded := false
	r.f.onAck = func(*Ack) {
		bounded = bounded || r.b.bounds.inflightShortterm != infinite && mbit(r.b.bounds.bwShortterm) < 20
	}
	r.when("the bucket to run empty", 10*time.Second, func() bool { return r.p.token.tokens < testMSS })
	r.pass(10 * time.Second)
	if !bounded {
		t.Error("no short-term bound")
	}
	lost, delivered := r.f.lost, r.f.delivered
	got := r.goodput(20 * time.Second)
	part := float64(r.f.lost-lost) / float64(r.f.delivered-delivered)
	t.Logf("%.2f of 10 Mbit/s, %.2f %% lost", got, 100*part)
	if got < 8 || got > 10.1 || part > 0.07 {
		t.Errorf("%.2f of 10 Mbit/s, and %.3f of it lost", got, part)
	}
}

// TestFairness checks that two flows of a kind share a bottleneck, whatever its queue, and that
// the second finds its share beside the first.
func TestFairness(t *testing.T) {
	for _, name := range Names() {
		for _, queue := range []time.Duration{10, 40, 100} {
			for _, c := range []struct {
				later, from, to time.Duration
				least           float64
			}{{20 * time.Millisecond, 0, 15 * time.Second, 0.92}, {4 * time.Second, 30 * time.Second, 60 * time.Second, 0.9}} {
				p := newPath(20e6, queue*time.Millisecond, 3)
				a, _ := New(name)
				b, _ := New(name)
				f := p.start(a, 40*time.Millisecond, 0)
				g := p.start(b, 40*time.Millisecond, c.later)
				p.run(c.from, nil)
				df, dg := f.delivered, g.delivered
				p.run(c.to, nil)
				x, y := f.goodput(c.from, df), g.goodput(c.from, dg)
				t.Logf("%s, queue of %v ms, second after %v: %.2f and %.2f Mbit/s", name, int64(queue), c.later, mbit(x), mbit(y))
				if j := jain(x, y); j < c.least || mbit(x+y) < 17.5 {
					t.Errorf("%s, queue of %v ms, second after %v: %.2f and %.2f Mbit/s, Jain's index %.3f", name, int64(queue), c.later, mbit(x), mbit(y), j)
				}
			}
		}
	}
}

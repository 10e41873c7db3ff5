package congestion

import (
	"testing"
	"time"
)

// TestBBRStartupQueue checks that Startup ends for a queue that stands, before it
// overflows, and not before the pipe is full.
func TestBBRStartupQueue(t *testing.T) {
	lost := map[bool]int64{}
	for _, literal := range []bool{false, true} {
		r := newBBRRun(t, 100e6, 50*time.Millisecond, 80*time.Millisecond, BBROptions{Literal: literal})
		r.leave(drain, 3*time.Second)
		if literal != (r.b.full.count == 3) || !r.b.full.reached || !r.b.full.now {
			t.Errorf("literal %v: full_bw_count %d, full_bw_reached %v", literal, r.b.full.count, r.b.full.reached)
		}
		near(t, "max_bw in Mbit/s", mbit(r.b.bw.max()), 100, 0.01)
		r.to(probeBWCruise, 2*time.Second)
		lost[literal] = r.f.lost
	}
	if lost[false] > 0 && lost[false]*2 > lost[true] {
		t.Errorf("%d bytes lost, and %d by the letter", lost[false], lost[true])
	}
}

// TestBBRUpQueue checks that ProbeBW_UP ends when its queue is there, and goes on while
// the rate grows.
func TestBBRUpQueue(t *testing.T) {
	peak := map[bool]int64{}
	for _, literal := range []bool{false, true} {
		r := newBBRRun(t, 20e6, 50*time.Millisecond, 200*time.Millisecond, BBROptions{Literal: literal})
		r.to(probeBWUp, 10*time.Second)
		r.to(probeBWDown, time.Second)
		peak[literal] = r.b.conn.inFlight
	}
	if bdp := int64(20e6 / 8 * 0.05); peak[false] < bdp*5/4 || peak[false] > peak[true]-bdp/5 {
		t.Errorf("%d in flight at its end, and %d by the letter; the BDP is %d", peak[false], peak[true], bdp)
	}

	r := newBBRRun(t, 10e6, 40*time.Millisecond, 100*time.Millisecond, BBROptions{})
	r.to(probeBWCruise, 2*time.Second)
	r.p.rate *= 10
	r.p.queue *= 10
	r.to(probeBWUp, 5*time.Second)
	from := r.b.round.count
	r.when("90 Mbit/s", 3*time.Second, func() bool { return mbit(r.b.bw.max()) > 90 })
	if n := r.b.round.count - from; n > 20 {
		t.Errorf("took %d round trips to ten times the rate", n)
	}
}

// TestBBRCruiseDrains checks that an estimate that is too high is found out by the queue that
// it makes.
func TestBBRCruiseDrains(t *testing.T) {
	for _, literal := range []bool{false, true} {
		r := newBBRRun(t, 40e6, 50*time.Millisecond, 200*time.Millisecond, BBROptions{Literal: literal, ProbeRTTInterval: time.Hour, ProbeWaitBase: time.Hour, ProbeWaitRounds: 1e6})
		r.to(probeBWCruise, 3*time.Second)
		r.pass(300 * time.Millisecond)
		r.b.bw.filter = [2]int64{44e6 / 8, 44e6 / 8}
		r.pass(time.Second)
		r.f.sumQueue, r.f.rttSamples = 0, 0
		got := r.goodput(4 * time.Second)
		queue, high := r.f.sumQueue/time.Duration(r.f.rttSamples), mbit(r.b.bw.max()) > 43
		if literal != high || literal != (queue > 20*time.Millisecond) || got < 39.5 {
			t.Errorf("literal %v: max_bw %.1f Mbit/s, queueing delay %v, goodput %.1f Mbit/s", literal, mbit(r.b.bw.max()), queue, got)
		}
	}
}

// TestBBROthersQueue checks that BBR does not give way for long to a queue that others keep
// full, neither in DOWN nor in CRUISE. Here they make the path longer.
func TestBBROthersQueue(t *testing.T) {
	for _, literal := range []bool{false, true} {
		r := newBBRRun(t, 20e6, 50*time.Millisecond, 200*time.Millisecond, BBROptions{Literal: literal, ProbeRTTInterval: time.Hour, MinRTTFilterLen: time.Hour})
		r.to(probeBWUp, 10*time.Second)
		r.f.rtt += 60 * time.Millisecond
		r.to(probeBWDown, 2*time.Second)
		at := r.p.now
		r.when("leaving DOWN", 4*time.Second, func() bool { return r.b.state != probeBWDown })
		if d := r.p.now - at; r.b.queue.others == literal || literal != (d > time.Second) {
			t.Errorf("literal %v: %v in DOWN, the queue is others': %v", literal, d, r.b.queue.others)
		}
		if literal {
			continue
		}
		high := r.b.bw.max()
		r.f.rtt += 20 * time.Millisecond
		r.pass(500 * time.Millisecond)
		if r.b.state != probeBWCruise || r.b.bw.max() < high {
			t.Errorf("%v, max_bw went from %d to %d", r.b.state, high, r.b.bw.max())
		}
	}
}

// TestBBRLongerInCruise checks that a path that becomes longer, but not by a queue of BBR's, costs
// one attempt at draining in a cycle.
func TestBBRLongerInCruise(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 200*time.Millisecond, BBROptions{ProbeWaitBase: time.Hour, ProbeWaitRounds: 1e6})
	r.to(probeBWCruise, 3*time.Second)
	r.pass(time.Second)
	r.f.rtt += 20 * time.Millisecond
	downs, last := 0, r.b.state
	r.f.onAck = func(*Ack) {
		if r.b.state != last && r.b.state == probeBWDown {
			downs++
		}
		last = r.b.state
	}
	got := r.goodput(4 * time.Second)
	if downs != 1 || !r.b.queue.others || got < 18.5 {
		t.Errorf("%d times in DOWN, the queue is others': %v, %.2f of 20 Mbit/s", downs, r.b.queue.others, got)
	}
}

// TestBBRCruiseAppLimited checks that what the application does not send is not what a path with
// others' queue does not carry.
func TestBBRCruiseAppLimited(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 200*time.Millisecond, BBROptions{ProbeWaitBase: time.Hour, ProbeWaitRounds: 1e6})
	r.to(probeBWCruise, 3*time.Second)
	r.pass(time.Second)
	r.limitApp(5e6)
	r.pass(time.Second)
	r.f.rtt += 20 * time.Millisecond
	r.pass(time.Second)
	near(t, "max_bw in Mbit/s", mbit(r.b.bw.max()), 20, 0.02)
}

// TestBBRSeenEmpty checks that a path that was seen empty needs no ProbeRTT, and one that was not
// does.
func TestBBRSeenEmpty(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 200*time.Millisecond, BBROptions{})
	if r.p.run(20*time.Second, func() bool { return r.b.state == probeRTT }) {
		t.Fatalf("ProbeRTT at %v", r.p.now)
	}
	near(t, "min_rtt in ms", r.b.MinRTT().Seconds()*1e3, 50.6, 0.02)
	r.f.rtt = 53 * time.Millisecond
	at := r.p.now
	r.to(probeRTT, 6*time.Second)
	if d := r.p.now - at; d < 3*time.Second {
		t.Errorf("ProbeRTT after %v", d)
	}
	r.pass(6 * time.Second)
	near(t, "min_rtt in ms", r.b.MinRTT().Seconds()*1e3, 53.6, 0.01)
}

// TestBBROthersLosses checks what is made of losses, and how soon is probed again, while others
// keep the queue full.
func TestBBROthersLosses(t *testing.T) {
	for _, c := range []struct {
		o      BBROptions
		others bool
		thresh ratio
		rounds int64
		bound  bool // 5 % of a round trip's data lost in CRUISE bound what is in flight
	}{
		{BBROptions{}, false, 20_000, 63, true},
		{BBROptions{}, true, othersLossThresh, 15, false},
		{BBROptions{LossThreshold: 0.2}, true, 200_000, 15, false},
		{BBROptions{LossThreshold: 0.2}, false, 200_000, 63, false},
		{BBROptions{ProbeWaitRounds: 2}, true, othersLossThresh, 1, false},
	} {
		b := NewBBRWith(c.o)().(*BBR)
		b.Start(Start{MSS: 1000, Window: 10_000, RTT: 100 * time.Millisecond})
		b.bw.filter, b.bw.bw = [2]int64{0, 1e6}, 1e6
		b.enter(probeBWCruise)
		b.queue.others = c.others
		if thresh, _ := b.lossThresh(); thresh != c.thresh || b.probeRounds() != c.rounds {
			t.Errorf("%+v: threshold %d, %d rounds", c, thresh, b.probeRounds())
		}
		b.latest.lossInRound = true
		b.rs = RateSample{TxInFlight: 100_000, Lost: 5000, Delivered: 95_000}
		b.adaptLowerBoundsFromCongestion()
		if got := b.bounds.inflightShortterm != infinite; got != c.bound {
			t.Errorf("%+v: bounded %v", c, got)
		}
	}
}

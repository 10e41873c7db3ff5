package congestion

import (
	"testing"
	"time"
)

// limitApp makes the application slow from now on.
func (r *bbrRun) limitApp(bits int64) {
	r.f.appRate = bits / 8
	r.f.written = volume(r.f.appRate, r.p.now)
}

// TestBBRUpPlateau is the case "Exiting PROBE_UP on Bandwidth Plateau".
func TestBBRUpPlateau(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 200*time.Millisecond, BBROptions{Literal: true})
	r.to(probeBWUp, 10*time.Second)
	if r.b.ctl.pacingGain != 1_250_000 || r.b.ctl.cwndGain != 2_250_000 {
		t.Errorf("gains %d and %d", r.b.ctl.pacingGain, r.b.ctl.cwndGain)
	}
	lost, from := r.f.lost, r.b.round.count
	counts := map[int]bool{}
	r.f.onAck = func(*Ack) { counts[r.b.full.count] = true }
	r.leave(probeBWDown, time.Second)
	if !r.b.full.now || r.b.full.count != 3 || !counts[1] || !counts[2] || r.f.lost != lost || r.b.probe.prevTooHigh {
		t.Errorf("full_bw_now %v, full_bw_count %d by way of %v, %d lost, prev_probe_too_high %v",
			r.b.full.now, r.b.full.count, counts, r.f.lost-lost, r.b.probe.prevTooHigh)
	}
	if n := r.b.round.count - from; n < 3 || n > 5 {
		t.Errorf("%d round trips", n)
	}
}

// TestBBRUpLossAppLimited is the case "Exiting PROBE_UP on Loss When Application-Limited". The
// case wants inflight_longterm "updated appropriately", and HandleInflightTooHigh
// does not update it from an application-limited sample: so it stays.
func TestBBRUpLossAppLimited(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{ProbeRTTInterval: time.Hour})
	r.to(probeBWUp, 10*time.Second)
	r.limitApp(5e6)
	r.pass(time.Second)
	if r.b.state != probeBWUp || !r.b.rs.AppLimited {
		t.Fatalf("%v, application-limited %v", r.b.state, r.b.rs.AppLimited)
	}
	long := r.b.bounds.longterm
	r.p.loss = 0.1
	r.when("leaving ProbeBW_UP", 2*time.Second, func() bool { return r.b.state != probeBWUp })
	if !r.b.probe.prevTooHigh || r.b.undo.state != probeBWUp || r.b.probe.cycleStamp != r.p.now {
		t.Errorf("prev_probe_too_high %v, undo_state %v, by way of DOWN %v", r.b.probe.prevTooHigh, r.b.undo.state, r.b.probe.cycleStamp == r.p.now)
	}
	if r.b.bounds.longterm != long {
		t.Errorf("inflight_longterm went from %d to %d", long, r.b.bounds.longterm)
	}
}

// TestBBRDownInflight is the case "Exiting PROBE_DOWN on Inflight", with and without a
// long-term bound.
func TestBBRDownInflight(t *testing.T) {
	for _, queue := range []time.Duration{200 * time.Millisecond, 10 * time.Millisecond} {
		r := newBBRRun(t, 20e6, 50*time.Millisecond, queue, BBROptions{Literal: true})
		r.to(probeBWUp, 10*time.Second)
		r.to(probeBWDown, time.Second)
		if r.b.ctl.pacingGain != 900_000 || r.b.ctl.cwndGain != 2_000_000 {
			t.Errorf("gains %d and %d", r.b.ctl.pacingGain, r.b.ctl.cwndGain)
		}
		if bounded := r.b.bounds.longterm != infinite; bounded != (queue < 50*time.Millisecond) {
			t.Errorf("queue of %v: bounded is %v", queue, bounded)
		}
		r.leave(probeBWCruise, 2*time.Second)
		got := r.b.conn.inFlight
		if room, target := r.b.inflightWithHeadroom(), r.b.inflight(r.b.bw.max(), one); got > room || got > target {
			t.Errorf("left with %d in flight, with headroom %d, target %d", got, room, target)
		}
	}
}

// TestBBRDownTime is the case "Exiting PROBE_DOWN After Max Time".
func TestBBRDownTime(t *testing.T) {
	r := newBBRRun(t, 20e6, 100*time.Millisecond, time.Second, BBROptions{Literal: true, ProbeRTTInterval: time.Hour})
	r.to(probeBWUp, 10*time.Second)
	r.pass(100 * time.Millisecond)
	r.p.rate -= r.p.rate / 10 // what is queued still goes at the old rate
	r.to(probeBWDown, 2*time.Second)
	at, wait := r.p.now, r.b.probe.wait
	if wait < 2*time.Second || wait > 3*time.Second {
		t.Errorf("bw_probe_wait is %v", wait)
	}
	r.leave(probeBWRefill, 4*time.Second)
	if d := r.p.now - at; d < wait || d > wait+100*time.Millisecond {
		t.Errorf("left after %v, bw_probe_wait was %v", d, wait)
	}
	if got, target := r.b.conn.inFlight, r.b.inflight(r.b.bw.max(), one); got <= target {
		t.Errorf("%d in flight, no more than %d", got, target)
	}
}

// TestBBRRenoTime checks the other clock of section "Time Scale for Bandwidth Probing": a
// short path is probed after as many round trips as there are segments in flight, and
// at most 63.
func TestBBRRenoTime(t *testing.T) {
	for _, c := range []struct {
		rtt   time.Duration
		least int64
		most  int64
	}{{10 * time.Millisecond, 15, 17}, {20 * time.Millisecond, 62, 63}} {
		bits := int64(20e6)
		if c.least > 50 {
			bits = 200e6
		}
		r := newBBRRun(t, bits, c.rtt, 20*time.Millisecond, BBROptions{ProbeRTTInterval: time.Hour})
		r.to(probeBWDown, 10*time.Second)
		r.to(probeBWUp, 10*time.Second)
		r.to(probeBWDown, 10*time.Second)
		from := r.b.round.count
		r.to(probeBWRefill, 10*time.Second)
		if n := r.b.round.count - from; n < c.least || n > c.most {
			t.Errorf("probed again after %d round trips of %v, want %d to %d", n, c.rtt, c.least, c.most)
		}
	}
}

// TestBBRUpLoss is the case "Handling Loss During PROBE_UP After inflight_longterm is Set".
func TestBBRUpLoss(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 200*time.Millisecond, BBROptions{ProbeRTTInterval: time.Hour})
	// Two probes with losses: the first sets the bound, and makes the next a
	// precautionary one, which ends at the bound.
	r.to(probeBWUp, 10*time.Second)
	r.p.loss = 0.2
	r.leave(probeBWDown, time.Second)
	r.p.loss = 0
	long := r.b.bounds.longterm
	if long == infinite || !r.b.probe.prevTooHigh {
		t.Fatalf("inflight_longterm %d, prev_probe_too_high %v", long, r.b.probe.prevTooHigh)
	}
	r.to(probeBWRefill, 5*time.Second)
	r.to(probeBWUp, time.Second)
	r.pass(20 * time.Millisecond)
	if r.b.state == probeBWUp { // it ends as soon as the bound is reached
		r.leave(probeBWDown, time.Second)
	}
	if !r.b.probe.prevPrecautionary || r.b.probe.prevTooHigh {
		t.Fatalf("prev_probe_precautionary %v, prev_probe_too_high %v", r.b.probe.prevPrecautionary, r.b.probe.prevTooHigh)
	}
	// It was safe, so that the next follows at once, without CRUISE.
	at := r.p.now
	r.to(probeBWRefill, time.Second)
	if d := r.p.now - at; d > 150*time.Millisecond {
		t.Errorf("the probe after a safe precautionary one came %v later", d)
	}
	r.to(probeBWDown, 2*time.Second)
	if got := r.b.bounds.longterm; got < 2*long {
		t.Errorf("inflight_longterm went from %d to %d without loss", long, got)
	}
	r.leave(probeBWCruise, 2*time.Second) // that one was no precautionary one
	// The third meets losses at its beginning, with less in flight than the bound.
	r.to(probeBWRefill, 5*time.Second)
	r.pass(20 * time.Millisecond)
	long = r.b.bounds.longterm
	r.p.loss = 0.5
	r.to(probeBWUp, time.Second)
	r.leave(probeBWDown, 100*time.Millisecond)
	got, beta := r.b.bounds.longterm, r.b.p.beta.of(r.b.targetInflight())
	if got >= long || got < beta || !r.b.probe.prevTooHigh || r.b.probe.sample {
		t.Errorf("inflight_longterm from %d to %d, at least %d; prev_probe_too_high %v", long, got, beta, r.b.probe.prevTooHigh)
	}
}

// TestBBRRefillAppLimited is the case "Handling Application-Limited Sending During
// PROBE_REFILL".
func TestBBRRefillAppLimited(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{})
	r.to(probeBWRefill, 10*time.Second)
	r.limitApp(2e6)
	before := r.b.bw.max()
	low := false
	r.f.onAck = func(a *Ack) {
		low = low || a.Sample.AppLimited && a.Sample.Rate < before
		if r.b.bw.max() < before {
			t.Errorf("max_bw fell from %d to %d", before, r.b.bw.max())
		}
	}
	r.leave(probeBWUp, time.Second)
	r.pass(300 * time.Millisecond)
	if !low || r.b.state != probeBWUp {
		t.Errorf("low samples came is %v, %v", low, r.b.state)
	}
	r.f.onAck, r.f.appRate = nil, 0
	r.to(probeBWDown, time.Second) // fast again, it finds the plateau
	near(t, "max_bw in Mbit/s", mbit(r.b.bw.max()), 20, 0.02)
}

// TestBBRSlope checks that the steps of inflight_longterm double each round trip (section
// "Accelerating to Probe for Bandwidth"): 1, 2, 4, ... segments a window.
func TestBBRSlope(t *testing.T) {
	b := NewBBR().(*BBR)
	b.Start(Start{MSS: 1000, Window: 10_000, RTT: 50 * time.Millisecond})
	b.ctl.cwnd, b.bounds.longterm = 64_000, 10_000
	b.conn.limited = true
	b.raiseInflightLongtermSlope()
	for _, want := range []int64{1, 2, 4, 8} {
		before := b.bounds.longterm
		for i := range 64 {
			b.conn.newly, b.round.start = 1000, i == 63
			b.probeInflightLongtermUpward()
		}
		if got := (b.bounds.longterm - before) / 1000; got != want {
			t.Errorf("grew by %d segments in a round trip, want %d", got, want)
		}
		b.ctl.cwnd = 64_000
		b.bounds.longterm = 10_000
	}
	for range 40 {
		b.raiseInflightLongtermSlope()
	}
	if b.probe.ackedPerInc != 1000 || b.probe.upRounds != 30 {
		t.Errorf("at its steepest %d bytes a segment, %d rounds", b.probe.ackedPerInc, b.probe.upRounds)
	}
	b.conn.limited = false
	before := b.bounds.longterm
	b.probeInflightLongtermUpward()
	if b.bounds.longterm != before {
		t.Error("a bound that is not used grew")
	}
}

// TestBBRHeadroom checks what is left to others while cruising (section "ProbeBW_CRUISE" and
// BoundCwndForModel).
func TestBBRHeadroom(t *testing.T) {
	b := NewBBRWith(BBROptions{Literal: true})().(*BBR)
	b.Start(Start{MSS: 1000, Window: 10_000})
	for long, want := range map[int64]int64{infinite: infinite, 100_000: 85_000, 5000: 4000, 4500: 4000, 6000: 5000} {
		b.bounds.longterm = long
		if got := b.inflightWithHeadroom(); got != want {
			t.Errorf("of %d: %d, want %d", long, got, want)
		}
	}
	b.bounds.longterm = 100_000
	for s, want := range map[bbrState]int64{
		startup: 200_000, drain: 100_000, probeBWDown: 100_000, probeBWCruise: 85_000, probeBWRefill: 100_000, probeBWUp: 100_000, probeRTT: 85_000,
	} {
		b.state, b.ctl.cwnd = s, 200_000
		if b.boundCwndForModel(); b.ctl.cwnd != want {
			t.Errorf("%v: window %d, want %d", s, b.ctl.cwnd, want)
		}
		b.bounds.inflightShortterm = 1
		if b.boundCwndForModel(); b.ctl.cwnd != b.minPipeCwnd() {
			t.Errorf("%v: window %d, want %d", s, b.ctl.cwnd, b.minPipeCwnd())
		}
		b.bounds.inflightShortterm = infinite
	}

	// The BDP of 100,000 bytes is no room in a queue.
	b = plainBBR()
	for _, c := range []struct{ long, extra, literal, want int64 }{
		{105_000, 0, 89_250, 100_000}, {105_000, 3000, 89_250, 103_000}, {105_000, 9000, 89_250, 105_000},
		{90_000, 0, 76_500, 90_000}, {200_000, 9000, 170_000, 170_000},
	} {
		b.bounds.longterm, b.extra.extra = c.long, c.extra
		b.p.literal = true
		literal := b.inflightWithHeadroom()
		b.p.literal = false
		if got := b.inflightWithHeadroom(); got != c.want || literal != c.literal {
			t.Errorf("%+v: %d, and %d by the letter", c, got, literal)
		}
	}
}

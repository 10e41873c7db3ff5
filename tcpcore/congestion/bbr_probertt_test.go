package congestion

import (
	"testing"
	"time"
)

// TestBBRProbeRTT is the case "Entering and Exiting PROBE_RTT".
func TestBBRProbeRTT(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{Literal: true})
	r.to(probeBWCruise, 2*time.Second)
	stamp := r.b.minRTT.probeStamp
	r.to(probeRTT, 6*time.Second)
	at := r.p.now
	if d := at - stamp; d < 5*time.Second || d > 5100*time.Millisecond {
		t.Errorf("entered %v after the last minimum", d)
	}
	if r.b.ctl.cwndGain != 500_000 || r.b.ctl.pacingGain != one {
		t.Errorf("gains %d and %d", r.b.ctl.cwndGain, r.b.ctl.pacingGain)
	}
	cwnd := r.b.ctl.prior
	r.when("in flight down to half a BDP", 200*time.Millisecond, func() bool { return float64(r.b.conn.inFlight) <= 0.51*r.bdp() })
	low, round := r.p.now, r.b.round.count
	r.leave(probeBWCruise, time.Second)
	left := r.p.now
	if d := r.p.now - low; d < 200*time.Millisecond || d > 300*time.Millisecond {
		t.Errorf("stayed for %v with little in flight", d)
	}
	if r.b.round.count == round {
		t.Error("stayed for less than a round trip")
	}
	if r.b.ctl.cwnd < cwnd-testMSS {
		t.Errorf("the window is %d, and was %d before", r.b.ctl.cwnd, cwnd)
	}
	near(t, "max_bw in Mbit/s", mbit(r.b.bw.max()), 20, 0.02) // not lowered by it
	if got := r.goodput(2 * time.Second); got < 19 {
		t.Errorf("%.2f Mbit/s afterwards", got)
	}
	r.to(probeRTT, 6*time.Second)
	if d := r.p.now - left; d < 5*time.Second {
		t.Errorf("the next one came %v after it", d)
	}
}

// TestBBRProbeRTTLoss checks that a loss seen right after ProbeRTT does not make the rate of
// ProbeRTT the path's.
func TestBBRProbeRTTLoss(t *testing.T) {
	for _, literal := range []bool{false, true} {
		r := newBBRRun(t, 50e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{Literal: literal})
		r.pass(3 * time.Second)
		r.b.minRTT.probeStamp = -time.Hour // or a path seen empty would need none
		r.to(probeRTT, 4*time.Second)
		r.when("its clock to run", time.Second, func() bool { return r.b.probeRTT.doneStamp != 0 })
		r.p.run(r.b.probeRTT.doneStamp-30*time.Millisecond, nil)
		r.p.loss = 1
		r.pass(3 * time.Millisecond)
		r.p.loss = 0
		r.leave(probeBWCruise, time.Second)
		r.when("the round trip of the loss", time.Second, func() bool { return r.b.bounds.bwShortterm != infinite })
		if got := float64(r.b.bounds.bwShortterm) / float64(r.b.bw.max()); literal != (got < 0.9) {
			t.Errorf("literal %v: bw_shortterm is %.3f of max_bw", literal, got)
		}
	}
}

// TestBBRProbeRTTIdle is the case "Skipping PROBE_RTT Due to Application-Limited Sending".
func TestBBRProbeRTTIdle(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{Literal: true})
	r.to(probeBWCruise, 2*time.Second)
	r.f.paused = true
	r.pass(7 * time.Second)
	if r.f.inflight != 0 {
		t.Fatalf("%d in flight", r.f.inflight)
	}
	cwnd := r.b.ctl.cwnd
	r.f.paused = false
	r.f.send()
	if !r.b.probeRTT.idleRestart {
		t.Error("no idle_restart")
	}
	near(t, "the rate after idle time", mbit(r.b.PacingRate()), 20*0.99, 0.01) // "exactly BBR.bw", less the margin
	if r.b.ctl.cwnd != cwnd {
		t.Errorf("the window went from %d to %d", cwnd, r.b.ctl.cwnd)
	}
	if r.p.run(r.p.now+4*time.Second, func() bool { return r.b.state == probeRTT }) {
		t.Errorf("ProbeRTT after %v", r.p.now)
	}
	if r.b.probeRTT.idleRestart {
		t.Error("idle_restart outlives the first delivery")
	}
}

// TestBBRProbeRTTLeftIdle checks that a connection that fell idle in ProbeRTT has left it when it
// sends again (section "Actions when Restarting from Idle").
func TestBBRProbeRTTLeftIdle(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{Literal: true})
	r.to(probeRTT, 7*time.Second)
	r.when("its clock to run", time.Second, func() bool { return r.b.probeRTT.doneStamp != 0 })
	r.f.paused = true
	r.pass(time.Second)
	if r.b.state != probeRTT {
		t.Fatalf("%v", r.b.state)
	}
	r.f.paused = false
	r.f.send()
	if r.b.state != probeBWCruise || float64(r.b.ctl.cwnd) < 1.5*r.bdp() {
		t.Errorf("%v with a window of %d", r.b.state, r.b.ctl.cwnd)
	}
}

// TestBBRProbeRTTStartup is the case "Entering and Exiting PROBE_RTT During STARTUP".
func TestBBRProbeRTTStartup(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{Literal: true})
	r.limitApp(5e6)
	r.to(probeRTT, 6*time.Second)
	if r.b.full.reached {
		t.Error("full_bw_reached")
	}
	r.leave(startup, time.Second)
	r.f.appRate = 0
	r.to(probeBWDown, 4*time.Second)
	near(t, "max_bw in Mbit/s", mbit(r.b.bw.max()), 20, 0.02)
}

// TestBBRMinRTT checks the filter (section "BBR.min_rtt Min Filter"): a shorter path counts at
// once, a longer one after ten seconds, by way of ProbeRTT.
func TestBBRMinRTT(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 400*time.Millisecond, BBROptions{Literal: true})
	r.pass(3 * time.Second)
	near(t, "min_rtt in ms", r.b.MinRTT().Seconds()*1e3, 50, 0.02)
	r.f.rtt = 30 * time.Millisecond
	r.when("the shorter path", time.Second, func() bool { return r.b.MinRTT() < 31*time.Millisecond })
	r.f.rtt = 80 * time.Millisecond
	at := r.p.now
	r.when("the longer path", 15*time.Second, func() bool { return r.b.MinRTT() > 79*time.Millisecond })
	if d := r.p.now - at; d < 9*time.Second {
		t.Errorf("believed after %v", d)
	}
	r.to(probeRTT, 15*time.Second)
	r.pass(time.Second)
	near(t, "min_rtt in ms", r.b.MinRTT().Seconds()*1e3, 80.6, 0.02)
	if got := r.goodput(4 * time.Second); got < 18 {
		t.Errorf("%.2f Mbit/s on the longer path", got)
	}
}

// TestBBRCovers checks which samples ProbeRTT marks as its own limit.
func TestBBRCovers(t *testing.T) {
	b := NewBBR().(*BBR)
	b.Start(Start{MSS: 1000, Window: 10_000})
	if b.probeRTT.covers(0) {
		t.Error("marked before there was a ProbeRTT")
	}
	b.conn.delivered, b.conn.inFlight = 100_000, 20_000
	b.markAppLimited()
	b.conn.delivered, b.conn.inFlight = 110_000, 15_000
	b.markAppLimited()
	for at, want := range map[int64]bool{99_000: false, 100_000: true, 110_000: true, 125_000: true, 126_000: false} {
		if b.probeRTT.covers(at) != want {
			t.Errorf("a segment sent at %d is marked: %v", at, !want)
		}
	}
	b.conn.delivered, b.conn.inFlight = 500_000, 1000
	b.markAppLimited()
	if b.probeRTT.covers(300_000) || !b.probeRTT.covers(500_500) {
		t.Error("a later visit")
	}
}

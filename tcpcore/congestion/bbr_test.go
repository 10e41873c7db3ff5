package congestion

import (
	"testing"
	"time"
)

// The section "BBR Example Test Cases" of draft-ietf-ccwg-bbr is followed case by case, in
// the files named for the state they are about; each test names its case.

// bbrRun is one BBR flow on a path.
type bbrRun struct {
	t *testing.T
	p *path
	f *flow
	b *BBR
}

func newBBRRun(t *testing.T, bits int64, rtt, queue time.Duration, o BBROptions) *bbrRun {
	t.Helper()
	p := newPath(bits, queue, 1)
	b := NewBBRWith(o)().(*BBR)
	f := p.start(b, rtt, 0)
	p.run(0, nil)
	return &bbrRun{t, p, f, b}
}

// when lets time pass until cond holds, and fails after d.
func (r *bbrRun) when(what string, d time.Duration, cond func() bool) {
	r.t.Helper()
	if !r.p.run(r.p.now+d, cond) {
		r.t.Fatalf("%s: not within %v; %v, %.2f Mbit/s, %d in flight", what, d, r.b.state, mbit(r.b.bw.bw), r.f.inflight)
	}
}

// to lets time pass until the state is entered.
func (r *bbrRun) to(s bbrState, d time.Duration) {
	r.t.Helper()
	r.when("entering "+s.String(), d, func() bool { return r.b.state == s })
}

// leave lets time pass until the state is left, and checks for which. One acknowledgment may
// lead through several states: want is the last.
func (r *bbrRun) leave(want bbrState, d time.Duration) {
	r.t.Helper()
	s := r.b.state
	r.when("leaving "+s.String(), d, func() bool { return r.b.state != s })
	if r.b.state != want {
		r.t.Fatalf("from %v to %v, want %v", s, r.b.state, want)
	}
}

func (r *bbrRun) pass(d time.Duration) { r.p.run(r.p.now+d, nil) }

func (r *bbrRun) bdp() float64 { return float64(r.p.rate) * r.f.rtt.Seconds() }

// rate is the goodput of the next d.
func (r *bbrRun) goodput(d time.Duration) float64 {
	at, before := r.p.now, r.f.delivered
	r.pass(d)
	return mbit(r.f.goodput(at, before))
}

// TestBBRStart checks the first rate, "BBR.StartupPacingGain * nominal_bandwidth" (section
// "Pacing Rate"), and what is fixed.
func TestBBRStart(t *testing.T) {
	for rtt, want := range map[time.Duration]int64{
		20 * time.Millisecond: 2_077_500, // 2.77 * 15000 / 0.02
		0:                     41_550_000,
	} {
		b := NewBBR().(*BBR)
		b.Start(Start{MSS: 1500, Window: 15000, RTT: rtt})
		if b.PacingRate() != want {
			t.Errorf("first rate with an RTT of %v is %d, want %d", rtt, b.PacingRate(), want)
		}
		if b.Window() != 15000 || b.Threshold() != Infinite || b.Reduces() || b.State() != "Startup" || b.Bandwidth() != 0 || b.MinRTT() != rtt {
			t.Errorf("window %d, threshold %d, reduces %v, %s, %d bytes/s, %v", b.Window(), b.Threshold(), b.Reduces(), b.State(), b.Bandwidth(), b.MinRTT())
		}
	}
}

// TestBBRMSS checks what follows the segment size: the smallest window does, and one segment
// always fits.
func TestBBRMSS(t *testing.T) {
	b := NewBBR().(*BBR)
	b.Start(Start{MSS: 1000, Window: 10_000})
	if got := b.bdp(); got != 10_000 {
		t.Errorf("the BDP of an unknown path is %d, want the initial window", got)
	}
	b.OnMSS(20_000)
	if b.Window() != 20_000 || b.minPipeCwnd() != 80_000 {
		t.Errorf("window %d, at least %d", b.Window(), b.minPipeCwnd())
	}
	b.OnMSS(500)
	if b.Window() != 20_000 || b.minPipeCwnd() != 2000 {
		t.Errorf("window %d, at least %d", b.Window(), b.minPipeCwnd())
	}
}

// TestBBROptions checks that each option arrives where it belongs, and that zeros are the
// draft's constants, but for one gain unless it is taken literally.
func TestBBROptions(t *testing.T) {
	zero := BBROptions{Literal: true}
	want := bbrParams{
		lossThresh: 20_000, beta: 700_000, ecnBeta: 850_000, headroom: 150_000,
		startupGain: 2_770_000, drainGain: 500_000, upGain: 1_250_000, downGain: 900_000,
		cwndGain: 2_000_000, upCwndGain: 2_250_000, probeRTTCwndGain: 500_000, pace: 990_000,
		lossRanges: 6, rounds: 63, waitBase: 2 * time.Second, waitJitter: time.Second,
		minRTTFilterLen: 10 * time.Second, probeRTTInterval: 5 * time.Second, probeRTTDuration: 200 * time.Millisecond,
		literal: true,
	}
	if got := zero.params(); got != want {
		t.Errorf("the draft's constants are\n%+v\nwant\n%+v", got, want)
	}
	zero.Literal, want.literal, want.downGain = false, false, 750_000
	if got := zero.params(); got != want {
		t.Errorf("the constants are\n%+v\nwant\n%+v", got, want)
	}
	o := BBROptions{
		LossThreshold: .01, Beta: .02, ECNBeta: .03, Headroom: .04, StartupPacingGain: .05, DrainPacingGain: .06,
		ProbeUpPacingGain: .07, ProbeDownPacingGain: .08, CwndGain: .09, ProbeUpCwndGain: .10, ProbeRTTCwndGain: .11, PacingMargin: .12,
		StartupLossRanges: 13, ProbeWaitBase: 14, ProbeWaitJitter: 15, ProbeWaitRounds: 16, MinRTTFilterLen: 17,
		ProbeRTTInterval: 18, ProbeRTTDuration: 19, Literal: true, Seed: 20,
	}
	want = bbrParams{10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 70_000, 80_000, 90_000, 100_000, 110_000, 880_000,
		13, 16, 14, 15, 17, 18, 19, 20, false, true}
	if got := o.params(); got != want {
		t.Errorf("options are\n%+v\nwant\n%+v", got, want)
	}
	if p := (&BBROptions{LossThreshold: 5}).params(); p.lossThresh != 900_000 || !p.tolerant {
		t.Errorf("a loss threshold of 5 is %d", p.lossThresh)
	}
}

// TestBBRGains checks the table of section "Summary of Control Behavior in the State Machine".
func TestBBRGains(t *testing.T) {
	b := NewBBRWith(BBROptions{Literal: true})().(*BBR)
	b.Start(Start{MSS: 1500, Window: 15000})
	for s, want := range map[bbrState][2]ratio{
		startup: {2_770_000, 2_000_000}, drain: {500_000, 2_000_000}, probeBWDown: {900_000, 2_000_000},
		probeBWCruise: {1_000_000, 2_000_000}, probeBWRefill: {1_000_000, 2_000_000}, probeBWUp: {1_250_000, 2_250_000},
		probeRTT: {1_000_000, 500_000},
	} {
		b.enter(s)
		if got := [2]ratio{b.ctl.pacingGain, b.ctl.cwndGain}; got != want {
			t.Errorf("%v: gains %v, want %v", s, got, want)
		}
	}
	for s := noState; s <= probeRTT; s++ {
		if s.String() == "" || s.probeBW() != (s == probeBWDown || s == probeBWCruise || s == probeBWRefill || s == probeBWUp) ||
			s.probing() != (s == startup || s == probeBWRefill || s == probeBWUp) {
			t.Errorf("%v: ProbeBW %v, probing %v", s, s.probeBW(), s.probing())
		}
	}
}

// TestBBRPath checks goodput, queue and losses over a range of paths (section "Example Test
// Cases": "run with a variety of RTTs and bandwidths").
func TestBBRPath(t *testing.T) {
	for _, c := range []struct {
		bits       int64
		rtt, queue time.Duration
		warm, d    time.Duration
		least      float64       // of the rate
		delay      time.Duration // mean queueing delay at most
	}{
		// Six segments are in flight whatever the path (BBR.offload_budget), here 1.1 s.
		{64_000, 100 * time.Millisecond, 4 * time.Second, 35 * time.Second, 60 * time.Second, 0.95, 1200 * time.Millisecond},
		{1_000_000, 40 * time.Millisecond, 200 * time.Millisecond, 0, 20 * time.Second, 0.95, 75 * time.Millisecond},
		{20_000_000, 500 * time.Microsecond, 10 * time.Millisecond, 0, 10 * time.Second, 0.95, 5 * time.Millisecond},
		{20_000_000, 50 * time.Millisecond, 50 * time.Millisecond, 0, 20 * time.Second, 0.95, 10 * time.Millisecond},
		// Every few round trips one of probing.
		{20_000_000, time.Second, time.Second, 10 * time.Second, 60 * time.Second, 0.93, 350 * time.Millisecond},
		{200_000_000, 10 * time.Millisecond, 2 * time.Millisecond, 0, 3 * time.Second, 0.95, time.Millisecond},
	} {
		r := newBBRRun(t, c.bits, c.rtt, c.queue, BBROptions{})
		r.pass(c.warm)
		r.f.sumQueue, r.f.rttSamples = 0, 0
		got := r.goodput(c.d)
		delay := r.f.sumQueue / time.Duration(r.f.rttSamples)
		t.Logf("%g Mbit/s, %v: %.4g Mbit/s, queue %v, lost %.3f %%", float64(c.bits)/1e6, c.rtt, got, delay, 100*float64(r.f.lost)/float64(r.f.delivered))
		if got < c.least*float64(c.bits)/1e6 || delay > c.delay || r.f.timeouts > 0 {
			t.Errorf("%d bit/s, %v: %.4g Mbit/s, queueing delay %v, %d timeouts", c.bits, c.rtt, got, delay, r.f.timeouts)
		}
	}
}

// TestBBRRandomLoss checks that loss below the threshold costs little, and with the threshold
// raised next to nothing (section "High-Level Design Goals": "average packet loss rates of
// up to 1%").
func TestBBRRandomLoss(t *testing.T) {
	for _, c := range []struct {
		loss, threshold float64
		literal         bool
		least           float64
	}{
		{0.001, 0, false, 0.94},
		{0.003, 0, false, 0.94},
		{0.003, 0, true, 0.84},
		{0.01, 0, false, 0.91},
		{0.01, 0, true, 0.77},
		{0.01, 0.05, false, 0.93},
		{0.05, 0.15, false, 0.88},
	} {
		r := newBBRRun(t, 40e6, 50*time.Millisecond, 50*time.Millisecond, BBROptions{LossThreshold: c.threshold, Literal: c.literal})
		r.p.loss = c.loss
		got := r.goodput(20 * time.Second)
		t.Logf("loss %g, threshold %g, literal %v: %.2f of 40 Mbit/s", c.loss, c.threshold, c.literal, got)
		if got < 40*c.least {
			t.Errorf("loss %g, threshold %g, literal %v: %.2f of 40 Mbit/s", c.loss, c.threshold, c.literal, got)
		}
	}
}

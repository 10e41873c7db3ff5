package congestion

import (
	"testing"
	"time"
)

// TestBBRStartupPlateau is the case "Exiting STARTUP on Bandwidth Plateau".
func TestBBRStartupPlateau(t *testing.T) {
	for _, bits := range []int64{2e6, 20e6, 200e6} {
		r := newBBRRun(t, bits, 20*time.Millisecond, 100*time.Millisecond, BBROptions{Literal: true})
		counts := map[int]bool{}
		rounds := int64(0)
		r.f.onAck = func(a *Ack) {
			if r.b.state == startup {
				counts[r.b.full.count] = true
				rounds = r.b.round.count
				if a.Sample.AppLimited {
					t.Error("application-limited")
				}
			}
		}
		r.leave(drain, 5*time.Second)
		near(t, "max_bw in Mbit/s", mbit(r.b.bw.max()), mbit(r.p.rate), 0.02)
		if !counts[0] || !counts[1] || !counts[2] || !r.b.full.reached || !r.b.full.now || r.b.full.count != 3 {
			t.Errorf("full_bw_count went through %v to %d, full_bw_now %v, full_bw_reached %v", counts, r.b.full.count, r.b.full.now, r.b.full.reached)
		}
		if rounds > 16 {
			t.Errorf("%d round trips of Startup at %g bit/s", rounds, float64(bits))
		}
	}
}

// TestBBRStartupLoss is the case "Exiting STARTUP on Loss When Application-Limited".
func TestBBRStartupLoss(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{})
	r.f.appRate = 8e6 / 8
	r.pass(time.Second)
	if r.b.state != startup || !r.b.rs.AppLimited {
		t.Fatalf("%v, application-limited %v", r.b.state, r.b.rs.AppLimited)
	}
	r.p.loss = 0.25
	r.leave(probeBWCruise, 2*time.Second) // Drain finds nothing to drain
	if r.b.full.drainStart != r.b.round.count || r.b.probe.cycleStamp != r.p.now {
		t.Error("not by way of Drain and ProbeBW_DOWN")
	}
	if !r.b.full.reached || !r.b.full.now || r.b.bounds.longterm == infinite || r.b.undo.state != startup {
		t.Errorf("full_bw_now %v, full_bw_reached %v, inflight_longterm %d, undo_state %v",
			r.b.full.now, r.b.full.reached, r.b.bounds.longterm, r.b.undo.state)
	}
	if min := int64(r.b.bdp()); r.b.bounds.longterm < min {
		t.Errorf("inflight_longterm is %d, below the BDP of %d", r.b.bounds.longterm, min)
	}
}

// TestBBRStartupFewLosses checks the criteria of section "Exiting Startup Based on Packet
// Loss": losses under the threshold, or in fewer than six holes, are noise.
func TestBBRStartupFewLosses(t *testing.T) {
	for _, c := range []struct {
		what  string
		holes int
		size  int // segments of each
		exit  bool
	}{
		{"six holes of 3 % together", 6, 5, true},
		{"five", 5, 6, false},
		{"one of 3 %", 1, 30, false},
		{"six holes of 1 % together", 6, 1, false},
	} {
		b := NewBBR().(*BBR)
		b.Start(Start{MSS: 1000, Window: 10_000, RTT: 50 * time.Millisecond})
		const flight = 1000_000
		ack := func(now time.Duration, delivered, prior, lost int64, recovery bool) {
			b.OnAck(&Ack{
				Now: now, Acked: 1000, InFlight: flight, RTT: 50 * time.Millisecond, InRecovery: recovery, Delivered: delivered,
				Sample: RateSample{Rate: 1e6, Delivered: flight, PriorDelivered: prior, Interval: 50 * time.Millisecond, AppLimited: true, TxInFlight: flight, Lost: lost},
			})
		}
		ack(50*time.Millisecond, 1000, 0, 0, false)
		lost := int64(0)
		for h := range c.holes {
			for k := range c.size {
				lost += 1000
				b.OnLost(&Lost{Now: 60 * time.Millisecond, Seq: uint32(h*100_000 + k*1000), Size: 1000, TxInFlight: flight, Lost: lost, TotalLost: lost})
			}
		}
		b.OnLoss(Loss{Now: 60 * time.Millisecond, Cause: FastRetransmit, InFlight: flight, Pipe: flight})
		ack(60*time.Millisecond, 2000, 500, lost, true)
		if b.state != startup {
			t.Errorf("%s: left Startup before a round trip had passed", c.what)
		}
		ack(110*time.Millisecond, 3000, 2000, lost, true)
		if got := b.state != startup; got != c.exit {
			t.Errorf("%s: left Startup is %v", c.what, got)
		}
	}
}

// TestBBRStartupHoles checks that holes are counted a round trip at a time.
func TestBBRStartupHoles(t *testing.T) {
	b := NewBBR().(*BBR)
	b.Start(Start{MSS: 1000, Window: 10_000})
	b.conn.recovering = true
	for range 3 {
		for k := range 5 {
			b.OnLost(&Lost{Seq: uint32(k * 10_000), Size: 1000, TxInFlight: 10_000, Lost: 5000})
		}
		b.latest.roundStart, b.rs = true, RateSample{Lost: 5000, TxInFlight: 10_000}
		b.checkStartupHighLoss()
	}
	if b.full.reached {
		t.Error("five holes in each of three round trips ended Startup")
	}
}

// TestBBRStartupNoSACK checks that any loss ends Startup where only one a round trip is seen.
func TestBBRStartupNoSACK(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{})
	r.b.conn.noSACK = true
	r.pass(200 * time.Millisecond)
	r.p.loss = 1
	r.pass(time.Millisecond)
	r.p.loss = 0
	r.leave(drain, 200*time.Millisecond)
	if r.f.losses != 1 || r.b.undo.state != startup {
		t.Errorf("after %d losses, undo_state %v", r.f.losses, r.b.undo.state)
	}
}

// TestBBRStartupMarks checks what the draft leaves open: ECN marks in two round trips in a
// row end Startup, in one they do not.
func TestBBRStartupMarks(t *testing.T) {
	b := NewBBR().(*BBR)
	b.Start(Start{MSS: 1000, Window: 10_000, RTT: 50 * time.Millisecond})
	delivered := int64(0)
	round := func(mark bool) {
		if mark {
			b.OnLoss(Loss{Cause: ECN, InFlight: 10_000, Pipe: 10_000})
		}
		prior := delivered
		delivered += 10_000
		b.OnAck(&Ack{Now: time.Duration(delivered) * 5000, Acked: 10_000, InFlight: 10_000, RTT: 50 * time.Millisecond, Delivered: delivered,
			Sample: RateSample{Rate: 1e6, Delivered: 10_000, PriorDelivered: prior, Interval: 50 * time.Millisecond, AppLimited: true, TxInFlight: 10_000}})
	}
	for i, mark := range []bool{false, true, false, true, true} {
		if b.state != startup {
			t.Fatalf("left Startup before round trip %d", i)
		}
		round(mark)
	}
	if b.state == startup || !b.full.reached || b.bounds.longterm == infinite {
		t.Errorf("%v, full_bw_reached %v, inflight_longterm %d", b.state, b.full.reached, b.bounds.longterm)
	}
}

// TestBBRDrainInflight is the case "Exiting DRAIN Based on Inflight".
func TestBBRDrainInflight(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{})
	r.to(drain, 5*time.Second)
	if r.b.ctl.pacingGain != 500_000 {
		t.Errorf("pacing gain %d", r.b.ctl.pacingGain)
	}
	at, before := r.p.now, r.b.conn.inFlight
	if target := r.b.inflight(r.b.bw.bw, one); before <= target {
		t.Errorf("%d in flight at its beginning, no more than %d", before, target)
	}
	r.leave(probeBWCruise, time.Second) // which asks for the same as ProbeBW_DOWN's end
	if got, target := r.b.conn.inFlight, r.b.inflight(r.b.bw.bw, one); got > target {
		t.Errorf("left with %d in flight, more than %d", got, target)
	}
	if d := r.p.now - at; d > 120*time.Millisecond {
		t.Errorf("took %v", d)
	}
}

// TestBBRDrainTime is the case "Exiting DRAIN Based on Time". At a pacing gain of 0.5 the
// tenth of which the case speaks would not keep the queue, so the bandwidth falls to a
// third; and a round trip earlier, since what is queued here goes at the old rate.
func TestBBRDrainTime(t *testing.T) {
	r := newBBRRun(t, 30e6, 50*time.Millisecond, 2*time.Second, BBROptions{Literal: true})
	r.when("two rounds without growth", 5*time.Second, func() bool { return r.b.full.count == 2 })
	r.p.rate /= 3
	r.to(drain, 5*time.Second)
	from := r.b.full.drainStart
	if from != r.b.round.count {
		t.Errorf("drain_start_round %d, round_count %d", from, r.b.round.count)
	}
	r.leave(probeBWDown, 5*time.Second)
	if got, target := r.b.conn.inFlight, r.b.inflight(r.b.bw.bw, one); got <= target {
		t.Errorf("left with %d in flight, no more than %d", got, target)
	}
	if n := r.b.round.count - from; n != 4 {
		t.Errorf("left in round trip %d of it, want the one after three", n)
	}
}

// TestBBRNeverFull is the case "Never Exiting PROBE_UP (or STARTUP) When Application-Limited
// With No Loss". ProbeRTT interrupts, and comes back to Startup.
func TestBBRNeverFull(t *testing.T) {
	r := newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{})
	r.f.appRate = 5e6 / 8
	if r.p.run(30*time.Second, func() bool { return r.b.state != startup && r.b.state != probeRTT }) {
		t.Errorf("Startup ended after %v with %v", r.p.now, r.b.state)
	}
	near(t, "goodput in Mbit/s", mbit(r.f.goodput(0, 0)), 5, 0.02)

	// ProbeRTT would end ProbeBW_UP, in CRUISE.
	r = newBBRRun(t, 20e6, 50*time.Millisecond, 100*time.Millisecond, BBROptions{ProbeRTTInterval: time.Hour})
	r.to(probeBWUp, 10*time.Second)
	r.f.written, r.f.appRate = volume(5e6/8, r.p.now), 5e6/8
	if r.p.run(r.p.now+60*time.Second, func() bool { return r.b.state != probeBWUp }) {
		t.Errorf("ProbeBW_UP ended after %v with %v", r.p.now, r.b.state)
	}
}

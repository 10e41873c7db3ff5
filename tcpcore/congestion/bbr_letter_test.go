package congestion

import (
	"testing"
	"time"
)

// These tests go through the draft's pseudocode where a path shows a line's effect only in
// rare circumstances.

// plainBBR is a BBR by the letter with a model: 1 MB/s, 100 ms, segments of 1000 bytes.
func plainBBR() *BBR {
	b := NewBBRWith(BBROptions{Literal: true})().(*BBR)
	b.Start(Start{MSS: 1000, Window: 10_000, RTT: 100 * time.Millisecond})
	b.bw.filter, b.bw.bw = [2]int64{0, 1e6}, 1e6
	b.full.reached = true
	b.ctl.cwnd = 200_000
	b.probe.wait = time.Hour
	b.enter(probeBWCruise)
	return b
}

// TestBBRQuantization checks QuantizationBudget.
func TestBBRQuantization(t *testing.T) {
	b := plainBBR()
	for _, c := range []struct {
		state            bbrState
		quantum, n, want int64
	}{
		{probeBWCruise, 2000, 100_000, 100_000}, {probeBWCruise, 2000, 1000, 6000}, {probeBWCruise, 64_000, 1000, 192_000},
		{probeBWCruise, 1000, 1000, 4000}, {probeBWUp, 2000, 100_000, 102_000}, {probeBWUp, 2000, 1000, 8000},
	} {
		b.state, b.ctl.sendQuantum = c.state, c.quantum
		if got := b.quantizationBudget(c.n); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	for rate, want := range map[int64]int64{1: 2000, 1_999_000: 2000, 30e6: 30_000, 1e9: 65_536} {
		b.ctl.pacingRate = rate
		if b.setSendQuantum(); b.ctl.sendQuantum != want {
			t.Errorf("C.send_quantum at %d bytes/s is %d, want %d", rate, b.ctl.sendQuantum, want)
		}
	}
}

// TestBBRMaxBw checks UpdateMaxBw and the two cycles of its filter.
func TestBBRMaxBw(t *testing.T) {
	b := plainBBR()
	for i, c := range []struct {
		rate    int64
		limited bool
		advance bool
		want    int64
	}{
		{900_000, false, false, 1e6}, {1_200_000, true, false, 1_200_000}, // an application-limited sample counts upwards
		{800_000, false, true, 1_200_000}, {700_000, true, true, 800_000}, // which is no measurement downwards
		{0, false, true, 800_000}, // a cycle without any does not count
		{800_000, false, true, 800_000}, {600_000, false, true, 800_000}, {500_000, false, true, 600_000},
	} {
		if c.advance {
			b.advanceMaxBwFilter()
		}
		b.rs = RateSample{Rate: c.rate, AppLimited: c.limited, Delivered: 1000}
		b.updateMaxBw()
		if got := b.bw.max(); got != c.want {
			t.Errorf("%d: max_bw is %d, want %d", i, got, c.want)
		}
	}
	// An application-limited round trip does not end a cycle.
	for _, limited := range []bool{true, false} {
		b := plainBBR()
		b.probe.phase, b.round.start, b.rs.AppLimited = acksProbeStopping, true, limited
		b.adaptLongTermModel()
		if advanced := b.bw.filter[1] == 0; advanced == limited {
			t.Errorf("application-limited %v: a new cycle is %v", limited, advanced)
		}
	}
}

// TestBBRExtraAcked checks UpdateACKAggregation: the excess over the bandwidth, remembered for
// ten round trips, in Startup for one, and never more than the window.
func TestBBRExtraAcked(t *testing.T) {
	for _, full := range []bool{true, false} {
		b := plainBBR()
		b.full.reached = full
		ack := func(after time.Duration, n int64) int64 {
			b.conn.now += after
			b.conn.newly = n
			b.updateACKAggregation()
			return b.extra.extra
		}
		if got := ack(20*time.Millisecond, 30_000); got != 30_000 {
			t.Errorf("a burst of 30000: %d", got)
		}
		// 10 ms are worth 10000: 30000+5000-10000.
		if got := ack(10*time.Millisecond, 5000); got != 30_000 {
			t.Errorf("less excess: %d", got)
		}
		// 20 ms are worth 20000: 35000+20000-30000 (10+20 ms).
		b.round.count++
		if got, want := ack(20*time.Millisecond, 1000), map[bool]int64{true: 30_000, false: 6000}[full]; got != want {
			t.Errorf("a round trip later: %d, want %d", got, want)
		}
		b.round.count += 8
		if got, want := ack(time.Second, 1000), map[bool]int64{true: 30_000, false: 1000}[full]; got != want {
			t.Errorf("nine: %d, want %d", got, want)
		}
		b.round.count++
		if got, want := ack(time.Second, 1000), map[bool]int64{true: 6000, false: 1000}[full]; got != want {
			t.Errorf("ten: %d, want %d", got, want)
		}
		if got := ack(time.Second, 900_000); got != 200_000 {
			t.Errorf("more than the window: %d", got)
		}
	}
}

// TestBBRSaveCwnd checks SaveCwnd and RestoreCwnd: what recovery or ProbeRTT made small does
// not replace what was good.
func TestBBRSaveCwnd(t *testing.T) {
	b := plainBBR()
	b.saveCwnd()
	b.ctl.cwnd = 50_000
	b.enter(probeRTT)
	b.saveCwnd()
	b.enter(probeBWCruise)
	b.conn.recovering = true
	b.saveCwnd()
	if b.ctl.prior != 200_000 {
		t.Errorf("prior_cwnd is %d", b.ctl.prior)
	}
	b.restoreCwnd()
	if b.ctl.cwnd != 200_000 {
		t.Errorf("C.cwnd is %d", b.ctl.cwnd)
	}
	b.conn.recovering = false
	b.ctl.cwnd = 70_000
	if b.saveCwnd(); b.ctl.prior != 70_000 {
		t.Errorf("prior_cwnd is %d after a good time", b.ctl.prior)
	}
}

// TestBBRSetCwnd checks SetCwnd before and after the pipe was full.
func TestBBRSetCwnd(t *testing.T) {
	for _, c := range []struct {
		full             bool
		cwnd, newly      int64
		delivered, want  int64
		longterm, shortt int64
	}{
		{true, 100_000, 5000, 1e6, 105_000, infinite, infinite},
		{true, 198_000, 5000, 1e6, 200_000, infinite, infinite}, // 2 * BDP
		{true, 300_000, 5000, 1e6, 200_000, infinite, infinite},
		{false, 199_000, 5000, 1e6, 204_000, infinite, infinite}, // grows up to it, and over it by the last
		{false, 300_000, 5000, 1e6, 300_000, infinite, infinite},
		{false, 300_000, 5000, 9000, 305_000, infinite, infinite}, // less than the initial window is delivered
		{true, 1000, 1000, 1e6, 4000, infinite, infinite},
		{true, 190_000, 5000, 1e6, 85_000, 100_000, infinite},
		{true, 190_000, 5000, 1e6, 60_000, 100_000, 60_000},
	} {
		b := plainBBR()
		b.full.reached, b.ctl.cwnd = c.full, c.cwnd
		b.conn.newly, b.conn.delivered = c.newly, c.delivered
		b.bounds.longterm, b.bounds.inflightShortterm = c.longterm, c.shortt
		if b.setCwnd(); b.ctl.cwnd != c.want {
			t.Errorf("%+v: %d", c, b.ctl.cwnd)
		}
	}
}

// TestBBRPacingRate checks SetPacingRate: one per cent below the bandwidth, and never less
// before the pipe was full.
func TestBBRPacingRate(t *testing.T) {
	b := plainBBR()
	b.ctl.pacingRate = 2e6
	b.full.reached = false
	if b.setPacingRateWithGain(one); b.PacingRate() != 2e6 {
		t.Errorf("fell to %d before the pipe was full", b.PacingRate())
	}
	if b.setPacingRateWithGain(ratioOf(2.77)); b.PacingRate() != 2_742_300 {
		t.Errorf("rose to %d", b.PacingRate())
	}
	b.full.reached = true
	if b.setPacingRateWithGain(one); b.PacingRate() != 990_000 {
		t.Errorf("is %d", b.PacingRate())
	}
	b.bw.bw = 0
	if b.setPacingRateWithGain(one); b.PacingRate() != 990_000 {
		t.Errorf("is %d without a bandwidth", b.PacingRate())
	}
}

// TestBBRTooHighBound checks HandleInflightTooHigh: no more than beta is taken, once a probe.
func TestBBRTooHighBound(t *testing.T) {
	for tx, want := range map[int]int64{30_000: 70_000, 90_000: 90_000} {
		b := plainBBR()
		b.enter(probeBWUp)
		b.probe.sample = true
		b.OnLost(&Lost{Now: time.Second, Size: 1000, TxInFlight: tx + 1000, Lost: 20_000, TotalLost: 20_000})
		if b.bounds.longterm != want || b.state != probeBWDown {
			t.Errorf("%d in flight: inflight_longterm %d, want %d; %v", tx, b.bounds.longterm, want, b.state)
		}
		b.OnLost(&Lost{Now: time.Second, Size: 1000, TxInFlight: 1_000_000, Lost: 900_000, TotalLost: 900_000})
		if b.bounds.longterm != want {
			t.Error("reacted twice to one probe")
		}
	}
}

// TestBBRUndo checks what is saved when, and what HandleSpuriousLossDetection gives back.
func TestBBRUndo(t *testing.T) {
	b := plainBBR()
	b.bounds = bbrBounds{longterm: 150_000, bwShortterm: 900_000, inflightShortterm: 140_000}
	lost := int64(0)
	lose := func(now time.Duration) {
		lost += 1000
		b.OnLost(&Lost{Now: now, Size: 1000, TxInFlight: 100_000, Lost: 1000, TotalLost: lost})
	}
	lose(time.Second)
	b.bounds.longterm = 1 // by the same loss
	b.OnLoss(Loss{Now: time.Second, Cause: FastRetransmit})
	b.bounds = bbrBounds{longterm: 120_000, bwShortterm: 800_000, inflightShortterm: 110_000}
	b.latest.lossInRound = false // the next round trip of the same recovery
	lose(2 * time.Second)
	b.full.now, b.full.count, b.full.bw = true, 3, 1e6
	b.ctl.cwnd = 5000
	b.OnSpurious(3 * time.Second)
	if want := (bbrBounds{longterm: 150_000, bwShortterm: 900_000, inflightShortterm: 140_000}); b.bounds != want {
		t.Errorf("bounds %+v, want %+v", b.bounds, want)
	}
	if b.latest.lossInRound || b.full.now || b.full.count != 0 || b.full.bw != 0 || b.ctl.cwnd != 200_000 || b.conn.recovering {
		t.Errorf("loss in round %v, full %+v, window %d, recovering %v", b.latest.lossInRound, b.full, b.ctl.cwnd, b.conn.recovering)
	}
	// What has risen since stays.
	b.OnLoss(Loss{Now: 4 * time.Second, Cause: FastRetransmit})
	b.bounds = bbrBounds{longterm: 250_000, bwShortterm: infinite, inflightShortterm: infinite}
	b.OnSpurious(5 * time.Second)
	if want := (bbrBounds{longterm: 250_000, bwShortterm: infinite, inflightShortterm: infinite}); b.bounds != want {
		t.Errorf("bounds %+v, want %+v", b.bounds, want)
	}
	// In ProbeRTT the state stays, but Startup is not over.
	b.OnLoss(Loss{Now: 6 * time.Second, Cause: FastRetransmit})
	b.undo.state = startup
	b.enter(probeRTT)
	if b.OnSpurious(7 * time.Second); b.state != probeRTT || b.full.reached {
		t.Errorf("%v, full_bw_reached %v", b.state, b.full.reached)
	}
}

// TestBBRRecoveryEnds checks that a recovery of which only the acknowledgments tell that it is
// over is over.
func TestBBRRecoveryEnds(t *testing.T) {
	b := plainBBR()
	b.conn.seen, b.conn.delivered = true, 100_000
	b.OnLoss(Loss{Now: time.Second, Cause: Timeout, Pipe: 30_000, Lost: 20_000})
	if b.Window() != 11_000 {
		t.Errorf("a window of %d with 10000 in flight", b.Window())
	}
	ack := func(after bool) {
		b.OnAck(&Ack{Now: b.conn.now + time.Millisecond, Acked: 1000, Delivered: b.conn.delivered + 1000, AfterRTO: after, RTT: 100 * time.Millisecond,
			Sample: RateSample{Rate: 1e6, Delivered: 1000, PriorDelivered: 50_000, TxInFlight: 10_000}})
	}
	ack(true)
	if b.Window() != 12_000 || !b.conn.recovering {
		t.Errorf("a window of %d, recovering %v", b.Window(), b.conn.recovering)
	}
	ack(false)
	if b.Window() < 150_000 || b.conn.recovering {
		t.Errorf("a window of %d, recovering %v", b.Window(), b.conn.recovering)
	}
}

// TestBBRCwndLimited checks C.is_cwnd_limited: "at any point in the last packet-timed round
// trip".
func TestBBRCwndLimited(t *testing.T) {
	b := plainBBR()
	for i, c := range []struct {
		limited   bool
		delivered int64
		want      bool
	}{{false, 1000, false}, {true, 2000, true}, {false, 7000, true}, {false, 12_000, true}, {false, 13_000, false}} {
		b.take(&Ack{Delivered: c.delivered, Acked: 1000, InFlight: 10_000, CwndLimited: c.limited})
		if b.conn.limited != c.want {
			t.Errorf("%d: limited is %v", i, b.conn.limited)
		}
	}
}

// TestBBRLossRound checks from when a round trip with losses counts: from what was delivered
// when the loss was seen, the acknowledgment that shows it included.
func TestBBRLossRound(t *testing.T) {
	b := plainBBR()
	ack := func(now time.Duration, delivered, prior int64) {
		b.OnAck(&Ack{Now: now, Acked: 1000, Delivered: delivered, InFlight: 100_000, RTT: 100 * time.Millisecond,
			Sample: RateSample{Rate: 1e6, Delivered: delivered - prior, PriorDelivered: prior, TxInFlight: 100_000}})
	}
	ack(time.Second, 100_000, 1000)
	b.OnLost(&Lost{Now: 1100 * time.Millisecond, Size: 1000, TxInFlight: 100_000, Lost: 1000, TotalLost: 1000})
	ack(1100*time.Millisecond, 150_000, 50_000)
	ack(1200*time.Millisecond, 249_000, 149_000)
	if b.bounds.bwShortterm != infinite {
		t.Error("the round trip ended with what was sent before the loss was seen")
	}
	ack(1210*time.Millisecond, 250_000, 150_000)
	if b.bounds.bwShortterm == infinite {
		t.Error("the round trip did not end")
	}
}

// TestBBRAckPhases checks BBR.ack_phase from REFILL to the end of a probe's feedback.
func TestBBRAckPhases(t *testing.T) {
	b := plainBBR()
	b.startProbeBWRefill()
	if b.probe.phase != acksRefilling {
		t.Errorf("in REFILL %d", b.probe.phase)
	}
	b.round.start = true
	b.updateProbeBWCyclePhase()
	if b.probe.phase != acksProbeStarting || b.state != probeBWUp || !b.probe.sample {
		t.Errorf("at the beginning of UP %d, %v", b.probe.phase, b.state)
	}
	b.updateProbeBWCyclePhase()
	if b.probe.phase != acksProbeFeedback {
		t.Errorf("a round trip later %d", b.probe.phase)
	}
	b.startProbeBWDown()
	if b.probe.phase != acksProbeStopping || !b.probe.sample {
		t.Errorf("in DOWN %d, is_bw_probe_sample %v", b.probe.phase, b.probe.sample)
	}
	b.adaptLongTermModel()
	if b.probe.phase != acksInit || b.probe.sample {
		t.Errorf("a round trip later %d, is_bw_probe_sample %v", b.probe.phase, b.probe.sample)
	}
}

// TestBBRRestart checks HandleRestartFromIdle: only an empty pipe that the application left
// empty counts; the pace is the bandwidth's; what was delivered before is no aggregation.
func TestBBRRestart(t *testing.T) {
	for _, c := range []struct {
		s    Send
		want bool
	}{
		{Send{InFlight: 1000, IdleAppLimited: true}, false}, {Send{}, false}, {Send{IdleAppLimited: true}, true},
	} {
		b := plainBBR()
		b.enter(probeBWUp)
		b.updateControl()
		before := b.PacingRate()
		b.extra.delivered = 50_000
		c.s.Now = 5 * time.Second
		b.OnSend(c.s)
		if b.probeRTT.idleRestart != c.want || (b.PacingRate() < before) != c.want || (b.extra.delivered == 0) != c.want || (b.extra.start == c.s.Now) != c.want {
			t.Errorf("%+v: idle_restart %v, rate %d, was %d, %d delivered since %v", c.s, b.probeRTT.idleRestart, b.PacingRate(), before, b.extra.delivered, b.extra.start)
		}
	}
	b := plainBBR()
	b.conn.delivered = 50_000
	b.markAppLimited() // ProbeRTT was why
	if b.OnSend(Send{}); !b.probeRTT.idleRestart {
		t.Error("what ProbeRTT left empty does not count")
	}
}

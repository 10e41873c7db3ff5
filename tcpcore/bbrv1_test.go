package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// bbrV1 is version 1 of BBR, as kernels have it, to compete with: it is deaf to loss and holds
// up to two bandwidth-delay products in flight.
type bbrV1 struct {
	congestion.Base
	now       time.Duration
	delivered int64
	round     int64
	nextRound int64
	bws       []v1Sample // falling, of ten round trips
	minRTT    time.Duration
	minStamp  time.Duration
	phase     v1Phase
	fullBW    int64
	fullCount int
	full      bool
	cycle     int
	cycleAt   time.Duration
	doneAt    time.Duration // ProbeRTT ends; 0 if in flight is not yet little
	doneRound int64
	prior     int
	recovery  bool
	conserve  int64 // the round trip of packet conservation
	lost      bool  // in this phase
	gain      float64
	cwndGain  float64
	rate      float64
	extraAt   time.Duration
	extraGot  int64
	extras    []v1Sample
}

type v1Phase uint8

const (
	v1Startup v1Phase = iota
	v1Drain
	v1ProbeBW
	v1ProbeRTT
)

type v1Sample struct {
	round int64
	v     int64
}

const v1High = 2.885

var v1Gains = [...]float64{1.25, 0.75, 1, 1, 1, 1, 1, 1}

func v1Max(s []v1Sample, round, v, window int64) []v1Sample {
	for len(s) > 0 && s[len(s)-1].v <= v {
		s = s[:len(s)-1]
	}
	s = append(s, v1Sample{round, v})
	for s[0].round < round-window {
		s = s[1:]
	}
	return s
}

func (*bbrV1) Name() string { return "bbr1" }

func (b *bbrV1) Start(s congestion.Start) {
	b.Base.Start(s)
	b.now, b.minRTT, b.minStamp = s.Now, s.RTT, s.Now
	b.Cwnd = s.Window
	b.gain, b.cwndGain = v1High, v1High
	b.rate = v1High * float64(s.Window) / max(s.RTT, time.Millisecond).Seconds()
	b.cycle = 2 + int(s.Seed%6)
	b.extraAt = s.Now
}

func (b *bbrV1) bw() int64 {
	if len(b.bws) == 0 {
		return 0
	}
	return b.bws[0].v
}

func (b *bbrV1) target(gain float64) int {
	if b.bw() == 0 {
		return 10 * b.MSS
	}
	n := int(gain * float64(b.bw()) * b.minRTT.Seconds())
	n += 3 * max(2*b.MSS, min(64<<10, int(b.rate/1000)))
	if b.phase == v1ProbeBW && b.cycle == 0 {
		n += 2 * b.MSS
	}
	return n
}

func (b *bbrV1) OnLost(*congestion.Lost) { b.lost = true }

func (b *bbrV1) OnLoss(l congestion.Loss) {
	if l.Cause == congestion.ECN {
		return
	}
	if !b.recovery && b.phase != v1ProbeRTT {
		b.prior = b.Cwnd
	} else {
		b.prior = max(b.prior, b.Cwnd)
	}
	b.recovery, b.conserve = true, b.round+1
	b.nextRound = b.delivered
	if l.Cause == congestion.Timeout {
		b.Cwnd = max(l.Pipe-l.Lost, 0) + b.MSS
		b.conserve = 0
		b.fullBW = 0
	} else {
		b.Cwnd = max(l.Pipe-l.Lost, b.MSS) + b.MSS
	}
}

func (b *bbrV1) OnRecovered(time.Duration) {
	b.recovery, b.conserve = false, 0
	b.Cwnd = max(b.Cwnd, b.prior)
}

func (b *bbrV1) OnSpurious(t time.Duration) { b.OnRecovered(t) }
func (*bbrV1) Reduces() bool                { return false }
func (*bbrV1) Threshold() int               { return congestion.Infinite }
func (b *bbrV1) PacingRate() int64          { return max(1, int64(b.rate)) }

func (b *bbrV1) OnAck(a *congestion.Ack) {
	newly := a.Delivered - b.delivered
	b.now, b.delivered = a.Now, a.Delivered
	start := a.Sample.Delivered > 0 && a.Sample.PriorDelivered >= b.nextRound
	if start {
		b.nextRound = b.delivered
		b.round++
	}
	if r := a.Sample.Rate; r > 0 && (!a.Sample.AppLimited || r >= b.bw()) {
		b.bws = v1Max(b.bws, b.round, r, 10)
	}
	// Aggregation.
	expected := int64(float64(b.bw()) * (b.now - b.extraAt).Seconds())
	if b.extraGot <= expected || b.extraGot > 16<<20 {
		b.extraGot, b.extraAt, expected = 0, b.now, 0
	}
	b.extraGot += newly
	b.extras = v1Max(b.extras, b.round, min(b.extraGot-expected, int64(b.Cwnd)), 10)
	// The cycle.
	if b.phase == v1ProbeBW {
		long := b.now-b.cycleAt > b.minRTT
		next := false
		switch g := v1Gains[b.cycle]; {
		case g > 1:
			next = long && (b.lost || a.Prior >= b.target(g))
		case g < 1:
			next = long || a.Prior <= b.target(1)
		default:
			next = long
		}
		if next {
			b.cycle = (b.cycle + 1) % 8
			b.cycleAt, b.lost = b.now, false
		}
	}
	if !b.full && start && !a.Sample.AppLimited && b.bw() > 0 {
		if b.bw() >= b.fullBW+b.fullBW/4 {
			b.fullBW, b.fullCount = b.bw(), 0
		} else if b.fullCount++; b.fullCount >= 3 {
			b.full = true
		}
	}
	if b.phase == v1Startup && b.full {
		b.phase = v1Drain
	}
	if b.phase == v1Drain && a.InFlight <= b.target(1) {
		b.toProbeBW()
	}
	expired := b.now > b.minStamp+10*time.Second
	if a.RTT > 0 && (a.RTT < b.minRTT || expired) {
		b.minRTT, b.minStamp = a.RTT, b.now
	}
	if expired && b.phase != v1ProbeRTT {
		b.phase, b.doneAt = v1ProbeRTT, 0
		b.prior = max(b.Cwnd, b.prior)
		if !b.recovery {
			b.prior = b.Cwnd
		}
	}
	if b.phase == v1ProbeRTT {
		if b.doneAt == 0 && a.InFlight <= 4*b.MSS {
			b.doneAt, b.doneRound = b.now+200*time.Millisecond, b.round+1
			b.nextRound = b.delivered
		} else if b.doneAt != 0 && b.now > b.doneAt && b.round >= b.doneRound {
			b.minStamp = b.now
			b.Cwnd = max(b.Cwnd, b.prior)
			if b.phase = v1Startup; b.full {
				b.toProbeBW()
			}
		}
	}
	switch b.phase {
	case v1Startup:
		b.gain, b.cwndGain = v1High, v1High
	case v1Drain:
		b.gain, b.cwndGain = 1/v1High, v1High
	case v1ProbeBW:
		b.gain, b.cwndGain = v1Gains[b.cycle], 2
	default:
		b.gain, b.cwndGain = 1, 1
	}
	if r := 0.99 * b.gain * float64(b.bw()); r > 0 && (b.full || r > b.rate) {
		b.rate = r
	}
	target := b.target(b.cwndGain)
	if b.full && len(b.extras) > 0 {
		target += int(min(b.extras[0].v, b.bw()/10))
	}
	switch {
	case b.recovery && b.conserve > 0 && b.round < b.conserve:
		b.Cwnd = max(b.Cwnd-a.Lost, a.InFlight+int(newly))
	case b.full:
		b.Cwnd = min(b.Cwnd+int(newly), target)
	case b.Cwnd < target || b.delivered < int64(10*b.MSS):
		b.Cwnd += int(newly)
	}
	b.Cwnd = max(b.Cwnd, 4*b.MSS)
	if b.phase == v1ProbeRTT {
		b.Cwnd = min(b.Cwnd, 4*b.MSS)
	}
}

func (b *bbrV1) toProbeBW() {
	b.phase, b.cycleAt = v1ProbeBW, b.now
	b.cycle = 2 + int(b.delivered/1000%6)
}

package congestion

import "time"

// ackPhase is BBR.ack_phase: what acknowledgments tell of the probing.
type ackPhase uint8

const (
	acksInit          ackPhase = iota // not probing, no feedback of it
	acksRefilling                     // sending at the estimated bandwidth to fill the pipe
	acksProbeStarting                 // sending faster
	acksProbeFeedback                 // getting feedback of that
	acksProbeStopping                 // sending slower again, still getting feedback
)

// bbrProbe is the state of ProbeBW.
type bbrProbe struct {
	phase             ackPhase
	sample            bool          // BBR.is_bw_probe_sample
	acked             int64         // BBR.bw_probe_up_acked
	ackedPerInc       int64         // BBR.probe_up_acked_per_inc
	upRounds          int           // BBR.bw_probe_up_rounds
	roundsSinceUp     int64         // BBR.rounds_since_probe_up
	wait              time.Duration // BBR.bw_probe_wait
	cycleStamp        time.Duration // BBR.cycle_stamp
	prevTooHigh       bool          // BBR.prev_probe_too_high
	prevPrecautionary bool          // BBR.prev_probe_precautionary
}

func (b *BBR) enterProbeBW() { b.startProbeBWDown() }

func (b *BBR) startProbeBWDown() {
	b.resetCongestionSignals()
	b.probe.ackedPerInc = infinite // not growing inflight_longterm
	b.pickProbeWait()
	b.probe.cycleStamp = b.conn.now
	b.probe.phase = acksProbeStopping
	b.startRound()
	b.queue.floor = noRTT
	b.enter(probeBWDown)
	b.startDrain()
}

func (b *BBR) startProbeBWCruise() {
	b.startCruise()
	b.enter(probeBWCruise)
}

func (b *BBR) startProbeBWRefill() {
	b.resetShortTermModel()
	p := &b.probe
	p.upRounds, p.acked = 0, 0
	p.prevPrecautionary = false
	p.phase = acksRefilling
	b.startRound()
	b.enter(probeBWRefill)
}

func (b *BBR) startProbeBWUp() {
	b.probe.phase = acksProbeStarting
	b.startRound()
	b.resetFullBW()
	b.full.bw = b.rs.Rate
	b.enter(probeBWUp)
	b.raiseInflightLongtermSlope()
}

// updateProbeBWCyclePhase is the core of ProbeBW.
func (b *BBR) updateProbeBWCyclePhase() {
	if !b.full.reached || b.adaptLongTermModel() {
		return
	}
	switch b.state {
	case probeBWDown:
		if !b.isTimeToProbeBW() && (b.isTimeToCruise() || b.drainingInVain()) {
			b.startProbeBWCruise()
		}
	case probeBWCruise:
		if !b.isTimeToProbeBW() {
			b.cruise()
		}
	case probeBWRefill:
		if b.round.start { // after one round of REFILL
			b.probe.sample = true
			b.startProbeBWUp()
		}
	case probeBWUp:
		if b.isTimeToGoDown() {
			b.probe.prevTooHigh = false // no high loss (yet)
			b.startProbeBWDown()
		}
	}
}

// isTimeToProbeBW is whether to go from DOWN or CRUISE to REFILL, and goes.
func (b *BBR) isTimeToProbeBW() bool {
	if b.conn.now > b.probe.cycleStamp+b.probe.wait || b.isRenoCoexistenceProbeTime() {
		b.startProbeBWRefill()
		return true
	}
	return false
}

// isRenoCoexistenceProbeTime is whether Reno would have regained a segment for each that
// is wanted in flight.
func (b *BBR) isRenoCoexistenceProbeTime() bool {
	segments := (b.targetInflight() + b.conn.mss - 1) / b.conn.mss
	return b.probe.roundsSinceUp >= min(segments, b.probeRounds())
}

// pickProbeWait draws how long to wait, so that flows do not all probe together.
func (b *BBR) pickProbeWait() {
	b.probe.roundsSinceUp = b.draw.below(2)
	b.probe.wait = b.p.waitBase + time.Duration(b.draw.below(int64(b.p.waitJitter)))
}

func (b *BBR) isTimeToCruise() bool {
	drained := b.conn.inFlight <= b.inflightWithHeadroom() && b.conn.inFlight <= b.drained()
	if drained {
		b.queue.others = false
	}
	return drained
}

func (b *BBR) isTimeToGoDown() bool {
	// What reached the bound is what was in flight before this acknowledgment made room: the
	// window does not let more than the bound be in flight.
	if b.probe.prevTooHigh && b.conn.prior >= b.bounds.longterm {
		b.probe.prevPrecautionary = true
		return true
	}
	if b.conn.limited && b.ctl.cwnd >= b.bounds.longterm {
		b.resetFullBW() // bw is limited by inflight_longterm
		b.full.bw = b.rs.Rate
		return false
	}
	return b.full.now || b.queueInUp()
}

// inflightWithHeadroom leaves others room in the bottleneck; not if they took it already. And
// room in its queue, not on the way: a probe that lost by chance as soon as it began leaves a
// bound of one BDP, and cruising below that wastes what nobody else asked for.
func (b *BBR) inflightWithHeadroom() int64 {
	l := b.bounds.longterm
	if l == infinite || b.queue.others {
		return l
	}
	room := max(l-max(b.conn.mss, b.p.headroom.of(l)), b.minPipeCwnd())
	if !b.p.literal {
		room = max(room, min(l, b.inflight(b.bw.bw, one)+b.extra.extra))
	}
	return room
}

func (b *BBR) raiseInflightLongtermSlope() {
	growth := int64(1) << b.probe.upRounds
	b.probe.upRounds = min(b.probe.upRounds+1, 30)
	b.probe.ackedPerInc = max(b.ctl.cwnd/growth, b.conn.mss)
}

func (b *BBR) probeInflightLongtermUpward() {
	if !b.conn.limited || b.ctl.cwnd < b.bounds.longterm {
		return // not fully using inflight_longterm, so don't grow it
	}
	p := &b.probe
	p.acked += b.conn.newly
	if p.acked >= p.ackedPerInc {
		delta := p.acked / p.ackedPerInc
		p.acked -= delta * p.ackedPerInc
		b.bounds.longterm += delta * b.conn.mss
	}
	if b.round.start {
		b.raiseInflightLongtermSlope()
	}
}

// adaptLongTermModel follows the feedback of a probe, and reports whether it decided a
// state transition.
func (b *BBR) adaptLongTermModel() bool {
	p := &b.probe
	if p.phase == acksProbeStarting && b.round.start {
		p.phase = acksProbeFeedback
	}
	if p.phase == acksProbeStopping && b.round.start {
		p.sample = false
		p.phase = acksInit
		if b.state.probeBW() && !b.rs.AppLimited {
			b.advanceMaxBwFilter()
		}
		if b.state.probeBW() && p.prevPrecautionary && !p.prevTooHigh {
			b.startProbeBWRefill() // precautionary probing found it safe: accelerate
			return true
		}
	}
	if b.isInflightTooHigh() || b.bounds.longterm == infinite {
		return false
	}
	// The loss rate is safe: raise the bound.
	b.bounds.longterm = max(b.bounds.longterm, int64(b.rs.TxInFlight))
	if b.state == probeBWUp {
		b.probeInflightLongtermUpward()
	}
	return false
}

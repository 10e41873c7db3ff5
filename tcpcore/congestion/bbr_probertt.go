package congestion

import "time"

// bbrProbeRTT is the state of ProbeRTT.
type bbrProbeRTT struct {
	doneStamp   time.Duration // BBR.probe_rtt_done_stamp; 0 while there is none
	roundDone   bool          // BBR.probe_rtt_round_done
	idleRestart bool          // BBR.idle_restart
	// What ProbeRTT itself holds back is application-limited for the sampler
	// (MarkConnectionAppLimited). The mark is kept here, where it is used: segments sent with
	// delivered from since to until carry it.
	marked       bool
	since, until int64
}

// covers reports whether a segment, sent when that much was delivered, carries the mark.
func (p *bbrProbeRTT) covers(delivered int64) bool {
	return p.marked && delivered >= p.since && delivered <= p.until
}

func (b *BBR) markAppLimited() {
	p := &b.probeRTT
	if !p.marked || b.conn.delivered > p.until {
		p.marked, p.since = true, b.conn.delivered
	}
	p.until = max(b.conn.delivered+b.conn.inFlight, 1)
}

func (b *BBR) checkProbeRTT() {
	p := &b.probeRTT
	if b.state != probeRTT && b.minRTT.expired && !p.idleRestart {
		b.enter(probeRTT)
		b.saveCwnd()
		p.doneStamp = 0
		b.probe.phase = acksProbeStopping
		b.startRound()
	}
	if b.state == probeRTT {
		b.handleProbeRTT()
	}
	if b.rs.Delivered > 0 {
		p.idleRestart = false
	}
}

func (b *BBR) handleProbeRTT() {
	p := &b.probeRTT
	b.markAppLimited() // ignore low rate samples
	switch {
	case p.doneStamp == 0 && b.conn.inFlight <= b.probeRTTCwnd():
		p.doneStamp = b.conn.now + b.p.probeRTTDuration
		p.roundDone = false
		b.startRound()
	case p.doneStamp != 0:
		if b.round.start {
			p.roundDone = true
		}
		if p.roundDone {
			b.checkProbeRTTDone()
		}
	}
}

func (b *BBR) checkProbeRTTDone() {
	p := &b.probeRTT
	if p.doneStamp != 0 && b.conn.now > p.doneStamp {
		b.minRTT.probeStamp = b.conn.now // schedule the next ProbeRTT
		b.restoreCwnd()
		b.exitProbeRTT()
	}
}

func (b *BBR) exitProbeRTT() {
	b.resetShortTermModel()
	if b.full.reached {
		b.hold(one)
		held := b.held
		b.startProbeBWDown()
		b.startProbeBWCruise() // in flight is below the BDP already
		b.held = held          // nothing was sent in DOWN
	} else {
		b.enterStartup()
	}
}

// handleRestartFromIdle paces at the bandwidth after idle time, and takes the idleness for
// a visit to ProbeRTT.
func (b *BBR) handleRestartFromIdle(s Send) {
	if s.InFlight != 0 || !s.IdleAppLimited && !b.probeRTT.covers(b.conn.delivered) {
		return
	}
	b.probeRTT.idleRestart = true
	// The draft sets the start alone; what was delivered before it is no part of the
	// new interval.
	b.extra.start, b.extra.delivered = s.Now, 0
	if b.state.probeBW() {
		b.setPacingRateWithGain(one)
	} else if b.state == probeRTT {
		b.checkProbeRTTDone()
	}
}

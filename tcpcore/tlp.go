package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// tlpState is the tail loss probe (RFC 8985 section 7): when acknowledgments stay away,
// one segment more makes RACK see what happened, long before the retransmission timer.
type tlpState struct {
	end     segment.Seq // TLP.end_seq, if active
	order   uint32      // of the transmission that the probe repeats
	active  bool
	retrans bool // TLP.is_retrans
	stale   bool // no round trip was measured since the last probe
}

// maxAckDelay is TLP.max_ack_delay: what the acknowledgment of little data may be
// delayed by. minPTO spares probes where the timers are coarser than the path.
const (
	maxAckDelay = 200 * time.Millisecond
	minPTO      = 2 * time.Millisecond
)

// armProbe starts the probe timer anew where section 7.2 wants it: something in flight,
// nothing selectively acknowledged, no recovery. The retransmission timer runs beside it. So
// where section 7.3 forbids the probe, because one is out or no round trip was measured
// since, that timer is left alone: armed anew with each segment it would never fire.
func (e *Engine) armProbe(now Time) {
	e.timer.stop(tProbe)
	if e.cfg.NoTailLossProbe || e.cfg.NoRACK || !e.sack || e.ctl == nil || e.rec.phase != open || e.sent.count[sacked] > 0 ||
		e.sent.count[inFlight] == 0 || e.snd.wnd == 0 || e.tlp.active || e.tlp.stale {
		return
	}
	pto := time.Second
	if e.rtt.srtt > 0 {
		pto = max(2*e.rtt.srtt, minPTO)
		// The RFC adds it for a single segment; but receivers wait for two full ones.
		if e.snd.nxt.Sub(e.snd.una) < 2*e.snd.mss {
			pto += maxAckDelay
		}
	}
	at := now.Add(pto)
	if e.timer.on(tRetransmit) {
		at = min(at, e.timer[tRetransmit]) // and Advance asks the probe first
	}
	e.timer.set(tProbe, at)
}

// probeTimeout is TLP_send_probe (section 7.3) up to what Output does.
func (e *Engine) probeTimeout(now Time) {
	if e.rec.phase != open || e.sent.len() == 0 || e.snd.wnd == 0 {
		return
	}
	e.wanted.tlp = true
	// "the sender MUST re-arm the RTO timer".
	e.timer.set(tRetransmit, now.Add(e.rtt.timeout(e.cfg)))
}

// sendTLP sends the probe that probeTimeout asked for: new data if there is some and the
// peer's window lets it, whatever the congestion window says, else the last segment again.
func (e *Engine) sendTLP(now Time, t *Train) bool {
	if !e.wanted.tlp {
		return false
	}
	e.wanted.tlp = false
	if e.rec.phase != open || e.sent.len() == 0 {
		return false
	}
	e.wanted.beyond = true
	p := tlpState{active: true, stale: true}
	ok := e.sendNew(now, t)
	if !ok {
		i := e.sent.len() - 1
		p.order, p.retrans = e.sent.at(i).rate.order, true
		ok = e.sent.at(i).state == inFlight && e.sendAgain(now, t, i)
	}
	e.wanted.beyond = false
	if ok {
		p.end = e.snd.nxt
		e.tlp = p
		e.count.TailLossProbes++
		e.timer.stop(tProbe)
	}
	return ok
}

// tlpAck is TLP_process_ack (section 7.4.2). It reports whether the probe repaired a loss,
// which congestion control must hear of, and whether it was a duplicate.
func (e *Engine) tlpAck(s *segment.Segment, a *acked) (repaired, needless bool) {
	p := &e.tlp
	if !p.active || s.Ack.Less(p.end) {
		return false, false
	}
	switch {
	case !p.retrans:
		p.active = false
	case a.dsack && a.duplicate.Right == p.end, a.quiet && s.Options.SACKCount == 0:
		p.active = false // both the original and the probe arrived
		return false, true
	case p.end.Less(s.Ack):
		p.active = false
		return e.rec.phase == open && e.rec.unanswered(p.order), false
	}
	return false, false
}

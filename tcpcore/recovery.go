package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// recoveryPhase says what a connection does about loss.
type recoveryPhase uint8

const (
	open         recoveryPhase = iota
	fastRecovery               // RACK (RFC 8985) with SACK, NewReno (RFC 6582) without
	afterTimeout               // until all that was outstanding at the timeout is acknowledged
)

// recoveryState is what is known of loss.
type recoveryState struct {
	phase    recoveryPhase
	point    segment.Seq // RecoveryPoint: fast recovery and afterTimeout end here
	dupACKs  int
	edge     bool // SND.UNA is where the last recovery ended
	first    bool // a retransmission is owed that does not ask the congestion window
	credit   int  // without SACK: bytes that duplicate ACKs say have left the network
	timeouts int  // in a row, of the same segment
	suspect  bool // R1 was passed and told
	// synTimeouts counts retransmissions of SYN or SYN-ACK.
	synTimeouts int
	answer      answerState
	spread      spreadState
	prr         prrState
	undo        undoState
}

// answerState is the last reaction to congestion, which answers for all that had been
// sent before.
type answerState struct {
	valid bool
	ecn   bool        // to a mark alone
	order uint32      // the next transmission's number then
	until segment.Seq // SND.NXT then: once more is acknowledged nothing is left to answer for
}

// unanswered reports whether the loss of the given transmission is news to congestion
// control. "Loss in two successive windows of data, or the loss of a retransmission, should
// be taken as two indications of congestion" (RFC 5681 section 4.3), all that a window
// loses or gets marked as one (RFC 3168 section 6.1.2).
func (r *recoveryState) unanswered(order uint32) bool {
	return !r.answer.valid || !sentAfter(r.answer.order, order)
}

// dupThresh is DupThresh of RFC 6675 and the three duplicate ACKs of RFC 5681.
const dupThresh = 3

// pipe estimates the bytes in flight (RFC 6675 section 4, SetPipe): sent, and
// neither acknowledged in any way nor taken for lost.
func (e *Engine) pipe() int { return max(0, e.sent.bytes[inFlight]-e.rec.credit) }

// window is the congestion window; before there is one, a segment.
func (e *Engine) window() int {
	switch {
	case e.ctl == nil:
		return e.snd.mss
	case e.rec.phase == fastRecovery && e.ctl.Reduces():
		return e.rec.prr.window
	}
	return e.ctl.Window()
}

// recover decides what an acknowledgment means for loss recovery. It is called with
// the scoreboard brought up to date.
func (e *Engine) recover(now Time, s *segment.Segment, a *acked) {
	r := &e.rec
	if a.dsack {
		e.count.DSACKs++
	}
	if a.delivered > 0 {
		e.spreadOver()
	}
	repaired, needless := e.tlpAck(s, a)
	reordered := e.detectSpurious(now, s, a)
	ended := r.phase != open && r.point.LessEq(e.snd.una)
	if a.advanced {
		r.edge = ended && r.point == e.snd.una
	}
	if ended {
		e.endRecovery(now, a)
	}
	if e.sack {
		// A probe that was needless says nothing of the reordering window.
		e.rackAdapt(a.dsack && !needless || reordered, ended)
		found, news := e.rackDetect(now)
		a.lost = found
		switch {
		case found > 0:
			e.lossFound(now, a, news)
		case repaired:
			// RFC 8985 section 7.4.2: "a congestion control response equivalent to a fast
			// recovery", of which the repair is over.
			e.congestionEvent(now, congestion.FastRetransmit, 0, 0)
			e.ctl.OnRecovered(time.Duration(now))
		}
	} else {
		e.recoverReno(now, a)
	}
	if r.phase == fastRecovery {
		r.prr.onAck(e, a)
	}
}

// markLost takes record i for lost, and returns its size.
func (e *Engine) markLost(now Time, i int) int {
	r := e.sent.at(i)
	n := int(r.size)
	e.sent.mark(i, lost)
	e.ecnLost(r)
	if e.trains.lost(r, e.sent.next) {
		e.count.SpoiledTrains++
		e.events |= EvTrainsSpoiled
	}
	if r.flags&recProbe != 0 {
		e.mtuProbeFailed(now, r, false)
	}
	e.rate.lost += int64(n)
	told := e.tell()
	told.lost = congestion.Lost{
		Now: time.Duration(now), Seq: uint32(r.seq), Size: n, TxInFlight: int(r.rate.txInFlight),
		Lost: e.rate.lost - r.rate.lost, Delivered: r.rate.delivered, AppLimited: r.flags&recLimited != 0,
		InFlight: e.pipe(), TotalLost: e.rate.lost,
	}
	e.ctl.OnLost(&told.lost)
	return n
}

// lossFound is told of newly found losses.
func (e *Engine) lossFound(now Time, a *acked, news bool) {
	switch {
	case e.rec.phase == open:
		e.enterRecovery(now, a, news)
	case !news:
		// The reaction that recovery began with answers for it.
	case e.rec.phase == fastRecovery:
		e.enterRecovery(now, a, true)
	default:
		// "a new recovery phase MUST NOT be initiated" (RFC 6675 section 5.1), but
		// it is congestion once more.
		e.congestionEvent(now, congestion.FastRetransmit, a.lost, 0)
	}
}

// enterRecovery begins fast recovery, or begins it anew when what it sent is lost. The first
// retransmission does not wait for the reduced window (RFC 5681 section 3.2, step 3).
func (e *Engine) enterRecovery(now Time, a *acked, news bool) {
	e.count.FastRecoveries++
	e.rec.undo.begin(e)
	before := e.pipe() + a.lost + a.delivered
	if news {
		e.congestionEvent(now, congestion.FastRetransmit, a.lost, 0)
	}
	e.rec.phase, e.rec.point, e.rec.first = fastRecovery, e.snd.nxt, true
	e.rec.prr = prrState{recoverFS: max(before, e.snd.mss), threshold: e.ctl.Threshold(), window: max(e.pipe(), e.snd.mss)}
	e.tlp.active = false // RFC 8985 section 7.1
	e.timer.stop(tProbe)
}

// endRecovery ends a recovery whose point is acknowledged.
func (e *Engine) endRecovery(now Time, a *acked) {
	r := &e.rec
	if r.phase == fastRecovery {
		e.ctl.OnRecovered(time.Duration(now))
	}
	a.ended = r.phase
	a.delivered = max(0, a.delivered-r.credit) // the rest was counted before
	r.phase, r.credit, r.first = open, 0, false
	e.pmtu.adjourned()
	r.undo.ended(e)
}

// congestionEvent tells the controller, and has the peer told if it marks: "reduces its
// congestion window for any reason" (RFC 3168 section 6.1.2). found was just taken for lost;
// acked was in flight when the network marked it, as a mark halves the window and not what the
// acknowledgment has left of it.
func (e *Engine) congestionEvent(now Time, cause congestion.Cause, found, acked int) {
	e.rec.answer = answerState{valid: true, ecn: cause == congestion.ECN, order: e.sent.next, until: e.snd.nxt}
	e.ecn.cwr = e.ecn.on
	e.ctl.OnLoss(congestion.Loss{Now: time.Duration(now), Cause: cause,
		InFlight: e.snd.nxt.Sub(e.snd.una) + acked, Pipe: e.pipe() + found + acked, Lost: found})
}

// reorderTimeout is the reordering timer of RACK: what was given the benefit of the
// doubt is lost.
func (e *Engine) reorderTimeout(now Time) {
	var a acked
	var news bool
	if a.lost, news = e.rackDetect(now); a.lost == 0 {
		return
	}
	e.lossFound(now, &a, news)
	if e.rec.phase == fastRecovery {
		e.rec.prr.onAck(e, &a)
	}
}

// retransmitTimeout is RFC 6298 (5.4) to (5.6), with R1 and R2 of RFC 9293 section
// 3.8.3.
func (e *Engine) retransmitTimeout(now Time) {
	if e.sent.len() == 0 {
		return
	}
	r := &e.rec
	limit := e.cfg.Retries2
	if e.sent.at(0).flags&recSYN != 0 {
		if limit = e.cfg.SYNACKRetries; e.state == SynSent {
			limit = max(e.cfg.SYNRetries, 0) + e.cfg.SYNLinear
		}
		r.synTimeouts++
	}
	r.timeouts++
	e.count.Timeouts++
	if r.timeouts > max(limit, 0) {
		e.closeWith(now, ErrTimeout)
		return
	}
	if r.timeouts >= e.cfg.Retries1 && !r.suspect {
		r.suspect = true
		e.events |= EvSuspect
	}
	if e.state != SynSent || r.timeouts > e.cfg.SYNLinear {
		e.rtt.backoff = min(e.rtt.backoff+1, 31)
	}
	if e.ctl == nil {
		e.sent.mark(0, lost)
		return
	}
	if r.timeouts == 1 {
		r.undo.beginTimeout(e)
	}
	r.undo.again()
	found := e.giveUp(now)
	if r.timeouts == 1 && !(e.pmtu.testing && found <= e.snd.mss) {
		// The test of a black hole may be lost for its size; what else is lost was smaller.
		e.congestionEvent(now, congestion.Timeout, found, 0)
	}
	e.checkBlackHole(now)
	e.spreadWindow()
	r.phase, r.point = afterTimeout, e.snd.nxt
	r.dupACKs, r.credit = 0, 0
	r.first = true // what was sent lately may fill the window of one segment
	e.tlp.active = false
	e.timer.stop(tReorder)
	e.timer.stop(tProbe)
}

// giveUp marks what a timeout takes for lost, and returns how much that is. RFC 6675
// section 5.1 keeps what SACK told; but a left edge that was selectively
// acknowledged means that the peer reneged (RFC 2018 section 8).
func (e *Engine) giveUp(now Time) (found int) {
	wnd := e.reoWnd()
	reneged := e.sent.at(0).state == sacked
	if reneged {
		e.rack.highest = [dupThresh]held{}
	}
	for i := range e.sent.len() {
		switch st := e.sent.at(i).state; {
		case st == sacked && reneged:
			e.sent.mark(i, lost)
		case st == inFlight && e.rackOnTimeout(now, i, wnd):
			found += e.markLost(now, i)
		}
	}
	return found
}

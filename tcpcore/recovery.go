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
	first    bool // a retransmission is owed that does not ask the congestion window
	credit   int  // without SACK: bytes that duplicate ACKs say have left the network
	timeouts int  // in a row, of the same segment
	suspect  bool // R1 was passed and told
	// synTimeouts counts retransmissions of SYN or SYN-ACK.
	synTimeouts int
	prr         prrState
	undo        undoState
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

// takeSACK marks what the blocks of s report (RFC 2018 section 5). Only whole segments
// count, and only what is outstanding: blocks that make no sense mark nothing.
func (e *Engine) takeSACK(now Time, s *segment.Segment, a *acked) {
	blocks := s.Options.SACK[:s.Options.SACKCount]
	if len(blocks) == 0 {
		return
	}
	// RFC 2883 section 4: a first block that is below the cumulative acknowledgment, or
	// within the second, reports a duplicate.
	b := blocks[0]
	if b.Right.LessEq(s.Ack) || len(blocks) > 1 && blocks[1].Left.LessEq(b.Left) && b.Right.LessEq(blocks[1].Right) {
		if b.Left.Less(b.Right) && b.Left.GreaterEq(e.snd.una.Add(-e.snd.maxWnd)) {
			a.dsack = true
			a.dsackBytes = b.Right.Sub(b.Left)
		}
		blocks = blocks[1:]
	}
	// In ascending order, as RACK wants to see them.
	for i := 1; i < len(blocks); i++ {
		for k := i; k > 0 && blocks[k].Left.Less(blocks[k-1].Left); k-- {
			blocks[k], blocks[k-1] = blocks[k-1], blocks[k]
		}
	}
	for _, b := range blocks {
		if !b.Left.Less(b.Right) || b.Left.Less(s.Ack) || b.Left.Less(e.snd.una) || b.Right.Greater(e.snd.nxt) {
			continue
		}
		for i := e.sent.find(b.Left); ; i++ {
			if i = e.sent.skipSacked(i); i >= e.sent.len() {
				break
			}
			r := e.sent.at(i)
			if r.end().Greater(b.Right) {
				break
			}
			if r.seq.Less(b.Left) {
				continue
			}
			e.delivered1(now, i, s, a)
			a.sacked += int(r.size)
			e.sent.mark(i, sacked)
		}
	}
}

// delivered1 takes note of record i that s newly acknowledges in some way.
func (e *Engine) delivered1(now Time, i int, s *segment.Segment, a *acked) {
	r := e.sent.at(i)
	if r.times == 1 {
		a.fresh = now.Sub(r.sentAt)
		if r.state == lost {
			a.original = true // what was given up had arrived all the time
		}
	}
	if e.sack {
		e.rackDelivered(now, r, s)
	}
	e.deliveredRecord(now, r, a)
}

// recover decides what an acknowledgment means for loss recovery. It is called with
// the scoreboard brought up to date.
func (e *Engine) recover(now Time, s *segment.Segment, a *acked) {
	r := &e.rec
	if a.bytes > 0 {
		r.dupACKs = 0
	}
	if a.dsack {
		e.count.DSACKs++
		e.rackDSACK()
	}
	e.detectSpurious(now, s, a)
	if r.phase != open && r.point.LessEq(e.snd.una) {
		if r.phase == fastRecovery {
			e.ctl.OnRecovered(time.Duration(now))
			e.rackRecovered()
		}
		r.phase, r.credit, r.first = open, 0, false
	}
	if e.sack {
		a.lost = e.rackDetect(now)
		if e.tlpAck(s, a.dsack, a.dup) {
			e.congestionEvent(now, congestion.FastRetransmit, 0) // section 7.4.2: the probe hid a loss
		}
		if a.lost > 0 && r.phase == open {
			e.enterRecovery(now, a.lost)
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
	e.rate.lost += int64(n)
	e.told.lost = congestion.Lost{
		Now: time.Duration(now), Size: n, TxInFlight: int(r.rate.txInFlight), Lost: e.rate.lost - r.rate.lost,
		Delivered: r.rate.delivered, AppLimited: r.rate.appLimited, InFlight: e.pipe(), TotalLost: e.rate.lost,
	}
	e.ctl.OnLost(&e.told.lost)
	return n
}

// recoverReno is fast retransmit and NewReno fast recovery (RFC 5681 section 3.2, RFC 6582),
// told in terms of the pipe: each duplicate ACK says that a segment has left.
func (e *Engine) recoverReno(now Time, a *acked) {
	r := &e.rec
	switch {
	case a.bytes > 0:
		// The hole was filled; the rest of what is acknowledged was counted before.
		r.credit = max(0, r.credit-max(0, a.bytes-e.snd.mss))
		if r.phase == fastRecovery && e.sent.len() > 0 && e.sent.at(0).state == inFlight {
			// A partial acknowledgment (RFC 6582 section 3.2, step 3).
			a.lost = e.markLost(now, 0)
			r.first = true
		}
	case a.dup:
		r.dupACKs++
		r.credit = min(r.credit+e.snd.mss, e.sent.bytes[inFlight])
		if r.phase == open && r.dupACKs == dupThresh && e.sent.at(0).state == inFlight {
			a.lost = e.markLost(now, 0)
			e.enterRecovery(now, a.lost)
		}
	}
}

// enterRecovery begins fast recovery. The first retransmission does not wait for the
// reduced window (RFC 5681 section 3.2, step 3).
func (e *Engine) enterRecovery(now Time, found int) {
	e.count.FastRecoveries++
	e.rec.undo.begin(e, now)
	pipe := e.pipe() + found
	e.congestionEvent(now, congestion.FastRetransmit, found)
	e.rec.phase = fastRecovery
	e.rec.point = e.snd.nxt
	e.rec.first = true
	e.rec.prr = prrState{recoverFS: max(pipe, e.snd.mss), threshold: e.ctl.Threshold(), window: max(e.pipe(), e.snd.mss)}
}

// congestionEvent tells the controller.
func (e *Engine) congestionEvent(now Time, cause congestion.Cause, found int) {
	e.ctl.OnLoss(congestion.Loss{Now: time.Duration(now), Cause: cause,
		InFlight: e.snd.nxt.Sub(e.snd.una), Pipe: e.pipe(), Lost: found})
}

// reorderTimeout is the reordering timer of RACK: what was given the benefit of the
// doubt is lost.
func (e *Engine) reorderTimeout(now Time) {
	if found := e.rackDetect(now); found > 0 && e.rec.phase == open {
		e.enterRecovery(now, found)
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
		limit = e.cfg.SYNRetries
		r.synTimeouts++
	}
	r.timeouts++
	e.count.Timeouts++
	if r.timeouts > limit {
		e.closeWith(now, ErrTimeout)
		return
	}
	if r.timeouts >= e.cfg.Retries1 && !r.suspect {
		r.suspect = true
		e.events |= EvSuspect
	}
	if e.ctl != nil && r.timeouts == 1 {
		r.undo.beginTimeout(e, now)
		e.congestionEvent(now, congestion.Timeout, e.sent.bytes[inFlight])
	}
	e.ecnGiveUp()
	e.rtt.backoff = min(e.rtt.backoff+1, 31)
	// RFC 6675 section 5.1 keeps what SACK told; but a left edge that was
	// selectively acknowledged means that the peer reneged (RFC 2018 section 8).
	reneged := e.sent.at(0).state == sacked
	for i := range e.sent.len() {
		switch st := e.sent.at(i).state; {
		case st == sacked && reneged:
			e.sent.mark(i, lost)
		case st == inFlight && e.ctl != nil:
			e.markLost(now, i)
		case st == inFlight:
			e.sent.mark(i, lost)
		}
	}
	r.phase, r.point = afterTimeout, e.snd.nxt
	r.dupACKs, r.credit, r.first = 0, 0, false
	e.tlp.active = false
	e.timer.stop(tReorder)
	e.timer.stop(tProbe)
}

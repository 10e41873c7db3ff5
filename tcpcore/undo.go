package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// undoState is what is needed to find out that a recovery or a timeout was spurious,
// and to give back what it took: by timestamps (Eifel, RFC 3522), by reports of
// duplicates (RFC 3708), and after a timeout by what is acknowledged (F-RTO, RFC 5682).
type undoState struct {
	possible bool
	timeout  bool
	over     bool        // the recovery has ended; reports of duplicates still come,
	until    segment.Seq // for a window
	backoff  uint8
	// undone counts undos until, once there was one, fresh is acknowledged.
	undone uint8
	fresh  segment.Seq

	sent        bool        // something was sent again
	first, last segment.Seq // ends of what was sent again first, and of the highest
	retransTS   uint32      // RetransmitTS of RFC 3522, if hasTS
	hasTS       bool
	doubt       bool        // so far the originals arrive: nothing more is sent again until it is clear
	owed        *owedRanges // from the first of them on
	frto        frtoStep
}

// maxUndone is how often a window may be undone: where reordering begins, more than once;
// but no peer shall have everything given up and taken back with each acknowledgment.
const maxUndone = 8

// begin remembers the beginning of a fast recovery.
func (u *undoState) begin(e *Engine) {
	*u = undoState{possible: u.undone < maxUndone, undone: u.undone, fresh: u.fresh, backoff: e.rtt.backoff}
}

// beginTimeout remembers the state before a timeout. F-RTO "SHOULD NOT be applied if the
// TCP sender is already in loss recovery" (RFC 5682 section 3.1).
func (u *undoState) beginTimeout(e *Engine) {
	// The back-off has doubled already.
	*u = undoState{possible: u.undone < maxUndone, undone: u.undone, fresh: u.fresh, timeout: true, backoff: e.rtt.backoff - 1}
	if e.sack && e.rec.phase == open && !e.cfg.NoFRTO {
		u.frto = frtoWaits
	}
}

// again begins F-RTO anew at each timeout of the same segment.
func (u *undoState) again() {
	if u.frto != frtoOff {
		u.frto = frtoWaits
	}
	u.doubt = false
}

// ended leaves a window's time for reports of duplicates.
func (u *undoState) ended(e *Engine) {
	if u.possible {
		u.over, u.until, u.frto, u.doubt = true, e.snd.nxt, frtoOff, false
	}
}

// retransmitted takes note of a retransmission of the episode.
func (u *undoState) retransmitted(e *Engine, now Time, r *record) {
	if !u.possible || u.over {
		return
	}
	if !u.sent {
		u.sent, u.first, u.last = true, r.end(), r.end()
		u.retransTS, u.hasTS = e.tsClock(now), e.ts.on
		u.owed = new(owedRanges)
	}
	u.last = u.last.Max(r.end())
	u.owed.add(r.seq, r.end())
}

// detectSpurious finds out whether what was retransmitted had arrived, and undoes what
// followed. It reports whether that shows reordering.
func (e *Engine) detectSpurious(now Time, s *segment.Segment, a *acked) (reordered bool) {
	u := &e.rec.undo
	if u.undone > 0 && u.fresh.LessEq(e.snd.una) {
		u.undone = 0
	}
	if u.over && u.until.LessEq(e.snd.una) && !a.dsack {
		u.possible = false
	}
	if !u.possible {
		return false
	}
	spurious := u.sent && u.hasTS && a.advanced && u.first.LessEq(e.snd.una) && u.eifel(e, s)
	if a.dsack && u.owed.report(a.duplicate) {
		spurious = true // RFC 3708: all that was sent again was there already
	}
	spurious = e.frto(a) || spurious
	if !spurious {
		return false
	}
	reordered = !u.timeout
	e.undo(now)
	return reordered
}

// eifel is RFC 3522 section 3.2: "the first acceptable ACK" echoes an earlier timestamp than
// the retransmission's if it was the original that arrived. Where more than one
// segment was sent again, one late segment does not show that none was lost: it
// takes such an echo all the way.
func (u *undoState) eifel(e *Engine, s *segment.Segment) (spurious bool) {
	if !s.Options.HasTimestamps || s.Options.TSEcr == 0 || int32(s.Options.TSEcr-u.retransTS) >= 0 {
		u.hasTS, u.doubt = false, false
		return false
	}
	u.doubt = e.snd.una.Less(u.last)
	return !u.doubt
}

// undo gives back what the recovery or the timeout took (RFC 4015): the window, the
// threshold and the back-off; and what was given up is in flight again.
func (e *Engine) undo(now Time) {
	u := &e.rec.undo
	if u.timeout {
		e.count.SpuriousTimeouts++
		e.pmtu.decided() // it was not too large
		// The first segment had arrived; but it may be an outage that ended, which took
		// what followed. A probe tells, and SRTT is no guide now to when to send one.
		e.wanted.tlp = e.sack && !e.tlp.active
	} else {
		e.count.SpuriousRecoveries++
		e.rack.reordered = true // the original came later than what was sent after it
	}
	e.rtt.backoff = min(e.rtt.backoff, u.backoff)
	if u.undone == 0 {
		u.fresh = e.snd.nxt
	}
	*u = undoState{undone: u.undone + 1, fresh: u.fresh}
	e.sent.restore()
	if e.sack {
		e.requeue()
	}
	e.rec.phase, e.rec.credit, e.rec.first = open, 0, false
	e.rec.answer.valid = false
	e.restartRetransmit(now)
	e.ctl.OnSpurious(time.Duration(now))
}

// owedRanges is what an episode sent again, as far as it has not been reported as a
// duplicate. An episode that sends more ranges than there is room for, or anything
// twice, does not learn from duplicates whether it was spurious.
type owedRanges struct {
	r    [8]owedRange
	n    int
	lost bool // of the account
}

type owedRange struct {
	left, right segment.Seq
	told        segment.Seq // all before it was reported
}

// add enters a retransmission.
func (o *owedRanges) add(left, right segment.Seq) {
	for i := range o.n {
		r := &o.r[i]
		switch {
		case left.Less(r.right) && r.left.Less(right):
			o.lost = true
			return
		case r.right == left:
			r.right = right
			return
		}
	}
	if o.n == len(o.r) {
		o.lost = true
		return
	}
	o.r[o.n] = owedRange{left, right, left}
	o.n++
}

// report takes off what a D-SACK block tells, and reports whether that was the last of it.
func (o *owedRanges) report(b segment.SACKBlock) bool {
	if o == nil || o.lost {
		return false
	}
	all, news := true, false
	for i := range o.n {
		r := &o.r[i]
		if r.left.LessEq(b.Left) && b.Left.LessEq(r.told) && r.told.Less(b.Right) && b.Right.LessEq(r.right) {
			r.told, news = b.Right, true
		}
		all = all && r.told == r.right
	}
	return all && news
}

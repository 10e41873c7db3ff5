package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// undoState is what is needed to find out that a recovery or a timeout was spurious,
// and to give back what it took.
type undoState struct {
	possible bool
	timeout  bool
	// retransTS is the timestamp of the episode's first retransmission, if hasTS (Eifel
	// detection, RFC 3522).
	retransTS uint32
	hasTS     bool
	// owed is how many segments of the episode's retransmissions have not been
	// reported as duplicates (RFC 3708).
	owed    int
	sent    int
	frto    frtoStep
	backoff uint8
}

// frtoStep is where F-RTO (RFC 5682 section 3.1, with SACK) stands.
type frtoStep uint8

const (
	frtoOff   frtoStep = iota
	frtoFirst          // the first segment was sent again, nothing acknowledged since
	frtoNew            // new data was sent instead of more retransmissions
)

// begin remembers the beginning of a fast recovery.
func (u *undoState) begin(e *Engine, now Time) {
	*u = undoState{possible: true, backoff: e.rtt.backoff}
}

// beginTimeout remembers the state before a timeout. F-RTO is of no use while fast
// recovery goes on (RFC 5682 section 2.1, step 1).
func (u *undoState) beginTimeout(e *Engine, now Time) {
	first := e.rec.phase == open
	*u = undoState{possible: true, timeout: true, backoff: e.rtt.backoff}
	if e.sack && first {
		u.frto = frtoFirst
	}
}

// retransmitted counts a retransmission of the episode.
func (u *undoState) retransmitted(e *Engine, now Time) {
	if !u.possible {
		return
	}
	if u.sent == 0 && e.ts.on {
		u.retransTS, u.hasTS = e.tsClock(now), true
	}
	u.sent++
	u.owed++
}

// detectSpurious finds out whether what was retransmitted had arrived.
func (e *Engine) detectSpurious(now Time, s *segment.Segment, a *acked) {
	u := &e.rec.undo
	if !u.possible {
		return
	}
	switch {
	case u.hasTS && u.sent > 0 && a.advanced && s.Options.HasTimestamps && s.Options.TSEcr != 0 &&
		int32(s.Options.TSEcr-u.retransTS) < 0:
		// RFC 3522 section 3.2: the acknowledgment answers a segment from before.
		e.undo(now)
		return
	case a.advanced:
		u.hasTS = false // only the first acceptable acknowledgment tells
	}
	if a.dsack {
		u.owed -= max(1, a.dsackBytes/max(e.snd.mss, 1))
		if u.sent > 0 && u.owed <= 0 && e.sent.bytes[lost] == 0 {
			e.undo(now) // RFC 3708: all that was sent again was there already
			return
		}
	}
	e.frto(now, a)
	if u.possible && !a.dsack && e.rec.phase == open && u.sent == 0 {
		u.possible = false
	}
}

// frto is RFC 5682: after a timeout the first acknowledgment lets new data go instead of
// more retransmissions, and the second tells whether the old was lost.
func (e *Engine) frto(now Time, a *acked) {
	u := &e.rec.undo
	if u.frto == frtoOff || !a.advanced && a.sacked == 0 && !a.dup {
		return
	}
	if a.original {
		// Something that was sent before the timeout, and not again, was acknowledged
		// (step 3b).
		e.undo(now)
		return
	}
	switch {
	case u.frto == frtoFirst && a.advanced && e.snd.una.Less(e.rec.point) && e.hasNew(e.sndEnd()):
		u.frto = frtoNew // step 2b
	default:
		u.frto = frtoOff
	}
}

// undo gives back what the recovery or the timeout took (RFC 4015): the window, the
// threshold and the back-off; and what was given up is in flight again.
func (e *Engine) undo(now Time) {
	u := &e.rec.undo
	if u.timeout {
		e.count.SpuriousTimeouts++
	} else {
		e.count.SpuriousRecoveries++
	}
	e.rtt.backoff = u.backoff
	*u = undoState{}
	for i := range e.sent.len() {
		if r := e.sent.at(i); r.state == lost && r.times == 1 {
			e.sent.mark(i, inFlight)
			e.rack.queue.push(xmit{r.seq, r.sentAt})
		}
	}
	e.rec.phase, e.rec.credit, e.rec.first = open, 0, false
	e.ctl.OnSpurious(time.Duration(now))
}

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
	fastRecovery               // RFC 6675 with SACK, RFC 6582 without
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
	// highSACK is the highest octet that was selectively acknowledged, plus one.
	highSACK segment.Seq
	// marked is up to where records were judged by SACK.
	marked segment.Seq
}

// dupThresh is DupThresh of RFC 6675 and the three duplicate ACKs of RFC 5681.
const dupThresh = 3

// pipe estimates the bytes in flight (RFC 6675 section 4, SetPipe): sent, and
// neither acknowledged in any way nor taken for lost.
func (e *Engine) pipe() int { return max(0, e.sent.bytes[inFlight]-e.rec.credit) }

// window is the congestion window; before there is one, a segment.
func (e *Engine) window() int {
	if e.ctl == nil {
		return e.snd.mss
	}
	return e.ctl.Window()
}

// takeSACK marks what the blocks of s report (RFC 2018 section 5). Only whole segments
// count, and only what is outstanding: blocks that report a duplicate (RFC 2883), or
// make no sense, mark nothing.
func (e *Engine) takeSACK(now Time, s *segment.Segment, a *acked) {
	for _, b := range s.Options.SACK[:s.Options.SACKCount] {
		if !b.Left.Less(b.Right) || b.Left.Less(s.Ack) || b.Left.Less(e.snd.una) || b.Right.Greater(e.snd.nxt) {
			continue
		}
		for i := e.sent.find(b.Left); i < e.sent.len(); i++ {
			r := e.sent.at(i)
			if r.end().Greater(b.Right) {
				break
			}
			if r.seq.Less(b.Left) || r.state == sacked {
				continue
			}
			if r.times == 1 {
				a.rtt = now.Sub(r.sentAt)
			}
			a.sacked += int(r.size)
			e.sent.mark(i, sacked)
		}
		if a.sacked > 0 && (e.sent.bytes[sacked] == a.sacked || e.rec.highSACK.Less(b.Right)) {
			e.rec.highSACK = b.Right
		}
	}
}

// recover decides what an acknowledgment means for loss recovery.
func (e *Engine) recover(now Time, s *segment.Segment, a *acked) {
	r := &e.rec
	if a.bytes > 0 {
		r.dupACKs = 0
	}
	if r.phase != open && r.point.LessEq(e.snd.una) {
		if r.phase == fastRecovery {
			e.ctl.OnRecovered(time.Duration(now))
		}
		r.phase, r.credit, r.first = open, 0, false
	}
	if e.sack {
		e.recoverSACK(now, a)
	} else {
		e.recoverReno(now, a)
	}
}

// recoverSACK is RFC 6675 section 5.
func (e *Engine) recoverSACK(now Time, a *acked) {
	r := &e.rec
	if a.sacked > 0 && a.bytes == 0 {
		r.dupACKs++
	}
	if e.sent.bytes[sacked] == 0 {
		r.marked = e.snd.una
		return
	}
	found := e.markLost()
	if r.phase != open {
		return
	}
	if found == 0 && r.dupACKs >= dupThresh && e.sent.at(0).state == inFlight {
		found = int(e.sent.at(0).size) // (5) "... or DupAcks >= DupThresh"
		e.sent.mark(0, lost)
	}
	if found > 0 {
		e.enterRecovery(now, found)
	}
}

// markLost is IsLost of RFC 6675 section 4 for every record: lost is what has
// DupThresh segments, or more than (DupThresh-1)*SMSS bytes, selectively acknowledged
// above it. It returns how many bytes were newly found so.
func (e *Engine) markLost() int {
	r := &e.rec
	r.marked = r.marked.Max(e.snd.una)
	// From the highest octet downwards until enough is above.
	above, segments := 0, 0
	i := e.sent.find(r.highSACK.Add(-1))
	for i = min(i, e.sent.len()-1); i >= 0; i-- {
		if rec := e.sent.at(i); rec.state == sacked {
			above += int(rec.size)
			segments++
			if segments >= dupThresh || above > (dupThresh-1)*e.snd.mss {
				break
			}
		}
		if e.sent.at(i).seq.LessEq(r.marked) {
			return 0 // all below is judged already
		}
	}
	found := 0
	for k := e.sent.find(r.marked); k < i; k++ {
		// One that was sent again is judged by the timer only.
		if rec := e.sent.at(k); rec.state == inFlight && rec.times == 1 {
			found += int(rec.size)
			e.sent.mark(k, lost)
		}
	}
	if i >= 0 {
		r.marked = r.marked.Max(e.sent.at(i).seq)
	}
	return found
}

// recoverReno is fast retransmit and NewReno fast recovery (RFC 5681 section 3.2, RFC 6582),
// told in terms of the pipe: each duplicate ACK says that a segment has left.
func (e *Engine) recoverReno(now Time, a *acked) {
	r := &e.rec
	switch {
	case a.bytes > 0:
		// The hole was filled; the rest of what is acknowledged was counted before.
		r.credit = max(0, r.credit-max(0, a.bytes-e.snd.mss))
		if r.phase == fastRecovery && e.sent.len() > 0 {
			// A partial acknowledgment (RFC 6582 section 3.2, step 3).
			if e.sent.at(0).state == inFlight {
				e.sent.mark(0, lost)
				r.first = true
			}
		}
	case a.dup:
		r.dupACKs++
		r.credit = min(r.credit+e.snd.mss, e.sent.bytes[inFlight])
		if r.phase == open && r.dupACKs == dupThresh && e.sent.at(0).state == inFlight {
			n := int(e.sent.at(0).size)
			e.sent.mark(0, lost)
			e.enterRecovery(now, n)
		}
	}
}

// enterRecovery begins fast recovery.
func (e *Engine) enterRecovery(now Time, found int) {
	e.count.FastRecoveries++
	e.rec.phase = fastRecovery
	e.rec.point = e.snd.nxt
	// "The lost segment starting at SND.UNA MUST be retransmitted" (RFC 5681 section
	// 3.2, step 3; RFC 6675 section 5 (4.3)): the pipe is still above the halved window.
	e.rec.first = true
	e.ctl.OnLoss(congestion.Loss{Now: time.Duration(now), Cause: congestion.FastRetransmit,
		InFlight: e.snd.nxt.Sub(e.snd.una), Lost: found})
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
	e.rtt.backoff = min(e.rtt.backoff+1, 31)
	if e.ctl != nil && r.timeouts == 1 {
		e.ctl.OnLoss(congestion.Loss{Now: time.Duration(now), Cause: congestion.Timeout,
			InFlight: e.snd.nxt.Sub(e.snd.una), Lost: e.sent.bytes[inFlight]})
	}
	// RFC 6675 section 5.1 keeps what SACK told; but a left edge that was
	// selectively acknowledged means that the peer reneged (RFC 2018 section 8).
	reneged := e.sent.at(0).state == sacked
	for i := range e.sent.len() {
		if st := e.sent.at(i).state; st == inFlight || st == sacked && reneged {
			e.sent.mark(i, lost)
		}
	}
	r.phase, r.point = afterTimeout, e.snd.nxt
	r.dupACKs, r.credit, r.first = 0, 0, false
}

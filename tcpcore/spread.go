package tcpcore

import "time"

// spreadState has the loss window of a timeout leave in pieces. The timer doubles (RFC
// 6298 (5.5)), and so by it alone an outage may last twice as long as it does: the next
// retransmission can be as far away as the silence was long. But the loss window is counted in
// bytes, "1 full-sized segment" (RFC 5681 section 3.1). So where timeouts follow each
// other it goes out in sixteen pieces, evenly until the timer fires again: no byte of it
// sooner than the timer allows, no more of them in flight, and a sixteenth of the wait.
type spreadState struct {
	every time.Duration // 0 while nothing is spread
	next  Time          // when the next piece may go
}

const (
	// spreadAfter timeouts in a row it is no single loss, and blackHoleAfter has had its say
	// about full segments.
	spreadAfter = 3
	spreadParts = 16
)

// spreadWindow is told of each timeout.
func (e *Engine) spreadWindow() {
	p := &e.rec.spread
	p.every = 0
	if e.rec.timeouts >= spreadAfter && e.sack && !e.cfg.NoRACK && !e.cfg.WholeRetransmits && e.sent.at(0).flags&recSYN == 0 {
		p.every = e.rtt.timeout(e.cfg) / spreadParts
	}
}

// spreadPiece is how much goes at a time.
func (e *Engine) spreadPiece() int { return max((e.snd.mss+spreadParts-1)/spreadParts, minSendMSS) }

// spreadAllows reports whether something lost may go now, and how much of a segment of the given
// size. If not, it arms the timer. Two pieces that are all of a segment go as one, since a small
// message is of use only whole.
func (e *Engine) spreadAllows(now Time, size int) (most int, ok bool) {
	p := &e.rec.spread
	switch {
	case p.every == 0:
		return e.snd.mss, true
	case now < p.next && !e.rec.first:
		e.timer.set(tPace, p.next)
		return 0, false
	}
	most = e.spreadPiece()
	if size <= 2*most {
		most = size
	}
	return most, true
}

// spreadSent has what follows n bytes wait its time.
func (e *Engine) spreadSent(now Time, n int) {
	if p := &e.rec.spread; p.every > 0 {
		piece := e.spreadPiece()
		p.next = now.Add(p.every * time.Duration((n+piece-1)/piece))
	}
}

// spreadWaits reports whether something lost waits for its turn. New data, which would fill the
// loss window at once, does not go before it (RFC 6675 section 4, NextSeg (1)).
func (e *Engine) spreadWaits() bool { return e.rec.spread.every > 0 && e.sent.count[lost] > 0 }

// spreadOver is told that something arrived: the path carries again. That pieces were lost
// before is no news: "the value of ssthresh is held constant" where the timer sends a
// segment once more (RFC 5681 section 4.3).
func (e *Engine) spreadOver() {
	if e.rec.spread.every > 0 {
		e.rec.spread.every = 0
		e.rec.first = true
		e.rec.answer.order = e.sent.next
	}
}

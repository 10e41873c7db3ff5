package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// ackState is what is owed to the peer.
type ackState struct {
	now      bool // an ACK is due at once
	held     bool // it was, and HoldACK put it off; or it is, and who waits shall not forget it
	pending  int  // bytes received since the last ACK
	segments int  // and segments
	// quick is how many ACKs more are not delayed, unless the connection is interactive:
	// what arrives is answered with data, on which an ACK can ride.
	quick       int
	interactive bool
	lastData    Time // when data last arrived in order
	hasData     bool
	// dups is how many duplicate ACKs a peer without SACK is to see, who counts
	// them (RFC 5681 section 4.2); with SACK one tells all.
	dups int
}

// maxDups bounds the duplicate ACKs owed: three make a fast retransmit, more of them
// let the peer's window turn; a train has room for them.
const maxDups = MaxTrainSegments

// processText is the seventh and eighth step of segment arrival: data into the
// receive buffer, what is out of order beyond its end (SHLD-31), then the FIN.
func (e *Engine) processText(now Time, s *segment.Segment) {
	if !e.state.canReceive() && e.state != SynReceived {
		return // "Ignore the segment text." All of the stream has arrived.
	}
	data, seq, fin := s.Payload, s.Seq, s.Flags.Has(segment.FIN)
	if n := e.rcv.nxt.Sub(seq); n > 0 {
		// "If a segment's contents straddle the boundary between old and new, only
		// the new parts are processed."
		n = min(n, len(data))
		e.rcv.q.duplicate(seq, seq.Add(n))
		data, seq = data[n:], seq.Add(n)
		e.ack.now = true
		e.hurry()
	}
	limit := e.rcv.edge
	if e.rcv.hasFIN {
		limit = limit.Min(e.rcv.fin)
	}
	if n := limit.Sub(seq); n < len(data) {
		data, fin = data[:max(n, 0)], false
		e.ack.now = true
	}
	if fin && !e.rcv.hasFIN && e.rcv.edge.Sub(seq.Add(len(data))) > 0 {
		if end := seq.Add(len(data)); e.finPlausible(end) {
			e.rcv.fin, e.rcv.hasFIN = end, true
			if end != e.rcv.nxt.Add(len(data)) {
				e.ack.now = true
			}
		}
	}
	if len(data) > 0 {
		if e.orphan {
			// SHLD-3: nobody will read this, and the peer shall know.
			nxt := e.snd.nxt
			e.Abort(now)
			if e.reply.due && s.Ack == nxt {
				e.reply = refusal(s) // it answers s, as if there were no connection any more
			}
			return
		}
		if e.ts.on && s.Options.HasTimestamps {
			e.rcv.tune.echoed(now, e.tsClock(now), s.Options.TSEcr)
		}
		e.receive(now, seq, data)
	}
	e.checkFIN(now)
}

// finPlausible reports whether a FIN at seq agrees with the data that is held: it
// cannot lie before octets that exist.
func (e *Engine) finPlausible(seq segment.Seq) bool {
	if q := e.rcv.q.ranges; len(q) > 0 {
		return q[len(q)-1].right.LessEq(seq)
	}
	return true
}

// receive stores data, which lies within the window and begins at or beyond RCV.NXT.
func (e *Engine) receive(now Time, seq segment.Seq, data []byte) {
	r := &e.rcv
	if seq == r.nxt && r.q.empty() {
		e.receiveNext(now, data)
		return
	}
	e.arrived(len(data))
	off := r.buf.len() + seq.Sub(r.nxt)
	if r.q.empty() {
		e.ts.holeOpens(r.nxt)
	}
	r.buf.reserve(off+len(data), e.held())
	limit := maxHoles
	if seq == r.nxt {
		limit++ // what continues the stream leaves no range behind, and must never starve
	}
	ok := r.q.add(seq, seq.Add(len(data)), limit, func(left, right segment.Seq) {
		i := left.Sub(seq)
		r.buf.place(off+i, data[i:right.Sub(seq)])
	})
	// RFC 5681 section 4.2: at once, both for a segment beyond a hole and for one
	// that fills it.
	e.ack.now = true
	if ok && seq != r.nxt {
		e.count.OutOfOrderSegments++
		e.ack.dups = min(e.ack.dups+1, maxDups)
		return
	}
	nxt := r.q.advance(r.nxt)
	n := nxt.Sub(r.nxt)
	r.buf.extend(n)
	r.nxt = nxt
	e.delivered(now, n)
}

// held is how many bytes of the receive buffer, from its head on, are of use.
func (e *Engine) held() int {
	n := e.rcv.buf.len()
	if q := e.rcv.q.ranges; len(q) > 0 {
		n += q[len(q)-1].right.Sub(e.rcv.nxt)
	}
	return n
}

// receiveNext stores data that lies within the window and begins at RCV.NXT, while nothing is
// held beyond it.
func (e *Engine) receiveNext(now Time, data []byte) {
	e.arrived(len(data))
	r, n := &e.rcv, 0
	if len(r.lent) > 0 && r.buf.len() == 0 && e.state >= Established && !r.discard {
		if n = min(len(r.lent), len(data)); &data[0] != &r.lent[0] { // else a carrier has put it there
			copy(r.lent, data[:n])
		}
		r.lent, r.got = r.lent[n:], r.got+n
	}
	if n < len(data) {
		r.buf.append(data[n:])
	}
	r.nxt = r.nxt.Add(len(data))
	if n > 0 {
		e.consumed(now, n)
	}
	e.delivered(now, len(data))
}

// arrived takes note of n octets within the window.
func (e *Engine) arrived(n int) {
	e.count.BytesReceived += uint64(n)
	if n > e.rcv.mss {
		// What is longer than we allowed is several segments, which the carrier's system joined.
		e.rcv.mss = max(e.rcv.mss, min(n, e.receiveMSS()))
	}
}

// delivered takes note of n bytes that became readable, and decides when to
// acknowledge them (RFC 9293 section 3.8.6.3).
func (e *Engine) delivered(now Time, n int) {
	if n == 0 {
		return
	}
	e.ack.dups = 0
	e.rcv.tune.arrived(now, e.rcv.nxt)
	if e.rcv.discard {
		e.rcv.buf.drop(e.rcv.buf.len())
	} else {
		e.events |= EvReadable
	}
	e.ack.pending += n
	e.ack.segments++
	if e.cfg.QuickACKs > 0 && (!e.ack.hasData || now.Sub(e.ack.lastData) > e.rtt.rto) {
		e.hurry()
	}
	e.ack.lastData, e.ack.hasData = now, true
	if e.ack.now || e.ackDue() {
		e.ack.now = true
		return
	}
	e.timer.arm(tDelayedACK, now.Add(e.cfg.DelayedACK))
}

// ackDue reports whether what was received is worth an ACK without waiting for more:
// "at least every second full-sized segment or 2*RMSS bytes of new data" (SHLD-19), or
// sooner by Config.ACKRule; or when the window has no room for a second segment, for which
// the peer would wait as long as we do.
func (e *Engine) ackDue() bool {
	a := &e.ack
	switch {
	case a.pending >= e.rmss() && e.rcv.edge.Sub(e.rcv.nxt) < e.rmss():
		return true
	case a.pending >= 2*e.rmss(), e.cfg.DelayedACK < 0, a.quick > 0 && !a.interactive:
		return true
	case e.cfg.ACKRule == ACKOverFull:
		return a.pending > e.rmss()
	case e.cfg.ACKRule == ACKSecond:
		return a.segments >= 2
	}
	return false
}

// HoldACK puts off what is due at once for the peer's SYN or FIN, by d or Config.DelayedACK at
// most: the user who is about to hear of it is likely to send or close, and that carries the ACK.
// What is due for data, or for a hole in it, stays due, as do all with Config.QuickACKs or without
// Config.DelayedACK.
func (e *Engine) HoldACK(now Time, d time.Duration) {
	if !e.ack.now || e.ack.pending > 0 || e.owesSACK() || e.cfg.DelayedACK < 0 || e.cfg.QuickACKs > 0 {
		return
	}
	e.ack.now, e.ack.held = false, true
	e.timer.arm(tDelayedACK, now.Add(min(d, e.cfg.DelayedACK)))
}

// ReleaseACK makes due what HoldACK put off, or Read found while it has nothing to return, and
// reports whether there is anything.
func (e *Engine) ReleaseACK() bool {
	if !e.ack.held {
		return false
	}
	e.ack.now, e.ack.held = true, false
	return true
}

// owesSACK reports whether the peer is to hear of data that is out of order, or came twice.
func (e *Engine) owesSACK() bool {
	return e.sack && (!e.rcv.q.empty() || e.rcv.q.dup.Left != e.rcv.q.dup.Right)
}

// hurry has the next segments acknowledged at once: the peer begins, or begins anew, with
// a small window, which grows with each acknowledgment.
func (e *Engine) hurry() {
	if e.cfg.QuickACKs > 0 {
		n := max(e.rcv.edge.Sub(e.rcv.nxt)/(2*e.rmss()), 2)
		e.ack.quick = max(e.ack.quick, min(n, e.cfg.QuickACKs))
	}
}

// answered notes that data goes out, soon after data came in: a conversation.
func (e *Engine) answered(now Time) {
	if e.ack.hasData && now.Sub(e.ack.lastData) < interactiveGap {
		e.ack.interactive = true
	}
}

// interactiveGap is how soon an answer comes in an interactive connection.
const interactiveGap = 40 * time.Millisecond

// rmss is the size of a full segment of the peer: the largest seen, but not less than
// every path carries, so that small messages do not look full.
func (e *Engine) rmss() int { return max(e.rcv.mss, min(defaultMSS(false), e.receiveMSS())) }

// checkFIN is the eighth step, taken when all before the FIN has arrived.
func (e *Engine) checkFIN(now Time) {
	if !e.rcv.hasFIN || e.rcv.fin != e.rcv.nxt || e.state < Established {
		return
	}
	e.rcv.nxt = e.rcv.nxt.Add(1)
	e.events |= EvReadable
	e.ack.now = true
	switch e.state {
	case Established:
		e.setState(now, CloseWait)
	case FinWait1:
		e.setState(now, Closing)
	case FinWait2:
		e.setState(now, TimeWait)
	}
}

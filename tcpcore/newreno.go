package tcpcore

// recoverReno is fast retransmit and NewReno fast recovery for peers without SACK (RFC
// 5681 section 3.2, RFC 6582), told in terms of the pipe: each duplicate ACK says that a
// segment has left the network. The first two thereby let new segments go, limited
// transmit (RFC 3042); those in fast recovery inflate the window.
func (e *Engine) recoverReno(now Time, a *acked) {
	r := &e.rec
	switch {
	case a.advanced:
		r.dupACKs = 0
		if r.phase != fastRecovery {
			r.credit = 0
			return
		}
		// Of what is acknowledged the hole was filled now, and the rest counted before
		// (DeliveredData of RFC 6937 section 2).
		counted := min(r.credit, max(0, a.delivered-e.snd.mss))
		r.credit -= counted
		a.delivered -= counted
		if e.sent.len() > 0 && e.sent.at(0).state == inFlight {
			// A partial acknowledgment (RFC 6582 section 3.2, step 3).
			a.lost = e.markLost(now, 0)
			r.first = true
		}
	case !a.dup || r.phase == afterTimeout:
	case r.phase == fastRecovery:
		e.presume(a)
	default:
		// Duplicates at the very point where recovery ended come of what recovery sent
		// twice (RFC 6582 section 3.2, step 2: "covers more than recover").
		if r.dupACKs++; r.dupACKs > dupThresh || r.dupACKs == dupThresh && r.edge {
			return
		}
		e.presume(a)
		if r.dupACKs == dupThresh && e.sent.at(0).state == inFlight {
			a.lost = e.markLost(now, 0)
			e.enterRecovery(now, a, true)
		}
	}
}

// presume counts a segment as delivered because of a duplicate ACK.
func (e *Engine) presume(a *acked) {
	before := e.rec.credit
	e.rec.credit = min(before+e.snd.mss, e.sent.bytes[inFlight])
	a.delivered = e.rec.credit - before
}

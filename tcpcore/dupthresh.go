package tcpcore

// dupThreshDetect finds losses by count instead of time, where Config.NoRACK asks for it. A
// segment is lost when, above it, "DupThresh discontiguous SACKed sequences have arrived" or
// more than (DupThresh - 1) * SMSS bytes (RFC 6675 section 4, IsLost); segments count as
// sequences here. Each is judged once, so that what was sent again is left to the
// retransmission timer.
func (e *Engine) dupThreshDetect(now Time) (found int, news bool) {
	k := &e.rack
	k.judged = k.judged.Max(e.snd.una) // or it would lie ahead when the numbers come round
	// Down from the highest, to where enough has arrived above.
	bytes := 0
	for i := range k.highest {
		h := &k.highest[i]
		if h.left == h.right || h.right.LessEq(e.snd.una) {
			*h = held{} // acknowledged, and those behind it, which lie lower, too
			continue
		}
		bytes += h.right.Sub(h.left)
		if i == dupThresh-1 || bytes > (dupThresh-1)*e.snd.mss {
			return e.lostBelow(now, e.sent.find(h.right.Add(-1)))
		}
	}
	return 0, false
}

// noteHighest enters a record that was selectively acknowledged where it belongs among the highest.
func (k *rackState) noteHighest(r *record) {
	x := held{r.seq, r.end()}
	for i := range k.highest {
		if h := &k.highest[i]; h.left == h.right || h.left.Less(x.left) {
			x, *h = *h, x
		}
	}
}

// lostBelow takes what was sent once below record end for lost, as far as it was not judged.
func (e *Engine) lostBelow(now Time, end int) (found int, news bool) {
	k := &e.rack
	for i := e.sent.find(k.judged); i < end; i++ {
		if i = e.sent.skipSacked(i); i >= end {
			break
		}
		if r := e.sent.at(i); r.state == inFlight && r.times == 1 && !e.forgiveProbe(now, i) {
			order := r.rate.order
			found += e.markLost(now, i)
			news = news || e.rec.unanswered(order)
		}
	}
	k.judged = k.judged.Max(e.sent.at(end).seq)
	return found, news
}

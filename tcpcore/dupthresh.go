package tcpcore

// dupThreshDetect finds losses by count instead of time, where Config.NoRACK asks for it. A
// segment is lost when, above it, "DupThresh discontiguous SACKed sequences have arrived" or
// more than (DupThresh - 1) * SMSS bytes (RFC 6675 section 4, IsLost); segments count as
// sequences here. Each is judged once, so that what was sent again is left to the
// retransmission timer.
func (e *Engine) dupThreshDetect(now Time) (found int, news bool) {
	k := &e.rack
	k.judged = k.judged.Max(e.snd.una) // or it would lie ahead when the numbers come round
	if e.sent.count[sacked] == 0 {
		return 0, false
	}
	// Down from the highest, to where enough has arrived above.
	i := min(e.sent.find(k.fack.Add(-1)), e.sent.len()-1)
	for n, bytes := 0, 0; i >= 0; i-- {
		if r := e.sent.at(i); r.state == sacked {
			n++
			bytes += int(r.size)
			if n == dupThresh || bytes > (dupThresh-1)*e.snd.mss {
				return e.lostBelow(now, i)
			}
		}
	}
	return 0, false
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

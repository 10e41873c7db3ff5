package tcpcore

// frtoStep is where F-RTO (RFC 5682 section 3.1, with SACK) stands.
type frtoStep uint8

const (
	frtoOff   frtoStep = iota
	frtoWaits          // step 2: the first segment was sent again
	frtoNew            // step 3: new data was sent instead of more retransmissions
)

// frto reports whether an acknowledgment shows that the last timeout was spurious:
// after it, the first acknowledgment of what was sent again lets new data go instead of
// more retransmissions, and the next tells whether the old had been lost.
func (e *Engine) frto(a *acked) bool {
	u := &e.rec.undo
	switch u.frto {
	case frtoWaits:
		if !a.advanced {
			return false // "Stay in step 2"
		}
		u.frto = frtoOff
		if u.sent && u.first.LessEq(e.snd.una) && e.snd.una.Less(e.rec.point) && e.roomForNew() {
			// (2b); there is no evidence yet: all this may have arrived before the
			// timeout, and the acknowledgments been lost.
			u.frto, e.rec.point = frtoNew, e.snd.nxt
		}
	case frtoNew:
		if !a.advanced && a.sacked == 0 && !a.dup {
			return false
		}
		u.frto = frtoOff
		// (3a) if new data is acknowledged, or nothing; (3b) if it is something that was
		// given up and not sent again.
		return a.original && e.snd.una.LessEq(e.rec.point) && e.rack.fack.LessEq(e.rec.point)
	}
	return false
}

// roomForNew reports whether there is new data that the peer's window lets go, and of a size that
// may be believed to arrive.
func (e *Engine) roomForNew() bool {
	return e.pmtu.cut == 0 && e.hasNew(e.sndEnd()) && e.snd.una.Add(e.snd.wnd).Sub(e.snd.nxt) > 0
}

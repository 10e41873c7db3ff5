package congestion

// rounds tells packet-timed round trips apart: one is over when all that was in flight
// at its beginning has been delivered.
type rounds struct{ end int64 }

// began reports whether a new round trip begins with a.
func (r *rounds) began(a *Ack) bool {
	if a.Delivered < r.end {
		return false
	}
	r.end = a.Delivered + int64(a.InFlight)
	return true
}

// usage watches how much of the window is used. A window that is not used says nothing
// of the path and must not grow (RFC 7661).
type usage struct {
	round      rounds
	peak, last int // most in flight in this round trip and in the one before
	limited    bool
	until      int64 // the window was the limit less than a round trip ago, until this is delivered
}

func (u *usage) onAck(a *Ack) {
	if u.round.began(a) {
		u.last, u.peak = u.peak, 0
	}
	u.peak = max(u.peak, a.Prior)
	if a.CwndLimited {
		u.limited, u.until = true, a.Delivered+int64(a.InFlight)
	} else if a.Delivered > u.until {
		u.limited = false
	}
}

// most is the most that was in flight recently.
func (u *usage) most() int { return max(u.peak, u.last) }

// mayGrow reports whether the window was used. In slow start half of it is enough:
// pacing spreads what doubling allows, and a pipeACK of half the window validates it
// (RFC 7661 section 4.3).
func (u *usage) mayGrow(window int, slowStart bool) bool {
	return u.limited || slowStart && window < 2*u.most()
}

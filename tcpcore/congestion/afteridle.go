package congestion

import "time"

// AfterIdle is what becomes of a window that has not been used: what the path
// carried some time ago says little of now. Reno and CUBIC follow it; a controller that
// models the path and paces, as BBR, has its own way.
type AfterIdle uint8

const (
	// RestartAfterIdle begins with the initial window again when nothing was sent for a
	// retransmission timeout (RFC 5681 section 4.1); the threshold remembers three
	// quarters of the window, so that slow start regains most of it.
	RestartAfterIdle AfterIdle = iota
	// DecayAfterIdle halves the window for each retransmission timeout without sending, and
	// takes away half of what was not used in one that the application did not fill (RFC
	// 2861 section 3, and Linux). The threshold remembers as above.
	DecayAfterIdle
	// KeepAfterIdle keeps the window for up to five minutes of little or no use (the
	// non-validated phase of RFC 7661 section 4), and then halves it. A loss meanwhile
	// reduces it to what was used. For applications that send in bursts, over paths that
	// stand one; best with a controller that paces.
	KeepAfterIdle
)

// nonValidated is how long an unused window is kept (RFC 7661 section 4.4.3).
const nonValidated = 5 * time.Minute

// idled reduces the window before the first segment after idle time.
func (w *aimd) idled(s Send) {
	if w.Cwnd <= w.initial {
		return
	}
	switch w.policy {
	case DecayAfterIdle:
		w.remember()
		for d := s.IdleFor; d >= s.RTO && s.RTO > 0 && w.Cwnd > w.initial; d -= s.RTO {
			w.Cwnd = max(w.Cwnd/2, w.initial)
		}
	case KeepAfterIdle:
		if s.IdleFor >= nonValidated {
			w.remember()
			w.Cwnd = max(w.Cwnd/2, w.initial)
		}
	default:
		w.remember()
		w.Cwnd = w.initial
	}
	w.valid = s.Now
}

// remember keeps a memory of the window in the threshold (RFC 2861 section 3.1, RFC 7661
// section 4.4.3).
func (w *aimd) remember() { w.Ssthresh = max(w.Ssthresh, w.Cwnd-w.Cwnd/4) }

// unused reduces a window that the application has not filled for long.
func (w *aimd) unused(a *Ack) {
	used := w.used.most()
	switch {
	case w.policy == RestartAfterIdle:
	case w.used.limited || 2*used >= w.Cwnd:
		w.valid = a.Now
	case w.policy == DecayAfterIdle && w.rto > 0 && a.Now-w.valid >= w.rto && w.Cwnd > w.initial:
		w.remember()
		w.Cwnd = max((w.Cwnd+used)/2, w.initial)
		w.valid = a.Now
	case w.policy == KeepAfterIdle && a.Now-w.valid >= nonValidated && w.Cwnd > w.initial:
		w.remember()
		w.Cwnd = max(w.Cwnd/2, w.initial)
		w.valid = a.Now
	}
}

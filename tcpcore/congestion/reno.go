package congestion

import "time"

// Reno is the congestion control of RFC 5681 with appropriate byte counting
// (RFC 3465): slow start, congestion avoidance, halving at a loss. It suits paths
// with little loss and small bandwidth-delay products.
type Reno struct {
	mss       int
	initial   int
	window    int
	threshold int
	credit    int // acknowledged bytes not yet turned into window (RFC 5681 section 3.1)
}

// NewReno returns a Reno controller.
func NewReno() Controller { return &Reno{threshold: Infinite} }

// Name returns "reno".
func (*Reno) Name() string { return "reno" }

// Start sets the initial window.
func (r *Reno) Start(s Start) {
	r.mss, r.initial, r.window = s.MSS, s.Window, s.Window
}

// OnAck grows the window: by what was acknowledged in slow start, by one segment
// per window after.
func (r *Reno) OnAck(a Ack) {
	// "cwnd SHOULD NOT be increased" while the window is not what limits the
	// sender (RFC 5681 section 3.1, RFC 7661), nor during recovery.
	if a.InRecovery || a.AppLimited || a.Acked == 0 {
		return
	}
	acked := a.Acked
	if r.window < r.threshold {
		// RFC 3465 section 2.3: L = 2*SMSS, and 1*SMSS after a timeout. The
		// acknowledgment covers whole trains here, so L bounds the growth per
		// segment acknowledged: no more than was acknowledged, and after a
		// timeout no more than one segment per acknowledgment.
		if a.AfterRTO {
			acked = min(acked, r.mss)
		}
		grow := min(acked, r.threshold-r.window)
		r.window += grow
		acked -= grow
	}
	// RFC 5681 section 3.1, (3): one segment per window of acknowledged bytes.
	r.credit += acked
	if r.credit >= r.window {
		r.credit -= r.window
		r.window += r.mss
	}
}

// OnLoss halves the window (RFC 5681 equation (4)); a timeout makes it one segment.
func (r *Reno) OnLoss(l Loss) {
	r.threshold = max(l.InFlight/2, 2*r.mss)
	r.credit = 0
	if l.Cause == Timeout {
		r.window = r.mss
	} else {
		r.window = r.threshold
	}
}

// OnRecovered deflates the window to the threshold (RFC 5681 section 3.2, step 6).
func (r *Reno) OnRecovered(time.Duration) { r.window = min(r.window, r.threshold) }

// OnIdle is the restart window (RFC 5681 section 4.1).
func (r *Reno) OnIdle(time.Duration) { r.window = min(r.window, r.initial) }

// OnMSS takes over the new segment size.
func (r *Reno) OnMSS(mss int) {
	r.mss = mss
	r.window = max(r.window, mss)
}

// Window is cwnd.
func (r *Reno) Window() int { return r.window }

// Threshold is ssthresh.
func (r *Reno) Threshold() int { return r.threshold }

// PacingRate is 0: Reno is not paced.
func (r *Reno) PacingRate() int64 { return 0 }

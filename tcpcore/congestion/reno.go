package congestion

import "time"

// Reno is the congestion control of RFC 5681 with appropriate byte counting
// (RFC 3465): slow start, congestion avoidance, halving at a loss. The first slow start is
// HyStart++ (RFC 9406). It suits paths with little loss and small bandwidth-delay products.
type Reno struct {
	aimd
	opt     RenoOptions
	hystart hystart
	credit  int // acknowledged bytes not yet turned into window (RFC 5681 section 3.1)
	// afterTimeout: slow start is going on because of a timeout.
	afterTimeout bool
	undo         struct {
		valid           bool
		cwnd, threshold int
	}
}

// RenoOptions are what can be chosen of Reno. The zero value is RFC 5681.
type RenoOptions struct {
	// ABE makes an ECN mark in congestion avoidance reduce the window to 0.8 of itself,
	// and not to half: where marks come from, queues are short (RFC 8511). Default: half.
	ABE bool
	// ByteLimit is L of RFC 3465: how many segments one acknowledgment counts for, at
	// most, in slow start. More than 2 counts after a timeout, too. Default: L of RFC 9406
	// while HyStart++ watches, any number where it is paced and else 8; otherwise 2, which
	// RFC 3465 allows at most, and 1 after a timeout.
	ByteLimit int
	// NoHyStart ends slow start at a loss only, and does not pace it. Default: HyStart++,
	// paced at 2*cwnd/SRTT once the round trip is longer than 1 ms.
	NoHyStart bool
}

// NewReno returns a Reno controller.
func NewReno() Controller { return NewRenoWith(RenoOptions{})() }

// NewRenoWith returns a maker of Reno controllers with the given options.
func NewRenoWith(o RenoOptions) func() Controller {
	return func() Controller { return &Reno{opt: o, aimd: aimd{Base: Base{Ssthresh: Infinite}}} }
}

// Name returns "reno".
func (*Reno) Name() string { return "reno" }

// Start sets the initial window.
func (r *Reno) Start(s Start) {
	r.start(s)
	// Jitter must not end slow start: unlike CUBIC's, linear growth would not make up for it.
	r.hystart.letter = true
}

// OnAck grows the window: by what was acknowledged in slow start, by one segment
// per window after.
func (r *Reno) OnAck(a *Ack) {
	r.onAck(a)
	// "SHOULD NOT increase the congestion window in response to the receipt of an ECN-Echo
	// ACK packet" (RFC 3168 section 6.1.2).
	if a.InRecovery || a.Acked == 0 {
		return
	}
	hy := r.firstSlowStart()
	if hy && r.hystart.onAck(a) {
		r.Ssthresh, hy = r.Cwnd, false // without its overshoot, which loses a window
	}
	if a.Marked > 0 || !r.used.mayGrow(r.Cwnd, r.slowStart()) {
		return
	}
	acked := a.Acked
	if r.slowStart() {
		acked = min(acked, r.byteLimit())
		grow := acked
		if hy {
			grow = r.hystart.grow(acked)
		}
		grow = min(grow, r.Ssthresh-r.Cwnd)
		r.Cwnd += grow
		if acked -= grow; r.slowStart() {
			acked = 0
		}
	}
	r.afterTimeout = r.afterTimeout && r.slowStart()
	// RFC 5681 section 3.1: "roughly 1 full-sized segment per round-trip time", in which as
	// many are acknowledged as fit the window. What a halving leaves of one beyond that is not
	// sent, and not waited for.
	r.credit += acked
	if full := r.Cwnd - r.Cwnd%r.MSS; r.credit >= full {
		r.credit -= full
		r.Cwnd += r.MSS
	}
	r.grew()
}

// byteLimit is L, in bytes. Receivers acknowledge what arrived together at once, ten segments and
// more, and acknowledgments get lost: where each counts for two the window does not double.
func (r *Reno) byteLimit() int {
	switch {
	case r.afterTimeout && r.opt.ByteLimit <= 2:
		// An acknowledgment also covers what arrived long ago (RFC 3465 section 2.3).
		return r.MSS
	case r.opt.ByteLimit > 0:
		return r.opt.ByteLimit * r.MSS
	case r.firstSlowStart() && r.srtt > time.Millisecond:
		return Infinite // RFC 9406 section 4.3, "L = infinity if paced"
	case r.firstSlowStart():
		return unpacedLimit * r.MSS
	}
	return 2 * r.MSS // RFC 3465 section 2.3: "MUST NOT use L > 2*SMSS bytes"
}

// OnLoss halves the window (RFC 5681 equation (4)); a timeout makes it one segment.
func (r *Reno) OnLoss(l Loss) {
	if !r.reacts(l) {
		return
	}
	r.undo.valid = l.Cause != ECN // a mark is never spurious
	r.undo.cwnd, r.undo.threshold = r.Cwnd, r.Ssthresh
	target := r.base(l, l.InFlight)
	if l.Cause == ECN && r.opt.ABE && !r.slowStart() {
		target = target * 4 / 5 // RFC 8511 section 3.1
	} else {
		target /= 2
	}
	r.reduce(l, target)
	r.credit = 0
	r.afterTimeout = l.Cause == Timeout
}

// OnSpurious gives back what the last loss took (RFC 4015).
func (r *Reno) OnSpurious(time.Duration) {
	r.recovering, r.afterTimeout = false, false
	if r.undo.valid {
		r.Cwnd, r.Ssthresh = max(r.Cwnd, r.undo.cwnd), max(r.Ssthresh, r.undo.threshold)
		r.undo.valid = false
	}
}

// firstSlowStart is where HyStart++ watches: later ones have a threshold (RFC 9406 section
// 4.3).
func (r *Reno) firstSlowStart() bool { return r.Ssthresh == Infinite && !r.opt.NoHyStart }

// PacingRate is 0: Reno is not paced, unless marks go on with a window of one segment; or
// HyStart++ would take the queue that bursts make for the path's. The initial window is
// a burst by intent (RFC 6928).
func (r *Reno) PacingRate() int64 {
	if r.firstSlowStart() && r.Cwnd > r.initial && r.srtt > time.Millisecond {
		return max(rateOf(2*int64(r.Cwnd), r.srtt), 1)
	}
	return r.slowRate()
}

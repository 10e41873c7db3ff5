package congestion

import "time"

// Cubic is CUBIC (RFC 9438): after a loss the window grows along a cubic function of the
// time since, quickly back towards where the loss was, slowly around it, quickly beyond.
// Time, not round trips, makes it fill long fat paths. Slow start is HyStart++ (RFC 9406).
type Cubic struct {
	aimd
	opt      CubicOptions
	hystart  *hystart // made by the first acknowledgment, as many connections get none
	curve    cubicCurve
	wMax     int     // W_max; 0 while there has been no congestion
	prior    int     // cwnd_prior
	fraction float64 // of a byte that the window has grown by
	// flat: the next congestion avoidance stage begins with K = 0 and W_max = cwnd: the
	// first after a timeout (section 4.8), or after HyStart++ (section 4.10).
	flat    bool
	between time.Duration // time of the last acknowledgment that the curve was told of
	undo    *cubicUndo    // made by the first loss
}

// cubicUndo is what the last loss took.
type cubicUndo struct {
	valid                        bool
	at                           time.Duration
	cwnd, prior, threshold, wMax int
	flat                         bool
	curve                        cubicCurve
}

// CubicOptions are what can be chosen of CUBIC. The zero value is RFC 9438, paced.
type CubicOptions struct {
	// Unpaced sends whatever the window allows at once. Default: paced at 2*cwnd/SRTT in
	// slow start and 1.25*cwnd/SRTT after, once the round trip is longer than 1 ms.
	Unpaced bool
	// NoHyStart ends slow start at a loss only. Default: HyStart++.
	NoHyStart bool
	// PlainHyStart is HyStart++ by the letter of RFC 9406, for comparison. Default: it judges
	// the latest round trip times, and ends sooner.
	PlainHyStart bool
	// NoFastConvergence keeps W_max when the window at a loss is smaller than at the one
	// before; fitting where no other flow shares the path. Default: fast convergence.
	NoFastConvergence bool
	// ABE makes an ECN mark in congestion avoidance reduce the window to 0.85 of itself
	// (RFC 8511 section 3.1). Default: 0.7, as a loss.
	ABE bool
}

// NewCubic returns a CUBIC controller.
func NewCubic() Controller { return NewCubicWith(CubicOptions{})() }

// NewCubicWith returns a maker of CUBIC controllers with the given options.
func NewCubicWith(o CubicOptions) func() Controller {
	return func() Controller { return &Cubic{opt: o, aimd: aimd{Base: Base{Ssthresh: Infinite}}} }
}

// Name returns "cubic".
func (*Cubic) Name() string { return "cubic" }

// Start sets the initial window.
func (c *Cubic) Start(s Start) {
	c.start(s)
	c.prior = c.Cwnd
}

// OnSend keeps idle time out of the curve (section 4.2: t MUST NOT include it).
func (c *Cubic) OnSend(s Send) {
	if s.InFlight == 0 {
		c.between = s.Now
	}
	before := c.Cwnd
	c.aimd.OnSend(s)
	if c.Cwnd != before {
		c.curve.on = false // slow start comes first, then a new stage
	}
}

// OnAck grows the window.
func (c *Cubic) OnAck(a *Ack) {
	before := c.Cwnd
	c.onAck(a)
	if c.Cwnd != before {
		c.curve.on = false
	}
	if a.InRecovery {
		return
	}
	acked, grows := a.Acked, c.used.mayGrow(c.Cwnd, c.slowStart()) && a.Marked == 0 // RFC 3168 section 6.1.2
	if c.slowStart() {
		if acked = c.inSlowStart(a, grows); acked == 0 {
			return
		}
	}
	if acked == 0 {
		return
	}
	if grows {
		c.avoid(a, acked)
	} else if c.curve.on {
		c.between = a.Now // an unused window: the time does not count (section 5.8)
	}
	c.grew()
}

// inSlowStart returns what of a is left for congestion avoidance.
func (c *Cubic) inSlowStart(a *Ack, grows bool) int {
	// RFC 9406 section 4.3: only for the first slow start; later ones have a threshold.
	hy := c.Ssthresh == Infinite && !c.opt.NoHyStart
	if hy && c.hystart == nil {
		c.hystart = &hystart{letter: c.opt.PlainHyStart}
	}
	if hy && c.hystart.onAck(a) { // also of what is acknowledged selectively alone
		c.Ssthresh, c.prior, c.flat = c.Cwnd, c.Cwnd, true
		return a.Acked
	}
	if !grows || a.Acked == 0 {
		return 0
	}
	acked := a.Acked
	switch {
	case a.AfterRTO:
		acked = min(acked, c.MSS) // RFC 3465 section 2.3
	case c.PacingRate() == 0:
		acked = min(acked, unpacedLimit*c.MSS)
	}
	grow := acked
	if hy {
		grow = c.hystart.grow(acked)
	}
	grow = min(grow, c.Ssthresh-c.Cwnd)
	c.Cwnd += grow
	c.grew()
	if c.slowStart() {
		return 0
	}
	return acked - grow
}

// avoid is congestion avoidance, sections 4.2 to 4.5.
func (c *Cubic) avoid(a *Ack, acked int) {
	if !c.curve.on {
		if c.flat || c.wMax < c.Cwnd {
			c.wMax = c.Cwnd
		}
		c.flat = false
		c.curve.begin(c.MSS, c.Cwnd, c.wMax, c.prior)
		c.between, c.fraction = a.Now, 0
	}
	c.curve.t += a.Now - c.between
	c.between = a.Now
	grow := c.curve.grow(c.Cwnd, acked, c.srtt) + c.fraction
	c.Cwnd += int(grow)
	c.fraction = grow - float64(int(grow))
}

// OnLoss reduces the window to 0.7 of itself (section 4.6); a timeout makes it one segment
// (section 4.8).
func (c *Cubic) OnLoss(l Loss) {
	if !c.reacts(l) {
		return
	}
	if c.undo == nil {
		c.undo = new(cubicUndo)
	}
	u := c.undo
	u.valid, u.at = l.Cause != ECN, l.Now // a mark is never spurious
	u.cwnd, u.prior, u.threshold, u.wMax = c.Cwnd, c.prior, c.Ssthresh, c.wMax
	u.flat, u.curve = c.flat, c.curve

	avoiding := !c.slowStart()
	// The window itself stands in for flight_size, as section 4.6 allows where it does not
	// grow unused; but no more of it than was in use of late (RFC 7661).
	used := c.base(l, max(l.InFlight, c.used.most()))
	c.prior = c.Cwnd
	if c.Cwnd < c.wMax && !c.opt.NoFastConvergence {
		c.wMax = c.Cwnd * (10 + 7) / (2 * 10) // section 4.7: (1+beta)/2
	} else {
		c.wMax = c.Cwnd
	}
	target := used * 7 / 10
	if l.Cause == ECN && c.opt.ABE && avoiding {
		target = used * 17 / 20
	}
	c.reduce(l, target)
	c.curve.on = false
	c.flat = l.Cause == Timeout
}

// OnSpurious gives back what the last loss took, unless the window is larger again
// (section 4.9.2; after a timeout RFC 4015).
func (c *Cubic) OnSpurious(now time.Duration) {
	c.recovering = false
	u := c.undo
	if u == nil || !u.valid {
		return
	}
	u.valid = false
	if c.Cwnd >= c.prior {
		return
	}
	c.Cwnd, c.prior, c.Ssthresh, c.wMax = u.cwnd, u.prior, u.threshold, u.wMax
	c.flat, c.curve = u.flat, u.curve
	c.curve.t += now - u.at // t_epoch is what it was
	c.between = now
}

// OnMSS takes over the new segment size, also for the curve, which counts segments.
func (c *Cubic) OnMSS(mss int) {
	c.Base.OnMSS(mss)
	c.curve.mss = float64(mss)
}

// PacingRate spreads the window over less than a round trip, so that bursts do not fill
// the queue, and pacing does not hold the window back.
func (c *Cubic) PacingRate() int64 {
	if slow := c.slowRate(); slow > 0 {
		return slow
	}
	// Over the shortest paths a window is a burst of microseconds, and timers cost more
	// than the burst.
	if c.opt.Unpaced || c.srtt <= time.Millisecond {
		return 0
	}
	rate := 5 * int64(c.Cwnd) / 4
	if c.slowStart() {
		rate = 2 * int64(c.Cwnd)
	}
	return max(rateOf(rate, c.srtt), 1)
}

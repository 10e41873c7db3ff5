package congestion

import "time"

// BBR is version 3 of BBR (draft-ietf-ccwg-bbr): it measures the path's bandwidth and
// round trip time, and keeps as much in flight as their product asks for, paced; losses
// are heeded when they are more than a path's noise. It suits paths with random loss and
// deep or very shallow queues.
//
// Where to find what: the events are in this file, the estimates in bbr_model.go, what
// a loss does to them in bbr_loss.go, Startup, Drain and the table of states in
// bbr_states.go, ProbeBW in bbr_probebw.go, ProbeRTT in bbr_probertt.go, and what comes of
// it, rate and window, in bbr_control.go; what is not the draft's, in bbr_queue.go. The functions are the draft's, in its order.
type BBR struct {
	p     bbrParams
	draw  random
	conn  bbrConn
	rs    RateSample // RS, of the acknowledgment or the loss being processed
	state bbrState

	round    bbrRound
	bw       bbrBandwidth
	minRTT   bbrMinRTT
	queue    bbrQueue
	extra    bbrExtraAcked
	latest   bbrLatest
	bounds   bbrBounds
	full     bbrFullBW
	probe    bbrProbe
	probeRTT bbrProbeRTT
	undo     bbrUndo
	held     bbrHeld
	ctl      bbrControl
}

// bbrConn is the connection's state (C.* in the draft) as the events tell it.
type bbrConn struct {
	now       time.Duration
	mss       int64 // C.SMSS
	initial   int64 // C.InitialCwnd
	noSACK    bool  // not C.has_selective_acks
	begun     int64 // C.delivered before the first acknowledgment
	seen      bool  // there was one
	delivered int64
	inFlight  int64
	prior     int64 // in flight before the acknowledgment being processed
	// newly and rtt are of the acknowledgment being processed: RS.newly_acked, RS.rtt.
	newly int64
	rtt   time.Duration
	// C.is_cwnd_limited until limitedUntil is delivered: a round trip.
	limited      bool
	limitedUntil int64
	// InLossRecovery(), and whether it is a timeout's.
	recovering bool
}

// NewBBR returns a BBR controller with the defaults of BBROptions.
func NewBBR() Controller { return NewBBRWith(BBROptions{})() }

// NewBBRWith returns a maker of BBR controllers with the given options.
func NewBBRWith(o BBROptions) func() Controller {
	p := o.params()
	return func() Controller { return &BBR{p: p} }
}

// Name returns "bbr".
func (*BBR) Name() string { return "bbr" }

// Start is OnInit.
func (b *BBR) Start(s Start) {
	*b = BBR{p: b.p, draw: random{b.p.seed ^ s.Seed}}
	b.conn = bbrConn{now: s.Now, mss: int64(s.MSS), initial: int64(s.Window), noSACK: s.NoSACK}
	b.minRTT.init(s)
	b.queue.init()
	b.extra.start = s.Now
	b.bounds.longterm = infinite
	b.probe.ackedPerInc = infinite
	b.undo.at = -1
	b.resetCongestionSignals()
	b.resetShortTermModel()
	b.resetFullBW()
	b.initControl(s)
	b.enterStartup()
}

// OnSend is OnTransmit.
func (b *BBR) OnSend(s Send) {
	b.conn.now = s.Now
	b.handleRestartFromIdle(s)
}

// OnAck is UpdateOnACK; the sample comes from the engine.
func (b *BBR) OnAck(a *Ack) {
	b.take(a)
	b.updateModelAndState()
	b.updateControl()
}

// take brings the connection's state up to date.
func (b *BBR) take(a *Ack) {
	c := &b.conn
	if !c.seen {
		c.seen = true
		c.begun = max(a.Delivered-int64(a.Acked+a.Sacked), 0)
		c.delivered = c.begun
	}
	c.newly = a.Delivered - c.delivered
	c.now, c.delivered, c.rtt = a.Now, a.Delivered, a.RTT
	c.inFlight, c.prior = int64(a.InFlight), int64(a.Prior)
	b.rs = a.Sample
	b.rs.AppLimited = b.rs.AppLimited || b.probeRTT.covers(b.rs.PriorDelivered)
	if a.CwndLimited {
		c.limited, c.limitedUntil = true, c.delivered+c.inFlight
	} else if c.delivered > c.limitedUntil {
		c.limited = false
	}
	if b.latest.notedAt == a.Now && b.latest.noted {
		// The losses of this acknowledgment were told before what it delivered.
		b.latest.roundDelivered = c.delivered
	}
	b.latest.noted = false
	if c.recovering && !a.InRecovery && !a.AfterRTO {
		b.OnRecovered(a.Now)
	}
}

func (b *BBR) updateModelAndState() {
	b.updateLatestDeliverySignals()
	b.updateCongestionSignals()
	b.updateACKAggregation()
	b.checkFullBWReached()
	b.checkStartupDone()
	b.checkDrainDone()
	b.updateProbeBWCyclePhase()
	b.updateMinRTT()
	b.checkProbeRTT()
	b.advanceLatestDeliverySignals()
	b.boundBWForModel()
}

// OnLost is HandleLostPacket.
func (b *BBR) OnLost(l *Lost) {
	b.conn.now, b.conn.inFlight = l.Now, int64(l.InFlight)
	b.handleLostPacket(l)
}

// OnLoss is OnEnterFastRecovery, OnEnterRTO, or an ECN mark.
func (b *BBR) OnLoss(l Loss) {
	b.conn.now = l.Now
	if l.Cause == ECN {
		b.handleMark(l)
		return
	}
	b.noteLoss()
	b.saveStateUponLoss()
	b.conn.recovering = true
	if l.Cause == Timeout {
		// "a value that will allow 1 C.SMSS to be transmitted": what of Pipe is not
		// given up here still counts.
		b.ctl.cwnd = max(int64(l.Pipe-l.Lost), 0) + b.conn.mss
	}
}

// OnRecovered restores the window; the next acknowledgment bounds it by the model.
func (b *BBR) OnRecovered(time.Duration) {
	if b.conn.recovering {
		b.conn.recovering = false
		b.restoreCwnd()
	}
}

// OnSpurious is HandleSpuriousLossDetection.
func (b *BBR) OnSpurious(now time.Duration) {
	b.conn.now = now
	b.conn.recovering = false
	b.handleSpuriousLossDetection()
}

// OnMSS takes over the new segment size.
func (b *BBR) OnMSS(mss int) {
	b.conn.mss = int64(mss)
	b.ctl.cwnd = max(b.ctl.cwnd, b.conn.mss)
}

// Window is C.cwnd.
func (b *BBR) Window() int { return int(min(b.ctl.cwnd, int64(Infinite))) }

// Threshold is Infinite: BBR has none.
func (*BBR) Threshold() int { return Infinite }

// PacingRate is C.pacing_rate.
func (b *BBR) PacingRate() int64 { return b.ctl.pacingRate }

// Reduces is false: the model answers losses.
func (*BBR) Reduces() bool { return false }

// State names the state of BBR's state machine, for a look from outside.
func (b *BBR) State() string { return b.state.String() }

// Bandwidth is the model's estimate of what the path carries (BBR.bw), in bytes per
// second, and MinRTT that of its round trip time (BBR.min_rtt), both 0 before there is one.
func (b *BBR) Bandwidth() int64 { return b.bw.bw }

// MinRTT is described at Bandwidth.
func (b *BBR) MinRTT() time.Duration {
	if !b.minRTT.known() {
		return 0
	}
	return b.minRTT.min
}

package congestion

// bbrState is BBR.state.
type bbrState uint8

const (
	noState bbrState = iota
	startup
	drain
	probeBWDown
	probeBWCruise
	probeBWRefill
	probeBWUp
	probeRTT
)

var bbrStateNames = [...]string{"none", "Startup", "Drain", "ProbeBW_DOWN", "ProbeBW_CRUISE", "ProbeBW_REFILL", "ProbeBW_UP", "ProbeRTT"}

func (s bbrState) String() string { return bbrStateNames[s] }

// probeBW is IsInAProbeBWState.
func (s bbrState) probeBW() bool { return s >= probeBWDown && s <= probeBWUp }

// probing is IsProbingBW.
func (s bbrState) probing() bool { return s == startup || s == probeBWRefill || s == probeBWUp }

// enter sets the state and its gains (section "Summary of Control Behavior in the State
// Machine").
func (b *BBR) enter(s bbrState) {
	b.state = s
	p, c := &b.p, &b.ctl
	c.pacingGain, c.cwndGain = one, p.cwndGain
	switch s {
	case startup:
		c.pacingGain = p.startupGain
	case drain:
		c.pacingGain = p.drainGain
	case probeBWDown:
		c.pacingGain = p.downGain
	case probeBWUp:
		c.pacingGain, c.cwndGain = p.upGain, p.upCwndGain
	case probeRTT:
		c.cwndGain = p.probeRTTCwndGain
	}
	b.hold(min(c.pacingGain, c.cwndGain))
}

// bbrFullBW is the search for the rate at which the pipe is full.
type bbrFullBW struct {
	reached bool  // BBR.full_bw_reached
	now     bool  // BBR.full_bw_now
	bw      int64 // BBR.full_bw
	count   int   // BBR.full_bw_count

	drainStart  int64 // BBR.drain_start_round
	marked      bool  // an ECN mark came in this round trip
	markedRound int   // such round trips in a row
}

func (b *BBR) enterStartup() { b.enter(startup) }

func (b *BBR) resetFullBW() { b.full.bw, b.full.count, b.full.now = 0, 0, false }

// checkFullBWReached looks for a plateau of the delivery rate.
func (b *BBR) checkFullBWReached() {
	f := &b.full
	if !f.now && b.queueInStartup() {
		f.now, f.reached = true, true
		return
	}
	if f.now || !b.round.start || b.rs.AppLimited || b.rs.Rate == 0 {
		return // no need to check for a full pipe now
	}
	if b.rs.Rate >= f.bw+f.bw/4 {
		b.resetFullBW() // bw is still growing, so reset
		f.bw = b.rs.Rate
		return
	}
	f.count++ // another round without much growth
	f.now = f.count >= 3
	if f.now {
		f.reached = true
	}
}

func (b *BBR) checkStartupDone() {
	b.checkStartupHighLoss()
	if b.state == startup && b.full.reached {
		b.enterDrain()
	}
}

// checkStartupHighLoss ends Startup for losses (section "Exiting Startup Based on Packet
// Loss") or, which the draft leaves open, for ECN marks in two round trips in a row.
func (b *BBR) checkStartupHighLoss() {
	l, f := &b.latest, &b.full
	// The round trip of a loss ends one round trip after it; that fast recovery still goes on
	// means that it has lasted a full one.
	high := b.conn.recovering && l.roundStart && l.ranges >= b.p.lossRanges && b.isInflightTooHigh() ||
		b.conn.recovering && b.conn.noSACK && l.ranges > 0
	if l.roundStart {
		l.ranges = 0
	}
	if b.round.start {
		if f.marked {
			f.markedRound++
		} else {
			f.markedRound = 0
		}
		f.marked = false
	}
	if b.state != startup || f.reached || !high && f.markedRound < 2 {
		return
	}
	b.undo.state = startup
	f.reached, f.now = true, true
	b.bounds.longterm = max(b.bdp(), l.inflight)
}

func (b *BBR) enterDrain() {
	b.enter(drain)
	b.full.drainStart = b.round.count
}

func (b *BBR) checkDrainDone() {
	if b.state == drain && (b.conn.inFlight <= b.inflight(b.bw.bw, one) || b.round.count > b.full.drainStart+3) {
		b.enterProbeBW()
	}
}

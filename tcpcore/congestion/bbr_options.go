package congestion

import "time"

// BBROptions are the constants of BBR that can be chosen. A zero stands for the default, which
// is what to use on a path that is shared with others: the value of draft-ietf-ccwg-bbr, but for
// ProbeDownPacingGain (0.75), ECNBeta, of which the draft says nothing, and what Literal switches
// off. A negative number is a zero, and what is beyond reason counts as the bound of it.
type BBROptions struct {
	// LossThreshold is the part of what is in flight that may be lost in a round trip
	// while bandwidth is probed for (BBR.LossThresh), a fraction: 0.1 is 10 %, and more than
	// 0.9 counts as 0.9. Above its default the rest of the loss response heeds it too: a round
	// trip that loses less leaves the short-term model alone, which at the default any loss
	// lowers. Set it to twice to three times what a path loses without being congested.
	// Default: 0.02.
	LossThreshold float64
	// Beta is the least that a round trip with loss leaves of the model (BBR.Beta).
	// Default: 0.7.
	Beta float64
	// ECNBeta is what a round trip with ECN marks leaves of the short-term bound of what
	// is in flight. Default: 0.85, which RFC 8511 gives CUBIC.
	ECNBeta float64
	// Headroom is the part of the long-term bound that is left to others while cruising
	// (BBR.Headroom); nothing of the bandwidth-delay product, but with Literal. Default: 0.15.
	Headroom float64

	// StartupPacingGain is BBR.StartupPacingGain. Default: 2.77.
	StartupPacingGain float64
	// DrainPacingGain is BBR.DrainPacingGain. Default: 0.5.
	DrainPacingGain float64
	// ProbeUpPacingGain is the pacing gain of ProbeBW_UP. Default: 1.25.
	ProbeUpPacingGain float64
	// ProbeDownPacingGain is the pacing gain of ProbeBW_DOWN. Default: 0.75, by which the queue
	// is gone twice as soon as by the draft's 0.9; that with Literal.
	ProbeDownPacingGain float64
	// CwndGain is BBR.DefaultCwndGain. Default: 2.
	CwndGain float64
	// ProbeUpCwndGain is the window's gain in ProbeBW_UP. Default: 2.25.
	ProbeUpCwndGain float64
	// ProbeRTTCwndGain is BBR.ProbeRTTCwndGain. Default: 0.5.
	ProbeRTTCwndGain float64
	// PacingMargin is how far below the bandwidth to pace (BBR.PacingMarginPercent); only
	// with Literal also in ProbeBW_CRUISE. Default: 0.01.
	PacingMargin float64

	// StartupLossRanges is how many holes the losses of a round trip must make to end
	// Startup (BBRStartupFullLossCnt). Default: 6.
	StartupLossRanges int
	// ProbeWaitBase is the time between two probes for bandwidth, at least. Default: 2 s.
	ProbeWaitBase time.Duration
	// ProbeWaitJitter is the most that is added to it, by lot. Default: 1 s.
	ProbeWaitJitter time.Duration
	// ProbeWaitRounds is the most round trips between two probes; Reno would have taken
	// as many to regain as many segments. Default: 63.
	ProbeWaitRounds int
	// MinRTTFilterLen is how long a minimum of the round trip time is believed.
	// Default: 10 s.
	MinRTTFilterLen time.Duration
	// ProbeRTTInterval is the time between two visits to ProbeRTT, at least; flows that
	// share a path do it together only if they agree on it. A round trip time within a 64th of
	// the minimum counts as a visit. Default: 5 s.
	ProbeRTTInterval time.Duration
	// ProbeRTTDuration is how long ProbeRTT keeps in flight little, at least.
	// Default: 200 ms.
	ProbeRTTDuration time.Duration

	// Literal keeps to the draft's letter where this implementation does not, for comparison.
	// Otherwise the rate that ProbeBW_DOWN, Drain, ProbeRTT and the pacing margin themselves hold
	// back is not taken for the path's when a loss is answered, nor what was in flight for too much
	// by what of it was lost, if the losses are fewer than LossThreshold; headroom is left in the queue
	// only; and round trip times tell of the queue: Startup and ProbeBW_UP end once it is there,
	// ProbeBW_CRUISE drains what grows, ProbeBW_DOWN ends if others fill it, in which case
	// LossThreshold is 0.07 at least and ProbeWaitRounds a quarter, and a path seen empty needs no
	// ProbeRTT.
	// Default: false.
	Literal bool

	// Seed is mixed with the connection's to draw the jitter from. Default: the
	// connection's alone.
	Seed uint64
}

// bbrParams are BBROptions ready for use.
type bbrParams struct {
	lossThresh, beta, ecnBeta, headroom          ratio
	startupGain, drainGain, upGain, downGain     ratio
	cwndGain, upCwndGain, probeRTTCwndGain, pace ratio
	lossRanges, rounds                           int64
	waitBase, waitJitter                         time.Duration
	minRTTFilterLen, probeRTTInterval            time.Duration
	probeRTTDuration                             time.Duration
	seed                                         uint64
	tolerant                                     bool // LossThreshold is above the draft's
	literal                                      bool
}

// The draft's loss threshold, and the highest that makes sense of InflightAtLoss.
const (
	defaultLossThresh = 0.02
	maxLossThresh     = 0.9
)

func (o *BBROptions) params() bbrParams {
	f := func(x, otherwise float64) ratio {
		if x <= 0 {
			x = otherwise
		}
		return ratioOf(x)
	}
	d := func(x, otherwise time.Duration) time.Duration {
		if x <= 0 {
			return otherwise
		}
		return x
	}
	n := func(x, otherwise int) int64 {
		if x <= 0 {
			x = otherwise
		}
		return int64(x)
	}
	down := 0.75
	if o.Literal {
		down = 0.9
	}
	return bbrParams{
		lossThresh: f(min(o.LossThreshold, maxLossThresh), defaultLossThresh),
		tolerant:   o.LossThreshold > defaultLossThresh,
		beta:       f(o.Beta, 0.7), ecnBeta: f(o.ECNBeta, 0.85), headroom: f(o.Headroom, 0.15),
		startupGain: f(o.StartupPacingGain, 2.77), drainGain: f(o.DrainPacingGain, 0.5),
		upGain: f(o.ProbeUpPacingGain, 1.25), downGain: f(o.ProbeDownPacingGain, down),
		cwndGain: f(o.CwndGain, 2), upCwndGain: f(o.ProbeUpCwndGain, 2.25),
		probeRTTCwndGain: f(o.ProbeRTTCwndGain, 0.5), pace: one - f(min(o.PacingMargin, 0.9), 0.01),
		lossRanges: n(o.StartupLossRanges, 6), rounds: n(o.ProbeWaitRounds, 63),
		waitBase: d(o.ProbeWaitBase, 2*time.Second), waitJitter: d(o.ProbeWaitJitter, time.Second),
		minRTTFilterLen: d(o.MinRTTFilterLen, 10*time.Second), probeRTTInterval: d(o.ProbeRTTInterval, 5*time.Second),
		probeRTTDuration: d(o.ProbeRTTDuration, 200*time.Millisecond),
		literal:          o.Literal, seed: o.Seed,
	}
}

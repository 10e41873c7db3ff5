package congestion

import (
	"testing"
	"time"
)

// feed gives a controller acknowledgments by hand: a sender that always fills the window,
// on a path that loses nothing. Windows are in segments of feedMSS.
type feed struct {
	t         *testing.T
	c         Controller
	now, rtt  time.Duration
	delivered int64
}

const feedMSS = 1000

func newFeed(t *testing.T, c Controller, window int, rtt time.Duration) *feed {
	c.Start(Start{MSS: feedMSS, Window: window * feedMSS, RTT: rtt})
	return &feed{t: t, c: c, rtt: rtt}
}

// ack acknowledges n segments; change may alter what is told of it.
func (f *feed) ack(n int, change ...func(*Ack)) {
	f.delivered += int64(n) * feedMSS
	a := Ack{
		Now: f.now, Acked: n * feedMSS, Prior: f.c.Window(), InFlight: max(f.c.Window()-n*feedMSS, 0),
		RTT: f.rtt, SRTT: f.rtt, MinRTT: f.rtt, CwndLimited: true, Delivered: f.delivered,
	}
	for _, do := range change {
		do(&a)
	}
	f.c.OnAck(&a)
}

// round is a round trip in which a window is acknowledged segment by segment.
func (f *feed) round(change ...func(*Ack)) {
	n := f.c.Window() / feedMSS
	for range n {
		f.now += f.rtt / time.Duration(n)
		f.ack(1, change...)
	}
}

// until runs round trips up to a time.
func (f *feed) until(t time.Duration, change ...func(*Ack)) {
	for f.now < t {
		f.round(change...)
	}
}

// lose tells of a loss of a full window, and that it is repaired.
func (f *feed) lose(cause Cause) {
	f.c.OnLoss(Loss{Now: f.now, Cause: cause, InFlight: f.c.Window(), Pipe: f.c.Window(), Lost: feedMSS})
	if cause == FastRetransmit {
		f.c.OnRecovered(f.now)
	}
}

func (f *feed) want(what string, segments float64) {
	f.t.Helper()
	if got := float64(f.c.Window()) / feedMSS; got < segments-0.01 || got > segments+0.01 {
		f.t.Errorf("%s: window is %.3f segments, want %.3f", what, got, segments)
	}
}

func (f *feed) wantThreshold(what string, segments float64) {
	f.t.Helper()
	if got := float64(f.c.Threshold()) / feedMSS; got < segments-0.01 || got > segments+0.01 {
		f.t.Errorf("%s: threshold is %.3f segments, want %.3f", what, got, segments)
	}
}

func inRecovery(a *Ack) { a.InRecovery = true }
func afterRTO(a *Ack)   { a.AfterRTO = true }
func appLimited(a *Ack) { a.CwndLimited, a.Prior, a.InFlight = false, feedMSS, 0 }
func rttIs(d time.Duration) func(*Ack) {
	return func(a *Ack) { a.RTT = d }
}

package congestion

import (
	"cmp"
	"time"
)

// bbrControl is what the model steers.
type bbrControl struct {
	pacingGain, cwndGain ratio
	pacingRate           int64 // C.pacing_rate
	sendQuantum          int64 // C.send_quantum
	cwnd                 int64 // C.cwnd
	prior                int64 // BBR.prior_cwnd
}

func (b *BBR) initControl(s Start) {
	rtt := s.RTT
	if rtt <= 0 {
		rtt = time.Millisecond
	}
	c := &b.ctl
	c.cwnd = int64(cmp.Or(s.Carried, s.Window))
	c.pacingRate = max(b.p.startupGain.of(rateOf(c.cwnd, rtt)), 1) // InitPacingRate
	b.setSendQuantum()
}

func (b *BBR) updateControl() {
	b.setPacingRateWithGain(b.ctl.pacingGain)
	b.setSendQuantum()
	b.setCwnd()
}

// setPacingRateWithGain lets the rate fall only once the pipe was full: until then samples
// may be the application's rate.
func (b *BBR) setPacingRateWithGain(gain ratio) {
	rate := b.pacingMargin().of(gain.of(b.bw.bw))
	if rate > 0 && (b.full.reached || rate > b.ctl.pacingRate) { // 0 would be no pacing at all
		b.ctl.pacingRate = rate
	}
}

func (b *BBR) setSendQuantum() {
	c := &b.ctl
	c.sendQuantum = max(min(volume(c.pacingRate, time.Millisecond), 64<<10), 2*b.conn.mss)
}

func (b *BBR) setCwnd() {
	c := &b.ctl
	// BBR.max_inflight
	most := b.quantizationBudget(b.bdpOf(b.bw.bw, c.cwndGain) + b.extra.extra)
	switch {
	case b.full.reached:
		c.cwnd = min(c.cwnd+b.conn.newly, most)
	case c.cwnd < most || b.conn.delivered-b.conn.begun < b.conn.initial:
		c.cwnd += b.conn.newly
	}
	c.cwnd = max(c.cwnd, b.minPipeCwnd())
	if b.state == probeRTT {
		c.cwnd = min(c.cwnd, b.probeRTTCwnd())
	}
	b.boundCwndForModel()
}

func (b *BBR) boundCwndForModel() {
	bound := infinite
	switch b.state {
	// The draft's table bounds Drain too, which its pseudocode forgets.
	case drain, probeBWDown, probeBWRefill, probeBWUp:
		bound = b.bounds.longterm
	case probeRTT, probeBWCruise:
		bound = b.inflightWithHeadroom()
	}
	bound = min(bound, b.bounds.inflightShortterm)
	b.ctl.cwnd = min(b.ctl.cwnd, max(bound, b.minPipeCwnd()))
}

func (b *BBR) probeRTTCwnd() int64 {
	return max(b.bdpOf(b.bw.bw, b.p.probeRTTCwndGain), b.minPipeCwnd())
}

// saveCwnd remembers the last window that neither recovery nor ProbeRTT modulated.
func (b *BBR) saveCwnd() {
	c := &b.ctl
	if !b.conn.recovering && b.state != probeRTT {
		c.prior = c.cwnd
	} else {
		c.prior = max(c.prior, c.cwnd)
	}
}

func (b *BBR) restoreCwnd() { b.ctl.cwnd = max(b.ctl.cwnd, b.ctl.prior) }

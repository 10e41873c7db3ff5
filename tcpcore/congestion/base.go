package congestion

import (
	"cmp"
	"time"
)

// Base is what most controllers have in common; embed it, and write Name, OnAck and
// OnLoss. It keeps a window and a threshold, which the embedding type changes, sends
// unpaced and gives nothing back; any method can be written over.
type Base struct {
	MSS      int
	Cwnd     int
	Ssthresh int
}

// Start takes over the segment size and the initial window, or what the controller before
// this one left.
func (b *Base) Start(s Start) {
	b.MSS, b.Cwnd = s.MSS, cmp.Or(s.Carried, s.Window)
	b.Ssthresh = cmp.Or(s.Threshold, Infinite)
}

// OnSend does nothing.
func (*Base) OnSend(Send) {}

// OnLost does nothing: OnLoss follows.
func (*Base) OnLost(*Lost) {}

// OnRecovered does nothing: the window was reduced when recovery began.
func (*Base) OnRecovered(time.Duration) {}

// OnSpurious does nothing.
func (*Base) OnSpurious(time.Duration) {}

// OnMSS takes over the new segment size; one segment always fits the window.
func (b *Base) OnMSS(mss int) {
	b.MSS = mss
	b.Cwnd = max(b.Cwnd, mss)
}

// Window is Cwnd.
func (b *Base) Window() int { return b.Cwnd }

// Threshold is Ssthresh.
func (b *Base) Threshold() int { return b.Ssthresh }

// PacingRate is 0.
func (*Base) PacingRate() int64 { return 0 }

// Reduces reports whether there is a threshold to reduce to.
func (b *Base) Reduces() bool { return b.Ssthresh != Infinite }

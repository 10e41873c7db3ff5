package link

import (
	"fmt"
	"math"
	"time"
)

// MTU is the largest packet on a link, in bytes, the IP header included.
const MTU = 1500

// A Path is what a link does to packets, alike in both directions unless the field
// says otherwise. A field that is zero does nothing, but Rate and Queue must be set.
type Path struct {
	// Name is what the command line and the tables call it.
	Name string
	// About says it in words.
	About string
	// Rate of the link in bytes per second, IP headers included.
	Rate int64
	// Delay from one end to the other, without queueing.
	Delay time.Duration
	// Queue is what may wait for the link, in bytes; what does not fit is dropped.
	Queue int
	// Loss is the share of packets that the link loses at random, 0 to 1. They have
	// used their share of the rate, as on a radio link.
	Loss float64
	// Burst is how many packets in a row each loss takes; Loss is the share over all.
	// 0 and 1 make losses independent.
	Burst int
	// Fade is the mean time of a loss, during which everything is lost; the times
	// between are such that Loss is the share of time. It excludes Burst.
	Fade time.Duration
	// AckLoss is the share lost in addition from B to A, the way of the
	// acknowledgments.
	AckLoss float64
	// Reorder is the share of packets that come ReorderBy later than they would.
	Reorder   float64
	ReorderBy time.Duration
	// Duplicate is the share of packets that come twice.
	Duplicate float64
	// Outages are times during which everything is lost, in order.
	Outages []Outage
}

// An Outage loses everything from At, counted from the start of the transfer, for For.
type Outage struct{ At, For time.Duration }

// Limits of Path, which bound the memory of a Pipe.
const (
	minRate  = 1000
	maxRate  = 1 << 32
	maxDelay = 10 * time.Second
	minQueue = 2 * MTU
	maxQueue = 1 << 28
	maxBurst = 1 << 20
)

// Check returns an error that names the first field with a bad value, or nil.
func (p Path) Check() error {
	if p.Rate < minRate || p.Rate > maxRate {
		return fmt.Errorf("link: Path.Rate: %d is outside of %d..%d bytes/s", p.Rate, minRate, int64(maxRate))
	}
	if p.Queue < minQueue || p.Queue > maxQueue {
		return fmt.Errorf("link: Path.Queue: %d is outside of %d..%d bytes", p.Queue, minQueue, maxQueue)
	}
	for _, s := range []struct {
		name string
		v    float64
	}{{"Loss", p.Loss}, {"AckLoss", p.AckLoss}, {"Reorder", p.Reorder}, {"Duplicate", p.Duplicate}} {
		if math.IsNaN(s.v) || s.v < 0 || s.v > 1 {
			return fmt.Errorf("link: Path.%s: %v is outside of 0..1", s.name, s.v)
		}
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"Delay", p.Delay}, {"ReorderBy", p.ReorderBy}, {"Fade", p.Fade}} {
		if d.v < 0 || d.v > maxDelay {
			return fmt.Errorf("link: Path.%s: %v is outside of 0..%v", d.name, d.v, maxDelay)
		}
	}
	switch {
	case p.Burst < 0 || p.Burst > maxBurst:
		return fmt.Errorf("link: Path.Burst: %d is outside of 0..%d packets", p.Burst, maxBurst)
	case p.Burst > 1 && p.Fade > 0:
		return fmt.Errorf("link: Path.Fade: is %v, but Burst is %d", p.Fade, p.Burst)
	case p.Fade > 0 && p.Loss == 1:
		return fmt.Errorf("link: Path.Fade: is %v, but Loss is 1", p.Fade)
	case p.Reorder > 0 && p.ReorderBy == 0:
		return fmt.Errorf("link: Path.ReorderBy: is 0, but Reorder is %v", p.Reorder)
	}
	end := time.Duration(0)
	for i, o := range p.Outages {
		if o.At < end || o.For <= 0 || o.For > time.Hour {
			return fmt.Errorf("link: Path.Outages[%d]: %v for %v is not after the one before, or not of 0..1h", i, o.At, o.For)
		}
		end = o.At + o.For
	}
	return nil
}

// RTT is the round-trip time of the empty link.
func (p Path) RTT() time.Duration { return 2 * p.Delay }

// transmission is how long the link is busy with n bytes.
func (p *Path) transmission(n int) time.Duration {
	return time.Duration(int64(n) * int64(time.Second) / p.Rate)
}

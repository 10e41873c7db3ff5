package tcpcore

import "time"

// rttState estimates the round-trip time and the retransmission timeout (RFC 6298).
type rttState struct {
	srtt, rttvar time.Duration
	lowest                     // samples of late
	rto          time.Duration // without back-off
	backoff      uint8         // doublings since the last valid sample (section 5.5)
}

// lowest keeps the smallest of the samples of late.
type lowest struct {
	min          time.Duration // 0 is none, as below
	since        Time          // when the window of samples began
	window, last time.Duration // smallest of this window and of the one before
}

func (l *lowest) sample(now Time, d time.Duration) {
	if now.Sub(l.since) > minWindow {
		l.begin(now)
	}
	if l.window == 0 || d < l.window {
		l.window = d
	}
	l.min = l.window
	if l.last > 0 {
		l.min = min(l.min, l.last)
	}
}

// begin begins another window of samples.
func (l *lowest) begin(now Time) { l.last, l.window, l.since = l.window, 0, now }

// granularity is G of RFC 6298 section 2.
const granularity = time.Millisecond

func (r *rttState) init(c *Config) { r.rto = c.InitialRTO }

// minWindow is how long a smallest sample counts, and up to twice as long, so that
// it rises when the path becomes longer (RFC 8985 section 6.2, step 1).
const minWindow = 5 * time.Minute

// sample takes a measurement of a segment that was sent once (Karn, section 3).
func (r *rttState) sample(now Time, c *Config, d time.Duration) {
	d = max(d, time.Microsecond)
	r.lowest.sample(now, d)
	if r.srtt == 0 {
		// (2.2) first measurement.
		r.srtt, r.rttvar = d, d/2
	} else {
		// (2.3) RTTVAR before SRTT; beta = 1/4, alpha = 1/8.
		diff := r.srtt - d
		if diff < 0 {
			diff = -diff
		}
		r.rttvar += (diff - r.rttvar) / 4
		r.srtt += (d - r.srtt) / 8
	}
	// On a steady path RTTVAR vanishes, and on one that is longer than MinRTO nothing but
	// it keeps the timer from firing with the acknowledgment in sight. So MinRTO bounds
	// what comes on top of a long SRTT too, as in kernels.
	g := c.RTOGranularity
	if g == 0 {
		g = max(granularity, min(c.MinRTO, r.srtt))
	}
	slack := max(g, 4*r.rttvar)
	r.rto = clamp(r.srtt+slack, c.MinRTO, c.MaxRTO)
	r.backoff = 0
}

// timeout returns the RTO with its back-off (5.5), bounded (2.5), and the margin.
func (r *rttState) timeout(c *Config) time.Duration {
	d := r.backedOff(c)
	if r.srtt > 0 || r.backoff > 0 {
		d += c.RTOMargin
	}
	return d
}

func (r *rttState) backedOff(c *Config) time.Duration {
	d := r.rto
	for range r.backoff {
		if d *= 2; d >= c.MaxRTO {
			return c.MaxRTO
		}
	}
	return d
}

func clamp(d, lo, hi time.Duration) time.Duration { return min(max(d, lo), hi) }

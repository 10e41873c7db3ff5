package tcpcore

import "time"

// rttState estimates the round-trip time and the retransmission timeout (RFC 6298).
type rttState struct {
	srtt, rttvar time.Duration
	min          time.Duration // smallest sample
	rto          time.Duration // without back-off
	backoff      uint8         // doublings since the last valid sample (section 5.5)
}

// granularity is G of RFC 6298 section 2.
const granularity = time.Millisecond

func (r *rttState) init(c *Config) { r.rto = c.InitialRTO }

// sample takes a measurement of a segment that was sent once (Karn, section 3).
func (r *rttState) sample(c *Config, d time.Duration) {
	d = max(d, time.Microsecond)
	if r.srtt == 0 {
		// (2.2) first measurement.
		r.srtt, r.rttvar, r.min = d, d/2, d
	} else {
		// (2.3) RTTVAR before SRTT; beta = 1/4, alpha = 1/8.
		diff := r.srtt - d
		if diff < 0 {
			diff = -diff
		}
		r.rttvar += (diff - r.rttvar) / 4
		r.srtt += (d - r.srtt) / 8
		r.min = min(r.min, d)
	}
	r.rto = clamp(r.srtt+max(granularity, 4*r.rttvar), c.MinRTO, c.MaxRTO)
	r.backoff = 0
}

// timeout returns the RTO with its back-off (5.5), bounded (2.5).
func (r *rttState) timeout(c *Config) time.Duration {
	d := r.rto
	for range r.backoff {
		if d *= 2; d >= c.MaxRTO {
			return c.MaxRTO
		}
	}
	return d
}

func clamp(d, lo, hi time.Duration) time.Duration { return min(max(d, lo), hi) }

package congestion

import "time"

// hystart is HyStart++ (RFC 9406): it leaves slow start when round trips become longer,
// before the queue overflows. Since a longer round trip may be jitter, a
// conservative slow start (CSS) comes between and can be taken back. Names are the RFC's.
type hystart struct {
	round      rounds
	last, this time.Duration // lastRoundMinRTT, currentRoundMinRTT; 0 stands for infinity
	samples    int           // rttSampleCount
	css        bool
	baseline   time.Duration // cssBaselineMinRtt
	cssRounds  int
}

// The constants of RFC 9406 section 4.3.
const (
	minRTTThresh     = 4 * time.Millisecond
	maxRTTThresh     = 16 * time.Millisecond
	minRTTDivisor    = 8
	nRTTSample       = 8
	cssGrowthDivisor = 4
	cssRounds        = 5
	// Without pacing, an acknowledgment counts for eight segments at most, L; with
	// pacing there is no limit.
	unpacedLimit = 8
)

// onAck judges an acknowledgment in slow start (RFC 9406 section 4.2) and reports whether
// slow start is over.
func (h *hystart) onAck(a *Ack) bool {
	if h.round.began(a) {
		h.last, h.this, h.samples = h.this, 0, 0
		if h.css {
			// A round that CSS began in the midst of counts in full.
			h.cssRounds++
			if h.cssRounds >= cssRounds {
				return true
			}
		}
	}
	if a.RTT > 0 {
		if h.this == 0 || a.RTT < h.this {
			h.this = a.RTT
		}
		h.samples++
	}
	if h.samples < nRTTSample {
		return false
	}
	switch {
	case h.css:
		if h.this < h.baseline {
			h.css = false // it was jitter: resume slow start
		}
	case h.last > 0:
		thresh := min(max(h.last/minRTTDivisor, minRTTThresh), maxRTTThresh)
		if h.this >= h.last+thresh {
			h.css, h.baseline, h.cssRounds = true, h.this, 0
		}
	}
	return false
}

// grow is how much of what was acknowledged the window grows by.
func (h *hystart) grow(acked int) int {
	if h.css {
		return acked / cssGrowthDivisor
	}
	return acked
}

package congestion

import "time"

// hystart is HyStart++ (RFC 9406): it leaves slow start when round trips become longer,
// before the queue overflows. Since a longer round trip may be jitter, a
// conservative slow start (CSS) comes between and can be taken back. Names are the RFC's.
//
// By its letter it comes too late for a queue of a bandwidth-delay product: a round's
// minimum is mostly that of its first segments, which met no queue, so that it
// begins CSS a round trip later than it could, and then grows for five more. There
// it loses hundreds of segments where 50 Mbit/s and 50 ms meet. So, unless letter is
// set, the latest samples are judged instead of the round's, and a round trip that is
// longer by a quarter at the end of a round of CSS ends slow start, or in the midst of it
// where it is longer by 16 ms, too: a window that has grown past the path and its queue
// is not waited for.
type hystart struct {
	letter     bool
	round      rounds
	last, this time.Duration // lastRoundMinRTT, currentRoundMinRTT; 0 stands for infinity
	samples    int           // rttSampleCount
	recent     [leaveSamples]time.Duration
	n          int // samples in all

	css       bool
	baseline  time.Duration // cssBaselineMinRtt
	normal    time.Duration // lastRoundMinRTT when CSS began
	cssRounds int
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

// leaveSamples is how many samples in a row end slow start: more than jitter makes.
const leaveSamples = 16

// onAck judges an acknowledgment in slow start (RFC 9406 section 4.2) and reports whether
// slow start is over.
func (h *hystart) onAck(a *Ack) bool {
	if h.round.began(a) {
		h.last, h.this, h.samples = h.this, 0, 0
		if h.css {
			// A round that CSS began in the midst of counts in full.
			h.cssRounds++
			if h.cssRounds >= cssRounds || !h.letter && h.full(2*minRTTThresh) {
				return true
			}
		}
	}
	if a.RTT > 0 {
		if h.this == 0 || a.RTT < h.this {
			h.this = a.RTT
		}
		h.samples++
		h.recent[h.n%leaveSamples] = a.RTT
		h.n++
	}
	if h.samples < nRTTSample {
		return false
	}
	switch {
	case h.css:
		if h.this < h.baseline {
			h.css = false // it was jitter: resume slow start
		} else if !h.letter && h.full(maxRTTThresh) {
			return true
		}
	case h.last > 0:
		thresh := h.last + min(max(h.last/minRTTDivisor, minRTTThresh), maxRTTThresh)
		rtt := h.this
		if !h.letter {
			rtt = h.lowest(nRTTSample)
		}
		if rtt < thresh {
			break
		}
		h.css, h.baseline, h.normal, h.cssRounds = true, rtt, h.last, 0
		if !h.letter {
			h.baseline, h.this = thresh, rtt // the first segments of this round do not take it back
		}
	}
	return false
}

// lowest is the smallest of the last n samples.
func (h *hystart) lowest(n int) time.Duration {
	rtt := h.recent[(h.n-1)%leaveSamples]
	for i := 2; i <= n; i++ {
		rtt = min(rtt, h.recent[(h.n-i)%leaveSamples])
	}
	return rtt
}

// full reports whether the latest samples leave no doubt: all of them are longer by a quarter,
// and by least.
func (h *hystart) full(least time.Duration) bool {
	return h.n >= leaveSamples && h.lowest(leaveSamples) >= h.normal+max(h.normal/4, least)
}

// grow is how much of what was acknowledged the window grows by.
func (h *hystart) grow(acked int) int {
	if h.css {
		return acked / cssGrowthDivisor
	}
	return acked
}

package link

import (
	"math/bits"
	"time"
)

// Histogram counts durations with a resolution of 1/16 of their size, in fixed
// memory. The zero value is empty.
type Histogram struct {
	n     uint64
	sum   time.Duration
	max   time.Duration
	count [64 * 16]uint32
}

// bucket maps 0..15 to themselves, and 16 steps to each power of two above.
func bucket(d time.Duration) int {
	v := uint64(max(0, d))
	if v < 16 {
		return int(v)
	}
	shift := bits.Len64(v) - 5
	return shift*16 + int(v>>shift)
}

// floor is the smallest duration of a bucket.
func floor(b int) time.Duration {
	if b < 32 {
		return time.Duration(b)
	}
	shift := b/16 - 1
	return time.Duration(16+b%16) << shift
}

// Add counts d; what is negative counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(0, d)
	h.n++
	h.sum += d
	h.max = max(h.max, d)
	h.count[bucket(d)]++
}

// Count is how many durations were added.
func (h *Histogram) Count() uint64 { return h.n }

// Mean is exact; 0 if nothing was added.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return h.sum / time.Duration(h.n)
}

// Max is exact.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is a duration that a share q of those added do not exceed, by up to
// 1/16 too large and at most Max.
func (h *Histogram) Quantile(q float64) time.Duration {
	want := uint64(q * float64(h.n))
	var seen uint64
	for b, c := range h.count {
		if seen += uint64(c); seen >= max(1, want) {
			return min(h.max, floor(b+1)-1)
		}
	}
	return h.max
}

// Summary is what remains of a Histogram in a report, in seconds.
type Summary struct {
	Mean, Median, P95, P99, Max float64
}

// Summary computes the figures for a report.
func (h *Histogram) Summary() Summary {
	return Summary{
		h.Mean().Seconds(), h.Quantile(0.5).Seconds(), h.Quantile(0.95).Seconds(), h.Quantile(0.99).Seconds(), h.max.Seconds(),
	}
}

package link

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestHistogram: mean and maximum are exact, quantiles are right to a sixteenth.
func TestHistogram(t *testing.T) {
	var h Histogram
	if h.Mean() != 0 || h.Quantile(0.5) != 0 || h.Summary() != (Summary{}) {
		t.Error("an empty one has values")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	var sum time.Duration
	for range 10_000 {
		d := time.Duration(math.Exp(rng.Float64() * 20))
		all = append(all, d)
		sum += d
		h.Add(d)
	}
	slices.Sort(all)
	if h.Mean() != sum/10_000 || h.Max() != all[9999] || h.Count() != 10_000 {
		t.Errorf("mean %v, maximum %v, count %d", h.Mean(), h.Max(), h.Count())
	}
	for _, q := range []float64{0.01, 0.5, 0.95, 0.99, 1} {
		exact := float64(all[int(q*10_000)-1])
		if got := float64(h.Quantile(q)); got < exact || got > exact*17/16+1 {
			t.Errorf("quantile %v is %v, want %v", q, got, exact)
		}
	}
}

// TestBuckets: every duration is in the bucket that begins at or below it.
func TestBuckets(t *testing.T) {
	for _, v := range []time.Duration{0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 1000, 1 << 40, math.MaxInt64} {
		b := bucket(v)
		if floor(b) > v || b+1 < len(Histogram{}.count) && floor(b+1) <= v && floor(b+1) > 0 {
			t.Errorf("%d is in bucket %d, from %d to %d", v, b, floor(b), floor(b+1))
		}
	}
	var h Histogram
	h.Add(-5)
	h.Add(math.MaxInt64)
	if h.Max() != math.MaxInt64 || h.Quantile(0.5) != 0 {
		t.Error("the extremes do not fit")
	}
}

// TestTolerance: each way to be too late is said.
func TestTolerance(t *testing.T) {
	limit := Tolerance{P99: ms, Max: 10 * ms}
	for _, c := range []struct {
		r    Report
		fine bool
	}{
		{Report{}, true},
		{Report{Late: Summary{P99: 0.001, Max: 0.01}}, true},
		{Report{Late: Summary{P99: 0.0011, Max: 0.01}}, false},
		{Report{Late: Summary{P99: 0.001, Max: 0.011}}, false},
		{Report{Refused: 1}, false},
	} {
		if why := limit.Exceeded(&c.r); (why == "") != c.fine {
			t.Errorf("%+v: %q", c.r.Late, why)
		}
	}
}

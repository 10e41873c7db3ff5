package congestion

import (
	"math"
	"math/bits"
	"time"
)

// infinite stands for a bound that is not set.
const infinite int64 = math.MaxInt64

// ratio is a gain or a fraction in millionths. BBR's arithmetic is in whole numbers, so
// that a simulation gives the same answer on every processor; floating point does
// not, where a compiler may fuse a product and a sum.
type ratio int64

const one ratio = 1e6

func ratioOf(f float64) ratio { return ratio(math.Round(f * float64(one))) }

// of is r*n.
func (r ratio) of(n int64) int64 { return mulDiv(n, int64(r), int64(one)) }

// mulDiv is a*b/c, of numbers that are not negative, and infinite if that does not fit.
func mulDiv(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi == 0 {
		return int64(min(lo/uint64(c), uint64(infinite)))
	}
	if hi >= uint64(c) {
		return infinite
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, uint64(infinite)))
}

// volume is what a rate carries in a time.
func volume(rate int64, d time.Duration) int64 { return mulDiv(rate, int64(d), int64(time.Second)) }

// timeOf is how long a rate takes for n.
func timeOf(n, rate int64) time.Duration { return time.Duration(mulDiv(n, int64(time.Second), rate)) }

// rateOf is the rate that carries n in d.
func rateOf(n int64, d time.Duration) int64 { return mulDiv(n, int64(time.Second), int64(d)) }

package congestion

import (
	"math"
	"testing"
	"time"
)

// TestRatio checks the arithmetic where 64 bits would not do.
func TestRatio(t *testing.T) {
	for _, c := range []struct{ a, b, c, want int64 }{
		{0, 5, 7, 0},
		{7, 3, 2, 10},
		{1 << 40, 1 << 40, 1 << 30, 1 << 50},
		{math.MaxInt64, math.MaxInt64, 1, infinite},
		{math.MaxInt64, 2, 1, infinite},
		{math.MaxInt64, 3, 3, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		if got := mulDiv(c.a, c.b, c.c); got != c.want {
			t.Errorf("%d*%d/%d = %d, want %d", c.a, c.b, c.c, got, c.want)
		}
	}
	if got := ratioOf(2.77).of(1e12); got != 2.77e12 {
		t.Errorf("2.77 of 1e12 is %d", got)
	}
	if got := ratioOf(0.02).of(149); got != 2 {
		t.Errorf("0.02 of 149 is %d", got)
	}
	if got := volume(12_500_000, 50*time.Millisecond); got != 625_000 {
		t.Errorf("100 Mbit/s carry %d bytes in 50 ms", got)
	}
	if got := rateOf(625_000, 50*time.Millisecond); got != 12_500_000 {
		t.Errorf("625000 bytes in 50 ms are %d a second", got)
	}
}

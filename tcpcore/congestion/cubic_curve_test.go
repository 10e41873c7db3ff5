package congestion

import (
	"math"
	"testing"
	"time"
)

// TestCubicFunction compares W_cubic(t) and K (RFC 9438 equations (1) and (2)) with values
// worked out by hand, in segments.
func TestCubicFunction(t *testing.T) {
	for _, c := range []struct {
		cwnd, wMax int
		k          float64
		w          map[float64]float64
	}{
		// K = (30/0.4)^(1/3) = 75^(1/3).
		{70, 100, 4.2172, map[float64]float64{0: 70, 1: 86.680, 2: 95.640, 4.2172: 100, 6: 102.267, 10: 177.353}},
		// K = 750^(1/3).
		{700, 1000, 9.0856, map[float64]float64{0: 700, 1: 788.555, 5: 972.721, 9.0856: 1000, 12: 1009.902, 20: 1520.067}},
		// At once beyond W_max: K = 0, as after a timeout.
		{50, 50, 0, map[float64]float64{0: 50, 1: 50.4, 2: 53.2, 10: 450}},
	} {
		var v cubicCurve
		v.begin(feedMSS, c.cwnd*feedMSS, c.wMax*feedMSS, c.wMax*feedMSS)
		if math.Abs(v.k-c.k) > 0.0001 {
			t.Errorf("K from %d to %d is %.4f, want %.4f", c.cwnd, c.wMax, v.k, c.k)
		}
		for at, want := range c.w {
			if got := v.w(time.Duration(at*1e9)) / feedMSS; math.Abs(got-want) > 0.01 {
				t.Errorf("from %d to %d: W(%.2f) is %.3f, want %.3f", c.cwnd, c.wMax, at, got, want)
			}
		}
	}
}

// TestCubeRoot compares with the mathematics package.
func TestCubeRoot(t *testing.T) {
	for x := 1e-6; x < 1e12; x *= 1.37 {
		if got, want := cubeRoot(x), math.Cbrt(x); math.Abs(got-want) > 1e-12*want {
			t.Errorf("cube root of %g is %g, want %g", x, got, want)
		}
	}
	for x, want := range map[float64]float64{0: 0, -8: 0, 1: 1, 27: 3, 64: 4} {
		if got := cubeRoot(x); math.Abs(got-want) > 1e-12 {
			t.Errorf("cube root of %g is %g", x, got)
		}
	}
}

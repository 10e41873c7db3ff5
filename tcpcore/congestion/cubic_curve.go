package congestion

import (
	"math"
	"time"
)

// The constants of RFC 9438. Windows are bytes here; C and alpha are in segments.
const (
	cubicC     = 0.4
	cubicBeta  = 0.7
	cubicAlpha = 3 * (1 - cubicBeta) / (1 + cubicBeta) // section 4.3
)

// cubicCurve is one congestion avoidance stage. Its names are the RFC's. Products are
// converted before they are added, which keeps a compiler from fusing the two, so
// that every processor computes the same.
type cubicCurve struct {
	on    bool
	mss   float64
	t     time.Duration // since t_epoch, without application-limited time
	k     float64       // seconds
	wMax  float64
	wEst  float64 // the window of a Reno that shares the fate
	prior float64 // cwnd_prior
	alpha float64
}

// begin is t_epoch.
func (c *cubicCurve) begin(mss, cwnd, wMax, prior int) {
	*c = cubicCurve{on: true, mss: float64(mss), wMax: float64(wMax), wEst: float64(cwnd), prior: float64(prior), alpha: cubicAlpha}
	// Equation (2).
	c.k = cubeRoot(float64(wMax-cwnd) / float64(cubicC*c.mss))
}

// w is W_cubic(t), equation (1).
func (c *cubicCurve) w(t time.Duration) float64 {
	d := t.Seconds() - c.k
	return float64(cubicC*c.mss*d*d*d) + c.wMax
}

// grow is by how many bytes an acknowledgment lets the window grow.
func (c *cubicCurve) grow(cwnd, acked int, rtt time.Duration) float64 {
	window := float64(cwnd)
	part := float64(acked) / window // of the window
	if c.wEst >= c.prior {
		c.alpha = 1 // section 4.3: beyond cwnd_prior as fast as Reno
	}
	c.wEst += float64(c.alpha * c.mss * part) // equation (4)
	if c.w(c.t) < c.wEst {
		return max(c.wEst-window, 0) // the Reno-friendly region
	}
	// Sections 4.4 and 4.5: (target - cwnd)/cwnd for each segment acknowledged.
	target := min(max(c.w(c.t+rtt), window), float64(1.5*window))
	return float64((target - window) * min(part, 1))
}

// cubeRoot is Newton's iteration: package math's is assembly on some processors.
func cubeRoot(x float64) float64 {
	if x <= 0 {
		return 0
	}
	// A third of the exponent is close enough to begin with.
	_, exp := math.Frexp(x)
	r := math.Ldexp(1, (exp+2)/3)
	for range 60 {
		next := (float64(2*r) + x/float64(r*r)) / 3
		if next >= r { // from above it falls until it is there
			break
		}
		r = next
	}
	return r
}

package link

import (
	"math/rand/v2"
	"time"
)

// chance is a random source of its own for each impairment, so that one does not
// change another's decisions.
type chance struct{ rng *rand.Rand }

func newChance(seed, stream uint64) chance {
	return chance{rand.New(rand.NewPCG(seed, stream))}
}

// hit is true for a share p of its calls.
func (c chance) hit(p float64) bool { return p > 0 && c.rng.Float64() < p }

// exp is exponentially distributed with that mean.
func (c chance) exp(mean time.Duration) time.Duration {
	return time.Duration(c.rng.ExpFloat64() * float64(mean))
}

// loser decides which packets the link loses at random.
type loser struct {
	chance
	begin float64 // how likely a packet that nothing befell so far begins a loss
	burst int
	left  int // of the loss that is going on, in packets

	fade, clear time.Duration // mean times; no fading if fade is 0
	fading      bool
	until       time.Duration // the end of the fade or of the time between
}

func newLoser(p *Path, c chance) loser {
	l := loser{chance: c, begin: p.Loss, burst: max(1, p.Burst)}
	switch n := float64(l.burst); {
	case p.Loss > 0 && p.Fade > 0:
		l.fade = p.Fade
		l.clear = time.Duration(float64(p.Fade) * (1 - p.Loss) / p.Loss)
		l.until = c.exp(l.clear)
	case p.Loss > 0:
		// n are lost for (1-begin)/begin that are not, on average.
		l.begin = 1 / (1 + n*(1-p.Loss)/p.Loss)
	}
	return l
}

// lose reports whether the packet that leaves at t is lost. Calls are in order of t.
func (l *loser) lose(t time.Duration) bool {
	if l.fade > 0 {
		for t >= l.until {
			l.fading = !l.fading
			mean := l.clear
			if l.fading {
				mean = l.fade
			}
			l.until += max(1, l.exp(mean))
		}
		return l.fading
	}
	if l.left > 0 {
		l.left--
		return true
	}
	if !l.hit(l.begin) {
		return false
	}
	l.left = l.burst - 1
	return true
}

package transport

import (
	"runtime"
	"time"

	"example.com/culvert/carrier"
)

// defaultPoll is for how long a Read that waits for an answer polls. It is more than twice what
// waking up takes in a virtual machine, 40 us: so one end that polls is enough to draw the other
// into it.
const defaultPoll = 100 * time.Microsecond

// patience says whether polling is worth while: a peer that is far, or slow, makes it not be, and
// then it is tried again ever more rarely. Who leads has it.
type patience struct {
	vain int // how often in a row nothing came
	skip int // waits to come that do without
}

const (
	// early is how many waits do without in the beginning: a connection for one request is not
	// worth it.
	early = 8
	// maxVain bounds the rarity: once in 256 waits.
	maxVain = 8
	// elsewhere is how long a look takes only if the processor was with somebody else.
	elsewhere = 5 * time.Microsecond
)

func newPatience() patience { return patience{skip: early} }

// ready reports whether to poll now.
func (p *patience) ready() bool {
	if p.skip == 0 {
		return true
	}
	p.skip--
	return false
}

// poll asks c for d at most. Between, whatever else of this process is ready runs; if that, or
// another process, took the processor away, a wait that leaves it to them would have been better.
func (p *patience) poll(c carrier.Poller, into []byte, d time.Duration) (*carrier.Batch, error) {
	b, err := c.Poll(into)
	if b != nil || err != nil {
		return b, err // nobody had to wait
	}
	begin := time.Now()
	for last := time.Duration(0); ; {
		runtime.Gosched()
		b, err = c.Poll(into)
		now := time.Since(begin)
		switch undisturbed := now-last < elsewhere; {
		case b != nil && undisturbed:
			p.vain = 0
			return b, err
		case b != nil || err != nil || now >= d || !undisturbed:
			p.vain = min(p.vain+1, maxVain)
			p.skip = 1<<p.vain - 1
			return b, err
		}
		last = now
	}
}

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

	left time.Duration // what remains of this wait's time
	hit  bool          // the last batch was polled for
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

// begin is for each wait, which may poll for d.
func (p *patience) begin(d time.Duration) {
	p.left, p.hit = 0, false
	if d > 0 && p.skip == 0 {
		p.left = d
	} else if d > 0 {
		p.skip--
	}
}

// answered tells that a batch ended the wait.
func (p *patience) answered() {
	if p.hit {
		p.vain = 0
	}
}

// poll asks c for what is left. Between, whatever else of this process is ready runs; if that, or
// another process, took the processor away, a wait that leaves it to them would have been better.
// What is no answer, an acknowledgment mostly, leaves the rest of the time to one.
func (p *patience) poll(c carrier.Poller, into []byte) (*carrier.Batch, error) {
	p.hit = false
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
			p.hit, p.left = true, max(p.left-now, 1)
			return b, err
		case b != nil || err != nil || now >= p.left || !undisturbed:
			p.left = 0
			p.vain = min(p.vain+1, maxVain)
			p.skip = 1<<p.vain - 1
			return b, err
		}
		last = now
	}
}

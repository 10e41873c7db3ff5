package transport

import (
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/tcpcore"
)

// share divides the queue of a socket among the connections behind it. Each has a window of
// its own, and does not know of the others: what their peers may send together can be far more
// than the queue holds, and who loses then is chance; nor is it in the processors' caches when
// somebody gets to it. So those that receive much at the same time are offered equal parts.
// It belongs to its reader.
type share struct {
	room  int // in the queue, in bytes; 0 if the carrier does not tell
	began tcpcore.Time
	epoch uint32
	total int // received in this epoch
	most  int // and by one connection
	last  int // how many connections shared the epoch before
	parts int // the divisor that is in force; 0 before any
}

// taking is a connection's account with its shard's share.
type taking struct {
	epoch uint32
	parts int // what the engine was told
	bytes int // received in that epoch
}

const (
	// shareEpoch is for how long a connection counts that received something.
	shareEpoch = tcpcore.Time(100 * time.Millisecond)
	// shareWindow is what all windows may be together, in bytes: more than that leaves the
	// caches before it is read, and every copy takes twice as long (measured on loopback).
	shareWindow = 4 << 20
	// leastPart is no less than the largest segment: a peer whose segments do not fit
	// waits for a timer before it sends each (RFC 9293 section 3.8.6.2.1).
	leastPart = 64 << 10
	// drainRate, in bytes per second, is what a reader is sure to take out of its queue; the
	// windows of connections whose round trip is longer than the queue only have to keep below it.
	drainRate = 500e6
)

// init asks the carrier for its queue.
func (q *share) init(car carrier.Carrier) {
	if c, ok := car.(carrier.Buffered); ok {
		q.room, _ = c.Buffers()
	}
}

// took notes n bytes for f, which arrived at now. Of several sockets the kernel keeps a peer at
// one; should that ever be another one, what comes there goes unaccounted.
func (r *reader) took(now tcpcore.Time, f *flow, n int) {
	if r.share.room > 0 && (f.home.Load() == r || f.home.CompareAndSwap(nil, r)) {
		r.share.took(now, &f.taking, n)
	}
}

func (q *share) took(now tcpcore.Time, t *taking, n int) {
	if now-q.began >= shareEpoch {
		q.last = q.heavy()
		if now-q.began >= 2*shareEpoch {
			q.last = 0
		}
		q.began, q.total, q.most = now, 0, 0
		q.epoch++
	}
	if t.epoch != q.epoch {
		t.epoch, t.bytes = q.epoch, 0
	}
	t.bytes += n
	q.total += n
	q.most = max(q.most, t.bytes)
}

// heavy is how many connections shared what arrived in the epoch, those that received little
// counted for the little: with one that receives all, it is one, however many others there are.
func (q *share) heavy() int {
	if q.most == 0 {
		return 0
	}
	return (q.total + q.most - 1) / q.most
}

// settle is for the end of a batch: it chooses how many parts there are. Small changes are none,
// so that not every connection must be told all the time.
func (q *share) settle() {
	if n := max(q.heavy(), q.last, 1); n > q.parts || n < q.parts*3/4 {
		q.parts = n
	}
}

// part is what each of n connections may have.
func (q *share) part(n int) (bytes, rate int) {
	return max(min(shareWindow, q.room/2)/n, leastPart), drainRate / n
}

// tell has f's engine know its part, unless it does.
func (r *reader) tell(f *flow) {
	q := &r.share
	if q.room == 0 || f.home.Load() != r || f.taking.parts == q.parts {
		return
	}
	f.taking.parts = q.parts
	f.driver.SetPart(q.part(q.parts))
}

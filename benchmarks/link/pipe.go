package link

import (
	"math"
	"time"
)

// Never is a time that does not come.
const Never time.Duration = math.MaxInt64

// A Direction is one of the two of a link.
type Direction uint64

// The directions: data goes from A to B, acknowledgments come back.
const (
	AToB Direction = 1 + iota
	BToA
)

// Pipe is one direction of a link. It has no clock: times are durations since an
// origin of the caller's choice and must not go back from call to call. It is for one
// goroutine at a time.
//
// A packet waits in the drop-tail queue until the link has sent those before it, is
// sent at the link's rate, travels for the delay, and is there. Loss strikes on the
// way, so that lost packets have used the link; duplicates come into being at the far
// end and have not.
type Pipe struct {
	path  Path
	extra float64 // AckLoss, if this is the direction

	loss                         loser
	ackLoss, reorder, duplicates chance

	free    time.Duration // when the link will have sent all that it took
	start   time.Duration // of the transfer, from which outages count
	started bool

	ontime, late fifo // both in order of their times: what goes round waits in late

	queueing Histogram
	count    Counts
	resumed  []time.Duration
}

// Counts are what became of the packets of one direction. Offered is the sum of
// Delivered, of the drops, and of what is still under way.
type Counts struct {
	Offered, OfferedBytes     uint64 // packets and bytes that came to the queue
	Delivered, DeliveredBytes uint64 // that left at the far end, duplicates not counted
	QueueDrops                uint64 // did not fit into the queue
	Lost                      uint64 // at random
	OutageDrops               uint64
	Reordered                 uint64 // sent the long way round
	Duplicated                uint64
}

// A Packet comes out of a Pipe.
type Packet struct {
	Data []byte
	Due  time.Duration // when it had to come out
	// Twice: it was duplicated and is to be delivered twice.
	Twice bool
}

// NewPipe returns an empty Pipe. Path.Check must have accepted the path. The same
// seed makes the same decisions, for the same packets in the same order.
func NewPipe(p Path, d Direction, seed uint64) *Pipe {
	stream := func(n uint64) chance { return newChance(seed, n<<8|uint64(d)) }
	q := &Pipe{
		path: p, loss: newLoser(&p, stream(1)), ackLoss: stream(2), reorder: stream(3), duplicates: stream(4),
	}
	if d == BToA {
		q.extra = p.AckLoss
	}
	return q
}

// Start says when the transfer began, from which the times of outages count. There
// are none before.
func (q *Pipe) Start(now time.Duration) { q.start, q.started = now, true }

// Push brings a packet to the queue. If it says true, the pipe keeps data until Pop
// returns it; otherwise the packet is lost, and data is the caller's again.
func (q *Pipe) Push(now time.Duration, data []byte) bool {
	q.count.Offered++
	q.count.OfferedBytes += uint64(len(data))
	wait := q.Backlog(now)
	if waiting := int64(wait) * q.path.Rate / int64(time.Second); waiting+int64(len(data)) > int64(q.path.Queue) {
		q.count.QueueDrops++
		return false
	}
	q.queueing.Add(wait)
	q.free = max(q.free, now) + q.path.transmission(len(data))
	// Every decision is made for every packet, so that one does not shift the others.
	lost, ackLost := q.loss.lose(q.free), q.ackLoss.hit(q.extra)
	round, twice := q.reorder.hit(q.path.Reorder), q.duplicates.hit(q.path.Duplicate)
	switch {
	case q.out(q.free):
		q.count.OutageDrops++
		return false
	case lost || ackLost:
		q.count.Lost++
		return false
	}
	if twice {
		q.count.Duplicated++
	}
	p := Packet{data, q.free + q.path.Delay, twice}
	if round {
		q.count.Reordered++
		p.Due += q.path.ReorderBy
		q.late.push(p)
	} else {
		q.ontime.push(p)
	}
	return true
}

// out reports whether t is in an outage.
func (q *Pipe) out(t time.Duration) bool {
	if !q.started {
		return false
	}
	t -= q.start
	for len(q.path.Outages) > 0 {
		o := q.path.Outages[0]
		if t < o.At+o.For {
			return t >= o.At
		}
		q.resumed = append(q.resumed, t-o.At-o.For)
		q.path.Outages = q.path.Outages[1:]
	}
	return false
}

// Resumed is, for each outage that is over, the time from its end until the first
// packet was sent again.
func (q *Pipe) Resumed() []time.Duration { return q.resumed }

// Next is when the next packet is due, or Never.
func (q *Pipe) Next() time.Duration { return min(q.ontime.due(), q.late.due()) }

// Pop returns the next packet that is due by now, if there is one.
func (q *Pipe) Pop(now time.Duration) (Packet, bool) {
	f := &q.ontime
	if q.late.due() < f.due() {
		f = &q.late
	}
	if f.due() > now {
		return Packet{}, false
	}
	p := f.pop()
	q.count.Delivered++
	q.count.DeliveredBytes += uint64(len(p.Data))
	return p, true
}

// Backlog is how long a packet that comes now has to wait for the link.
func (q *Pipe) Backlog(now time.Duration) time.Duration { return max(0, q.free-now) }

// Counts returns what became of the packets so far.
func (q *Pipe) Counts() Counts { return q.count }

// Queueing are the times that packets waited for the link, dropped ones not counted.
func (q *Pipe) Queueing() *Histogram { return &q.queueing }

// fifo is a ring of packets that grows as needed.
type fifo struct {
	ring    []Packet // its length is a power of two
	head, n int
}

func (f *fifo) due() time.Duration {
	if f.n == 0 {
		return Never
	}
	return f.ring[f.head].Due
}

func (f *fifo) push(p Packet) {
	if f.n == len(f.ring) {
		bigger := make([]Packet, max(64, 2*f.n))
		k := copy(bigger, f.ring[f.head:])
		copy(bigger[k:], f.ring[:f.head])
		f.ring, f.head = bigger, 0
	}
	f.ring[(f.head+f.n)&(len(f.ring)-1)] = p
	f.n++
}

func (f *fifo) pop() Packet {
	p := f.ring[f.head]
	f.ring[f.head] = Packet{}
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.n--
	return p
}

package congestion

import (
	"container/heap"
	"time"
)

// The model that the controllers are tried on: senders that share one bottleneck, in
// virtual time. It is small, and no TCP: what a controller sees is right, and what it
// answers is heeded, nothing more.

// path is a bottleneck, with the events of everything that happens around it.
type path struct {
	now    time.Duration
	events eventHeap
	order  int
	draw   random

	rate      int64 // bytes per second
	queue     int   // bytes that may wait
	loss      float64
	mark      int           // bytes waiting from which on ECN marks are set; 0 for none
	aggregate time.Duration // acknowledgments come together at multiples of this
	token     *tokenBucket

	freeAt  time.Duration
	dropped int
	carried int
}

// tokenBucket is a policer: it drops what exceeds the rate once the burst is used up.
type tokenBucket struct {
	rate, burst, tokens int64
	at                  time.Duration
}

func (b *tokenBucket) take(now time.Duration, size int) bool {
	b.tokens = min(b.burst, b.tokens+volume(b.rate, now-b.at))
	b.at = now
	if b.tokens < int64(size) {
		return false
	}
	b.tokens -= int64(size)
	return true
}

type event struct {
	at    time.Duration
	order int
	do    func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, k int) bool {
	return h[i].at < h[k].at || h[i].at == h[k].at && h[i].order < h[k].order
}
func (h eventHeap) Swap(i, k int) { h[i], h[k] = h[k], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

// newPath is a bottleneck of so many bits per second whose queue holds what it sends in
// the given time.
func newPath(bits int64, queue time.Duration, seed uint64) *path {
	return &path{rate: bits / 8, queue: int(volume(bits/8, queue)), draw: random{seed}}
}

func (p *path) at(t time.Duration, do func()) {
	p.order++
	heap.Push(&p.events, event{t, p.order, do})
}

// run lets time pass until stop, if it is not nil, says so, or until the given time.
// It reports whether stop did.
func (p *path) run(until time.Duration, stop func() bool) bool {
	for {
		if stop != nil && stop() {
			return true
		}
		if len(p.events) == 0 || p.events[0].at > until {
			p.now = until
			return false
		}
		e := heap.Pop(&p.events).(event)
		p.now = e.at
		e.do()
	}
}

// chance is true with probability x.
func (p *path) chance(x float64) bool { return x > 0 && float64(p.draw.below(1e9)) < x*1e9 }

// waiting is the queue, in bytes.
func (p *path) waiting() int { return int(volume(p.rate, max(p.freeAt-p.now, 0))) }

// send takes a packet in and returns when it is through, and whether it is marked.
func (p *path) send(size int) (through time.Duration, marked, ok bool) {
	w := p.waiting()
	if w+size > p.queue+2*1500 || p.chance(p.loss) || p.token != nil && !p.token.take(p.now, size) {
		p.dropped++
		return 0, false, false
	}
	p.carried++
	p.freeAt = max(p.freeAt, p.now) + time.Duration(mulDiv(int64(size), int64(time.Second), p.rate))
	return p.freeAt, p.mark > 0 && w >= p.mark, true
}

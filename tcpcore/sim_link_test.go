package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// A simLink carries datagrams one way.
type simLink struct {
	s        *sim
	from, to *simHost

	delay, jitter Time
	rate          int64 // bytes per second; 0 is without limit
	queue         int   // bytes that may wait for their turn
	loss          float64
	burst         float64 // chance that a loss goes on with the next datagram
	dup           float64
	reorder       float64
	corrupt       float64 // chance of a bit error, which the carrier's checksum finds
	flip          float64 // chance of a flipped header bit that nobody finds
	tellMTU       bool    // too large a datagram is reported to the sender
	mtu           int
	darkUntil     Time

	drop    func(n int) bool // loses chosen datagrams, counted from 0
	freeAt  Time             // when the transmitter has sent all that waits
	losing  bool
	n, lost int
}

// send takes a datagram in; b is not kept.
func (l *simLink) send(b []byte) {
	s := l.s
	l.n++
	lose := s.chance(l.loss)
	if l.losing {
		lose = s.chance(l.burst)
	}
	l.losing = lose
	start := max(s.now, l.freeAt)
	switch {
	case l.from.vanishAt <= s.now:
		return
	case len(b) > l.mtu:
		l.lost++
		s.trace("   link: %d bytes are too large", len(b))
		if l.tellMTU {
			l.from.pathLimit(l.mtu, b)
		}
		return
	case l.drop != nil && l.drop(l.n-1), lose, s.now < l.darkUntil, s.chance(l.corrupt):
		l.lost++
		s.trace("   link: lost")
		return
	case l.rate > 0 && int64(start-s.now)*l.rate/int64(time.Second) > int64(l.queue):
		l.lost++
		s.trace("   link: the queue is full")
		return
	}
	if l.rate > 0 {
		l.freeAt = start + Time(int64(len(b))*int64(time.Second)/l.rate)
		start = l.freeAt
	}
	l.arrive(b, start)
	if s.chance(l.dup) {
		s.trace("   link: duplicated")
		l.arrive(b, start+s.upTo(4*l.delay))
	}
}

// arrive schedules the arrival of a copy.
func (l *simLink) arrive(b []byte, start Time) {
	s := l.s
	at := start + l.delay + s.upTo(l.jitter)
	if s.chance(l.reorder) {
		at += s.upTo(3*l.delay + Time(time.Millisecond))
	}
	c := s.buffer(len(b))
	copy(c, b)
	if s.chance(l.flip) {
		s.flip(c)
	}
	s.heap.push(at, simEvent{kind: evDeliver, host: l.to, data: c})
}

// flip changes one to three bits of a header, but not its ports.
func (s *sim) flip(b []byte) {
	var g segment.Segment
	if segment.Parse(&g, b) != nil {
		return
	}
	hdr := len(b) - len(g.Payload)
	for range 1 + s.rng.IntN(3) {
		b[4+s.rng.IntN(hdr-4)] ^= 1 << s.rng.IntN(8)
	}
}

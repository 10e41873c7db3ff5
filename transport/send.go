package transport

import (
	"errors"
	"net"
	"syscall"

	"example.com/culvert/carrier"
	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// outbox is the answers to segments that belong to no connection. Only whoever
// reads the shard touches it.
type outbox struct {
	replies []carrier.Datagram
	limit   replyLimit
}

// maxReplies bounds the answers to one batch.
const maxReplies = 64

// room is an empty buffer for one reply.
func (o *outbox) room() []byte { return nil }

// answer queues a reply to where d came from.
func (r *reader) answer(d *carrier.Datagram, reply []byte) {
	if len(reply) == 0 {
		return
	}
	if len(r.out.replies) >= maxReplies || !r.out.limit.allow(r.s.clock.now()) {
		r.s.counts.unanswered.Add(1)
		return
	}
	r.out.replies = append(r.out.replies, carrier.Datagram{Peer: d.Peer, Local: d.Local, Data: reply})
}

// flush sends the queued replies.
func (r *reader) flush() {
	if len(r.out.replies) == 0 {
		return
	}
	r.s.seal(r.out.replies)
	r.s.write(r.out.replies, func(error) {})
	clear(r.out.replies)
	r.out.replies = r.out.replies[:0]
}

// write sends all datagrams in order, and tells of each that could not be.
func (s *shard) write(ds []carrier.Datagram, failed func(error)) {
	for len(ds) > 0 {
		n, err := s.car.WriteBatch(ds)
		if err == nil && n >= len(ds) {
			return
		}
		switch {
		case err == nil:
			err = syscall.ENOBUFS // a short count without a reason
		case errors.Is(err, net.ErrClosed):
			return // whoever reads will tell everybody
		}
		failed(err)
		ds = ds[min(n+1, len(ds)):]
	}
}

// sendFailed tells the connection what its own sending met with.
func (f *flow) sendFailed(err error) {
	switch {
	case errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.EAGAIN):
		// A queue of ours is full: a loss like any other.
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		// The carrier has tried twice, so that this is no report of the network about an
		// earlier segment: there is no route.
		f.driver.NoRoute(err)
	default:
		f.networkError(err)
	}
}

// seal computes the checksums where the carrier leaves that to us (RFC 9293
// section 3.1, MUST-2).
func (s *shard) seal(ds []carrier.Datagram) {
	if !s.caps.Checksum {
		return
	}
	for i := range ds {
		d := &ds[i]
		local := d.Local
		if !local.IsValid() {
			local = s.local.Addr()
		}
		for b := range d.Segments {
			segment.SetChecksum(b, local, d.Peer.Addr())
		}
	}
}

// replyLimit bounds the answers that strangers can provoke, so that nobody can use
// a shard to flood another: a bucket of tokens.
type replyLimit struct {
	tokens int
	last   tcpcore.Time
}

const (
	replyBurst = 1000
	replyEvery = tcpcore.Time(1e6) // one token a millisecond
)

func (l *replyLimit) init() { l.tokens = replyBurst }

func (l *replyLimit) allow(now tcpcore.Time) bool {
	if n := (now - l.last) / replyEvery; n > 0 {
		l.tokens = int(min(tcpcore.Time(l.tokens)+n, replyBurst))
		l.last += n * replyEvery
	}
	if l.tokens == 0 {
		return false
	}
	l.tokens--
	return true
}

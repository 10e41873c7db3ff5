package transport

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"sync/atomic"
	"syscall"

	"example.com/culvert/carrier"
	"example.com/culvert/listener"
	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// reader is one of a shard's carriers, and what only whoever reads it touches.
type reader struct {
	s       *shard
	car     carrier.Carrier
	bit     uint64 // its own, in flow.touched
	seg     segment.Segment
	touched []*flow // they have had segments of the batch
	share   share
	out     outbox
}

func newReader(s *shard, number int, car carrier.Carrier) *reader {
	r := &reader{s: s, car: car, bit: 1 << number}
	r.out.limit.init()
	r.share.init(car)
	return r
}

// counts are the datagrams that nobody is told of otherwise.
type counts struct {
	malformed, refused, unanswered, moved atomic.Uint64
}

// batch runs one batch to completion: all its segments are processed before
// anything is sent (RFC 9293 MUST-58, MUST-59). It reports whether it woke a Read or
// Write.
func (r *reader) batch(b *carrier.Batch) (woken bool) {
	s := r.s
	now := s.clock.now()
	for ds := b.Datagrams; len(ds) > 0; ds = ds[1:] {
		d := &ds[0]
		if d.Err != nil {
			s.report(d)
			continue
		}
		for rest := d.Data; ; {
			n := segmentLen(d, rest)
			f := r.receive(now, d, rest[:n])
			if rest = rest[n:]; f != nil {
				n += len(d.Heads)
				if len(rest) > 0 || len(ds) > 1 {
					var more int
					ds, rest, more = r.receiveRun(now, f, ds, rest)
					d, n = &ds[0], n+more
				}
				r.took(now, f, n)
			}
			if len(rest) == 0 {
				break
			}
		}
	}
	b.Release()
	r.share.settle()
	for i, f := range r.touched {
		f.touched.And(^r.bit)
		r.tell(f)
		if f.driver.Finish() {
			woken = true
		}
		r.touched[i] = nil
	}
	r.touched = r.touched[:0]
	r.flush()
	return woken
}

// segmentLen is how long the first segment of b is, which is the rest of d's data.
func segmentLen(d *carrier.Datagram, b []byte) int {
	if d.SegmentSize > 0 {
		return min(len(b), d.SegmentSize)
	}
	return len(b)
}

// receiveRun processes segments, those in b, which is the rest of the first of ds, and what
// follows, as long as all are for f as the one before was, and all under one lock: what arrives
// together is mostly one connection's. It returns where that ends, and how many bytes it took.
func (r *reader) receiveRun(now tcpcore.Time, f *flow, ds []carrier.Datagram, b []byte) (left []carrier.Datagram, rest []byte, n int) {
	seg := &r.seg
	ours, theirs := seg.DstPort, seg.SrcPort
	f.driver.Lock()
	defer f.driver.Unlock()
	for {
		d := &ds[0]
		if len(b) == 0 {
			if len(ds) == 1 || !follows(&ds[1], d) {
				break
			}
			ds = ds[1:]
			d = &ds[0]
			b, seg.TrafficClass = d.Data, d.TrafficClass
		}
		size := segmentLen(d, b)
		if r.parse(d, b[:size]) != nil || seg.DstPort != ours || seg.SrcPort != theirs || seg.Flags.Has(segment.SYN) ||
			!r.s.verify(d, b[:size]) {
			break // to be looked at again without the lock
		}
		f.driver.ReceiveLocked(now, seg)
		b, n = b[size:], n+len(d.Heads)+size
	}
	return ds, b, n
}

// follows reports whether d brings segments from and to where the one before did.
func follows(d, before *carrier.Datagram) bool {
	return d.Err == nil && len(d.Data) > 0 && d.Peer == before.Peer && d.Local == before.Local
}

// parse reads b, a segment of d, or the data of the only one.
func (r *reader) parse(d *carrier.Datagram, b []byte) error {
	if len(d.Heads) == 0 {
		return segment.Parse(&r.seg, b)
	}
	err := segment.Parse(&r.seg, d.Heads)
	r.seg.Payload = b
	return err
}

// receive finds out whom a segment is for. It returns the connection, if there was one.
func (r *reader) receive(now tcpcore.Time, d *carrier.Datagram, b []byte) *flow {
	s, seg := r.s, &r.seg
	if r.parse(d, b) != nil || !s.verify(d, b) {
		s.counts.malformed.Add(1)
		return nil
	}
	seg.TrafficClass = d.TrafficClass
	k := s.keyOf(d.Peer, d.Local, seg.DstPort, seg.SrcPort)
	s.mu.Lock()
	f, at := s.find(k)
	var before *predecessor
	if f == nil && s.waits.has(at) {
		seq := s.waits.lastOf(at)
		reply, reopen := s.waits.input(now, at, seg, r.out.room())
		if !reopen {
			s.mu.Unlock()
			r.answer(d, reply)
			return nil
		}
		before = &predecessor{at, seq}
	}
	p := s.ports[seg.DstPort]
	moved := f == nil && !seg.Flags.Has(segment.SYN) && s.hosts[k.host()] > 0
	s.mu.Unlock()
	if moved {
		// A connection of ours, but from another port: a NAT forgot it, or somebody
		// guesses. Nothing good comes of a reset.
		s.counts.moved.Add(1)
		return nil
	}
	if f != nil {
		f.seen(d.Local)
		reopen := f.driver.Receive(now, seg)
		r.touch(f)
		if !reopen {
			return f
		}
		// RFC 6191: the connection gave way in TIME-WAIT, and its place is free.
		before = &predecessor{at, f.driver.LastSent()}
		f.driver.Finish()
	}
	if p == nil {
		// RFC 9293 section 3.10.7.1. The answer is never larger than the question.
		if reply := tcpcore.Refuse(r.out.room(), seg); len(reply) <= len(d.Heads)+len(b) {
			s.counts.refused.Add(1)
			r.answer(d, reply)
		}
		return nil
	}
	switch v := p.intake.Receive(seg, d.Peer, d.Local, r.out.room()); v.Action {
	case listener.Reply:
		if len(v.Reply) <= len(d.Heads)+len(b) {
			r.answer(d, v.Reply)
		}
	case listener.Open:
		r.open(now, p, k, seg, v.Place, before)
	}
	return nil
}

// predecessor is a connection in TIME-WAIT whose place a SYN may take (RFC 6191), and where its
// numbers ended.
type predecessor struct {
	key  key
	last segment.Seq
}

// open makes a connection that listens, and gives it its SYN. A record of the one before, if there
// is one, goes only now: the listener could have had no room.
func (r *reader) open(now tcpcore.Time, p *port, k key, seg *segment.Segment, place *listener.Place, before *predecessor) {
	s := r.s
	engine := p.cfg.engine()
	params := s.params(k)
	if before != nil {
		params.Reuse, params.After = true, before.last
	}
	if engine.OpenPassive(now, params) != nil {
		place.Release()
		return
	}
	if before != nil {
		s.mu.Lock()
		s.waits.drop(before.key)
		s.mu.Unlock()
	}
	f := &flow{s: s, key: k, peer: k.peer, cfg: p.cfg, source: k.local, backlog: place}
	c, err := s.newFlow(f, engine, nil)
	if err != nil {
		place.Release()
		return
	}
	if !place.Bind(c, f.driver) {
		f.driver.Abort() // the listener has closed
		return
	}
	f.driver.Receive(now, seg)
	r.touch(f)
}

// touch has the batch finish f. Another reader may be about to do so as well: what each has given
// f, it finishes itself.
func (r *reader) touch(f *flow) {
	if f.touched.Or(r.bit)&r.bit == 0 {
		r.touched = append(r.touched, f)
	}
}

// report passes a network error to the connection that caused it (RFC 9293
// MUST-54): by what the report quotes of our segment, or by the only peer there is.
func (s *shard) report(d *carrier.Datagram) {
	if len(d.Data) >= 4 {
		// The source port is ours: the quoted segment is one that we sent.
		ours, theirs := binary.BigEndian.Uint16(d.Data), binary.BigEndian.Uint16(d.Data[2:])
		k := s.keyOf(d.Peer, d.Local, ours, theirs)
		s.mu.Lock()
		f, _ := s.find(k)
		s.mu.Unlock()
		// RFC 5927 section 4.1: a true report quotes something that is on its way. A
		// forger who does not see our segments would have to guess it.
		if f == nil {
			return
		}
		if len(d.Data) >= 8 {
			seq := segment.Seq(binary.BigEndian.Uint32(d.Data[4:]))
			if errors.Is(d.Err, syscall.EMSGSIZE) {
				mms := d.SegmentSize
				if mms <= 0 {
					mms = s.car.MMS(f.peer)
				}
				f.driver.TooBig(seq, mms)
				return
			}
			if !f.driver.Outstanding(seq) {
				return
			}
		}
		f.networkError(d.Err)
		return
	}
	if !s.caps.Connected.IsValid() {
		return // nobody can tell whose it is
	}
	var all []*flow
	s.mu.Lock()
	for _, f := range s.flows {
		all = append(all, f)
	}
	s.mu.Unlock()
	for _, f := range all {
		f.networkError(d.Err)
	}
}

// networkError tells a connection what became of a segment that it sent.
func (f *flow) networkError(err error) {
	switch {
	case errors.Is(err, syscall.EMSGSIZE):
		f.driver.SetMMS(f.s.car.MMS(f.peer), f.s.maxMMS(f.peer))
	case unreachable(err):
		f.driver.HardError(err)
	default:
		f.driver.SoftError(err)
	}
}

// seen notes the address that the peer answered to, for a connection that left the
// choice to the system.
func (f *flow) seen(local netip.Addr) {
	if !f.learn || !local.IsValid() {
		return
	}
	if a := f.answered.Load(); a == nil || *a != local {
		a := local // whose address would else cost an allocation for each segment
		f.answered.Store(&a)
	}
}

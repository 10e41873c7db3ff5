package tcpcore

import "example.com/culvert/tcpcore/segment"

// Most segments of a transfer are like the one before them. What follows does for a run of such
// segments at once what is otherwise asked of each.

// sendRun sends, behind a new segment that was just sent, as many more as are like it: full, of
// the same train, with data behind them, within the windows and the pace. What is shorter than
// that has PSH, as the end of a record, or nothing may follow it now.
func (e *Engine) sendRun(b *trainer, end segment.Seq) {
	s, q := &e.snd, &e.sent
	last, size := *q.at(q.len() - 1), s.mss
	n := min(end.Sub(s.nxt)-1, s.una.Add(s.wnd).Sub(s.nxt), e.window()-e.pipe()) / size
	if e.ctl == nil || n <= 0 || last.flags&^(recECT|recLimited) != 0 || s.marks.pending() {
		return
	}
	if e.ctl.PacingRate() > 0 {
		n = min(n, int(e.pace.credit)/size)
	}
	if n = min(n, b.more(size)); n <= 0 {
		return
	}
	b.addRun(s.nxt, size, n)
	q.reserve(n)
	recs, at := q.recs, q.head+q.n
	for i := 1; i <= n; i++ {
		r := &recs[(at+i-1)&(len(recs)-1)]
		*r = last
		r.seq = last.seq.Add(i * size)
		r.place = last.place + uint8(i)
		r.rate.order = last.rate.order + uint32(i)
		r.rate.txInFlight = last.rate.txInFlight + int32(i*size)
	}
	if e.sack && !e.cfg.NoRACK {
		e.rack.queue.pushRun(xmit{s.nxt, last.rate.order + 1}, size, n)
	}
	q.n += n
	q.count[inFlight] += n
	q.bytes[inFlight] += n * size
	q.next += uint32(n)
	s.nxt = s.nxt.Add(n * size)
	e.pace.sent(n * size)
	if e.rec.phase == fastRecovery {
		e.rec.prr.onSend(n * size)
	}
}

// more is how many more segments with size octets can join a train of such.
func (b *trainer) more(size int) int {
	t := b.t
	used := len(t.Buf) + len(t.Data)
	if b.hdr.Flags.Has(segment.URG) {
		return 0
	}
	n := min(MaxTrainBytes-used, MaxTrainSegments*t.SegmentSize-used) / t.SegmentSize
	if b.room > 0 {
		n = min(n, (b.room-len(t.Data))/size)
	}
	return n
}

// addRun is add for n segments without PSH.
func (b *trainer) addRun(seq segment.Seq, size, n int) {
	e, t := b.e, b.t
	step := t.SegmentSize
	if b.room > 0 {
		t.Data, step = t.Data[:len(t.Data)+n*size], b.n
	}
	// What their headers have in common is kept apart: memory that was just written in other
	// pieces is slow to read.
	const usual = segment.FixedHeaderLen + timestampsLen
	var head [segment.MaxHeaderLen]byte
	copy(head[:], t.Buf[:b.n])
	segment.PutFlags(head[:], b.hdr.Flags)
	at := len(t.Buf)
	t.Buf = grown(t.Buf, n*step)
	off := seq.Sub(e.sndData())
	for out := t.Buf[at:]; len(out) >= step; out = out[step:] {
		if b.n == usual {
			*(*[usual]byte)(out) = [usual]byte(head[:]) // without a call
		} else {
			copy(out, head[:b.n])
		}
		segment.PutSeq(out, seq)
		if b.room == 0 {
			e.snd.buf.peek(off, out[b.n:step])
		}
		seq, off = seq.Add(size), off+size
	}
	b.k += uint8(n)
	e.count.SegmentsSent += uint64(n)
	e.count.DataSegmentsSent += uint64(n)
	e.count.BytesSent += uint64(n * size)
}

// popRun removes from the front of the queue, below SND.UNA, what says nothing that the record
// behind it does not say too: both were in flight and sent once, in order.
func (e *Engine) popRun() {
	q := &e.sent
	if e.rack.valid && q.at(0).seq.Less(e.rack.fack) || e.pmtu.cut+e.pmtu.doubt > 0 {
		return // it comes late, and RACK is to know; or its size matters
	}
	r, n, una := q.at(0), 0, e.snd.una
	if !r.plain() {
		return
	}
	first := r.seq
	for n < q.n-1 {
		next := q.at(n + 1)
		if !next.plain() || una.Less(next.end()) {
			break
		}
		e.trains.arrived(r)
		e.pmtu.most = max(e.pmtu.most, int(r.size))
		e.ecn.proven = e.ecn.proven || r.flags&recECT != 0
		r = next
		n++
	}
	q.popRun(n, r.seq.Sub(first))
	e.count.SegmentsDelivered += uint64(n)
	e.rate.delivered += int64(r.seq.Sub(first))
}

// plain reports whether r is in flight, was sent once, and is neither a SYN nor a probe.
func (r *record) plain() bool {
	return r.state == inFlight && r.times == 1 && r.flags&(recSYN|recProbe) == 0
}

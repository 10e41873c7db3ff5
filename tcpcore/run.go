package tcpcore

import "example.com/culvert/tcpcore/segment"

// Most segments of a transfer are like the one before them. What follows does for a run of such
// segments at once what is otherwise asked of each.

// sendRun sends, behind a new segment that was just sent, as many more as are like it: full, of
// the same train, with data behind them, within the windows and the pace.
func (e *Engine) sendRun(b *trainer, end segment.Seq) {
	s, q := &e.snd, &e.sent
	last, size := *q.at(q.len() - 1), s.mss
	n := min(end.Sub(s.nxt)-1, s.una.Add(s.wnd).Sub(s.nxt), e.window()-e.pipe()) / size
	if e.ctl == nil || n <= 0 || int(last.size) != size || last.flags&^(recECT|recLimited) != 0 || s.marks.pending() {
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
	rack := e.sack && !e.cfg.NoRACK
	for i := range n {
		r := q.at(q.n + i)
		*r = last
		r.seq = last.seq.Add((i + 1) * size)
		r.place += uint8(i + 1)
		r.rate.order += uint32(i + 1)
		r.rate.txInFlight += int32((i + 1) * size)
		if rack {
			e.rack.queue.push(xmit{r.seq, r.rate.order})
		}
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
	at := len(t.Buf)
	t.Buf = grown(t.Buf, n*step)
	off := seq.Sub(e.sndData())
	for range n {
		h := t.Buf[at : at+step]
		copy(h, t.Buf[:b.n])
		segment.PutSeq(h, seq)
		segment.PutFlags(h, b.hdr.Flags)
		e.snd.buf.peek(off, h[b.n:])
		at, off, seq = at+step, off+size, seq.Add(size)
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
	if e.rack.valid && q.at(0).seq.Less(e.rack.fack) {
		return // it comes late, and RACK is to know
	}
	for q.n > 1 && q.at(0).plain() {
		r, next := q.at(0), q.at(1)
		if !next.plain() || e.snd.una.Less(next.end()) {
			break
		}
		e.count.SegmentsDelivered++
		e.trains.arrived(r)
		e.pmtu.most = max(e.pmtu.most, r.data())
		e.ecn.proven = e.ecn.proven || r.flags&recECT != 0
		e.rate.delivered += int64(r.size)
		q.pop()
	}
}

// plain reports whether r is in flight, was sent once, and is neither a SYN nor a probe.
func (r *record) plain() bool {
	return r.state == inFlight && r.times == 1 && r.flags&(recSYN|recProbe) == 0
}

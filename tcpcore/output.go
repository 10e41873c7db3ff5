package tcpcore

import (
	"math"
	"time"

	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// Output fills t with what is to be sent next and reports whether there was anything.
// It is called until it reports false, after Input, Advance and the user's calls.
func (e *Engine) Output(now Time, t *Train) bool {
	t.Buf, t.Data, t.HeadSize, t.SegmentSize, t.TrafficClass = t.Buf[:0], nil, 0, 0, e.cfg.TrafficClass
	if e.reply.due {
		e.sendReply(now, t)
		return true
	}
	if e.state == Closed || e.state == Listen {
		return false
	}
	if e.rec.undo.frto == frtoNew && e.sendNew(now, t) {
		return true // RFC 5682 section 3.1, step 2b
	}
	if e.retransmit(now, t) || e.sendNew(now, t) || e.sendTLP(now, t) || e.sendProbe(now, t) {
		return true
	}
	return e.sendACK(now, t)
}

// segment makes the reset.
func (r *reply) segment() segment.Segment {
	return segment.Segment{SrcPort: r.srcPort, DstPort: r.dstPort, Seq: r.seq, Ack: r.ack, Flags: r.flags}
}

func (e *Engine) sendReply(now Time, t *Train) {
	s := e.reply.segment()
	if e.ts.on && e.reply.dstPort == e.remote {
		e.timestamp(now, &s) // "SHOULD be sent in an <RST> segment" (RFC 7323 section 3.2)
	}
	e.reply = reply{}
	e.emit(t, &s)
}

// emit appends a single segment to an empty train.
func (e *Engine) emit(t *Train, s *segment.Segment) {
	t.Buf = s.Append(t.Buf)
	t.SegmentSize = len(t.Buf)
	e.count.SegmentsSent++
}

// header begins a segment with everything that depends on the receive side alone.
func (e *Engine) header(now Time, seq segment.Seq, flags segment.Flags) segment.Segment {
	s := segment.Segment{SrcPort: e.p.LocalPort, DstPort: e.remote, Seq: seq, Flags: flags}
	if flags.Has(segment.ACK) {
		s.Ack = e.rcv.nxt
		s.Window = e.offer(now)
		if e.ecn.echo {
			s.Flags |= segment.ECE
		}
	}
	if e.ts.on {
		e.timestamp(now, &s) // "in every non-<RST> segment" (RFC 7323 section 3.2)
	}
	return s
}

func (e *Engine) timestamp(now Time, s *segment.Segment) {
	s.Options.HasTimestamps = true
	s.Options.TSVal, s.Options.TSEcr = e.tsClock(now), e.ts.recent
}

// acknowledged notes that a segment with our ACK goes out.
func (e *Engine) acknowledged() {
	e.rcv.lastAck = e.rcv.nxt
	if e.ack.pending > 0 && e.ack.quick > 0 {
		e.ack.quick--
	}
	e.ack.pending, e.ack.segments = 0, 0
	e.timer.stop(tDelayedACK)
	// SACK blocks travel on pure ACKs, so that the segments of a train stay equal:
	// what is owed to a hole is still owed.
	if !e.sack || e.rcv.q.empty() && e.rcv.q.dup.Left == e.rcv.q.dup.Right {
		e.ack.now = false
	}
}

// offer returns the window field, and moves the offered right edge. It moves only by
// amounts that are worth it (receiver's silly window avoidance, section 3.8.6.2.2, MUST-39),
// and never left (SHLD-14); where scaling rounds the field down, what was offered
// before is honoured all the same (RFC 7323 section 2.4).
func (e *Engine) offer(now Time) uint16 {
	r := &e.rcv
	free := e.room()
	wnd := r.edge.Sub(r.nxt)
	shift := r.shift
	if shift == 0 {
		free = e.wholeSegments(free)
	}
	if free-wnd >= min(e.maxOffer()/2, e.rmss()) {
		wnd = max(wnd, free&^(1<<shift-1))
	} else if up := (wnd + 1<<shift - 1) &^ (1<<shift - 1); up <= free {
		wnd = up // down would look like a window that shrinks
	}
	field := min(max(wnd, 0)>>shift, 0xffff)
	if edge := r.nxt.Add(field << shift); r.edge.Less(edge) {
		r.edge = edge
		r.tune.offered(now, edge)
	}
	r.freed = min(r.freed, max(0, free-field<<shift))
	return uint16(field)
}

// wholeSegments rounds a window down to a multiple of what we announced where Config.RoundWindow says so.
func (e *Engine) wholeSegments(wnd int) int {
	mss := e.receiveMSS()
	if e.ts.on {
		mss -= timestampsLen
	}
	if e.cfg.RoundWindow && wnd > mss {
		wnd -= wnd % mss
	}
	return wnd
}

// synWindow is the window that our SYN offers, which is never scaled. Whatever buffers
// become during the handshake, it is what the first one offered.
func (e *Engine) synWindow() int {
	if e.state == SynSent {
		return e.rcv.syn
	}
	return min(max(0, e.rcv.edge.Sub(e.rcv.nxt)), 0xffff)
}

// room is the largest window that may be offered now.
func (e *Engine) room() int {
	return max(0, min(max(e.receiveLimit(), 1<<e.rcv.shift)-e.rcv.buf.len(), e.maxOffer(), 0xffff<<e.rcv.shift))
}

// maxOffer is RCV.BUFF of section 3.8.6.2.2: the largest window ever offered. It is
// no less than the window scale can express, or the window would never open.
func (e *Engine) maxOffer() int {
	n := e.receiveLimit()
	if e.cfg.WindowClamp > 0 {
		n = min(n, e.cfg.WindowClamp)
	}
	return max(n, 1<<e.rcv.shift)
}

// corkMax is how long a cork holds, as in Linux.
const corkMax = 200 * time.Millisecond

// windowUpdateDue reports whether the room that Read made is worth an ACK of its own:
// a segment or two, and a peer that may be near the end of what it was offered. Room that
// was there before it read is none of its making (section 3.8.6.2.2).
func (e *Engine) windowUpdateDue() bool {
	free := e.room()
	wnd := e.rcv.edge.Sub(e.rcv.nxt)
	mss := e.rmss()
	return min(free-wnd, e.rcv.freed) >= min(e.maxOffer()/2, 2*mss) && (free >= 2*wnd || wnd < 2*mss)
}

// sendACK sends a pure ACK, or a keep-alive probe.
func (e *Engine) sendACK(now Time, t *Train) bool {
	seq := e.snd.nxt
	switch {
	case e.state == SynSent:
		return false
	case e.wanted.keepAlive:
		// Below the window and without data (SHLD-12): it must be answered.
		e.wanted.keepAlive = false
		e.count.KeepAliveProbes++
		seq = seq.Add(-1)
	case !e.ack.now:
		return false
	}
	s := e.header(now, seq, segment.ACK)
	more := false
	if e.sack {
		room := segment.MaxSACK
		if e.ts.on {
			room-- // 40 octets less 12
		}
		more = e.rcv.q.blocks(&s.Options, room)
	}
	e.acknowledged()
	e.ack.now = more
	if !e.sack && e.ack.dups > 1 {
		e.ack.dups--
		e.ack.now = true
	} else {
		e.ack.dups = 0
	}
	e.emit(t, &s)
	return true
}

// A trainer builds a train of data segments: one header, of which the sequence number
// and the flags change.
type trainer struct {
	e   *Engine
	t   *Train
	hdr segment.Segment
	n   int   // header length
	k   uint8 // segments so far
	// room is how much data from the first segment on lies in one piece in the send
	// buffer, of a train that leaves it there.
	room int
}

// gatherFrom is how large a segment must be to be worth leaving where it is: the system
// takes longer for many short pieces than a copy does.
const gatherFrom = 4096

// gather lets the train leave its data in the send buffer, if its first segment, of size
// octets from seq on, is worth that and lies there in one piece. It is for data that was never
// sent: what a peer acknowledges makes room for other data, perhaps while the train is
// still on its way to the carrier.
func (b *trainer) gather(seq segment.Seq, size int) {
	e := b.e
	if !e.p.Gather || size < gatherFrom {
		return
	}
	off := seq.Sub(e.sndData())
	if p, _ := e.snd.buf.at(off, e.snd.buf.len()-off); len(p) >= size {
		b.room, b.t.Data = len(p), p[:0]
	}
}

// fits reports whether a segment with size octets can join the train.
func (b *trainer) fits(size int) bool {
	if len(b.t.Buf) == 0 {
		return true
	}
	n := len(b.t.Buf) + len(b.t.Data)
	whole := n%b.t.SegmentSize == 0 // none was shorter
	return whole && b.n+size <= b.t.SegmentSize && b.hdr.Flags&segment.URG == 0 &&
		n+b.n+size <= MaxTrainBytes && n/b.t.SegmentSize < MaxTrainSegments &&
		(b.room == 0 || len(b.t.Data)+size <= b.room)
}

// add appends a segment with size octets of the send buffer from seq on.
func (b *trainer) add(seq segment.Seq, size int, flags segment.Flags) {
	e, t := b.e, b.t
	if size > 0 && seq.Add(size) == e.sndEnd() {
		flags |= segment.PSH // no more is buffered (MUST-61, SHLD-27)
	}
	start := len(t.Buf)
	if start == 0 {
		b.hdr.Seq = seq
		if e.snd.urgent && seq.Less(e.snd.up) {
			b.hdr.Flags |= segment.URG
			b.hdr.Urgent = uint16(min(e.snd.up.Sub(seq), 0xffff))
		}
		t.Buf = b.hdr.Append(t.Buf)
		b.n = len(t.Buf)
		t.SegmentSize = b.n + size
		if need := min(MaxTrainBytes, MaxTrainSegments*t.SegmentSize); cap(t.Buf) < t.SegmentSize {
			t.Buf = append(make([]byte, 0, need), t.Buf...)
		}
	} else {
		t.Buf = append(t.Buf, t.Buf[:b.n]...)
		segment.PutSeq(t.Buf[start:], seq)
	}
	segment.PutFlags(t.Buf[start:], b.hdr.Flags|flags)
	b.hdr.Flags &^= segment.CWR // on one segment only
	if b.room > 0 {
		t.Data, t.HeadSize = t.Data[:len(t.Data)+size], b.n
	} else if size > 0 {
		end := len(t.Buf)
		t.Buf = grown(t.Buf, size)
		e.snd.buf.peek(seq.Sub(e.sndData()), t.Buf[end:])
	}
	b.k++
	e.count.SegmentsSent++
	if size > 0 {
		e.count.DataSegmentsSent++
		e.count.BytesSent += uint64(size)
	}
}

// grown returns b longer by n bytes of whatever content.
func grown(b []byte, n int) []byte {
	if len(b)+n <= cap(b) {
		return b[:len(b)+n]
	}
	return append(b, make([]byte, n)...)
}

// retransmit sends lost segments again, as far as the congestion window allows and
// within the peer's window, even if that shrank (SHLD-16).
func (e *Engine) retransmit(now Time, t *Train) bool {
	i := e.sent.nextLost()
	if i < 0 || e.rec.undo.doubt {
		return false
	}
	if e.sent.at(i).flags&recSYN != 0 {
		e.sendSYN(now, t, i)
		return true
	}
	b := trainer{e: e, t: t}
	for ; i >= 0; i = e.sent.nextLost() {
		r := e.sent.at(i)
		size := r.data()
		room := e.snd.una.Add(e.snd.wnd).Sub(r.seq)
		if room <= 0 || room < min(size, e.snd.mss) && i > 0 {
			break // a small piece is worth it only at the left edge
		}
		n := min(size, e.snd.mss, room)
		if p := e.pipe(); !e.rec.first && p > 0 && p+n > e.window() {
			e.pace.idle()
			break
		}
		if !b.fits(n) || !e.paceAllows(now, n) {
			break
		}
		if n < size {
			e.sent.split(i, n)
		}
		e.rec.first = false
		e.sendRecord(now, &b, i)
	}
	if len(t.Buf) == 0 {
		return false
	}
	e.wanted.tlp = false // what goes out asks as well as a probe
	e.sentSomething(now)
	return true
}

// sendAgain sends record i once more in a train of its own, whatever the congestion
// window and the pace say, and reports whether the peer's window allowed it.
func (e *Engine) sendAgain(now Time, t *Train, i int) bool {
	r := e.sent.at(i)
	n := r.data()
	if r.flags&recSYN != 0 || n > e.snd.mss || e.snd.una.Add(e.snd.wnd).Sub(r.seq) < n {
		return false
	}
	e.sendRecord(now, &trainer{e: e, t: t}, i)
	e.sentSomething(now)
	return true
}

// sendRecord appends record i to the train.
func (e *Engine) sendRecord(now Time, b *trainer, i int) {
	r := e.sent.at(i)
	if len(b.t.Buf) == 0 {
		b.hdr = e.header(now, r.seq, segment.ACK)
	}
	flags := segment.Flags(0)
	if r.flags&recFIN != 0 {
		flags = segment.FIN
	}
	if r.flags&recPSH != 0 {
		flags |= segment.PSH
	}
	r.place = b.k
	b.add(r.seq, r.data(), flags)
	e.resent(now, i)
	e.count.BytesRetransmitted += uint64(r.data())
}

// resent notes that record i goes out again.
func (e *Engine) resent(now Time, i int) {
	if e.sent.at(i).state == inFlight {
		e.sent.mark(i, lost) // a probe: that it may be lost is why it is sent
	}
	r := e.sent.at(i)
	if r.times < math.MaxUint8 {
		r.times++
	}
	if r.flags &^= recECT; r.flags&recProbe != 0 {
		e.mtuProbeFailed(now, r, false)
	}
	e.rec.undo.retransmitted(e, now, r)
	e.transmitted(now, r, true)
	e.sent.mark(i, inFlight)
	e.count.Retransmits++
	if i == 0 && e.timer.on(tRetransmit) {
		// "a segment is never retransmitted too early, i.e., less than one RTO after the
		// previous transmission of that segment" (RFC 6298 section 5).
		e.timer.set(tRetransmit, now.Add(e.rtt.timeout(e.cfg)))
	}
}

// transmitted notes that r, which is not counted as in flight, goes out now.
func (e *Engine) transmitted(now Time, r *record, again bool) {
	r.sentAt = now
	r.rate.order = e.sent.next
	e.sent.next++
	if e.ctl == nil {
		return
	}
	size, pipe := int(r.size), e.pipe()
	s := congestion.Send{Now: time.Duration(now), InFlight: pipe, Retransmit: again, RTO: e.rtt.rto}
	if pipe == 0 {
		s.IdleAppLimited = e.rate.appLimited != 0
		if since := now.Sub(e.snd.lastSent); e.sent.len() == 0 && since >= e.rtt.rto {
			s.Idle, s.IdleFor = true, since
		}
	}
	e.ctl.OnSend(s)
	e.rate.onSend(now, r, pipe)
	if e.sack && !e.cfg.NoRACK {
		e.rack.queue.push(xmit{r.seq, r.rate.order})
	}
	e.pace.sent(size)
	e.snd.lastSent = now
	if e.rec.phase == fastRecovery {
		e.rec.prr.onSend(size)
	}
}

// paceAllows asks the pacer for a segment, and arms the timer if it must wait.
func (e *Engine) paceAllows(now Time, size int) bool {
	if e.ctl == nil || e.wanted.beyond {
		return true
	}
	rate := e.ctl.PacingRate()
	if rate <= 0 || e.pace.allow(now, rate, e.snd.mss, size) {
		return true
	}
	e.timer.set(tPace, e.pace.due)
	return false
}

// sentSomething does what every segment that takes sequence space asks for.
func (e *Engine) sentSomething(now Time) {
	e.snd.max = e.snd.max.Max(e.snd.nxt)
	if e.state != SynSent {
		e.answered(now)
		e.acknowledged()
	}
	// RFC 6298 (5.1): "if the timer is not running, start it".
	if e.sent.len() > 0 && !(e.snd.synAcked && e.snd.wnd == 0) {
		e.timer.arm(tRetransmit, now.Add(e.rtt.timeout(e.cfg)))
	}
}

// sendSYN sends our SYN, or SYN-ACK: the first time if i is negative, else record i again.
func (e *Engine) sendSYN(now Time, t *Train, i int) {
	flags := segment.SYN
	if e.state != SynSent {
		flags |= segment.ACK
	}
	flags |= e.ecnSYN()
	s := segment.Segment{SrcPort: e.p.LocalPort, DstPort: e.remote, Seq: e.snd.iss, Flags: flags,
		Window: uint16(e.synWindow()), Options: e.synOptions(now)}
	if flags.Has(segment.ACK) {
		s.Ack = e.rcv.nxt
	}
	e.emit(t, &s)
	if i < 0 {
		e.snd.nxt = e.snd.iss.Add(1)
		e.sent.push(record{seq: e.snd.iss, size: 1, sentAt: now, times: 1, flags: recSYN})
	} else {
		e.resent(now, i)
	}
	e.sentSomething(now)
}

// sendNew sends what was written and not yet sent, and the FIN behind it.
func (e *Engine) sendNew(now Time, t *Train) bool {
	s := &e.snd
	if !s.synAcked && s.nxt == s.iss {
		e.sendSYN(now, t, -1)
		return true
	}
	end := e.sndEnd()
	if !e.hasNew(end) {
		s.limited = false
		return false
	}
	b := trainer{e: e, t: t}
	probe, wait := 0, false
	if now >= e.pmtu.next {
		probe, wait = e.mtuProbe(now, end)
	}
	for !wait && e.hasNew(end) {
		size, fin, ok := e.nextSize(now, end)
		if !ok || !b.fits(size) || !e.paceAllows(now, size) {
			break
		}
		if probe > 0 {
			size, fin = probe, false
		}
		if len(t.Buf) == 0 {
			b.hdr = e.header(now, s.nxt, segment.ACK)
			b.gather(s.nxt, size)
			if e.ecn.on && !e.ecn.mute {
				t.TrafficClass |= 2 // ECT(0), on new data only (RFC 3168 section 6.1.5)
			}
			if e.ecn.cwr {
				b.hdr.Flags |= segment.CWR
				e.ecn.cwr = false
			}
		}
		r := e.sent.slot()
		*r = record{seq: s.nxt, size: uint32(size), times: 1, place: b.k}
		if t.TrafficClass&3 != 0 {
			r.flags |= recECT
		}
		flags := segment.Flags(0)
		if fin {
			flags = segment.FIN
			r.flags |= recFIN
			r.size++
		}
		if size > 0 && (s.marks.pass(s.nxt.Add(size)) || e.cfg.PushWrites && s.nxt.Add(size) == end) {
			flags |= segment.PSH
			r.flags |= recPSH
		}
		if probe > 0 {
			r.flags |= recProbe
			e.mtuProbeSent(size)
		}
		b.add(s.nxt, size, flags)
		s.nxt = s.nxt.Add(int(r.size))
		e.transmitted(now, r, false)
		e.sent.commit()
		if e.wanted.beyond || probe > 0 {
			break // a probe is a train of its own
		}
	}
	if len(t.Buf) > 0 {
		e.wanted.override, e.wanted.tlp = false, false
		e.timer.stop(tPersist)
		if s.refused && e.cfg.NotSentLowWater > 0 && e.sendRoom() >= (e.cfg.NotSentLowWater+1)/2 {
			s.refused = false
			e.events |= EvWritable
		}
		e.sentSomething(now)
		e.armProbe(now)
		return true
	}
	e.waitForWindow(now)
	return false
}

// hasNew reports whether data or the FIN has not been sent once.
func (e *Engine) hasNew(end segment.Seq) bool {
	return e.snd.nxt.Less(end) || e.snd.fin && e.snd.nxt == end && !e.snd.finAcked
}

// nextSize decides whether a segment may be sent now and how much data it has: as much
// as the windows allow, in full segments where possible (SHLD-28), with the Nagle algorithm
// (section 3.7.4) and the sender's silly window avoidance (section 3.8.6.2.1).
func (e *Engine) nextSize(now Time, end segment.Seq) (size int, fin, ok bool) {
	s := &e.snd
	d := end.Sub(s.nxt)                  // D: queued but not sent
	u := s.una.Add(s.wnd).Sub(s.nxt)     // U: usable window; negative if it shrank (MUST-34)
	part := s.marks.recordFrom(s.nxt, d) // of it, up to the end of a record
	size = min(part, s.mss, max(u, 0))   // what a segment could carry
	fin = s.fin && size == d && u > d    // the FIN takes an octet of the window
	if size == 0 && !fin {
		s.limited = false // the peer's window is the limit
		return 0, false, false
	}
	if p := e.pipe(); p > 0 && p+size > e.window() && !e.wanted.beyond {
		s.limited = true
		e.pace.idle()
		return 0, false, false
	}
	idle := s.una == s.nxt || e.cfg.NoDelay || s.fin || s.urgent || e.wanted.beyond
	if e.cfg.Cork && size < s.mss && part == d && !s.fin && !e.wanted.override {
		e.timer.arm(tCork, now.Add(corkMax))
		return 0, false, false
	}
	switch {
	case size == s.mss: // (1) a full segment
	case size == part && part < d: // a record that is complete: nothing can join it
	case idle && d <= u: // (2) all there is
	case idle && 2*size >= s.maxWnd: // (3) half of the largest window
	case e.wanted.override: // (4)
	default:
		return 0, false, false
	}
	return size, fin, true
}

// waitForWindow sees to it that the peer's window is asked for when nothing that is
// outstanding will bring news of it (MUST-36).
func (e *Engine) waitForWindow(now Time) {
	switch {
	case !e.snd.synAcked:
	case e.snd.wnd == 0:
		e.armPersist(now)
	case e.sent.len() == 0:
		e.armOverride(now)
	}
}

// sendProbe sends a zero-window probe: the octet at SND.UNA, or the FIN; or nothing in a place
// that has been acknowledged (Config.EmptyProbes). It does not
// advance SND.NXT, so that our ACKs stay acceptable to a peer whose window is closed.
func (e *Engine) sendProbe(now Time, t *Train) bool {
	if !e.wanted.probe {
		return false
	}
	e.wanted.probe = false
	if e.snd.wnd > 0 || !e.unfinished() {
		return false
	}
	if e.cfg.EmptyProbes {
		s := e.header(now, e.snd.una.Add(-1), segment.ACK)
		e.count.ZeroWindowProbes++
		e.acknowledged()
		e.emit(t, &s)
		return true
	}
	b := trainer{e: e, t: t, hdr: e.header(now, e.snd.una, segment.ACK)}
	if e.snd.buf.len() > 0 {
		b.add(e.snd.una, 1, 0)
	} else {
		b.add(e.snd.una, 0, segment.FIN)
	}
	e.snd.max = e.snd.max.Max(e.snd.una.Add(1))
	e.count.ZeroWindowProbes++
	e.acknowledged()
	return true
}

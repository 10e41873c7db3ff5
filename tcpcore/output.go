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
	if !e.owesSACK() {
		e.ack.now = false
	}
	e.ack.held = false
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
		most, ok := e.spreadAllows(now, size)
		if !ok {
			break
		}
		n := min(e.pmtu.cutAgain(e, size), most, room)
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
		e.spreadSent(now, n)
		e.pmtu.cutSent(e, n)
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
	if rate <= 0 {
		e.pace.unpaced()
		return true
	}
	if e.pace.allow(now, rate, e.snd.mss, size) {
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
		e.sendRun(&b, end)
	}
	if len(t.Buf) > 0 {
		e.wanted.override, e.wanted.tlp = false, false
		e.timer.stop(tPersist)
		e.timer.stop(tCork)
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
	if e.spreadWaits() || e.pmtu.cut > 0 && e.sent.count[lost] > 0 {
		return 0, false, false
	}
	if p := e.pipe(); p > 0 && p+size > e.window() && !e.wanted.beyond {
		s.limited = true
		e.pace.idle()
		return 0, false, false
	}
	idle := s.una == s.nxt || e.cfg.NoDelay || s.fin || s.urgent || e.wanted.beyond
	if size < s.mss && part == d && !s.fin && !e.wanted.override {
		switch {
		case e.cfg.Cork:
			e.timer.arm(tCork, now.Add(corkMax))
			return 0, false, false
		case e.holdsRest(d):
			e.timer.arm(tCork, now.Add(restMax))
			return 0, false, false
		}
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

package tcpcore

import "example.com/culvert/tcpcore/segment"

// Input is SEGMENT ARRIVES (RFC 9293 section 3.10.7). It may trim s, and keeps no reference to
// it or its payload. It reports whether the segment was a SYN that ends TIME-WAIT in
// favour of a new connection (RFC 6191, MAY-2): the engine is then CLOSED, and the SYN
// belongs to the listener.
func (e *Engine) Input(now Time, s *segment.Segment) (reopen bool) {
	e.count.SegmentsReceived++
	if len(s.Payload) > 0 {
		e.count.DataSegmentsReceived++
	}
	switch e.state {
	case Closed:
		e.inputClosed(s)
	case Listen:
		e.inputListen(now, s)
	case SynSent:
		e.inputSynSent(now, s)
	case TimeWait:
		return e.inputTimeWait(now, s)
	default:
		if !e.inputNext(now, s) {
			e.inputOther(now, s)
		}
	}
	return false
}

// inputClosed is section 3.10.7.1.
func (e *Engine) inputClosed(s *segment.Segment) { e.refuse(s) }

// refuse makes the reset of section 3.10.7.1 due, whose numbers are acceptable to
// whoever sent s. It takes the place of no other reset: if one is due to s, it says as
// much, and that of an abort says more than an answer to what arrived after it.
func (e *Engine) refuse(s *segment.Segment) {
	if s.Flags.Has(segment.RST) || e.reply.due {
		return
	}
	e.reply = refusal(s)
}

func refusal(s *segment.Segment) reply {
	r := reply{due: true, srcPort: s.DstPort, dstPort: s.SrcPort}
	if s.Flags.Has(segment.ACK) {
		r.seq, r.flags = s.Ack, segment.RST
	} else {
		r.ack, r.flags = s.Seq.Add(s.Len()), segment.RST|segment.ACK
	}
	return r
}

// inputListen is section 3.10.7.2.
func (e *Engine) inputListen(now Time, s *segment.Segment) {
	// First, check for a RST.
	if s.Flags.Has(segment.RST) {
		return
	}
	// Second, check for an ACK.
	if s.Flags.Has(segment.ACK) {
		e.refuse(s)
		return
	}
	// Third, check for a SYN.
	if !s.Flags.Has(segment.SYN) {
		return
	}
	e.remote = s.SrcPort
	e.chooseISS(now)
	e.takeSYN(now, s)
	e.setState(now, SynReceived)
	// "any other incoming control or data (combined with SYN) will be processed in
	// the SYN-RECEIVED state"
	e.processText(now, s)
}

// inputSynSent is section 3.10.7.3.
func (e *Engine) inputSynSent(now Time, s *segment.Segment) {
	// First, check the ACK bit.
	acceptable := false
	if s.Flags.Has(segment.ACK) {
		if s.Ack.LessEq(e.snd.iss) || s.Ack.Greater(e.snd.nxt) {
			e.refuse(s)
			return
		}
		acceptable = true
	}
	// Second, check the RST bit. (A RST without ACK could be from anybody.)
	if s.Flags.Has(segment.RST) {
		if acceptable {
			e.closeWith(now, ErrRefused)
		}
		return
	}
	// Fourth, check the SYN bit.
	if !s.Flags.Has(segment.SYN) {
		return // fifth
	}
	e.takeSYN(now, s)
	if acceptable {
		e.advanceUna(now, s, new(acked))
		e.restartRetransmit(now)
		e.setWindow(s)
		e.setState(now, Established)
		e.ack.now = true
	} else {
		// Simultaneous open (MUST-10): our SYN goes out again, as a SYN-ACK.
		e.setWindow(s)
		e.setState(now, SynReceived)
		if e.sent.len() > 0 {
			e.sent.mark(0, lost)
			e.timer.stop(tRetransmit)
		}
	}
	// "continue processing at the sixth step"
	e.checkURG(s)
	e.processText(now, s)
}

// takeSYN initializes the receive side from the peer's SYN, and takes its options.
// On return s begins behind the SYN.
func (e *Engine) takeSYN(now Time, s *segment.Segment) {
	o := &s.Options
	e.rcv.irs = s.Seq
	e.rcv.nxt = s.Seq.Add(1)
	e.rcv.lastAck = e.rcv.nxt
	e.rcv.edge = e.rcv.nxt.Add(e.rcv.syn)
	e.snd.wnd = int(s.Window) // "never scaled" in a SYN (RFC 7323 section 2.2)
	e.snd.maxWnd = max(e.snd.maxWnd, e.snd.wnd)
	if o.MSS != 0 {
		e.snd.peerMSS = int(o.MSS)
	}
	e.sack = o.SACKPermitted && !e.cfg.NoSACK
	e.ts.on = o.HasTimestamps && !e.cfg.NoTimestamps
	if e.ts.on {
		e.ts.record(now, o.TSVal)
	}
	if o.HasWindowScale && !e.cfg.NoWindowScale {
		e.scaled = true
		// A shift above 14 counts as 14 (RFC 7323 section 2.3).
		e.snd.shift = min(o.WindowScale, 14)
		e.rcv.shift = e.rcv.offered
	}
	e.ecnTakeSYN(s)
	e.setMSS()
	if e.state == Listen {
		// Now it is known whether timestamps take a part of each segment.
		e.rcv.edge = e.rcv.nxt.Add(e.wholeSegments(min(e.room(), 0xffff)))
	}
	e.keep.lastRecv = now
	s.Seq = s.Seq.Add(1)
	s.Flags &^= segment.SYN
}

// setWindow takes over SND.WND, SND.WL1 and SND.WL2 from a handshake segment, whose
// SYN, if it had one, is trimmed off.
func (e *Engine) setWindow(s *segment.Segment) {
	e.snd.wl1, e.snd.wl2 = s.Seq, s.Ack
}

// inputOther is section 3.10.7.4, for the states from SYN-RECEIVED on but TIME-WAIT.
func (e *Engine) inputOther(now Time, s *segment.Segment) {
	e.keep.lastRecv, e.keep.probes = now, 0
	if e.state == SynReceived && s.Flags.Has(segment.SYN) && s.Seq == e.rcv.irs {
		e.ecnTakeSYNAgain(s)
	}
	if e.state == SynReceived && !e.passive && s.Flags.Has(segment.SYN|segment.ACK) && s.Seq == e.rcv.irs {
		// The other half of a simultaneous open (figure 8): of a segment that
		// straddles the window "only the new parts are processed", here the ACK.
		s.Seq = s.Seq.Add(1)
		s.Flags &^= segment.SYN
		s.Window >>= e.snd.shift // a SYN's is not scaled (RFC 7323 section 2.2), all below is
	}
	// RFC 7323 section 5.3 (R1): PAWS comes before the acceptability test.
	if e.pawsReject(now, s) {
		return
	}
	// First, check sequence number.
	if !e.checkSequence(now, s) {
		return
	}
	// Second, check the RST bit.
	if s.Flags.Has(segment.RST) {
		e.checkRST(now, s)
		return
	}
	// RFC 7323 section 4.3 (2): the timestamp to echo is of the segment that made
	// the left edge of what was last acknowledged.
	if e.ts.on && s.Options.HasTimestamps && s.Seq.LessEq(e.rcv.lastAck) {
		e.ts.record(now, s.Options.TSVal)
		if !e.rcv.q.empty() {
			e.ts.holeMoves(e.rcv.nxt)
		}
	}
	// Fourth, check the SYN bit.
	if s.Flags.Has(segment.SYN) {
		if e.state == SynReceived && e.passive {
			e.returnToListen(now)
		} else {
			e.challenge(now)
		}
		return
	}
	// Fifth, check the ACK field.
	if !e.checkACK(now, s) {
		return
	}
	e.ecnReceive(s)
	// Sixth, check the URG bit.
	e.checkURG(s)
	// Seventh, process the segment text. Eighth, check the FIN bit.
	e.processText(now, s)
}

// checkSequence is the first step: the acceptability test of table 6. It answers an
// unacceptable segment and reports false, or trims what is beyond the window.
func (e *Engine) checkSequence(now Time, s *segment.Segment) bool {
	n, wnd := s.Len(), e.rcv.edge.Sub(e.rcv.nxt)
	switch {
	case s.Seq.In(e.rcv.nxt, wnd):
		return true
	case n == 0 && wnd == 0 && s.Seq == e.rcv.nxt:
		return true
	case n > 0 && wnd > 0 && s.Seq.Add(n-1).In(e.rcv.nxt, wnd):
		return true
	case n > 0 && wnd == 0 && s.Seq == e.rcv.nxt && !s.Flags.Has(segment.SYN):
		// "special allowance should be made to accept valid ACKs, URGs, and RSTs":
		// all but the text is looked at (MUST-66). This is how a window probe arrives.
		s.Payload = nil
		s.Flags &^= segment.FIN
		e.ack.now = true
		return true
	case s.Flags.Has(segment.RST):
		return false
	}
	if n == 0 || s.Flags.Has(segment.SYN) {
		// Two ends that disagree must not answer each other's ACKs for ever
		// (RFC 5961 section 7).
		e.challenge(now)
		return false
	}
	e.count.DuplicateSegments++
	if s.Seq.Less(e.rcv.nxt) {
		e.hurry() // an ACK of ours may have been lost
		e.rcv.q.duplicate(s.Seq, s.Seq.Add(len(s.Payload)).Min(e.rcv.nxt))
	}
	e.ack.now = true
	return false
}

// checkRST is the second step, with the three checks of RFC 5961 section 3.2, the
// first of which (outside the window) checkSequence has done. Data in a RST is of no
// interest (SHLD-2).
func (e *Engine) checkRST(now Time, s *segment.Segment) {
	if s.Seq != e.rcv.nxt {
		e.challenge(now)
		return
	}
	switch e.state {
	case SynReceived:
		if e.passive {
			e.returnToListen(now)
		} else {
			e.closeWith(now, ErrRefused)
		}
	case Closing, LastAck:
		// Both sides are done, unless data of ours was still on its way.
		if e.snd.buf.len() > 0 {
			e.closeWith(now, ErrReset)
		} else {
			e.closeWith(now, nil)
		}
	default:
		e.closeWith(now, ErrReset)
	}
}

// returnToListen undoes SYN-RECEIVED: "The user need not be informed."
func (e *Engine) returnToListen(now Time) {
	count, events, p := e.count, e.events, e.p
	*e = Engine{cfg: e.cfg, owned: e.owned, passive: true, count: count, events: events}
	e.timer.init()
	e.open(p)
	e.setState(now, Listen)
}

// checkACK is the fifth step. It reports whether processing goes on.
func (e *Engine) checkACK(now Time, s *segment.Segment) bool {
	if !s.Flags.Has(segment.ACK) {
		return false
	}
	if e.state == SynReceived {
		if !e.snd.una.Less(s.Ack) || s.Ack.Greater(e.snd.nxt) {
			e.refuse(s)
			return false
		}
		e.advanceUna(now, s, new(acked))
		e.restartRetransmit(now)
		e.snd.wnd = int(s.Window) << e.snd.shift
		e.snd.maxWnd = max(e.snd.maxWnd, e.snd.wnd)
		e.setWindow(s)
		e.setState(now, Established)
		return true
	}
	// RFC 5961 section 5.2 (MAY-12): SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT.
	if s.Ack.Less(e.snd.una.Add(-e.snd.maxWnd)) || s.Ack.Greater(e.snd.max) {
		e.challenge(now)
		return false
	}
	e.processACK(now, s)
	switch {
	case !e.snd.finAcked:
		// In CLOSING and LAST-ACK nothing but an ACK is of interest, but text and
		// FIN are ignored in those states by the steps below.
	case e.state == FinWait1:
		e.setState(now, FinWait2)
		if e.orphan {
			e.armOrphan(now)
		}
	case e.state == Closing:
		e.setState(now, TimeWait)
		return false
	case e.state == LastAck:
		e.closeWith(now, nil)
		return false
	}
	return true
}

// checkURG is the sixth step. The urgent pointer designates the octet following the
// urgent data (MUST-62); the user is told when it appears or advances (MUST-32).
func (e *Engine) checkURG(s *segment.Segment) {
	if !s.Flags.Has(segment.URG) || !e.state.canReceive() {
		return
	}
	up := s.Seq.Add(int(s.Urgent))
	if e.rcv.urgent && up.LessEq(e.rcv.up) || up.LessEq(e.rcv.nxt.Add(-e.rcv.buf.len())) {
		return
	}
	e.rcv.up, e.rcv.urgent = up, true
	e.events |= EvUrgent
}

// challenge makes an ACK due that lets an honest peer find out where we are (RFC
// 5961). Their number is limited per connection, so that an attacker can neither make
// us flood nor, as with a global limit, observe others (CVE-2016-5696).
func (e *Engine) challenge(now Time) {
	if e.limit.allow(now) {
		e.count.ChallengeACKs++
		e.ack.now = true
	}
}

// challengeLimit allows challengeBurst answers in each challengePeriod (RFC 5961
// section 7 suggests 10 in 5 seconds).
type challengeLimit struct {
	since Time
	n     uint8
}

const (
	challengeBurst  = 10
	challengePeriod = Time(5e9)
)

func (l *challengeLimit) allow(now Time) bool {
	if l.n == 0 || now-l.since >= challengePeriod {
		l.since, l.n = now, 0
	}
	if l.n >= challengeBurst {
		return false
	}
	l.n++
	return true
}

package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// told is room for what a controller is told, so that telling allocates nothing.
type told struct {
	ack  congestion.Ack
	lost congestion.Lost
}

// tell returns the room, which an idle connection does without.
func (e *Engine) tell() *told {
	if e.told == nil {
		e.told = new(told)
	}
	return e.told
}

// acked is what one acknowledgment told, for congestion control and recovery.
type acked struct {
	bytes     int           // newly acknowledged cumulatively, of data
	sacked    int           // newly acknowledged selectively
	lost      int           // newly taken for lost
	flight    int           // in flight before
	fresh     time.Duration // since the latest record that was sent once and is newly acknowledged was sent
	rtt       time.Duration // sample, 0 if none
	rate      rateSample
	delivered int               // newly acknowledged in any way; without SACK an estimate
	advanced  bool              // SND.UNA moved
	quiet     bool              // it says nothing that was not known, but perhaps in SACK blocks
	dup       bool              // a duplicate ACK of RFC 5681 section 2
	dsack     bool              // it reports a duplicate (RFC 2883),
	duplicate segment.SACKBlock // this one
	ended     recoveryPhase     // a recovery that it ends
	original  bool              // something given up turns out to have arrived
	rackSet   bool              // the latest transmission
	rackOrder uint32            // among what is newly acknowledged
}

// processACK is the ESTABLISHED part of the fifth step of segment arrival.
func (e *Engine) processACK(now Time, s *segment.Segment) {
	e.pers.unanswered = 0
	if s.Ack.Less(e.snd.una) {
		return // an old duplicate: "it can be ignored"
	}
	if e.oldNews(s) {
		e.setWindow(s)
		return
	}
	e.checkAppLimited()
	a := acked{flight: e.pipe(), advanced: e.snd.una.Less(s.Ack)}
	// RFC 5681 section 2: outstanding data, no data, no SYN or FIN, the same
	// acknowledgment and the same window.
	a.quiet = !a.advanced && s.Len() == 0 && int(s.Window)<<e.snd.shift == e.snd.wnd
	a.dup = a.quiet && e.sent.len() > 0
	if a.dup {
		e.count.DuplicateACKs++
	}
	delivered, segments := e.rate.delivered, e.count.SegmentsDelivered
	if a.advanced {
		e.advanceUna(now, s, &a)
	}
	if e.sack {
		e.takeSACK(now, s, &a)
	}
	a.delivered = int(e.rate.delivered - delivered)
	if e.echoes(s) {
		e.count.SegmentsDeliveredCE += e.count.SegmentsDelivered - segments
	}
	// "If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK))"; and what
	// acknowledges something new is news, even from a segment sent again: SND.WND
	// counts from the SND.UNA that it brings.
	if a.advanced || e.snd.wl1.Less(s.Seq) || e.snd.wl1 == s.Seq && e.snd.wl2.LessEq(s.Ack) {
		e.updateWindow(now, int(s.Window)<<e.snd.shift)
		e.setWindow(s)
	}
	if a.rtt == 0 && a.sacked > 0 {
		a.rtt = a.fresh
	}
	if a.rtt > 0 {
		e.rtt.sample(now, e.cfg, a.rtt)
		e.tlp.stale = false
	}
	if e.ctl != nil {
		if r := &e.rec.answer; r.valid && r.until.Less(e.snd.una) {
			r.valid = false
		}
		if e.ecnEcho(s) {
			e.congestionEvent(now, congestion.ECN, 0, a.bytes)
		}
		e.recover(now, s, &a)
		if a.bytes+a.sacked > 0 {
			told := e.tell()
			told.ack = congestion.Ack{
				Now: time.Duration(now), Acked: a.bytes, Sacked: a.sacked, Prior: a.flight, InFlight: e.pipe(),
				Lost: a.lost, RTT: a.rtt, SRTT: e.rtt.srtt, MinRTT: e.rtt.min,
				InRecovery: e.rec.phase == fastRecovery, AfterRTO: e.rec.phase == afterTimeout || a.ended == afterTimeout,
				CwndLimited: e.snd.limited || e.rec.phase == afterTimeout,
				Delivered:   e.rate.delivered, TotalLost: e.rate.lost, Sample: e.sampleRate(&a),
			}
			if a.ended == fastRecovery {
				// It acknowledges all that arrived during the recovery, which does not count
				// towards the window.
				told.ack.Acked = min(a.bytes, a.delivered)
			}
			if e.echoes(s) {
				told.ack.Marked = a.bytes + a.sacked
			}
			e.ctl.OnAck(&told.ack)
		}
	}
	if a.advanced {
		e.restartRetransmit(now)
		e.wakeWriter() // the buffer's bound follows the window, which is known now
	}
	if a.advanced || a.sacked > 0 {
		e.armProbe(now)
	}
}

// oldNews reports whether an acknowledgment, which is no older than SND.UNA, is of no
// interest to anything below: the peer sends and we do not, so that nothing is
// outstanding, and its window is as it was. So are nearly all of a one-way transfer.
func (e *Engine) oldNews(s *segment.Segment) bool {
	w := &e.snd
	return s.Len() > 0 && s.Ack == w.una && e.sent.len() == 0 && s.Options.SACKCount == 0 && w.wnd > 0 && int(s.Window)<<w.shift == w.wnd &&
		e.rec.phase == open && !e.timer.on(tPersist) && s.Flags&(segment.ECE|segment.CWR) == 0 &&
		(w.wl1.Less(s.Seq) || w.wl1 == s.Seq && w.wl2.LessEq(s.Ack))
}

// restartRetransmit is RFC 6298 section 5 after an acknowledgment of something new: (5.2)
// turn the timer off when all is acknowledged, (5.3) else begin it anew.
func (e *Engine) restartRetransmit(now Time) {
	switch {
	case e.sent.len() == 0:
		e.timer.stop(tRetransmit)
	case !e.timer.on(tPersist):
		e.timer.set(tRetransmit, now.Add(e.rtt.timeout(e.cfg)))
	}
}

// advanceUna sets SND.UNA to SEG.ACK, which is in SND.UNA+1..SND.MAX, and frees what is
// thereby acknowledged.
func (e *Engine) advanceUna(now Time, s *segment.Segment, a *acked) {
	n := s.Ack.Sub(e.snd.una)
	e.snd.una = s.Ack
	e.snd.nxt = e.snd.nxt.Max(s.Ack) // a window probe was accepted
	e.snd.max = e.snd.max.Max(s.Ack)
	a.rtt = e.popAcked(now, s, a)
	if !e.snd.synAcked {
		e.snd.synAcked = true
		n--
		e.established(now, a.rtt)
		*a = acked{advanced: true}
	}
	a.bytes = min(n, e.snd.buf.len())
	e.snd.buf.drop(a.bytes)
	e.count.BytesAcked += uint64(a.bytes)
	if n > a.bytes {
		e.snd.finAcked = true
	}
	if e.snd.urgent && e.snd.up.LessEq(e.snd.una) {
		e.snd.urgent = false
	}
	e.rec.timeouts, e.rec.suspect = 0, false
	if e.snd.buf.len() == 0 {
		e.events |= EvAcked
		e.trimLater(now)
	}
	e.progress(now)
}

// popAcked removes the records below SND.UNA from the retransmission queue and returns
// an RTT sample, if Karn's rule (RFC 6298 section 3) and the timestamps allow one.
func (e *Engine) popAcked(now Time, s *segment.Segment, a *acked) time.Duration {
	again := false // something among them was sent more than once
	for e.sent.len() > 0 {
		e.popRun()
		r := e.sent.at(0)
		if !r.end().LessEq(e.snd.una) {
			if n := e.snd.una.Sub(r.seq); n > 0 {
				if r.state != sacked {
					e.rate.delivered += int64(n)
				}
				e.sent.trim(n)
			}
			break
		}
		again = again || r.times > 1
		if r.state != sacked {
			e.deliveredRecord(now, 0, s, a)
		}
		e.sent.pop()
	}
	sample := a.fresh
	if again {
		sample = 0
		// "unless the TCP timestamp option ... removes the ambiguity" (RFC 7323 section
		// 4.1: only a segment that acknowledges new data measures).
		if e.ts.on && s.Options.HasTimestamps && s.Options.TSEcr != 0 {
			// Rounded up, so that it never passes for the path's shortest round trip.
			ticks := e.tsClock(now) - s.Options.TSEcr + 1
			if d := time.Duration(ticks) * time.Millisecond; d < e.cfg.MaxRTO {
				sample = d
			}
		}
	}
	return sample
}

// established begins congestion control once our SYN is acknowledged.
func (e *Engine) established(now Time, rtt time.Duration) {
	if rtt > 0 {
		e.rtt.sample(now, e.cfg, rtt)
	}
	iw := e.initialWindow()
	if e.rec.synTimeouts > 0 {
		// RFC 5681 section 3.1: "If the SYN or SYN/ACK is lost, the initial window
		// used by a sender after a correctly transmitted SYN MUST be one segment".
		iw = e.snd.mss
		// RFC 6298 (5.7): an RTO below 3 seconds that fired for the SYN is made 3
		// seconds when data transmission begins.
		e.rtt.rto, e.rtt.backoff = max(e.rtt.rto, min(3*time.Second, e.cfg.MaxRTO)), 0
	}
	if e.sent.len() == 0 {
		e.sent.release() // many connections say nothing for long
	}
	e.startController(congestion.Start{Now: time.Duration(now), Window: iw, RTT: rtt})
	e.rec = recoveryState{}
	e.beginPath(now)
	e.rack.fack, e.rack.judged = e.snd.una, e.snd.una
	e.keep.lastRecv = now
	e.armKeepAlive(now)
	if rtt > 0 {
		e.rcv.tune.rtt.sample(now, rtt)
	}
	e.rcv.tune.begun = now
}

// updateWindow sets SND.WND (MUST-1, REC-1: an unsigned quantity of up to 30 bits) and
// begins or ends the probing of a closed window.
func (e *Engine) updateWindow(now Time, wnd int) {
	was := e.snd.wnd
	e.snd.wnd = wnd
	e.snd.maxWnd = max(e.snd.maxWnd, wnd)
	switch {
	case wnd == 0 && e.unfinished():
		// Not lost but unwelcome: probe instead of retransmitting (MUST-35, SHLD-17).
		e.timer.stop(tRetransmit)
		e.armPersist(now)
	case wnd > 0 && (was == 0 || e.timer.on(tPersist)):
		probed := e.pers.backoff > 0
		e.pers = persistState{}
		e.timer.stop(tPersist)
		e.wanted.probe = false
		if e.sent.len() > 0 {
			e.timer.arm(tRetransmit, now.Add(e.rtt.timeout(e.cfg)))
		}
		if was > 0 || !probed {
			break
		}
		// What lay beyond the window when it closed was thrown away by the peer; if it was
		// not closed for long, the usual means will tell.
		for i := range e.sent.len() {
			if e.sent.at(i).state == inFlight {
				e.sent.mark(i, lost)
			}
		}
	}
}

// unfinished reports whether anything is still to be sent or acknowledged.
func (e *Engine) unfinished() bool {
	return e.snd.buf.len() > 0 || e.snd.fin && !e.snd.finAcked
}

// sndEnd is the sequence number behind the last octet written, where the FIN is.
func (e *Engine) sndEnd() segment.Seq { return e.sndData().Add(e.snd.buf.len()) }

// sndData is the sequence number of the first octet in the send buffer.
func (e *Engine) sndData() segment.Seq {
	if !e.snd.synAcked {
		return e.snd.iss.Add(1)
	}
	return e.snd.una
}

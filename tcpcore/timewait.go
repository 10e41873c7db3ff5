package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// TimeWaitRecord is a connection in TIME-WAIT reduced to what its duty needs: to
// acknowledge the peer's FIN again, and to keep old duplicates out of a later
// connection (RFC 9293 section 3.6.1, MUST-13).
type TimeWaitRecord struct {
	expires          Time
	since            Time   // challengeLimit's, in the order that wastes nothing
	linger           uint32 // 2 MSL in milliseconds, which days of it fit
	sndNxt, rcvNxt   segment.Seq
	rcvWnd           uint32
	tsRecent         uint32
	tsOffset         uint32
	srcPort, dstPort uint16
	window           uint16 // as on the wire
	ts               timestampsUse
	n                uint8 // challengeLimit's
}

// timestampsUse is what a connection knows of timestamps.
type timestampsUse uint8

const (
	tsUnused  timestampsUse = iota // by this connection; the next one may
	tsRefused                      // Config.NoTimestamps
	tsUsed
)

// challenge reports whether a challenge ACK may be sent (RFC 5961 section 7).
func (r *TimeWaitRecord) challenge(now Time) bool {
	l := challengeLimit{r.since, r.n}
	ok := l.allow(now)
	r.since, r.n = l.since, l.n
	return ok
}

// enterTimeWait starts the time-wait timer.
func (e *Engine) enterTimeWait(now Time) {
	wnd := e.rcv.edge.Sub(e.rcv.nxt)
	e.tw = &TimeWaitRecord{
		linger: uint32((2*e.cfg.MSL + time.Millisecond - 1) / time.Millisecond),
		sndNxt: e.snd.nxt, rcvNxt: e.rcv.nxt, rcvWnd: uint32(max(wnd, 0)),
		tsRecent: e.ts.recent, tsOffset: e.p.TimestampOffset,
		srcPort: e.p.LocalPort, dstPort: e.remote,
		window: uint16(max(wnd, 0) >> e.rcv.shift),
	}
	switch {
	case e.ts.on:
		e.tw.ts = tsUsed
	case e.cfg.NoTimestamps:
		e.tw.ts = tsRefused
	}
	e.restartTimeWait(now)
}

func (e *Engine) restartTimeWait(now Time) {
	e.tw.restart(now)
	e.timer.set(tTimeWait, e.tw.expires)
}

func (r *TimeWaitRecord) restart(now Time) {
	r.expires = now.Add(time.Duration(r.linger) * time.Millisecond)
}

// inputTimeWait is section 3.10.7.4 in TIME-WAIT.
func (e *Engine) inputTimeWait(now Time, s *segment.Segment) (reopen bool) {
	v := e.tw.judge(now, s)
	switch {
	case v.reopen:
		e.closeWith(now, nil)
		return true
	case v.restart:
		e.restartTimeWait(now)
	}
	e.ack.now = e.ack.now || v.ack
	return false
}

// twVerdict is what TIME-WAIT makes of a segment.
type twVerdict struct{ ack, restart, reopen bool }

// judge decides about a segment, and keeps the record's account of challenges.
func (r *TimeWaitRecord) judge(now Time, s *segment.Segment) (v twVerdict) {
	switch {
	case s.Flags.Has(segment.RST):
		// RFC 1337 fix F1: a RST would end TIME-WAIT for the old duplicates too.
		return v
	case s.Flags.Has(segment.SYN) && !s.Flags.Has(segment.ACK) && r.newer(s):
		v.reopen = true
		return v
	case s.Flags.Has(segment.SYN):
		v.ack = r.challenge(now) // challenge ACK (RFC 5961 section 4.2)
		return v
	}
	n, wnd := s.Len(), int(r.rcvWnd)
	finAck := s.Flags.Has(segment.FIN | segment.ACK)
	if !s.Seq.In(r.rcvNxt, max(1, wnd)) && !(n > 0 && s.Seq.Add(n-1).In(r.rcvNxt, wnd)) {
		// "a retransmission of the remote FIN. Acknowledge it, and restart the 2 MSL
		// timeout." It lies just below the window.
		v.restart = finAck && s.Seq.Add(n) == r.rcvNxt
		v.ack = n > 0 || r.challenge(now)
		return v
	}
	switch {
	case !s.Flags.Has(segment.ACK):
		// Fifth step: dropped.
	case s.Ack.Greater(r.sndNxt):
		v.ack = r.challenge(now)
	case finAck:
		v.ack, v.restart = true, true
	}
	return v // "Ignore the segment text."
}

// newer reports whether a SYN can be told from an old duplicate (RFC 6191 section 2).
func (r *TimeWaitRecord) newer(s *segment.Segment) bool {
	later := s.Seq.Greater(r.rcvNxt.Add(-1)) // behind the sequence number of the peer's FIN
	o := &s.Options
	switch {
	case !o.HasTimestamps || r.ts == tsRefused:
		return later // "TCP Timestamps would not be enabled for the new incarnation"
	case r.ts == tsUnused:
		return true
	case o.TSVal == r.tsRecent:
		return later
	}
	return int32(o.TSVal-r.tsRecent) > 0
}

// Retire returns what must remain of a connection in TIME-WAIT whose user is gone.
// It reports false in any other state, or while there is something left to read or send.
func (e *Engine) Retire() (TimeWaitRecord, bool) {
	if e.state != TimeWait || e.rcv.buf.len() > 0 && !e.orphan || e.ack.now {
		return TimeWaitRecord{}, false
	}
	return *e.tw, true
}

// Expires tells when the record may be dropped. It may move later in Input.
func (r *TimeWaitRecord) Expires() Time { return r.expires }

// Last returns the last sequence number that we used, for Params.After of a connection
// that takes the record's place.
func (r *TimeWaitRecord) Last() segment.Seq { return r.sndNxt }

// reuseAfter is how long TIME-WAIT lasts at least before a connection of ours may follow: no less
// than a tick of any clock that RFC 7323 section 5.4 allows, so that its timestamps are newer.
const reuseAfter = time.Second

// Reusable reports whether a connection that this side opens may take the record's place, in
// which case it begins behind Last: timestamps tell the old duplicates from it (RFC 6191
// section 2, applied to our own SYN).
func (r *TimeWaitRecord) Reusable(now Time) bool {
	entered := r.expires.Add(-time.Duration(r.linger) * time.Millisecond)
	return r.ts == tsUsed && now.Sub(entered) >= reuseAfter
}

// Input handles a segment that arrives for the record: it appends a reply, if one is
// due, to b. reopen means that s is a SYN for a new connection (RFC 6191, RFC 9293 MAY-2):
// drop the record and let the listener, if there is one, have s.
func (r *TimeWaitRecord) Input(now Time, s *segment.Segment, b []byte) (reply []byte, reopen bool) {
	v := r.judge(now, s)
	if v.restart {
		r.restart(now)
	}
	if v.ack {
		a := segment.Segment{SrcPort: r.srcPort, DstPort: r.dstPort, Seq: r.sndNxt, Ack: r.rcvNxt,
			Flags: segment.ACK, Window: r.window}
		if r.ts == tsUsed {
			a.Options.HasTimestamps = true
			a.Options.TSVal = r.tsOffset + uint32(now/Time(time.Millisecond))
			a.Options.TSEcr = r.tsRecent
		}
		b = a.Append(b)
	}
	return b, v.reopen
}

// Refuse appends to b the reset that answers a segment for which there is no
// connection (RFC 9293 section 3.10.7.1); nothing if s is itself a reset.
func Refuse(b []byte, s *segment.Segment) []byte {
	if s.Flags.Has(segment.RST) {
		return b
	}
	r := refusal(s)
	a := r.segment()
	return a.Append(b)
}

package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// timestampsLen is what the timestamps option adds to a header, with its padding.
const timestampsLen = 12

// tsState is the timestamps option (RFC 7323 sections 3 to 5).
type tsState struct {
	on       bool
	valid    bool   // recent may be compared with
	recent   uint32 // TS.Recent
	recentAt Time
	overtaken
}

// overtaken is what TS.Recent was before that which fills a hole in the data raised it.
// RFC 7323 section 5.3 knows that it discards segments "unnecessarily" which a
// retransmission overtook, and takes this for unlikely. But on a path that reorders each
// loss of a bulk transfer meets some, and each of them is a loss more. PAWS guards against
// sequence numbers that come round again, and what is a quarter of their space old cannot:
// windows are no larger either (section 2.3), so an old duplicate was sent before half of it.
type overtaken struct {
	floor uint32
	from  segment.Seq // RCV.NXT then
}

// overtakenFor is for how many bytes of progress the floor is good, in which the next one
// is taken halfway.
const overtakenFor = 1 << 30

// tsClock is the timestamp clock: a tick per millisecond (RFC 7323 section 5.4), from
// an offset of the connection's own.
func (e *Engine) tsClock(now Time) uint32 {
	return e.p.TimestampOffset + uint32(now/Time(time.Millisecond))
}

// record sets TS.Recent, which never goes back.
func (t *tsState) record(now Time, val uint32) {
	if !t.valid || int32(val-t.recent) >= 0 {
		t.recent, t.recentAt, t.valid = val, now, true
	}
}

// holeOpens is told that data is held beyond a hole, where RCV.NXT is nxt.
func (t *tsState) holeOpens(nxt segment.Seq) { t.overtaken = overtaken{t.recent, nxt} }

// holeMoves is told that RCV.NXT is nxt and that there is a hole yet.
func (t *tsState) holeMoves(nxt segment.Seq) {
	if nxt.Sub(t.from) >= overtakenFor/2 {
		t.holeOpens(nxt)
	}
}

// wasOvertaken reports whether val, which is older than TS.Recent, is no older than the
// hole in the data.
func (t *tsState) wasOvertaken(nxt segment.Seq, val uint32) bool {
	return nxt.Sub(t.from) < overtakenFor && int32(val-t.floor) >= 0
}

// pawsIdle is how long TS.Recent is good for (RFC 7323 section 5.5: 24 days).
const pawsIdle = Time(24 * 24 * time.Hour)

// pawsReject is RFC 7323 section 5.3 (R1): a segment with an old timestamp is an old
// duplicate. A segment without the option is let through unless the user wants it
// otherwise: dropping it, which the RFC prefers (section 3.2), ends connections through
// middleboxes that strip options. So is what was overtaken.
func (e *Engine) pawsReject(now Time, s *segment.Segment) bool {
	if !e.ts.on || s.Flags.Has(segment.RST) {
		return false
	}
	if !s.Options.HasTimestamps {
		return e.cfg.StrictTimestamps
	}
	if now-e.ts.recentAt > pawsIdle {
		e.ts.valid = false // the next one counts, whatever it is
	}
	if !e.ts.valid || int32(s.Options.TSVal-e.ts.recent) >= 0 {
		return false
	}
	if !e.cfg.StrictTimestamps && !e.rcv.q.empty() && e.ts.wasOvertaken(e.rcv.nxt, s.Options.TSVal) {
		return false
	}
	e.count.PAWSDrops++
	if s.Len() == 0 {
		e.challenge(now)
	} else {
		e.ack.now = true
	}
	return true
}

// defaultMSS is the send MSS when the peer announces none (RFC 9293 MUST-15).
func defaultMSS(ipv6 bool) int {
	if ipv6 {
		return 1220
	}
	return 536
}

// minSendMSS is the least data we put into a full segment, whatever the peer
// announces: below, headers would be most of the traffic.
const minSendMSS = 32

// setMSS derives Eff.snd.MSS (RFC 9293 section 3.7.1, MUST-16): of the options only
// timestamps go with data.
func (e *Engine) setMSS() {
	e.snd.mss = e.mssOf(min(e.pmtu.size, segment.FixedHeaderLen+min(e.snd.peerMSS, e.receiveMSS())))
}

// receiveMSS is the MSS that we announce (MUST-67).
func (e *Engine) receiveMSS() int {
	mss := max(max(e.p.MMS, e.p.MaxMMS)-segment.FixedHeaderLen, MinMSS)
	if e.cfg.MSS > 0 {
		mss = min(mss, e.cfg.MSS)
	}
	return min(mss, MaxMSS)
}

// scaleFor is the receive buffer that a connection can be given later, unless it
// began with a small one.
const scaleFor = 8 << 20

// offeredShift is our window scale shift (RFC 7323 section 2.3): enough for the buffer,
// but so fine that rounding never matters to a small one.
func (e *Engine) offeredShift() uint8 {
	shift, size := uint8(0), e.cfg.ReceiveBuffer
	if size == 0 {
		size = e.cfg.MaxReceiveBuffer
	}
	if n := e.cfg.WindowScale; n != 0 {
		for int(shift) < n && 2<<shift <= size {
			shift++
		}
		return shift
	}
	for shift < 14 && 0xffff<<shift < max(size, scaleFor) && 512<<shift <= size {
		shift++
	}
	return shift
}

// synOptions are the options of our SYN, or of our SYN-ACK, which answers only what
// was offered.
func (e *Engine) synOptions(now Time) segment.Options {
	first := e.state == SynSent
	o := segment.Options{
		ScaleFirst:     e.cfg.ScaleFirst,
		MSS:            uint16(e.receiveMSS()),
		SACKPermitted:  e.sack || first && !e.cfg.NoSACK,
		HasTimestamps:  e.ts.on || first && !e.cfg.NoTimestamps,
		HasWindowScale: e.scaled || first && !e.cfg.NoWindowScale,
	}
	if o.HasTimestamps {
		o.TSVal, o.TSEcr = e.tsClock(now), e.ts.recent
	}
	if o.HasWindowScale {
		o.WindowScale = e.rcv.offered
	}
	return o
}

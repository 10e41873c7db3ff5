package tcpcore

import (
	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// rateState estimates the delivery rate (draft-ietf-ccwg-bbr, section "Detailed
// Delivery Rate Sampling Algorithm"); names are the draft's.
type rateState struct {
	delivered     int64 // C.delivered
	deliveredTime Time  // C.delivered_time
	firstSendTime Time  // C.first_send_time
	lost          int64 // C.lost
	appLimited    int64 // C.app_limited: C.delivered at the end of the phase; 0 if there is none
}

// sendSnapshot is what a segment notes of that when it is sent (P.* in the draft).
type sendSnapshot struct {
	delivered     int64
	deliveredTime Time
	firstSendTime Time
	lost          int64
	txInFlight    int32
	appLimited    bool
}

// onSend returns the snapshot of a segment that is sent with inFlight bytes, itself
// included, on their way.
func (r *rateState) onSend(now Time, inFlight, size int) sendSnapshot {
	if inFlight == size {
		// The pipe was empty: idle time is not the path's.
		r.firstSendTime, r.deliveredTime = now, now
	}
	return sendSnapshot{
		delivered: r.delivered, deliveredTime: r.deliveredTime, firstSendTime: r.firstSendTime,
		lost: r.lost, txInFlight: int32(inFlight), appLimited: r.appLimited != 0,
	}
}

// rateSample gathers what one acknowledgment delivers (RS.* in the draft).
type rateSample struct {
	newest record // the most recently sent of what was delivered
	valid  bool
}

// deliveredRecord is UpdateRateSample for one record.
func (e *Engine) deliveredRecord(now Time, r *record, a *acked) {
	e.rate.delivered += int64(r.size)
	e.rate.deliveredTime = now
	if s := &a.rate; !s.valid || sentAfter(r.sentAt, r.end(), s.newest.sentAt, s.newest.end()) {
		s.newest, s.valid = *r, true
	}
}

// sample is GenerateRateSample.
func (e *Engine) sampleRate(a *acked) (rs congestion.RateSample) {
	c := &e.rate
	if c.appLimited != 0 && c.delivered > c.appLimited {
		c.appLimited = 0
	}
	if !a.rate.valid {
		return rs
	}
	p := &a.rate.newest
	c.firstSendTime = p.sentAt
	interval := max(p.sentAt.Sub(p.rate.firstSendTime), c.deliveredTime.Sub(p.rate.deliveredTime))
	rs = congestion.RateSample{
		Delivered: c.delivered - p.rate.delivered, PriorDelivered: p.rate.delivered, Interval: interval,
		AppLimited: p.rate.appLimited, TxInFlight: int(p.rate.txInFlight), Lost: c.lost - p.rate.lost,
	}
	// "no sample if the interval is below the minimum RTT": it would exaggerate.
	if interval > 0 && interval >= e.rtt.min {
		rs.Rate = int64(float64(rs.Delivered) / interval.Seconds())
	}
	return rs
}

// checkAppLimited is CheckIfApplicationLimited: nothing to send, room to send it, and
// nothing lost that waits.
func (e *Engine) checkAppLimited() {
	if e.sndEnd().Sub(e.snd.nxt) < e.snd.mss && e.pipe() < e.window() && e.sent.bytes[lost] == 0 {
		e.rate.appLimited = max(e.rate.delivered+int64(e.pipe()), 1)
	}
}

// sentAfter orders transmissions (RFC 8985 section 6.1, RACK_sent_after).
func sentAfter(t1 Time, end1 segment.Seq, t2 Time, end2 segment.Seq) bool {
	return t1 > t2 || t1 == t2 && end2.Less(end1)
}

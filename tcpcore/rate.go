package tcpcore

import "example.com/culvert/tcpcore/congestion"

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
	order         uint32 // the transmission's number, P.packet_id
}

// onSend fills the snapshot of a record of size bytes, which is sent now when inFlight
// bytes are on their way (OnPacketSent).
func (c *rateState) onSend(now Time, r *record, inFlight int) {
	if inFlight == 0 {
		// The pipe was empty: idle time is not the path's.
		c.firstSendTime, c.deliveredTime = now, now
	}
	p := &r.rate
	p.delivered, p.deliveredTime, p.firstSendTime = c.delivered, c.deliveredTime, c.firstSendTime
	p.lost, p.txInFlight = c.lost, int32(inFlight+int(r.size))
	r.flags &^= recLimited
	if c.appLimited != 0 {
		r.flags |= recLimited
	}
}

// rateSample gathers what one acknowledgment delivers (RS.* in the draft).
type rateSample struct {
	newest record // the most recently sent of what was delivered
	valid  bool
}

// onDelivered is UpdateRateSample.
func (c *rateState) onDelivered(now Time, r *record, a *acked) {
	c.delivered += int64(r.size)
	c.deliveredTime = now
	if s := &a.rate; !s.valid || sentAfter(r.rate.order, s.newest.rate.order) {
		s.newest, s.valid = *r, true
	}
}

// sampleRate is GenerateRateSample.
func (e *Engine) sampleRate(a *acked) (rs congestion.RateSample) {
	c := &e.rate
	if c.appLimited != 0 && c.delivered > c.appLimited {
		c.appLimited = 0
	}
	if !a.rate.valid {
		return rs
	}
	r := &a.rate.newest
	p := &r.rate
	c.firstSendTime = r.sentAt
	interval := max(r.sentAt.Sub(p.firstSendTime), c.deliveredTime.Sub(p.deliveredTime))
	rs = congestion.RateSample{
		Delivered: c.delivered - p.delivered, PriorDelivered: p.delivered, Interval: interval,
		AppLimited: r.flags&recLimited != 0, TxInFlight: int(p.txInFlight), Lost: c.lost - p.lost,
	}
	// "no reliable rate sample" if the interval is below the minimum RTT.
	if interval > 0 && interval >= e.rtt.min {
		rs.Rate = int64(float64(rs.Delivered) / interval.Seconds())
	}
	return rs
}

// checkAppLimited is CheckIfApplicationLimited: nothing to send, room to send it, and
// nothing lost that waits. It is asked before anything may be sent that could not be sent
// before: on a Write, an acknowledgment, a timer.
func (e *Engine) checkAppLimited() {
	if e.ctl != nil && e.sndEnd().Sub(e.snd.nxt) < e.snd.mss && e.pipe() < e.window() && e.sent.count[lost] == 0 {
		e.rate.appLimited = max(e.rate.delivered+int64(e.pipe()), 1)
	}
}

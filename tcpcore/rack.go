package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// rackState is RACK (RFC 8985 section 5 and 6): a segment is lost when one sent
// sufficiently later has been delivered.
type rackState struct {
	xmitAt      Time          // RACK.xmit_ts: of the most recently sent segment that was delivered
	end         segment.Seq   // RACK.end_seq of it
	rtt         time.Duration // RACK.rtt of it
	fack        segment.Seq   // RACK.fack: end of the highest delivered
	valid       bool
	reordered   bool // RACK.reordering_seen
	mult        int  // RACK.reo_wnd_mult, 0 standing for 1
	persist     int  // RACK.reo_wnd_persist
	round       segment.Seq
	roundActive bool // RACK.dsack_round is round
	queue       xmitQueue
}

// reoWndPersist is for how many recoveries a widened reordering window stays.
const reoWndPersist = 16

// xmit is one transmission, in order of time.
type xmit struct {
	seq    segment.Seq
	sentAt Time
}

// xmitQueue holds the transmissions that were not yet judged, oldest first. An entry
// whose record has moved on (acknowledged, or sent again) is stale and skipped, so
// that each transmission is looked at once, however many are in flight.
type xmitQueue struct {
	xs   []xmit // a power of two or empty
	head int
	n    int
}

func (q *xmitQueue) push(x xmit) {
	if q.n == len(q.xs) {
		xs := make([]xmit, max(16, 2*len(q.xs)))
		for i := range q.n {
			xs[i] = q.xs[(q.head+i)&(len(q.xs)-1)]
		}
		q.xs, q.head = xs, 0
	}
	q.xs[(q.head+q.n)&(len(q.xs)-1)] = x
	q.n++
}

func (q *xmitQueue) front() xmit { return q.xs[q.head] }

func (q *xmitQueue) pop() {
	q.head = (q.head + 1) & (len(q.xs) - 1)
	q.n--
}

func (q *xmitQueue) release() { *q = xmitQueue{} }

// rackDelivered is steps 2 and 3 of RFC 8985 section 6.2 for one record that was newly
// acknowledged; records come in ascending order.
func (e *Engine) rackDelivered(now Time, r *record, s *segment.Segment) {
	k := &e.rack
	end := r.end()
	if !k.valid || k.fack.Less(end) {
		k.fack = end
	} else if end.Less(k.fack) && r.times == 1 {
		k.reordered = true
	}
	rtt := now.Sub(r.sentAt)
	if r.times > 1 {
		// Perhaps it is the original that was acknowledged.
		if e.ts.on && s.Options.HasTimestamps && int32(s.Options.TSEcr-e.tsClock(r.sentAt)) < 0 {
			return
		}
		if rtt < e.rtt.min {
			return
		}
	}
	k.rtt = rtt
	if !k.valid || sentAfter(r.sentAt, end, k.xmitAt, k.end) {
		k.xmitAt, k.end, k.valid = r.sentAt, end, true
	}
}

// rackDSACK is the first half of step 4: each round trip with a duplicate report
// widens the reordering window.
func (e *Engine) rackDSACK() {
	k := &e.rack
	if k.roundActive {
		return
	}
	k.round, k.roundActive = e.snd.nxt, true
	k.mult = max(k.mult, 1) + 1
	k.persist = reoWndPersist
}

// rackRecovered lets a widened window shrink again.
func (e *Engine) rackRecovered() {
	k := &e.rack
	if k.persist--; k.persist <= 0 {
		k.mult = 1
	}
}

// reoWnd is RACK_update_reo_wnd.
func (e *Engine) reoWnd() time.Duration {
	k := &e.rack
	if k.roundActive && k.round.LessEq(e.snd.una) {
		k.roundActive = false
	}
	if !k.reordered {
		if e.rec.phase != open || e.sent.count[sacked] >= dupThresh {
			return 0
		}
	}
	return min(time.Duration(max(k.mult, 1))*(e.rtt.min/4), e.rtt.srtt)
}

// rackDetect is step 5: it marks what is lost, arms the reordering timer for what may
// become so, and returns the bytes newly marked.
func (e *Engine) rackDetect(now Time) int {
	e.timer.stop(tReorder)
	k := &e.rack
	if !k.valid {
		return 0
	}
	wnd := e.reoWnd()
	found := 0
	for k.queue.n > 0 {
		x := k.queue.front()
		i, ok := e.onWire(x)
		if !ok {
			k.queue.pop()
			continue
		}
		r := e.sent.at(i)
		if !sentAfter(k.xmitAt, k.end, r.sentAt, r.end()) || r.times > 1 && r.sentAt == k.xmitAt {
			break // of what was sent at one time, what was sent again came last
		}
		if left := r.sentAt.Add(k.rtt + wnd).Sub(now); left > 0 {
			e.timer.set(tReorder, now.Add(left))
			break
		}
		k.queue.pop()
		found += e.markLost(now, i)
	}
	return found
}

// onWire finds the record that x sent, if it is still in flight from that sending.
func (e *Engine) onWire(x xmit) (i int, ok bool) {
	i = e.sent.find(x.seq.Max(e.snd.una))
	if i == e.sent.len() {
		return 0, false
	}
	r := e.sent.at(i)
	return i, r.sentAt == x.sentAt && r.state == inFlight
}

// tlpState is the tail loss probe (RFC 8985 section 7).
type tlpState struct {
	end     segment.Seq // TLP.end_seq, if active
	active  bool
	retrans bool // TLP.is_retrans
}

// armProbe starts the probe timer in place of the retransmission timer where section
// 7.2 allows it: something in flight, nothing selectively acknowledged, no recovery.
func (e *Engine) armProbe(now Time) {
	e.timer.stop(tProbe)
	if !e.sack || e.ctl == nil || e.rec.phase != open || e.sent.count[sacked] > 0 || e.tlp.active ||
		e.sent.count[inFlight] == 0 || e.snd.wnd == 0 {
		return
	}
	pto := time.Second
	if e.rtt.srtt > 0 {
		pto = 2 * e.rtt.srtt
		if e.snd.nxt.Sub(e.snd.una) <= e.snd.mss {
			pto += maxAckDelay
		}
	}
	at := now.Add(max(pto, minPTO))
	if e.timer.on(tRetransmit) && at >= e.timer[tRetransmit] {
		return // the retransmission timer comes first
	}
	e.timer.set(tProbe, at)
}

// maxAckDelay is TLP.max_ack_delay: what a lone segment's acknowledgment may be
// delayed by. minPTO spares probes where the timers are coarser than the path.
const (
	maxAckDelay = 200 * time.Millisecond
	minPTO      = 2 * time.Millisecond
)

// probeTimeout is TLP_send_probe: new data if there is some and the peer's window
// lets it, else the last segment again.
func (e *Engine) probeTimeout(now Time) {
	if e.rec.phase != open || e.sent.len() == 0 || e.snd.wnd == 0 {
		return
	}
	e.wanted.tlp = true
	// Section 7.3: "re-arm the RTO timer" once a probe was attempted.
	e.timer.set(tRetransmit, now.Add(e.rtt.timeout(&e.cfg)))
}

// sendTLP sends the probe that probeTimeout asked for.
func (e *Engine) sendTLP(now Time, t *Train) bool {
	if !e.wanted.tlp {
		return false
	}
	e.wanted.tlp = false
	if e.rec.phase != open || e.sent.len() == 0 {
		return false
	}
	e.count.TailLossProbes++
	if e.hasNew(e.sndEnd()) && e.snd.una.Add(e.snd.wnd).Sub(e.snd.nxt) > 0 {
		e.wanted.beyond = true // whatever the congestion window says, one segment
		ok := e.sendNew(now, t)
		e.wanted.beyond = false
		if ok {
			e.tlp = tlpState{end: e.snd.nxt, active: true}
			return true
		}
	}
	i := e.sent.len() - 1
	r := e.sent.at(i)
	if r.state != inFlight || r.flags&recSYN != 0 {
		return false
	}
	e.sent.mark(i, lost)
	e.rec.first = true
	if !e.retransmit(now, t) {
		return false
	}
	e.tlp = tlpState{end: e.snd.nxt, active: true, retrans: true}
	return true
}

// tlpAck is TLP_process_ack (section 7.4.2). It reports whether the probe repaired a
// loss, which congestion control must hear of.
func (e *Engine) tlpAck(s *segment.Segment, dsack, dup bool) (repaired bool) {
	p := &e.tlp
	if !p.active || s.Ack.Less(p.end) {
		return false
	}
	switch {
	case !p.retrans, dsack:
		p.active = false
	case p.end.Less(s.Ack):
		p.active = false
		return true
	case dup && s.Options.SACKCount == 0:
		p.active = false
	}
	return false
}

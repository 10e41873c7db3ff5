package tcpcore

import (
	"slices"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// rackState is RACK (RFC 8985 sections 5 and 6): a segment is lost when one sent
// sufficiently later has been delivered. Where the RFC orders transmissions by time, and
// those of one time by sequence number, they are numbered here: the order is then
// exact, also of what is sent twice within a tick of the clock.
type rackState struct {
	order       uint32        // RACK.xmit_ts and RACK.end_seq: the latest transmission that was delivered
	rtt         time.Duration // RACK.rtt
	fack        segment.Seq   // RACK.fack: end of the highest delivered
	valid       bool          // something was delivered
	reordered   bool          // RACK.reordering_seen
	roundActive bool          // RACK.dsack_round is round
	mult        int           // RACK.reo_wnd_mult, 0 standing for 1
	persist     int           // RACK.reo_wnd_persist
	round       segment.Seq
	queue       xmitQueue
	judged      segment.Seq // what is below was judged by count (Config.NoRACK),
	// by these, the highest records that were selectively acknowledged; the empty ones are last.
	highest [dupThresh]held
}

// reoWndPersist is for how many recoveries a widened reordering window stays.
const reoWndPersist = 16

// sentAfter orders transmissions by their numbers (RFC 8985 section 6.2, RACK_sent_after).
func sentAfter(a, b uint32) bool { return int32(a-b) > 0 }

// rackDelivered is steps 2 and 3 of RFC 8985 section 6.2 for record r, which s newly
// acknowledged; records come in ascending order.
func (e *Engine) rackDelivered(now Time, r *record, s *segment.Segment, a *acked) {
	k := &e.rack
	end := r.end()
	if !k.valid || k.fack.Less(end) {
		k.fack = end
	} else if end.Less(k.fack) && r.times == 1 {
		k.reordered = true
		e.count.Reorderings++
		e.count.ReorderingDegree = max(e.count.ReorderingDegree, k.fack.Sub(r.seq)/e.snd.mss)
	}
	rtt := now.Sub(r.sentAt)
	if r.times > 1 {
		// Perhaps it is an earlier transmission that was acknowledged. The echo tells
		// of what moved the left edge, and nothing of what SACK reports beyond it.
		if e.ts.on && s.Options.HasTimestamps && end.LessEq(s.Ack) && int32(s.Options.TSEcr-e.tsClock(r.sentAt)) < 0 {
			return
		}
		if rtt < e.rtt.min {
			return
		}
	}
	// The last one in the order of transmission counts, of each acknowledgment and of all.
	if !a.rackSet || sentAfter(r.rate.order, a.rackOrder) {
		k.rtt = rtt
		a.rackOrder, a.rackSet = r.rate.order, true
	}
	if !k.valid || sentAfter(r.rate.order, k.order) {
		k.order, k.valid = r.rate.order, true
	}
}

// rackAdapt is the first half of step 4: each round trip with a report of a duplicate
// widens the reordering window, and after 16 recoveries without one it is back where
// it began.
func (e *Engine) rackAdapt(duplicate, recovered bool) {
	k := &e.rack
	if k.roundActive && k.round.LessEq(e.snd.una) {
		k.roundActive = false
	}
	switch {
	case duplicate && !k.roundActive:
		k.round, k.roundActive = e.snd.nxt, true
		k.mult = max(k.mult, 1) + 1
		k.persist = reoWndPersist
	case recovered:
		if k.persist = max(k.persist-1, 0); k.persist == 0 {
			k.mult = 1
		}
	}
}

// reoWnd is RACK_update_reo_wnd, bounded by SRTT (section 3.3.2: "MUST be bounded").
func (e *Engine) reoWnd() time.Duration {
	k := &e.rack
	if !k.reordered && (e.rec.phase != open || e.sent.count[sacked] >= dupThresh) {
		return 0
	}
	return min(time.Duration(max(k.mult, 1))*e.rtt.min/4, e.rtt.srtt)
}

// rackDetect is step 5: it marks what is lost and returns how many bytes those are, and
// whether that is news to congestion control. It arms the reordering timer for what
// may become lost: for the first of it, where the RFC waits for the last, so that
// nothing is found later than it could be.
func (e *Engine) rackDetect(now Time) (found int, news bool) {
	e.timer.stop(tReorder)
	k := &e.rack
	if e.sent.len() == 0 {
		k.queue.clear()
	}
	if e.cfg.NoRACK {
		return e.dupThreshDetect(now)
	}
	if !k.valid {
		return 0, false
	}
	wnd := e.reoWnd()
	for k.queue.n > 0 {
		x := k.queue.front()
		i, ok := e.onWire(x)
		if !ok {
			k.queue.pop()
			continue
		}
		if !sentAfter(k.order, x.order) {
			break
		}
		if left := e.sent.at(i).sentAt.Add(k.rtt + wnd).Sub(now); left > 0 {
			e.timer.set(tReorder, now.Add(left))
			break
		}
		k.queue.pop()
		if e.forgiveProbe(now, i) || e.testFailed(now, i) {
			continue
		}
		found += e.markLost(now, i)
		news = news || e.rec.unanswered(x.order)
	}
	return found, news
}

// onWire finds the record that x sent, if it is still in flight from that sending.
func (e *Engine) onWire(x xmit) (i int, ok bool) {
	if e.snd.una.Less(x.seq) {
		i = e.sent.find(x.seq)
	}
	if i == e.sent.len() {
		return 0, false
	}
	r := e.sent.at(i)
	return i, r.rate.order == x.order && r.state == inFlight
}

// rackOnTimeout reports whether record i, in flight when the retransmission timer
// fires, is to be given up (section 6.3): the first, and what was sent long enough ago.
func (e *Engine) rackOnTimeout(now Time, i int, wnd time.Duration) bool {
	return i == 0 || !e.sack || e.cfg.NoRACK || e.sent.at(i).sentAt.Add(e.rack.rtt+wnd) <= now
}

// requeue fills the queue anew when records are in flight again that were given up.
func (e *Engine) requeue() {
	q := &e.rack.queue
	q.clear()
	if e.rack.judged = e.snd.una; e.cfg.NoRACK {
		return
	}
	for i := range e.sent.len() {
		if r := e.sent.at(i); r.state == inFlight {
			q.push(xmit{r.seq, r.rate.order})
		}
	}
	// From a cleared queue on, its storage is in order.
	slices.SortFunc(q.xs[:q.n], func(a, b xmit) int { return int(int32(a.order - b.order)) })
}

// xmit is one transmission.
type xmit struct {
	seq   segment.Seq
	order uint32
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
		q.grow()
	}
	q.xs[(q.head+q.n)&(len(q.xs)-1)] = x
	q.n++
}

// pushRun pushes x and what follows it, n transmissions of size octets in all.
func (q *xmitQueue) pushRun(x xmit, size, n int) {
	for q.n+n > len(q.xs) {
		q.grow()
	}
	xs := q.xs
	for i := q.head + q.n; n > 0; i, n = i+1, n-1 {
		xs[i&(len(xs)-1)] = x
		x = xmit{x.seq.Add(size), x.order + 1}
		q.n++
	}
}

func (q *xmitQueue) grow() {
	xs := make([]xmit, max(4, 2*len(q.xs)))
	for i := range q.n {
		xs[i] = q.xs[(q.head+i)&(len(q.xs)-1)]
	}
	q.xs, q.head = xs, 0
}

func (q *xmitQueue) front() xmit { return q.xs[q.head] }

func (q *xmitQueue) pop() {
	q.head = (q.head + 1) & (len(q.xs) - 1)
	q.n--
}

func (q *xmitQueue) clear() { q.head, q.n = 0, 0 }

func (q *xmitQueue) release() { *q = xmitQueue{} }

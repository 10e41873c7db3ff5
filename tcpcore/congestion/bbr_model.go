package congestion

import "time"

// bbrRound counts packet-timed round trips.
type bbrRound struct {
	nextDelivered int64 // BBR.next_round_delivered
	start         bool  // BBR.round_start
	count         int64 // BBR.round_count
}

// bbrBandwidth is the model of the data rate.
type bbrBandwidth struct {
	filter [2]int64 // BBR.max_bw_filter: the previous and the current ProbeBW cycle
	bw     int64    // BBR.bw
}

// max is BBR.max_bw.
func (w *bbrBandwidth) max() int64 { return max(w.filter[0], w.filter[1]) }

// bbrMinRTT is the model of the round trip time, which also schedules ProbeRTT.
type bbrMinRTT struct {
	min        time.Duration // BBR.min_rtt
	stamp      time.Duration // BBR.min_rtt_stamp
	probeMin   time.Duration // BBR.probe_rtt_min_delay
	probeStamp time.Duration // BBR.probe_rtt_min_stamp
	expired    bool          // BBR.probe_rtt_expired
}

const noRTT = time.Duration(infinite)

func (m *bbrMinRTT) init(s Start) {
	m.min, m.probeMin = noRTT, noRTT
	if s.RTT > 0 {
		m.min, m.probeMin = s.RTT, s.RTT
	}
	m.stamp, m.probeStamp = s.Now, s.Now
}

func (m *bbrMinRTT) known() bool { return m.min != noRTT }

// bbrExtraAcked estimates aggregation.
type bbrExtraAcked struct {
	start     time.Duration // BBR.extra_acked_interval_start
	delivered int64         // BBR.extra_acked_delivered
	filter    maxFilter     // BBR.extra_acked_filter, over round trips
	extra     int64         // BBR.extra_acked
}

// extraAckedFilterLen is BBR.ExtraAckedFilterLen.
const extraAckedFilterLen = 10

func (b *BBR) startRound() { b.round.nextDelivered = b.conn.delivered }

func (b *BBR) updateRound() {
	r := &b.round
	r.start = b.rs.Delivered > 0 && b.rs.PriorDelivered >= r.nextDelivered
	b.queue.note(b.conn.rtt, b.rs.AppLimited, r.start)
	if r.start {
		b.startRound()
		r.count++
		b.probe.roundsSinceUp++
	}
}

// updateMaxBw takes a sample into the filter. What the application limited only says
// that the path carries at least as much.
func (b *BBR) updateMaxBw() {
	b.updateRound()
	if r := b.rs.Rate; r > 0 && (r >= b.bw.max() || !b.rs.AppLimited) {
		b.bw.filter[1] = max(b.bw.filter[1], r)
	}
}

// advanceMaxBwFilter begins a cycle. One in which nothing was measured does not count, or
// two of them would leave no estimate.
func (b *BBR) advanceMaxBwFilter() {
	if b.bw.filter[1] > 0 {
		b.bw.filter = [2]int64{b.bw.filter[1], 0}
	}
}

func (b *BBR) boundBWForModel() { b.bw.bw = min(b.bw.max(), b.bounds.bwShortterm) }

func (b *BBR) updateMinRTT() {
	m, now := &b.minRTT, b.conn.now
	m.expired = now > m.probeStamp+b.p.probeRTTInterval
	if rtt := b.conn.rtt; rtt > 0 && (rtt < m.probeMin || m.expired) {
		m.probeMin, m.probeStamp = rtt, now
	}
	// A round trip time near the minimum shows as well as ProbeRTT that the queue is empty, to
	// all who share it, and that the minimum still holds. The draft has ProbeRTT find the same.
	if rtt := b.conn.rtt; !b.p.literal && rtt > 0 && m.known() && rtt <= m.min+m.min/64 {
		m.stamp, m.probeStamp = now, now
	}
	if m.probeMin < m.min || now > m.stamp+b.p.minRTTFilterLen {
		m.min, m.stamp = m.probeMin, m.probeStamp
	}
}

// updateACKAggregation measures by how much acknowledgments run ahead of the bandwidth.
func (b *BBR) updateACKAggregation() {
	e := &b.extra
	expected := volume(b.bw.bw, b.conn.now-e.start)
	if e.delivered <= expected {
		e.delivered, e.start, expected = 0, b.conn.now, 0
	}
	e.delivered += b.conn.newly
	window := int64(1) // in Startup, just remember one round
	if b.full.reached {
		window = extraAckedFilterLen
	}
	e.extra = e.filter.update(min(e.delivered-expected, b.ctl.cwnd), b.round.count, window)
}

// bdpOf is a bandwidth-delay product: BDPMultiple(bw, gain).
func (b *BBR) bdpOf(bw int64, gain ratio) int64 {
	if !b.minRTT.known() {
		return b.conn.initial
	}
	return gain.of(volume(bw, b.minRTT.min))
}

func (b *BBR) bdp() int64 { return b.bdpOf(b.bw.bw, one) }

// targetInflight is the BDP, unless congestion cut the window.
func (b *BBR) targetInflight() int64 { return min(b.bdp(), b.ctl.cwnd) }

// inflight is Inflight(bw, gain): what to have in flight for it, hosts considered.
func (b *BBR) inflight(bw int64, gain ratio) int64 { return b.quantizationBudget(b.bdpOf(bw, gain)) }

// minPipeCwnd is BBR.MinPipeCwnd.
func (b *BBR) minPipeCwnd() int64 { return 4 * b.conn.mss }

func (b *BBR) quantizationBudget(n int64) int64 {
	n = max(n, 3*b.ctl.sendQuantum) // BBR.offload_budget, for TCP
	n = max(n, b.minPipeCwnd())
	if b.state == probeBWUp {
		n += 2 * b.conn.mss
	}
	return n
}

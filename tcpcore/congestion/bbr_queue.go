package congestion

import "time"

// bbrQueue is what round trip times tell of the queue, by which this implementation goes
// beyond the draft, which waits for rates and losses to tell:
//
//   - Startup and ProbeBW_UP end once the queue is there that they are to make: queueInStartup,
//     queueInUp.
//   - In ProbeBW_CRUISE a queue that grows is drained, and the bandwidth corrected: cruise. So
//     cruising need not keep below the bandwidth (pacingMargin).
//   - ProbeBW_DOWN ends when others keep the queue full: drainingInVain. Until a queue was
//     drained, more losses are theirs, and probes follow each other sooner: lossThresh, probeRounds.
//
// And updateMinRTT spares the path a ProbeRTT. With Literal none of this happens.
type bbrQueue struct {
	// The smallest round trip time of this round trip, of how many samples, and that of the
	// round trip before; whether a sample of it is application-limited.
	least    time.Duration
	samples  int
	last     time.Duration
	limited  bool
	lastFull bool

	floor  time.Duration // the smallest when this cycle of ProbeBW had drained its queue
	low    time.Duration // the smallest since CRUISE began, in its first two round trips
	cruise int           // round trips in CRUISE
	others bool          // the queue is not this flow's alone

	drainFrom time.Duration // the queue's delay when DOWN began
	drainBy   time.Duration // when it should be gone
}

// queueSamples is how many round trip times are enough to tell a queue from chance, as in
// HyStart++ (RFC 9406 section 4.2, N_RTT_SAMPLE).
const queueSamples = 8

func (q *bbrQueue) init() {
	q.least, q.last, q.floor, q.low, q.drainBy = noRTT, noRTT, noRTT, noRTT, noRTT
}

// note takes in a sample; start begins a round trip with it.
func (q *bbrQueue) note(rtt time.Duration, limited, start bool) {
	if start {
		q.last, q.lastFull = q.least, !q.limited
		q.least, q.samples, q.limited = noRTT, 0, false
	}
	if rtt > 0 {
		q.least = min(q.least, rtt)
		q.samples++
	}
	q.limited = q.limited || limited
}

// slack is by how much a round trip time must be longer to show a queue: a part of the
// path's, and no less than the pacer's bursts make.
func (b *BBR) slack(part time.Duration) time.Duration {
	return max(b.minRTT.min/part, time.Millisecond)
}

// queueInStartup is whether the rate has not grown in a round trip, and each segment of the next
// one waits in a queue. The draft wants three round trips without growth, in which
// the queue overflows.
func (b *BBR) queueInStartup() bool {
	q := &b.queue
	return !b.p.literal && b.state == startup && b.full.count >= 1 && b.minRTT.known() &&
		q.samples >= queueSamples && q.least > b.minRTT.min+b.slack(4)
}

// queueInUp is whether the rate did not grow in the first round trip that shows ProbeBW_UP's
// effect, and the queue has what the gain was to put there. The draft wants two such
// round trips.
func (b *BBR) queueInUp() bool {
	return !b.p.literal && b.full.count >= 2 && !b.queue.others && b.conn.inFlight > b.inflight(b.bw.max(), b.p.upGain)
}

// startDrain is told that DOWN begins.
func (b *BBR) startDrain() {
	q := &b.queue
	q.drainBy = noRTT
	bw := b.bw.max()
	excess, drained := b.conn.inFlight-b.inflight(bw, one), (one - b.ctl.pacingGain).of(bw)
	if excess > 0 && drained > 0 && b.minRTT.known() {
		q.drainFrom = timeOf(excess, bw)
		q.drainBy = b.conn.now + b.minRTT.min + timeOf(excess, drained)
	}
}

// drainingInVain is whether the time has passed in which DOWN drains its queue, and it is still
// there. By the draft DOWN would give way to others until it is time to probe.
func (b *BBR) drainingInVain() bool {
	q := &b.queue
	if b.p.literal || b.conn.now <= q.drainBy || b.conn.rtt <= 0 {
		return false
	}
	q.drainBy = noRTT
	q.others = b.conn.rtt-b.minRTT.min > q.drainFrom/2
	return q.others
}

// Beside a flow that keeps the queue full and does not answer to losses, as version 1 of BBR, most
// losses are of its making, and the queue does not get shorter for what is given up.
const (
	// othersLossThresh is BBR.LossThresh then, in millionths.
	othersLossThresh ratio = 70_000
	// othersRounds divides the round trips between two probes: such a flow probes each eight.
	othersRounds = 4
)

// lossThresh is BBR.LossThresh, and whether fewer losses are no signal while BBR does not probe.
func (b *BBR) lossThresh() (thresh ratio, tolerant bool) {
	if b.queue.others {
		return max(b.p.lossThresh, othersLossThresh), true
	}
	return b.p.lossThresh, b.p.tolerant
}

// probeRounds is the most round trips between two probes.
func (b *BBR) probeRounds() int64 {
	if b.queue.others {
		return max(b.p.rounds/othersRounds, 1)
	}
	return b.p.rounds
}

// drained is what to have in flight when a queue is drained: where CRUISE knows
// the round trip time without it, not less than that asks for.
func (b *BBR) drained() int64 {
	bw := b.bw.max()
	if f := b.queue.floor; f != noRTT {
		return max(b.inflight(bw, one), volume(bw, f))
	}
	return b.inflight(bw, one)
}

// startCruise is told that CRUISE begins.
func (b *BBR) startCruise() { b.queue.cruise, b.queue.low = 0, noRTT }

// cruise goes back to DOWN when in CRUISE each segment of a round trip waited in a queue that
// was not there when CRUISE began. Since BBR sends no faster than its bandwidth, that is too
// large, as the maximum of many samples easily is; what was delivered past a queue
// is what the path carries. By the draft the queue would stay until the
// next probe, and the estimate for two of them.
func (b *BBR) cruise() {
	q := &b.queue
	if b.p.literal || !b.round.start || !b.minRTT.known() {
		return
	}
	if q.cruise++; q.cruise <= 2 {
		q.low = min(q.low, q.last)
		return
	}
	if q.cruise == 3 {
		switch {
		case q.floor == noRTT:
			q.floor = q.low
		case q.low > q.floor+b.slack(16):
			q.others = true // draining did not help
		}
	}
	if q.others || !q.lastFull || q.last == noRTT || q.floor == noRTT || q.last <= q.floor+b.slack(16) {
		return
	}
	most := max(b.latest.bw, b.p.beta.of(b.bw.max()))
	for i := range b.bw.filter {
		b.bw.filter[i] = min(b.bw.filter[i], most)
	}
	b.enter(probeBWDown)
	b.startDrain()
}

// pacingMargin is what is left of a rate after the margin that keeps the queue short.
func (b *BBR) pacingMargin() ratio {
	if b.state == probeBWCruise && !b.p.literal {
		return one
	}
	return b.p.pace
}

package congestion

import "time"

// bbrLatest is the delivery process of the last round trip, as losses ask for it.
type bbrLatest struct {
	bw             int64 // BBR.bw_latest
	path           int64 // the same without what BBR held back
	inflight       int64 // BBR.inflight_latest
	carried        int64 // the same with what was lost on the way
	roundDelivered int64 // BBR.loss_round_delivered
	roundStart     bool  // BBR.loss_round_start
	lossInRound    bool  // BBR.is_loss_in_round
	markInRound    bool  // the same for ECN marks

	ranges  int64  // discontiguous ranges lost in this round trip
	nextSeq uint32 // behind the last one

	noted   bool // a loss opened the round trip at notedAt
	notedAt time.Duration
}

// bbrBounds are the long-term and the short-term model.
type bbrBounds struct {
	longterm          int64 // BBR.inflight_longterm
	bwShortterm       int64 // BBR.bw_shortterm
	inflightShortterm int64 // BBR.inflight_shortterm
}

// bbrUndo is what a spurious recovery gives back.
type bbrUndo struct {
	at                time.Duration // when it was saved
	saved             bool
	state             bbrState // BBR.undo_state: startup, probeBWUp or, for None, noState
	bwShortterm       int64
	inflightShortterm int64
	longterm          int64
}

// bbrHeld is when BBR last sent slower than the path delivers: with a gain below one,
// which Drain, ProbeBW_DOWN and ProbeRTT have.
type bbrHeld struct {
	gain         ratio
	probeRTT     bool
	since, until int64 // delivered at its beginning, and a round trip after its end
}

// hold begins or ends holding back.
func (b *BBR) hold(gain ratio) {
	h := &b.held
	if h.until == infinite {
		h.until = b.conn.delivered + b.conn.inFlight
	}
	if gain < one {
		h.gain, h.since, h.until = gain, b.conn.delivered, infinite
		h.probeRTT = b.state == probeRTT
	}
}

// pathRate is what the sample says of the path where BBR itself held back: the pacing
// margin, and the gain where it was below one, are taken out. In ProbeBW_CRUISE there is no
// margin, but no sample above the pace either: without any the bound would only fall.
func (b *BBR) pathRate() int64 {
	h, held := &b.held, b.p.pace
	if h.gain != 0 && b.rs.PriorDelivered >= h.since && b.rs.PriorDelivered <= h.until {
		held = ratio(held.of(int64(h.gain)))
	}
	return max(b.rs.Rate, min(mulDiv(b.rs.Rate, int64(one), int64(held)), b.bw.max()))
}

func (b *BBR) updateLatestDeliverySignals() {
	l := &b.latest
	l.roundStart = false
	l.bw, l.path = max(l.bw, b.rs.Rate), max(l.path, b.pathRate())
	l.inflight, l.carried = max(l.inflight, b.rs.Delivered), max(l.carried, b.rs.Delivered+b.rs.Lost)
	if b.rs.Delivered > 0 && b.rs.PriorDelivered >= l.roundDelivered {
		l.roundDelivered = b.conn.delivered
		l.roundStart = true
	}
}

func (b *BBR) advanceLatestDeliverySignals() {
	if b.latest.roundStart {
		b.latest.bw, b.latest.path = b.rs.Rate, b.pathRate()
		b.latest.inflight, b.latest.carried = b.rs.Delivered, b.rs.Delivered+b.rs.Lost
	}
}

func (b *BBR) resetCongestionSignals() {
	l := &b.latest
	l.lossInRound, l.markInRound = false, false
	l.bw, l.path, l.inflight, l.carried = 0, 0, 0, 0
}

func (b *BBR) updateCongestionSignals() {
	b.updateMaxBw()
	if !b.latest.roundStart {
		return // wait until the end of the round trip
	}
	b.adaptLowerBoundsFromCongestion()
	b.latest.lossInRound, b.latest.markInRound = false, false
}

// adaptLowerBoundsFromCongestion answers the congestion of a round trip in which BBR did
// not probe.
func (b *BBR) adaptLowerBoundsFromCongestion() {
	l, s := &b.latest, &b.bounds
	high := b.isInflightTooHigh()
	// Where the user set the threshold to what the path loses by itself, less is no
	// signal. The draft's threshold is for probing alone.
	_, tolerant := b.lossThresh()
	loss := l.lossInRound && (high || !tolerant)
	if b.state.probing() || !loss && !l.markInRound {
		return
	}
	// InitLowerBounds
	if s.bwShortterm == infinite {
		s.bwShortterm = b.bw.max()
	}
	if s.inflightShortterm == infinite {
		s.inflightShortterm = b.ctl.cwnd
	}
	// The draft takes bw_latest as it is. But in ProbeBW_DOWN the path delivers nine tenths
	// since BBR sends no more, and one random loss would hold bw_shortterm at that until the
	// next probe: that costs 4 % of the goodput where 0.01 to 0.3 % of the packets are
	// lost. The pacing margin does the same by one per cent in every round trip, and what was
	// lost is missing from what was delivered: at 1 % loss that added up to a fifth of the rate
	// until the next probe. So where the losses are fewer than congestion makes, what BBR held
	// back is not taken for the path's, and what was in flight not for too much; in ProbeRTT,
	// whose low samples the draft ignores elsewhere, never. If the path did limit, the pace
	// that follows is still what it delivered.
	bw, inflight := l.bw, l.inflight
	if (!high && !l.markInRound || b.held.probeRTT) && !b.p.literal {
		bw = l.path
	}
	if !high && !b.p.literal {
		inflight = l.carried
	}
	s.bwShortterm = max(bw, b.p.beta.of(s.bwShortterm))
	if loss { // LossLowerBounds
		s.inflightShortterm = max(inflight, b.p.beta.of(s.inflightShortterm))
	}
	if l.markInRound {
		// The draft leaves ECN open, but for "MUST treat any CE marks as congestion".
		// Marked data is delivered, so that what was delivered bounds nothing: the
		// factor alone counts, down to BBR.MinPipeCwnd.
		s.inflightShortterm = b.p.ecnBeta.of(s.inflightShortterm)
	}
}

func (b *BBR) resetShortTermModel() {
	b.bounds.bwShortterm, b.bounds.inflightShortterm = infinite, infinite
}

// isInflightTooHigh judges the losses since the segment of b.rs was sent.
func (b *BBR) isInflightTooHigh() bool {
	if b.conn.noSACK && b.rs.Lost > 0 {
		return true
	}
	thresh, _ := b.lossThresh()
	return b.rs.Lost > thresh.of(int64(b.rs.TxInFlight))
}

func (b *BBR) handleInflightTooHigh() {
	b.probe.prevTooHigh = true
	b.probe.sample = false // only react once per bw probe
	if !b.rs.AppLimited {
		b.bounds.longterm = max(int64(b.rs.TxInFlight), b.p.beta.of(b.targetInflight()))
	}
	if b.state == probeBWUp {
		b.undo.state = probeBWUp
		b.startProbeBWDown()
	}
}

// noteLoss opens a round trip of losses.
func (b *BBR) noteLoss() {
	if !b.latest.lossInRound {
		b.openLossRound()
		if !b.conn.recovering {
			b.saveStateUponLoss()
		}
	}
	b.latest.lossInRound = true
}

func (b *BBR) openLossRound() {
	l := &b.latest
	if !l.lossInRound && !l.markInRound {
		l.roundDelivered = b.conn.delivered
		l.noted, l.notedAt = true, b.conn.now
	}
}

func (b *BBR) handleLostPacket(p *Lost) {
	b.noteLoss()
	if l := &b.latest; l.ranges == 0 || p.Seq != l.nextSeq {
		l.ranges++
	}
	b.latest.nextSeq = p.Seq + uint32(p.Size)
	if !b.probe.sample {
		return // not a packet sent while probing bandwidth
	}
	b.rs = RateSample{TxInFlight: p.TxInFlight, Lost: p.Lost, AppLimited: p.AppLimited || b.probeRTT.covers(p.Delivered)}
	if b.isInflightTooHigh() {
		b.rs.TxInFlight = int(b.inflightAtLoss(p))
		b.handleInflightTooHigh()
	}
}

// inflightAtLoss is at what of the segment, which may be a train, the losses passed the
// threshold.
func (b *BBR) inflightAtLoss(p *Lost) int64 {
	thresh, _ := b.lossThresh()
	prev := int64(p.TxInFlight - p.Size)
	budget := thresh.of(prev) - (p.Lost - int64(p.Size))
	if budget <= 0 {
		return prev // passed before it
	}
	return prev + mulDiv(budget, int64(one), int64(one-thresh))
}

// handleMark takes an ECN mark for what a loss above the threshold is: a probe went too
// high, or the path carries less than before. In Startup the queue of one round trip
// may be a burst's: checkStartupHighLoss waits for a second.
func (b *BBR) handleMark(l Loss) {
	b.openLossRound()
	b.latest.markInRound = true
	b.full.marked = true
	if b.probe.sample {
		// The mark tells neither which segment it was nor what was in flight then; the
		// last sample is a round trip old, as the mark is.
		if b.rs.TxInFlight == 0 {
			b.rs.TxInFlight = l.Pipe
		}
		b.handleInflightTooHigh()
	}
}

// saveStateUponLoss saves what a spurious recovery gives back. The draft saves at the first
// loss of a round trip and once more on entering recovery; by then the loss may have
// changed the model, and in a long recovery the later round trips have. So here:
// once for what happens at one time, and on the way into recovery only.
func (b *BBR) saveStateUponLoss() {
	if b.undo.saved && b.undo.at == b.conn.now {
		return
	}
	b.saveCwnd()
	b.undo = bbrUndo{
		at: b.conn.now, saved: true,
		bwShortterm: b.bounds.bwShortterm, inflightShortterm: b.bounds.inflightShortterm, longterm: b.bounds.longterm,
	}
}

func (b *BBR) handleSpuriousLossDetection() {
	u := b.undo
	if !u.saved {
		return
	}
	b.undo = bbrUndo{at: -1}
	b.restoreCwnd()
	b.latest.lossInRound = false
	b.resetFullBW()
	s := &b.bounds
	s.bwShortterm = max(s.bwShortterm, u.bwShortterm)
	s.inflightShortterm = max(s.inflightShortterm, u.inflightShortterm)
	s.longterm = max(s.longterm, u.longterm)
	switch {
	case u.state == startup && b.state != startup:
		b.full.reached = false
		if b.state != probeRTT {
			b.enterStartup()
		}
	case u.state == probeBWUp && b.state != probeBWUp:
		if b.state != probeRTT {
			b.startProbeBWRefill()
		}
	}
}

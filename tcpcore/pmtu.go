package tcpcore

import (
	"time"

	"example.com/culvert/tcpcore/segment"
)

// pathMTU is packetization layer path MTU discovery (RFC 4821; RFC 8899 names the
// states): real data probes for larger segments, and losses of full segments alone tell
// of smaller paths where the network's reports do not come through. Sizes are segments,
// header and options included: what the carrier counts in.
type pathMTU struct {
	on    bool // Params.MaxMMS was given, and Config lets us
	size  int  // PLPMTU (eff_pmtu and search_low of RFC 4821): what the path is believed to take
	max   int  // what the carrier can send at all
	high  int  // search_high: nothing larger is tried before the search begins anew
	probe int  // PROBED_SIZE of the probe that is out; 0 if none is
	tries int  // PROBE_COUNT
	// leap has the next probe try search_high itself, once: what the path took before, or
	// what a report says of it, is likelier than any guess.
	leap bool
	next Time // no probe before; Never without anything to search for
	// While it is open whether the path swallows full segments or was dead for a while, what is
	// sent again is cut to cut, if not 0, but for one segment, test in the order of transmission.
	cut     int
	test    uint32
	testing bool
	// doubt is the last cut of an episode that ended without a test, until a larger segment arrives.
	doubt int
	most  int // data of the largest segment that arrived (maxsizeacked of RFC 5927 section 7.2)
}

// Constants of the search. Sizes are of the segment, so those that are MTUs elsewhere are
// less the headers of IP and UDP.
const (
	// basePLPMTU works on most paths (RFC 8899 section 5.1.2, BASE_PLPMTU).
	basePLPMTU = 1200
	// minPLPMTU is what every host takes, datagrams of 576 octets over IPv4 (RFC 1122 section
	// 3.3.3) and of 1280 over IPv6 (RFC 8200 section 5), less their headers.
	minPLPMTU  = 576 - 28
	minPLPMTU6 = 1280 - 48
	// maxProbes is MAX_PROBES: so many losses of a size are a failure, fewer are losses.
	maxProbes = 3
	// raiseAfter is PMTU_RAISE_TIMER: when a path is searched again that was found narrow.
	raiseAfter = 10 * time.Minute
	// blackHoleAfter timeouts in a row of a segment larger than the base are a full stop (RFC 4821
	// section 7.7, which waits for R1: but an application does not).
	blackHoleAfter = 2
	// minGain is the least that a probe is worth.
	minGain = 16
)

// mtuHints are MTUs that links and tunnels often have (RFC 4821 section 7.3).
var mtuHints = [...]int{1280, 1380, 1400, 1420, 1454, 1480, 1492, 1500, 2304, 4352, 9000, 16384, 32768}

func (p *pathMTU) start(c *Config, params *Params) {
	*p = pathMTU{size: params.MMS, max: max(params.MMS, params.MaxMMS), next: Never}
	p.on = params.MaxMMS > 0 && !c.NoMTUProbing
	p.high, p.leap = p.max, true
}

// overhead is what IP and UDP add to a segment, for hints.
func (e *Engine) overhead() int {
	if e.p.IPv6 {
		return 48
	}
	return 28
}

// leastPath is the smallest segment that every path takes.
func (e *Engine) leastPath() int {
	if e.p.IPv6 {
		return minPLPMTU6
	}
	return minPLPMTU
}

// basePath is the size to fall back to.
func (e *Engine) basePath() int { return max(basePLPMTU, e.leastPath()) }

// largest is the largest segment that peer and user let us send, whatever the path takes.
func (e *Engine) largest() int {
	return min(e.pmtu.max, segment.FixedHeaderLen+min(e.snd.peerMSS, e.receiveMSS()))
}

// mssOf is how much data a segment of the given size has.
func (e *Engine) mssOf(size int) int {
	size -= segment.FixedHeaderLen
	if e.ts.on {
		size -= timestampsLen
	}
	return max(size, minSendMSS)
}

// beginPath begins the search when the connection is established. Without SACK the loss of a
// probe could not be told from others.
func (e *Engine) beginPath(now Time) {
	e.pmtu.on = e.pmtu.on && e.sack
	e.searchPath(now)
}

// searchPath begins the search at a time: where the path may take more than is sent.
func (e *Engine) searchPath(at Time) {
	p := &e.pmtu
	p.tries, p.next = 0, Never
	if p.on && p.size < e.largest() {
		p.next = at
	}
}

// mtuProbe returns how much data a probe has that is to be sent now, 0 if none is, and
// whether new data is held back until there is room for one in the congestion window.
// The preconditions are those of RFC 4821 section 7.4; a probe is data like any other, and
// enough must follow it for its loss to be found.
func (e *Engine) mtuProbe(now Time, end segment.Seq) (size int, wait bool) {
	p := &e.pmtu
	if p.probe != 0 || e.ctl == nil || e.rec.phase != open || e.wanted.beyond || e.snd.urgent ||
		e.sent.count[lost] > 0 || e.sent.count[sacked] > 0 {
		return 0, false
	}
	if p.tries == 0 && p.high < p.max && p.complete(e) {
		p.high, p.leap = p.max, true // the raise timer's time (RFC 8899 section 5.1.1)
	}
	try := p.candidate(e)
	if try == 0 {
		p.completed(now)
		return 0, false
	}
	size = e.mssOf(try)
	need := size + (dupThresh+1)*e.snd.mss
	if e.snd.marks.recordFrom(e.snd.nxt, size) < size {
		return 0, false // a segment must not go beyond what ends with this one
	}
	if end.Sub(e.snd.nxt) < need || e.snd.una.Add(e.snd.wnd).Sub(e.snd.nxt) < need || e.window() < need {
		return 0, false
	}
	if pipe := e.pipe(); pipe+size > e.window() {
		e.snd.limited = true
		e.pace.idle()
		return 0, true // acknowledgments will make room
	}
	return size, false
}

// candidate is the size to try next, 0 if the search is complete: first what is likeliest,
// then upward by hints, since a success costs nothing and a failure a round trip, and
// between the last two by halves.
func (p *pathMTU) candidate(e *Engine) int {
	high := min(p.high, e.largest())
	switch {
	case p.complete(e):
		return 0
	case p.leap:
		return high
	}
	for _, mtu := range mtuHints {
		if try := mtu - e.overhead(); try > p.size+minGain/2 && try <= high {
			return try
		}
	}
	if high == p.max {
		return high
	}
	return (p.size + high + 1) / 2
}

// complete reports whether there is nothing left to gain.
func (p *pathMTU) complete(e *Engine) bool {
	high := min(p.high, e.largest())
	return high <= p.size || !p.leap && high-p.size < minGain
}

// completed ends the search until the path may have changed.
func (p *pathMTU) completed(now Time) {
	p.tries, p.next = 0, now.Add(raiseAfter)
}

// mtuProbeSent notes that a probe with size octets of data went out.
func (e *Engine) mtuProbeSent(size int) {
	e.pmtu.probe = size + e.headerLen()
	e.count.MTUProbes++
}

// headerLen is the header of a segment with data.
func (e *Engine) headerLen() int {
	if e.ts.on {
		return segment.FixedHeaderLen + timestampsLen
	}
	return segment.FixedHeaderLen
}

// mtuProbeArrived takes note that record r, a probe, was received (RFC 4821 section 7.6.1).
func (e *Engine) mtuProbeArrived(now Time, r *record) {
	p := &e.pmtu
	r.flags &^= recProbe
	size := r.data() + e.headerLen()
	p.probe, p.tries = 0, 0
	if !p.on || size <= p.size {
		return
	}
	e.setPath(size)
	p.leap = false
	if p.next = now; p.complete(e) {
		p.completed(now)
	}
}

// mtuProbeFailed notes the loss of a probe. alone tells that nothing else was lost, and
// congestion control was not told of it (RFC 4821 section 7.6.2): the next one must not
// follow before congestion might have been met anyway, "the same number of round trips
// as the current congestion window in packets".
func (e *Engine) mtuProbeFailed(now Time, r *record, alone bool) {
	p := &e.pmtu
	r.flags &^= recProbe
	if p.probe == 0 {
		return // the rest of one that was cut
	}
	e.count.MTUProbesLost++
	size := p.probe
	p.probe = 0
	pause := e.rtt.srtt * time.Duration(max(1, e.window()/e.snd.mss))
	switch {
	case !alone && e.rec.timeouts == 0:
		// Inconclusive (section 7.6.4): again, when the losses are repaired.
		p.next = now
		return
	case !alone:
		pause *= 5 // section 7.6.3
	}
	p.next = now.Add(min(pause, raiseAfter))
	if base := e.basePath(); p.leap && p.size == e.leastPath() && p.size < base {
		p.high = min(p.high, base) // which did not pass when it was fallen back to, either
	}
	if p.tries++; p.leap || p.tries >= maxProbes {
		p.high, p.tries, p.leap = max(p.size, min(p.high, size-1)), 0, false
		if p.complete(e) {
			p.completed(now)
		}
	}
}

// forgiveProbe reports whether record i, which is taken for lost, is a probe whose loss
// is no sign of congestion, and marks it as lost if so.
func (e *Engine) forgiveProbe(now Time, i int) bool {
	r := e.sent.at(i)
	if r.flags&recProbe == 0 || e.rec.phase != open || e.sent.count[lost] > 0 {
		return false
	}
	e.sent.mark(i, lost)
	e.mtuProbeFailed(now, r, true)
	return true
}

// setPath makes size the largest segment to be sent.
func (e *Engine) setPath(size int) {
	was := e.snd.mss
	e.pmtu.size = size
	e.pmtu.decided()
	e.setMSS()
	if e.snd.mss == was {
		return
	}
	e.events |= EvPathMTU
	if e.ctl != nil {
		e.ctl.OnMSS(e.snd.mss)
	}
}

// lowerPath makes size the largest segment, and has what was larger sent again in pieces that
// fit. That is no sign of congestion, and takes nothing of the congestion window.
func (e *Engine) lowerPath(size int) {
	e.setPath(size)
	for i := range e.sent.len() {
		if r := e.sent.at(i); r.state == inFlight && r.data() > e.snd.mss {
			if r.flags&recProbe != 0 {
				r.flags &^= recProbe
				e.pmtu.probe = 0
			}
			e.sent.mark(i, lost)
		}
	}
}

// TooBig tells of the network's report (ICMP: fragmentation needed, packet too big) that
// the segment at seq was larger than mms, the largest that fits, in bytes with its header. It
// reports whether that was believed: a report can be forged, so it must be about a
// segment that is in flight, begins there and is larger (RFC 5927 section 4.1 and 7.2), and it
// cannot make segments smaller than every path takes. What was too large goes out again at
// once.
func (e *Engine) TooBig(now Time, seq segment.Seq, mms int) bool {
	if e.state == Closed || e.state == Listen {
		return false
	}
	p := &e.pmtu
	i := e.sent.find(seq)
	if mms < e.leastPath() || i >= e.sent.len() || e.sent.at(i).seq != seq || e.sent.at(i).state != inFlight ||
		e.sent.at(i).data() <= e.mssOf(mms) {
		e.count.TooBigIgnored++
		return false
	}
	e.count.TooBigReports++
	if r := e.sent.at(i); r.flags&recProbe != 0 && mms >= p.size {
		// The probe was lost for its size alone, and the report says what to try instead.
		r.flags &^= recProbe
		e.count.MTUProbesLost++
		e.sent.mark(i, lost)
		p.probe, p.tries, p.high, p.leap, p.next = 0, 0, mms, true, now
		if p.complete(e) {
			p.completed(now)
		}
		return true
	}
	p.high, p.leap = mms, false
	e.lowerPath(mms)
	if p.on {
		p.completed(now)
	}
	return true
}

// checkBlackHole is asked at each timeout: when full segments time out in a row, the path may
// swallow what is too large for it (RFC 4821 section 7.7, RFC 8899 section 4.3), or carry nothing
// at all for a while. What is sent again is smaller in any case. Where full segments had arrived
// before, an outage is likelier, and they are given up only when a smaller one has passed and one
// of them has not; else at once, also where the last time left that open.
func (e *Engine) checkBlackHole(now Time) {
	p := &e.pmtu
	switch {
	case p.testing:
		e.blackHole(now, p.cut)
		return
	case p.cut > 0:
		p.cut = e.leastPath() // the base did not pass either, as far as is known
		return
	case !p.on || e.rec.timeouts < blackHoleAfter || e.sent.at(0).flags&recSYN != 0:
		return
	}
	to := e.basePath()
	if min(p.size, e.largest()) <= to {
		to = e.leastPath() // the base does not pass either
	}
	switch {
	case e.sent.at(0).data() <= e.mssOf(to) || min(p.size, e.largest()) <= to:
	case p.most > e.mssOf(to) && p.doubt == 0:
		p.cut = to
	default:
		e.blackHole(now, to)
	}
}

// blackHole makes segments smaller. What was there before is tried again once they pass.
func (e *Engine) blackHole(now Time, to int) {
	p := &e.pmtu
	e.count.BlackHoles++
	if size := min(p.size, e.largest()); size > e.basePath() {
		p.high = size // else it is still what it was before the base was fallen back to
	}
	p.leap, p.probe = true, 0
	e.setPath(to)
	e.searchPath(now)
	if p.most <= e.snd.mss {
		// Nothing of that size ever arrived: it is the path, and no congestion that was met in
		// the initial window.
		e.rec.undo = undoState{undone: e.rec.undo.undone, fresh: e.rec.undo.fresh}
		e.rec.answer.valid = false
		e.ctl.OnSpurious(time.Duration(now))
	}
}

// cutAgain is how much of size octets may go out again at once. The first that may go whole, once
// something has passed, is the test.
func (p *pathMTU) cutAgain(e *Engine, size int) int {
	if p.cut == 0 || !p.testing && e.rec.timeouts == 0 {
		return size
	}
	return min(size, e.mssOf(p.cut))
}

// cutSent notes that size octets go out again.
func (p *pathMTU) cutSent(e *Engine, size int) {
	if p.cut > 0 && size > e.mssOf(p.cut) {
		p.test, p.testing = e.sent.next, true
	}
}

// testFailed reports whether record i, which is taken for lost, is the test of a black hole, marks
// it as lost if so, and believes it: that is no sign of congestion.
func (e *Engine) testFailed(now Time, i int) bool {
	p := &e.pmtu
	if !p.testing || e.sent.at(i).rate.order != p.test {
		return false
	}
	e.sent.mark(i, lost)
	e.blackHole(now, p.cut)
	return true
}

// decided ends the doubt about a black hole.
func (p *pathMTU) decided() { p.cut, p.testing, p.doubt = 0, false, 0 }

// adjourned keeps the doubt where all was repaired in pieces: new timeouts will tell.
func (p *pathMTU) adjourned() {
	if p.cut > 0 {
		p.doubt = p.cut
	}
	p.cut, p.testing = 0, false
}

// arrived takes note of a segment with size octets of data.
func (p *pathMTU) arrived(e *Engine, size int) {
	p.most = max(p.most, size)
	if cut := max(p.cut, p.doubt); cut > 0 && size > e.mssOf(cut) {
		p.decided() // full segments pass: it was an outage
	}
}

// SetMMS tells what the carrier takes from now on, in bytes, header included: mms is the
// largest segment that it believes fits the path, most the largest that it sends at all (0 is
// the same). What is in flight and larger is sent again in pieces that fit.
func (e *Engine) SetMMS(now Time, mms, most int) {
	p := &e.pmtu
	p.max = max(mms, most)
	size := mms
	if p.on {
		// A probe was too large for the interface, or the interface has changed; what was
		// learnt of the path otherwise stays.
		size = min(mms, p.size)
	} else {
		e.p.MMS = mms
	}
	p.high, p.leap = min(p.high, p.max), true
	if p.probe != 0 && p.probe <= p.max {
		// Refused although it fits, as where another interface has the address: the same again
		// would not fare better.
		p.high, p.leap = min(p.high, p.probe-1), false
	}
	e.lowerPath(size)
	if e.searchPath(now); p.on && p.complete(e) {
		p.completed(now)
	}
}

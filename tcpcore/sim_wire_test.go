package tcpcore

import (
	"cmp"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// A simWire is what an onlooker on the host's own network card knows: it judges every
// segment that the host sends by what it saw pass before, not by what the engine
// says. Numbers are relative to the initial sequence number that they count from.
type simWire struct {
	probes uint64 // tail loss probes seen
	h      *simHost

	// Sent.
	synSent     bool
	incarnation int // counts changes of iss
	iss         segment.Seq
	sndMax      int // behind the highest octet sent
	finSent     bool
	sentScale   int // shift in our SYN; -1 for none
	sentTS      bool
	sentSACKOK  bool
	lastAck     int
	ackPeer     int // the peer's incarnation that lastAck belongs to
	ackKnown    bool
	offered     int // right edge of our window
	limit       int // MMS when the train was made
	gotSYN      bool
	gotScale    int // shift in the peer's SYN; -1 for none
	gotTS       bool
	gotSACKOK   bool
	edge        int // right edge of the largest window that arrived
	pureACKs    int
	segments    int // arrived
	excuses     int // what else may cause an acknowledgment: timers, reads, closes
}

func (w *simWire) reset() {
	*w = simWire{h: w.h, incarnation: w.incarnation + 1, sentScale: -1, gotScale: -1, limit: w.limit,
		segments: w.segments, excuses: w.excuses, pureACKs: w.pureACKs}
}

func (w *simWire) describe(g *segment.Segment) string {
	var sc script
	p := &w.h.peer.wire
	return sc.describe(g, w.iss, p.iss)
}

// scaling reports whether both SYNs had the window scale option.
func (w *simWire) scaling() bool { return w.sentScale >= 0 && w.gotScale >= 0 }

// arrived notes what the host gets to know.
func (w *simWire) arrived(g *segment.Segment) {
	w.segments++
	if g.Flags.Has(RST) {
		return
	}
	if g.Flags.Has(SYN) && !w.gotSYN {
		w.gotSYN = true
		w.gotScale = -1
		if g.Options.HasWindowScale {
			w.gotScale = min(int(g.Options.WindowScale), 14)
		}
		w.gotTS, w.gotSACKOK = g.Options.HasTimestamps, g.Options.SACKPermitted
	}
	win := int(g.Window)
	if !g.Flags.Has(SYN) && w.scaling() {
		win <<= w.gotScale
	}
	ack := 1
	if g.Flags.Has(ACK) {
		ack = g.Ack.Sub(w.iss)
	}
	w.edge = max(w.edge, ack+win)
}

// sent judges a segment that the host sends, size bytes with its header.
func (w *simWire) sent(g *segment.Segment, size int) {
	h, s := w.h, w.h.s
	bad := func(format string, args ...any) {
		args = append(args, w.describe(g))
		s.fail(string(h.name)+": "+format+": %s", args...)
	}
	if size > w.limit {
		bad("%d bytes, over the MMS of %d", size, w.limit)
	}
	if !g.Flags.Has(SYN) && (g.Options.MSS != 0 || g.Options.HasWindowScale || g.Options.SACKPermitted) {
		bad("an option that only a SYN may carry") // RFC 9293 MUST-65, RFC 2018 section 2
	}
	if g.Flags.Has(RST) {
		s.coverage.Resets++
		return
	}
	if s.chaos { // only for the trace, and for those who forge segments
		if g.Flags.Has(SYN) {
			w.iss = g.Seq
		}
		w.sndMax = max(w.sndMax, g.Seq.Sub(w.iss)+g.Len())
		return
	}
	if g.Flags.Has(SYN) {
		w.sentSYN(g, bad)
	} else if !g.Flags.Has(ACK) {
		bad("neither SYN, RST nor ACK") // RFC 9293 section 3.10.4: "all segments have ACK on"
	}
	if !w.synSent {
		bad("a segment before the SYN")
		return
	}
	w.sentOptions(g, bad)
	w.sentData(g, bad)
	if g.Flags.Has(ACK) {
		w.sentAck(g, bad)
	}
}

func (w *simWire) sentSYN(g *segment.Segment, bad func(string, ...any)) {
	scale := -1
	if g.Options.HasWindowScale {
		scale = int(g.Options.WindowScale)
	}
	switch {
	case w.synSent && g.Seq != w.iss:
		bad("the initial sequence number changed")
	case w.synSent && scale >= 0 && scale != w.sentScale:
		bad("the window scale changed from %d", w.sentScale)
	case scale > 14:
		bad("window scale over 14") // RFC 7323 section 2.3
	}
	w.sentScale = scale
	if !w.synSent {
		w.synSent, w.iss = true, g.Seq
		w.incarnation++
	}
	w.sentTS, w.sentSACKOK = g.Options.HasTimestamps, g.Options.SACKPermitted
	if g.Flags.Has(ACK) && (w.sentScale >= 0 && w.gotScale < 0 || w.sentTS && !w.gotTS || w.sentSACKOK && !w.gotSACKOK) {
		bad("a SYN-ACK with an option that the SYN did not have") // RFC 7323 sections 2.2 and 3.2
	}
}

func (w *simWire) sentOptions(g *segment.Segment, bad func(string, ...any)) {
	if ts := w.sentTS && w.gotTS; !g.Flags.Has(SYN) && g.Options.HasTimestamps != ts {
		bad("timestamps %v, negotiated %v", g.Options.HasTimestamps, ts) // RFC 7323 section 3.2
	}
	if n := g.Options.SACKCount; n > 0 {
		w.h.s.coverage.SACKs++
		if !w.sentSACKOK || !w.gotSACKOK {
			bad("SACK was not negotiated") // RFC 2018 section 4
		}
		for _, b := range g.Options.SACK[:n] {
			p := &w.h.peer.wire
			if l, r := b.Left.Sub(p.iss), b.Right.Sub(p.iss); l < 1 || r <= l || r > p.sndMax {
				bad("SACK block %d-%d of what the peer never sent (it sent up to %d)", l, r, p.sndMax)
			}
		}
	}
}

func (w *simWire) sentData(g *segment.Segment, bad func(string, ...any)) {
	h := w.h
	n := len(g.Payload)
	rel := g.Seq.Sub(w.iss)
	off := rel - 1
	end := rel + g.Len()
	if g.Flags.Has(SYN) {
		off++
	}
	if rel > w.sndMax && w.sndMax > 0 {
		bad("a hole: sent up to %d before", w.sndMax)
	}
	if n > 0 {
		switch {
		case off < 0 && !(off == -1 && n == 1): // a keep-alive may carry one garbage octet
			bad("data before the stream")
		case off+n > h.app.accepted:
			bad("data of which the user wrote only %d", h.app.accepted)
		case off >= 0 && !streamIs(h.index(), off, g.Payload):
			bad("not what the user wrote")
		}
	}
	if g.Flags.Has(FIN) {
		if off+n != h.app.accepted || !h.app.ended {
			bad("FIN at %d, the user wrote %d and closed: %v", off+n, h.app.accepted, h.app.ended)
		}
		w.finSent = true
	}
	// One octet beyond the window is a probe (RFC 9293 section 3.8.6.1).
	if !g.Flags.Has(SYN) && end > w.edge+1 && end > w.sndMax {
		bad("ends %d octets beyond the largest window offered, which ends at %d", end-w.edge, w.edge)
	}
	w.sndMax = max(w.sndMax, end)
}

func (w *simWire) sentAck(g *segment.Segment, bad func(string, ...any)) {
	h := w.h
	p := &h.peer.wire
	if !p.synSent {
		bad("acknowledges a peer that sent nothing")
		return
	}
	ack := g.Ack.Sub(p.iss)
	if ack > p.sndMax || ack < 1 {
		bad("acknowledges %d, the peer sent up to %d", ack, p.sndMax)
	}
	if !w.ackKnown || w.ackPeer != p.incarnation {
		w.ackKnown, w.ackPeer, w.lastAck, w.offered = true, p.incarnation, ack, 0
	}
	if ack < w.lastAck {
		bad("the acknowledgment goes back from %d", w.lastAck)
	}
	w.lastAck = ack
	win, unit := int(g.Window), 1
	if !g.Flags.Has(SYN) && w.scaling() {
		win, unit = win<<w.sentScale, 1<<w.sentScale
	}
	if ack+win <= w.offered-unit && !g.Flags.Has(SYN) { // a SYN-ACK cannot say more than 65535
		bad("the window shrinks: its edge was at %d, is at %d", w.offered, ack+win) // RFC 9293 SHLD-14
	}
	w.offered = max(w.offered, ack+win)
	// A window that was offered unscaled is rounded up, as down would shrink it.
	if free := 2 + h.app.delivered + h.buffer() - ack; win >= max(free, 0)+unit && !h.app.deaf && !h.app.closed {
		bad("offers %d bytes, has room for %d", win, free)
	}
	if len(g.Payload) == 0 && !g.Flags.Has(SYN) && !g.Flags.Has(FIN) {
		// "at most one ACK per incoming segment" (RFC 5681 section 4.2), window updates and timers aside.
		if w.pureACKs++; w.pureACKs > w.segments+w.excuses+2 {
			bad("%d acknowledgments for %d segments and %d other causes", w.pureACKs, w.segments, w.excuses)
		}
	}
}

// buffer is the host's receive buffer.
func (h *simHost) buffer() int {
	return cmp.Or(h.cfg.ReceiveBuffer, h.cfg.MaxReceiveBuffer, maxTuned)
}

func (h *simHost) sendBuffer() int {
	return cmp.Or(h.cfg.SendBuffer, h.cfg.MaxSendBuffer, maxTuned)
}

// checkWindow holds new data against the congestion window: RFC 5681 section 2,
// with the two segments of limited transmit (RFC 3042).
func (w *simWire) checkWindow() {
	in := w.h.info()
	if !in.State.Synchronized() {
		return
	}
	if in.TailLossProbes != w.probes {
		w.probes = in.TailLossProbes // which asks no window (RFC 8985 section 7.3)
		return
	}
	if in.InFlight > in.CongestionWindow+3*max(in.SendMSS, 1) {
		w.h.s.fail("%c sends new data with %d bytes in flight and a congestion window of %d", w.h.name, in.InFlight, in.CongestionWindow)
	}
}

// check looks at what the engine says of itself after every event.
func (h *simHost) check() {
	s := h.s
	in := h.info()
	snd, rcv := h.sendBuffer(), h.buffer()+1<<in.ReceiveScale-1
	switch {
	case in.State != h.e.State():
		s.fail("%c: Info says %v, State %v", h.name, in.State, h.e.State())
	case in.SendQueue < 0 || in.SendQueue > snd:
		s.fail("%c: a send queue of %d, the buffer is %d", h.name, in.SendQueue, snd)
	case in.Unacked < 0 || in.Unacked > in.SendQueue+2: // SYN and FIN
		s.fail("%c: %d unacknowledged of %d queued", h.name, in.Unacked, in.SendQueue)
	case in.InFlight < 0 || in.InFlight > in.Unacked:
		s.fail("%c: %d in flight of %d unacknowledged", h.name, in.InFlight, in.Unacked)
	case in.ReceiveQueue < 0 || in.OutOfOrder < 0 || in.ReceiveQueue+in.OutOfOrder > rcv:
		s.fail("%c: holds %d and %d out of order, the buffer is %d", h.name, in.ReceiveQueue, in.OutOfOrder, rcv)
	case in.ReceiveWindow < 0 || in.ReceiveWindow > rcv:
		s.fail("%c: offers %d, the buffer is %d", h.name, in.ReceiveWindow, rcv)
	case in.SendWindow < 0 || in.SendWindow > 1<<30:
		s.fail("%c: a send window of %d", h.name, in.SendWindow)
	case in.UrgentQueue < 0:
		s.fail("%c: an urgent queue of %d", h.name, in.UrgentQueue)
	case in.RTT < 0 || in.RTTVar < 0 || in.MinRTT < 0 || in.RTO < 0:
		s.fail("%c: negative times: %v %v %v %v", h.name, in.RTT, in.RTTVar, in.MinRTT, in.RTO)
	case in.State.Synchronized() && (in.SendMSS < 1 || in.CongestionWindow < 1):
		s.fail("%c: MSS %d, congestion window %d", h.name, in.SendMSS, in.CongestionWindow)
	case in.BytesDelivered != uint64(h.app.delivered) && !h.app.deaf && !h.app.closed:
		s.fail("%c: says that %d bytes were read, %d were", h.name, in.BytesDelivered, h.app.delivered)
	case in.Retransmits > in.SegmentsSent || in.BytesRetransmitted > in.BytesSent:
		s.fail("%c: retransmitted %d of %d segments, %d of %d bytes", h.name, in.Retransmits, in.SegmentsSent, in.BytesRetransmitted, in.BytesSent)
	// A limit of about ten in five seconds (RFC 5961 section 7), whoever provokes them.
	case in.ChallengeACKs > 20+uint64(h.now().Sub(h.app.born)/time.Second)*4:
		s.fail("%c: a storm of %d challenge ACKs in %v", h.name, in.ChallengeACKs, h.now().Sub(h.app.born))
	}
	if h.e.State() == Closed && h.open && h.e.Deadline() != Never {
		s.fail("%c is CLOSED and wants to be woken at %v", h.name, time.Duration(h.e.Deadline()))
	}
	if err := h.e.Err(); err != nil && h.e.State() != Closed {
		s.fail("%c is in %v with the error %v", h.name, h.e.State(), err)
	}
}

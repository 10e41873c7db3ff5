package tcpcore

import "example.com/culvert/tcpcore/segment"

// ecnState is explicit congestion notification (RFC 3168 section 6.1).
type ecnState struct {
	asked    bool // we sent an ECN-setup SYN
	plain    bool // we sent one that is not: then we must not mark
	on       bool // negotiated
	mute     bool // we mark nothing, or nothing any more, but go on echoing
	echo     bool // ECE on every ACK until the peer's CWR
	cwr      bool // CWR is due on the next new data
	proven   bool // something that we marked arrived
	vanished int  // while nothing did: what we marked and was lost
	ect      int  // segments with data that arrived marked ECT or CE
	clear    int  // and Not-ECT, while none was marked
}

const (
	// bleachAfter is how many of the first segments with data must arrive unmarked before
	// the path is taken to clear the field.
	bleachAfter = 10
	// vanishAfter is how many of the first marked segments must be lost, and none
	// arrive, before the path is taken to drop them.
	vanishAfter = 3
)

// setup are the two control bits that negotiate.
const setup = segment.ECE | segment.CWR

// ecnSYN returns the control bits that our SYN or SYN-ACK adds (section 6.1.1).
func (e *Engine) ecnSYN() segment.Flags {
	c := &e.ecn
	switch {
	case e.state == SynSent && e.cfg.ECN && e.rec.synTimeouts == 0:
		c.asked = true
		return setup
	case e.state == SynSent:
		// A SYN that got lost is sent again without (section 6.1.1.1): some middlebox
		// may mind.
		c.plain = true
	case c.on:
		return segment.ECE
	}
	return 0
}

// ecnTakeSYN negotiates by the peer's SYN or SYN-ACK. Only ECE on a SYN-ACK is consent:
// both bits are an echo of ours by somebody who knows neither (section 6.1.1.2).
func (e *Engine) ecnTakeSYN(s *segment.Segment) {
	c := &e.ecn
	switch {
	case s.Flags.Has(segment.ACK):
		c.on = c.asked && s.Flags&setup == segment.ECE
	default:
		// Whoever asks is answered, but for a simultaneous open in which we did not ask.
		c.on = s.Flags.Has(setup) && (e.state == Listen || c.asked) && !e.cfg.NoECN
	}
	// "MUST NOT set ECT ... unless it ... has sent no non-ECN-setup SYN".
	c.mute = c.plain
}

// ecnTakeSYNAgain is told of a peer's SYN or, in a simultaneous open, SYN-ACK that follows
// the first: the peer has given ECN up if it asks or consents no more (section 6.1.1.1).
func (e *Engine) ecnTakeSYNAgain(s *segment.Segment) {
	want := setup
	if s.Flags.Has(segment.ACK) {
		want = segment.ECE
	}
	if s.Flags&setup != want {
		e.ecn.on = false
	}
}

// ecnReceive looks at the mark of an acceptable segment and at the peer's CWR.
func (e *Engine) ecnReceive(s *segment.Segment) {
	c := &e.ecn
	if !c.on {
		return
	}
	if s.Flags.Has(segment.CWR) {
		c.echo = false
	}
	if len(s.Payload) == 0 {
		return
	}
	switch mark := s.TrafficClass & 3; {
	case mark == 3:
		e.count.CEReceived++
		c.ect++
		c.echo = true
		e.ack.now = true // the sender should hear of it soon
		e.hurry()
	case mark != 0:
		c.ect++
	case c.ect == 0 && e.p.MarksVisible:
		if c.clear++; c.clear == bleachAfter {
			c.mute = true // what the path does to the peer's marks it does to ours
		}
	}
}

// ecnEcho reports whether ECE in an acceptable acknowledgment asks for a reaction (section
// 6.1.2): not if one answers for the window already.
func (e *Engine) ecnEcho(s *segment.Segment) bool {
	if !e.echoes(s) || e.rec.answer.valid {
		return false
	}
	e.count.ECNReactions++
	return true
}

// echoes reports whether s echoes a mark of ours.
func (e *Engine) echoes(s *segment.Segment) bool {
	return e.ecn.on && s.Flags.Has(segment.ECE) && !s.Flags.Has(segment.SYN)
}

// ecnLost stops marking when the first marked segments vanish: some paths drop them.
// What is sent again is not marked, and shows whether the path is alive.
func (e *Engine) ecnLost(r *record) {
	c := &e.ecn
	if c.proven || r.times > 1 || r.flags&recECT == 0 {
		return
	}
	if c.vanished++; c.vanished == vanishAfter {
		c.mute = true
	}
}

package tcpcore

import "example.com/culvert/tcpcore/segment"

// ecnState is explicit congestion notification (RFC 3168 section 6.1).
type ecnState struct {
	on    bool        // negotiated
	mute  bool        // given up: we mark nothing any more, but go on echoing
	echo  bool        // ECE on every ACK until the peer's CWR
	cwr   bool        // CWR is due on the next new data
	point segment.Seq // no further reaction before SND.UNA passes it: once a window
	acted bool
	ect   int // segments with data that arrived marked ECT or CE
	clear int // and Not-ECT, while none was marked
}

// bleachAfter is how many of the first segments with data must arrive unmarked before
// the path is taken to clear the field.
const bleachAfter = 10

// ecnSYN returns the control bits that our SYN or SYN-ACK adds (section 6.1.1).
func (e *Engine) ecnSYN() segment.Flags {
	switch {
	case e.state == SynSent && e.cfg.ECN && e.rec.synTimeouts == 0:
		// A SYN that got lost is sent again without: some middlebox may mind.
		return segment.ECE | segment.CWR
	case e.state != SynSent && e.ecn.on:
		return segment.ECE
	}
	return 0
}

// ecnTakeSYN negotiates by the peer's SYN or SYN-ACK.
func (e *Engine) ecnTakeSYN(s *segment.Segment) {
	if s.Flags.Has(segment.ACK) {
		e.ecn.on = e.cfg.ECN && e.rec.synTimeouts == 0 && s.Flags&(segment.ECE|segment.CWR) == segment.ECE
	} else {
		e.ecn.on = s.Flags.Has(segment.ECE | segment.CWR)
	}
}

// ecnReceive looks at the mark of an arrived segment and at the peer's CWR.
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
	case mark != 0:
		c.ect++
	case c.ect == 0 && e.p.MarksVisible:
		if c.clear++; c.clear == bleachAfter {
			c.mute = true // what the path does to the peer's marks it does to ours
		}
	}
}

// ecnEcho handles ECE in an acceptable acknowledgment (section 6.1.2): one reaction a
// window, as to a loss.
func (e *Engine) ecnEcho(now Time, s *segment.Segment) (react bool) {
	c := &e.ecn
	if !c.on || !s.Flags.Has(segment.ECE) || s.Flags.Has(segment.SYN) {
		return false
	}
	if c.acted && e.snd.una.LessEq(c.point) {
		return false
	}
	e.count.ECNReactions++
	c.acted, c.point, c.cwr = true, e.snd.nxt, true
	return e.rec.phase == open // in recovery the window is reduced already
}

// ecnGiveUp stops marking when the first marked segments vanish: some paths drop them.
func (e *Engine) ecnGiveUp() {
	if e.ecn.on && e.count.BytesAcked == 0 && e.rec.timeouts >= 2 {
		e.ecn.mute = true
	}
}

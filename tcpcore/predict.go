package tcpcore

import "example.com/culvert/tcpcore/segment"

// inputNext is header prediction (RFC 7323 section 5.6): it does what inputOther does for the
// segment that nearly every one of a one-way transfer is, and leaves out only what cannot
// matter to it. That is the next data in order, without any control but PSH, nothing being
// held beyond it, from a peer whose acknowledgment is no news. Of any other segment it reports
// false, and has done nothing.
func (e *Engine) inputNext(now Time, s *segment.Segment) bool {
	r, n := &e.rcv, len(s.Payload)
	if e.state != Established || s.Flags|segment.PSH != segment.ACK|segment.PSH || n == 0 ||
		s.Seq != r.nxt || r.edge.Sub(r.nxt) < n || r.hasFIN || !r.q.empty() || !e.oldNews(s) {
		return false
	}
	if e.ts.on {
		if !s.Options.HasTimestamps || !e.ts.valid || int32(s.Options.TSVal-e.ts.recent) < 0 {
			return false // for PAWS to judge
		}
		if r.nxt == r.lastAck { // SEG.SEQ =< Last.ACK.sent
			e.ts.record(now, s.Options.TSVal)
		}
		if s.Options.TSEcr != r.tune.echo {
			r.tune.echoed(now, e.tsClock(now), s.Options.TSEcr)
		}
	}
	e.keep.lastRecv, e.keep.probes, e.pers.unanswered = now, 0, 0
	e.snd.wl1, e.snd.wl2 = r.nxt, e.snd.una // those of s
	if e.ecn.on {
		e.ecnReceive(s)
	}
	e.receiveNext(now, s.Payload)
	return true
}

package tcpcore

import "time"

// A rest is what was written behind the last full segment. Where each segment is a train of its
// own, a rest of a few octets costs nearly what a full segment does; and who has just written
// so much mostly goes on at once. So it waits for more to be written while full segments
// are on their way, Nagle algorithm or not. Where many segments share a train it travels with them.
const (
	// restBehind is how many must be: the peer acknowledges every second at once
	// (RFC 9293 SHLD-19), which lets go of the rest.
	restBehind = 2
	// restMax is how long it waits if nobody reads acknowledgments. The runtime's timers are no finer.
	restMax = time.Millisecond
)

// holdsRest reports whether d octets, all there is to send, wait for more.
func (e *Engine) holdsRest(d int) bool {
	s := &e.snd
	return e.cfg.NoDelay && d < s.mss && 2*s.mss > MaxTrainBytes && s.nxt.Sub(s.una) >= restBehind*s.mss &&
		!s.urgent && !s.marks.pending() && !e.cfg.PushWrites && e.rec.phase == open && !e.wanted.beyond &&
		!(s.refused && e.cfg.NotSentLowWater > 0) // who waits for it to be sent writes no more before
}

// ReleaseRest makes due what would wait for more to be written, for a user who waits for the
// peer instead, and reports whether there is anything.
func (e *Engine) ReleaseRest() bool {
	if e.cfg.Cork || !e.timer.on(tCork) {
		return false
	}
	e.timer.stop(tCork)
	e.wanted.override = true
	return true
}

package packetdrill

import "time"

// What the lenient level overlooks: an acknowledgment that comes a little earlier or
// later than the script says, or together with another one, as RFC 9293 section
// 3.8.6.3 leaves to the receiver.

// progress reports whether an acknowledgment of n is news for the script, and not a
// duplicate that means something.
func (f *flow) progress(n uint32) bool { return !f.hasAck || int32(n-f.expAck) > 0 }

// settled reports whether an expected acknowledgment was given already, by a segment that
// the script did not know of.
func (r *runner) settled(f *flow, k *Packet, at time.Duration) bool {
	if k.Flags != FlagACK || k.Len > 0 || hasSACK(k.Options) || !f.progress(k.Ack) || f.liveAck == 0 {
		return false
	}
	if len(f.queue) > 0 && f.queue[0].k.Ack == k.Ack && f.queue[0].k.Flags == FlagACK {
		return false // it is here: compare it
	}
	return int32(f.liveAck-k.Ack) >= 0
}

// owe notes an acknowledgment that may still come, and reports whether it may.
func (r *runner) owe(f *flow, m *match) bool {
	if !m.pureAck() || !f.progress(m.k.Ack) {
		return false
	}
	f.debts = append(f.debts, debt{m.k.Ack, m.at + maxAckDelay + r.tolerance, m.scriptLine(), m.k.Pos})
	f.expAck, f.hasAck = m.k.Ack, true
	return true
}

// payDebts takes the segments that the stack has sent meanwhile into account.
func (r *runner) payDebts(f *flow) {
	if len(f.debts) == 0 {
		return
	}
	highest, have := f.liveAck, f.liveAck != 0
	for _, l := range f.queue {
		if l.k.HasAck && (!have || int32(l.k.Ack-highest) > 0) {
			highest, have = l.k.Ack, true
		}
	}
	kept := f.debts[:0]
	for _, d := range f.debts {
		if !have || int32(highest-d.ack) < 0 {
			kept = append(kept, d)
		}
	}
	f.debts = kept
}

// skippable reports whether a segment that the script does not expect is no more than an
// acknowledgment at another moment, or the news of a window.
func (r *runner) skippable(f *flow, l *live) bool {
	k := &l.k
	if k.Flags != FlagACK || k.Len > 0 || hasSACK(k.Options) {
		return false
	}
	if f.liveAck == 0 || int32(k.Ack-f.liveAck) > 0 {
		return true // it acknowledges something new
	}
	if k.Ack == f.liveAck && k.Win != f.lastWin {
		return true // a window update
	}
	// It pays a debt: the script expected it before.
	return f.hasAck && k.Ack == f.expAck && int32(k.Ack-f.liveAck) > 0
}

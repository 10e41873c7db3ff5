package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// reordered begins a recovery that is spurious: the first of five segments is late. It
// returns the echo of its timestamp.
func (s *script) reordered() (echo uint32) {
	s.t.Helper()
	first := s.next()
	s.flight(5)
	echo = s.tsRecent
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(first), optSACK(at(first+1), at(first+5)), optTSEcrIf(s.peerTS, echo))
	s.want(ACK, at(first), 1, 1460)
	s.wantIdle()
	return echo
}

// fullSegments makes room for segments of 1460 octets beside timestamps.
func fullSegments(s *script) []any {
	s.p.MMS = 1492
	return []any{optSACKOK(), optTSOn(), optMSS(1472)}
}

// TestEifelRecovery is RFC 3522: the first acceptable acknowledgment after the
// retransmission echoes an earlier timestamp.
//
// Shows: RFC3522-1, RFC4015-1.
func TestEifelRecovery(t *testing.T) {
	cfg, ctl := counted(10)
	s := newScript(t, "a recovery that a late segment caused is undone as soon as its acknowledgment comes", cfg, Params{})
	s.active(fullSegments(s)...)
	echo := s.reordered()
	s.check(s.e.Info().CongestionWindow < 10*1460 && s.e.Info().SlowStartThreshold < 10*1460, "nothing was reduced")
	s.advance(2 * ms)
	s.recv(ACK, 1, at(5), optTSEcr(echo))
	in := s.e.Info()
	s.check(in.SpuriousRecoveries == 1 && ctl.spurious == 1, "%d recoveries undone, %d told", in.SpuriousRecoveries, ctl.spurious)
	s.check(in.CongestionWindow >= 10*1460, "window %d, was ten segments", in.CongestionWindow)
	s.check(in.SlowStartThreshold == congestion.Infinite, "threshold %d, there was none", in.SlowStartThreshold)
	s.check(s.e.rec.phase == open, "recovery goes on")
	s.wantQuiet(time.Hour)

	cfg, _ = counted(10)
	s = newScript(t, "an echo of the retransmission shows that it was needed", cfg, Params{})
	s.active(fullSegments(s)...)
	s.reordered()
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(5)) // echoes the latest
	s.check(s.e.Info().SpuriousRecoveries == 0 && s.e.Info().CongestionWindow < 10*1460, "it was undone, the window is %d", s.e.Info().CongestionWindow)
	// And no later echo changes that.
	s.flight(1)
	s.recv(ACK, 1, at(6), optTSEcr(s.tsRecent-20))
	s.check(s.e.Info().SpuriousRecoveries == 0, "undone by a later acknowledgment")
}

// TestEifelWaitsForItsSegment acknowledges something else first: the retransmission was not
// of the left edge.
//
// Shows: RFC3522-1.
func TestEifelWaitsForItsSegment(t *testing.T) {
	s := newScript(t, "an acknowledgment below what was sent again tells nothing of it", wide(), Params{})
	s.active(fullSegments(s)...)
	s.flight(1)
	echo := s.tsRecent
	s.advance(9 * ms)
	s.flight(5)
	s.advance(ms)
	// The first is late, the third is lost.
	s.recv(ACK, 1, 1, optSACK(at(1), at(2), at(3), at(4)), optTSEcr(echo))
	s.advance(20 * ms)
	s.drain()
	s.check(s.e.sent.at(2).times == 2, "the third was not sent again")
	before := s.e.Info().SpuriousRecoveries
	s.e.rec.undo.first = s.ours(at(3)) // as if it had been the first to be sent again
	s.recv(ACK, 1, at(2), optSACK(at(3), at(4)), optTSEcr(echo))
	s.check(s.e.Info().SpuriousRecoveries == before && !s.e.rec.undo.doubt, "undone, or thought of")
}

// TestDSACKUndo is RFC 3708: everything that was sent again is reported as a duplicate.
//
// Shows: RFC3708-1, RFC4015-1.
func TestDSACKUndo(t *testing.T) {
	cfg, ctl := counted(10)
	s := newScript(t, "a recovery is undone when all that it sent again turns out to have been there", cfg, Params{})
	s.active(optSACKOK())
	s.flight(6)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(1), at(2), at(3), at(6)))
	s.want(ACK, at(0), 1, 1460)
	s.recv(ACK, 1, 1, optSACK(at(1), at(2), at(3), at(6)))
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(6))
	s.check(s.e.Info().Retransmits == 2, "%d segments were sent again, want 2", s.e.Info().Retransmits)
	s.recv(ACK, 1, at(6), optSACK(at(0), at(1)))
	s.check(s.e.Info().SpuriousRecoveries == 0, "undone after one of two")
	s.recv(ACK, 1, at(6), optSACK(at(0), at(1)))
	s.check(s.e.Info().SpuriousRecoveries == 0, "the same report counts twice")
	s.recv(ACK, 1, at(6), optSACK(at(2), at(3)))
	in := s.e.Info()
	s.check(in.SpuriousRecoveries == 1 && ctl.spurious == 1, "not undone")
	s.check(in.CongestionWindow >= 10*1460 && in.SlowStartThreshold == congestion.Infinite, "window %d, threshold %d", in.CongestionWindow, in.SlowStartThreshold)
	s.wantQuiet(time.Hour)
}

// TestDSACKNoUndo has duplicates that prove nothing: of what was never sent again, and long
// after.
//
// Shows: RFC3708-1.
func TestDSACKNoUndo(t *testing.T) {
	s := newScript(t, "a duplicate of the network's making undoes nothing", Config{}, Params{})
	s.active(optSACKOK())
	s.reordered()
	s.recv(ACK, 1, at(5))
	s.recv(ACK, 1, at(5), optSACK(at(2), at(3)))
	s.check(s.e.Info().SpuriousRecoveries == 0, "undone")

	s = newScript(t, "a report that comes a window later undoes nothing", Config{}, Params{})
	s.active(optSACKOK())
	s.reordered()
	s.recv(ACK, 1, at(5))
	for range 3 {
		s.flight(2)
		s.advance(scriptRTT)
		s.recv(ACK, 1, at(s.next()))
	}
	s.recv(ACK, 1, at(s.next()), optSACK(at(0), at(1)))
	s.check(s.e.Info().SpuriousRecoveries == 0, "undone")

	s = newScript(t, "what was sent again twice cannot be told apart", Config{InitialWindow: 20}, Params{})
	s.active(optSACKOK())
	s.flight(5)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(1), at(5)))
	s.want(ACK, at(0), 1, 1460)
	s.e.rec.undo.retransmitted(s.e, s.now, s.e.sent.at(0)) // once more
	s.recv(ACK, 1, at(5))
	s.recv(ACK, 1, at(5), optSACK(at(0), at(1)))
	s.check(s.e.Info().SpuriousRecoveries == 0, "undone")
}

// TestUndoStopsRetransmissions begins a recovery of many segments that are all late.
//
// Shows: RFC4015-2.
func TestUndoStopsRetransmissions(t *testing.T) {
	s := newScript(t, "undo stops needless retransmissions", Config{InitialWindow: 20}, Params{})
	s.active(fullSegments(s)...)
	s.flight(20)
	echo := s.tsRecent
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(17), at(20)), optTSEcr(echo))
	s.drain()
	again := s.e.Info().Retransmits
	s.check(again < 6, "%d segments were sent again at once", again)
	s.advance(2 * ms)
	s.recv(ACK, 1, at(2), optSACK(at(17), at(20)), optTSEcr(echo))
	s.wantIdle() // until it is clear
	for i := 3; i < 17; i++ {
		s.advance(100 * time.Microsecond)
		s.recv(ACK, 1, at(i), optSACK(at(17), at(20)), optTSEcr(echo))
		s.wantIdle()
	}
	s.check(s.e.Info().SpuriousRecoveries == 1, "not undone")
	s.recv(ACK, 1, at(20), optTSEcr(echo))
	s.wantQuiet(time.Hour)
	s.check(s.e.Info().Retransmits == again, "%d segments were sent again after the undo", s.e.Info().Retransmits-again)
}

// TestLateAndLost has one segment late and another lost.
//
// Shows: RFC3522-1.
func TestLateAndLost(t *testing.T) {
	cfg, ctl := counted(20)
	s := newScript(t, "a recovery of what was late and what was lost is not undone", cfg, Params{})
	s.active(fullSegments(s)...)
	s.flight(10)
	echo := s.tsRecent
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(1), at(5), at(6), at(10)), optTSEcr(echo)) // 5 is lost, 0 is late
	s.drain()
	s.advance(2 * ms)
	s.recv(ACK, 1, at(5), optSACK(at(6), at(10)), optTSEcr(echo))
	s.check(s.e.Info().SpuriousRecoveries == 0, "undone while the other is missing")
	s.wantIdle()
	s.advance(8 * ms)
	s.recv(ACK, 1, at(10)) // echoes the retransmission
	s.check(s.e.Info().SpuriousRecoveries == 0 && len(ctl.losses) == 1, "undone, or %d reactions", len(ctl.losses))
	s.check(s.e.Info().CongestionWindow < 20*1460, "the loss has no consequence")
	s.wantQuiet(time.Hour)
	s.check(s.e.Info().Timeouts == 0, "a timeout")
}

// TestUndoneAndLost undoes a recovery, behind which another segment was lost after all.
//
// Shows: RFC4015-2.
func TestUndoneAndLost(t *testing.T) {
	cfg, ctl := counted(20)
	s := newScript(t, "what was lost all the same begins another recovery", cfg, Params{})
	s.active(fullSegments(s)...)
	s.flight(1)
	echo := s.tsRecent
	s.advance(9 * ms)
	s.flight(10)
	s.advance(ms)
	s.recv(ACK, 1, 1, optSACK(at(1), at(2)), optTSEcr(echo))
	s.want(ACK, at(0), 1, 1460)
	s.advance(2 * ms)
	s.recv(ACK, 1, at(2), optSACK(at(3), at(6)), optTSEcr(echo))
	s.check(s.e.Info().SpuriousRecoveries == 1, "not undone")
	s.advance(50 * ms)
	s.want(ACK, at(2), 1, 1460)
	s.check(len(ctl.losses) == 2 && s.e.Info().FastRecoveries == 2, "%d reactions, %d recoveries, want 2", len(ctl.losses), s.e.Info().FastRecoveries)
	s.check(s.e.Info().SlowStartThreshold < congestion.Infinite, "the loss has no consequence")
}

// TestGivenBackAndLost loses what an undo puts in flight again.
//
// Shows: RFC4015-2.
func TestGivenBackAndLost(t *testing.T) {
	s := newScript(t, "what was given up and taken back is watched as before", Config{InitialWindow: 20}, Params{})
	s.active(fullSegments(s)...)
	s.flight(20)
	echo := s.tsRecent
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(17), at(20)), optTSEcr(echo))
	n := len(s.drain())
	s.advance(2 * ms)
	s.recv(ACK, 1, at(n), optSACK(at(17), at(20)), optTSEcr(echo))
	s.check(s.e.Info().SpuriousRecoveries == 1, "not undone")
	s.recv(ACK, 1, at(n), optSACK(at(n+1), at(20)), optTSEcr(echo))
	d := s.wait(time.Minute)
	s.want(ACK, at(n), 1, 1460)
	s.check(d < 3*scriptRTT && s.e.Info().Timeouts == 0, "it takes %v and %d timeouts", d, s.e.Info().Timeouts)
}

// TestUndoIsBounded undoes the same window again and again, as a hostile peer may.
func TestUndoIsBounded(t *testing.T) {
	s := newScript(t, "a window is undone a few times at most", Config{InitialWindow: 40}, Params{})
	s.active(fullSegments(s)...)
	s.write(40 * 1460)
	s.drain()
	echo := s.tsRecent
	for i := range 38 {
		s.advance(scriptRTT)
		s.recv(ACK, 1, at(i), optSACK(at(39), at(40)), optTSEcr(echo))
		s.drain()
		s.recv(ACK, 1, at(i+1), optSACK(at(39), at(40)), optTSEcr(echo))
		s.drain()
	}
	n := s.e.Info().SpuriousRecoveries
	s.check(n > 0 && n <= maxUndone, "%d were undone", n)
}

// TestEifelTimeout is RFC 3522 and 4015 for a timeout, without SACK.
//
// Shows: RFC3522-1, RFC4015-1, RFC4015-2.
func TestEifelTimeout(t *testing.T) {
	cfg, ctl := counted(10)
	s := newScript(t, "a timeout that a delay caused is undone: window, threshold and back-off, and nothing more is sent again", cfg, Params{})
	s.p.MMS = 1492
	s.active(optTSOn(), optMSS(1472))
	s.flight(5)
	echo := s.tsRecent
	s.wantAfter(200*ms, ACK, at(0), 1, 1460)
	s.wantAfter(400*ms, ACK, at(0), 1, 1460)
	s.check(s.e.Info().CongestionWindow == 1460 && s.e.rtt.backoff == 2, "window %d, back-off %d", s.e.Info().CongestionWindow, s.e.rtt.backoff)
	s.recv(ACK, 1, at(1), optTSEcr(echo))
	in := s.e.Info()
	s.check(in.SpuriousTimeouts == 1 && ctl.spurious == 1, "not undone")
	s.check(in.CongestionWindow >= 10*1460 && in.SlowStartThreshold == congestion.Infinite, "window %d, threshold %d", in.CongestionWindow, in.SlowStartThreshold)
	s.check(s.e.rtt.backoff == 0, "back-off %d", s.e.rtt.backoff)
	s.wantIdle()
	for i := 2; i <= 5; i++ {
		s.recv(ACK, 1, at(i), optTSEcr(echo))
		s.wantIdle()
	}
	s.wantQuiet(time.Hour)

	s = newScript(t, "an echo of the first of two retransmissions is none of the original", Config{}, Params{})
	s.p.MMS = 1492
	s.active(optTSOn(), optMSS(1472))
	s.flight(5)
	s.wantAfter(200*ms, ACK, at(0), 1, 1460)
	echo = s.tsRecent
	s.wantAfter(400*ms, ACK, at(0), 1, 1460)
	s.recv(ACK, 1, at(1), optTSEcr(echo))
	s.check(s.e.Info().SpuriousTimeouts == 0, "undone")
}

// TestDSACKTimeout reports the segment of a timeout as a duplicate. Nothing measures the
// round trip then, so that nothing else takes the back-off away.
//
// Shows: RFC3708-1, RFC4015-1.
func TestDSACKTimeout(t *testing.T) {
	s := newScript(t, "a timeout whose retransmission was a duplicate is undone", Config{}, Params{})
	s.active(optSACKOK())
	s.flight(1)
	s.wantAfter(200*ms, ACK, at(0), 1, 1460) // the probe
	s.wantAfter(200*ms, ACK, at(0), 1, 1460)
	s.recv(ACK, 1, at(1))
	s.check(s.e.rtt.backoff == 1, "back-off %d", s.e.rtt.backoff)
	s.recv(ACK, 1, at(1), optSACK(at(0), at(1)))
	s.check(s.e.Info().SpuriousTimeouts == 1 && s.e.rtt.backoff == 0, "%d undone, back-off %d", s.e.Info().SpuriousTimeouts, s.e.rtt.backoff)
}

// TestDSACKBeyondHole is RFC 2883 section 4: a duplicate beyond a hole lies within the second
// block.
func TestDSACKBeyondHole(t *testing.T) {
	s := newScript(t, "a first block within the second reports a duplicate, another does not", Config{}, Params{})
	s.active(optSACKOK())
	s.flight(6)
	s.recv(ACK, 1, 1, optSACK(at(3), at(4), at(1), at(2)))
	s.check(s.e.Info().DSACKs == 0, "taken for a duplicate")
	s.recv(ACK, 1, 1, optSACK(at(3), at(4), at(3), at(5)))
	s.check(s.e.Info().DSACKs == 1, "not taken for a duplicate")
}

// timedOut has a timeout with ten segments out, and more to send. There are no timestamps.
func timedOut(t *testing.T, sentence string) (*script, *counting) {
	cfg, ctl := counted(10)
	s := newScript(t, sentence, cfg, Params{})
	s.active(optSACKOK())
	s.write(30 * 1460)
	s.drain()
	s.wait(time.Minute)
	s.want(ACK, at(10), 1, 1460) // the probe
	s.wait(time.Minute)
	s.want(ACK, at(0), 1, 1460)
	s.wantIdle()
	s.check(s.e.Info().Timeouts == 1, "%d timeouts", s.e.Info().Timeouts)
	return s, ctl
}

// TestFRTO is RFC 5682 section 3.1: all segments are late, none is lost.
//
// Shows: RFC5682-1, RFC5682-2.
func TestFRTO(t *testing.T) {
	s, ctl := timedOut(t, "after a timeout the first acknowledgment lets new data go, and the second shows that the timeout was spurious")
	s.recv(ACK, 1, at(1))
	s.want(ACK, at(11), 1, 1460)
	s.want(ACK, at(12), 1, 1460)
	s.wantIdle()
	s.check(s.e.Info().SpuriousTimeouts == 0, "undone without evidence")
	s.recv(ACK, 1, at(2))
	in := s.e.Info()
	s.check(in.SpuriousTimeouts == 1 && ctl.spurious == 1, "not undone")
	s.check(in.CongestionWindow >= 10*1460 && in.SlowStartThreshold == congestion.Infinite, "window %d, threshold %d", in.CongestionWindow, in.SlowStartThreshold)
	s.drain()
	for i := 3; i <= 11; i++ {
		s.recv(ACK, 1, at(i))
	}
	s.drain()
	s.check(s.e.Info().Retransmits == 1, "%d segments were sent again", s.e.Info().Retransmits)

	s, _ = timedOut(t, "SACK of what was sent before the timeout is evidence too")
	s.recv(ACK, 1, at(1))
	s.drain()
	s.recv(ACK, 1, at(1), optSACK(at(2), at(3)))
	s.check(s.e.Info().SpuriousTimeouts == 1, "not undone")
}

// TestFRTOLoss gives the cases in which the timeout was no mistake, or nobody knows.
//
// Shows: RFC5682-1, RFC5682-2.
func TestFRTOLoss(t *testing.T) {
	s, _ := timedOut(t, "(3a) what is acknowledged next is new: the rest was lost, and is sent again")
	s.recv(ACK, 1, at(1))
	s.want(ACK, at(11), 1, 1460)
	s.want(ACK, at(12), 1, 1460)
	s.recv(ACK, 1, at(1), optSACK(at(11), at(12)))
	s.want(ACK, at(1), 1, 1460)
	s.check(s.e.Info().SpuriousTimeouts == 0, "undone")

	s, _ = timedOut(t, "(2) the acknowledgments of what had arrived were lost: the first acknowledgment proves nothing")
	s.recv(ACK, 1, at(5))
	s.check(s.e.Info().SpuriousTimeouts == 0, "undone")
	s.want(ACK, at(11), 1, 1460)
	s.drain()
	s.recv(ACK, 1, at(5), optSACK(at(11), at(12)))
	s.check(s.e.Info().SpuriousTimeouts == 0, "undone")
	s.want(ACK, at(5), 1, 1460)

	s, _ = timedOut(t, "(3a) nor does a duplicate")
	s.recv(ACK, 1, at(1))
	s.drain()
	s.recv(ACK, 1, at(1))
	s.recv(ACK, 1, at(2))
	s.check(s.e.Info().SpuriousTimeouts == 0, "undone")

	s, _ = timedOut(t, "(2a) all is acknowledged: revert to what timeouts always do")
	s.recv(ACK, 1, at(11))
	s.check(s.e.Info().SpuriousTimeouts == 0 && s.e.rec.phase == open, "undone, or not over")

	s, _ = timedOut(t, "(2b) without room for new data nothing is learnt")
	s.peerWindow = 10 * 1460
	s.recv(ACK, 1, at(1))
	s.want(ACK, at(1), 1, 1460)
	s.want(ACK, at(2), 1, 1460)
	s.wantIdle()
	s.recv(ACK, 1, at(4))
	s.check(s.e.Info().SpuriousTimeouts == 0, "undone")

	s, _ = timedOut(t, "(2) what SACK reports before the first segment is acknowledged decides nothing yet")
	s.recv(ACK, 1, 1, optSACK(at(3), at(4)))
	s.check(s.e.Info().SpuriousTimeouts == 0, "undone")
	s.recv(ACK, 1, at(1), optSACK(at(3), at(4)))
	s.want(ACK, at(11), 1, 1460)

	cfg, _ := counted(10)
	s = newScript(t, "in recovery a timeout is taken at its word", cfg, Params{})
	s.active(optSACKOK())
	s.write(30 * 1460)
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(6), at(10)))
	s.drain()
	for s.e.Info().Timeouts == 0 {
		s.wait(time.Minute)
		s.drain()
	}
	s.recv(ACK, 1, at(1), optSACK(at(6), at(10)))
	s.drain()
	s.recv(ACK, 1, at(2), optSACK(at(6), at(10)))
	s.check(s.e.Info().SpuriousTimeouts == 0, "undone")
}

// TestFRTOAgain is section 3.1: "If the retransmission timer expires again ..., the TCP sender
// MUST re-start the algorithm processing from step 1."
//
// Shows: RFC5682-1.
func TestFRTOAgain(t *testing.T) {
	s, _ := timedOut(t, "a second timeout of the same segment begins anew")
	s.wantAfter(400*ms, ACK, at(0), 1, 1460)
	s.recv(ACK, 1, at(1))
	s.want(ACK, at(11), 1, 1460)
	s.want(ACK, at(12), 1, 1460)
	s.recv(ACK, 1, at(2))
	s.check(s.e.Info().SpuriousTimeouts == 1, "not undone")
	s.check(s.e.rtt.backoff == 0, "back-off %d", s.e.rtt.backoff)
}

// TestOutageProbe is the end of an outage whose first segment had arrived: the timeout was
// spurious by the letter, and all behind it was lost.
func TestOutageProbe(t *testing.T) {
	s := newScript(t, "after a spurious timeout a probe finds at once whether more was lost", Config{}, Params{})
	s.active(fullSegments(s)...)
	s.write(11 * 1460) // the last of which goes out as the probe
	s.drain()
	echo := s.tsRecent
	s.advance(scriptRTT)
	for s.e.Info().Timeouts < 3 {
		s.wait(time.Minute)
		s.drain()
	}
	s.recv(ACK, 1, at(3), optTSEcr(echo)) // three had arrived, and their acknowledgments were lost
	s.check(s.e.Info().SpuriousTimeouts == 1, "not undone")
	s.want(ACK, at(10), 1, 1460)
	s.wantIdle()
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(3), optSACK(at(10), at(11)), optTSEcr(echo))
	s.want(ACK, at(3), 1, 1460)
}

// TestOwedRanges is the account of what was sent again.
func TestOwedRanges(t *testing.T) {
	block := func(l, r int) segment.SACKBlock {
		return segment.SACKBlock{Left: segment.Seq(uint32(l)), Right: segment.Seq(uint32(r))}
	}
	var o owedRanges
	add := func(l, r int) { o.add(block(l, r).Left, block(l, r).Right) }
	add(-10, 0) // across the end of the numbers
	add(0, 10)
	add(30, 40)
	for _, c := range []struct {
		l, r int
		want bool
	}{
		{-10, -5, false}, {0, 10, false}, {-10, 0, false}, {-5, 0, false}, {40, 50, false}, {20, 40, false},
		{0, 10, false}, {30, 40, true}, {30, 40, false},
	} {
		if got := o.report(block(c.l, c.r)); got != c.want {
			t.Fatalf("report of %d to %d: %v, want %v", c.l, c.r, got, c.want)
		}
	}
	o = owedRanges{}
	for i := range 9 {
		add(20*i, 20*i+10)
	}
	for i := range 9 {
		if o.report(block(20*i, 20*i+10)) {
			t.Fatal("an account that ran over says that nothing is owed")
		}
	}
}

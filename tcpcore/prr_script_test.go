package tcpcore

import "testing"

// sendsOn lets a SACK of segments from..to arrive and returns how many segments are sent.
func (s *script) sendsOn(ack int, edges ...int) int {
	s.t.Helper()
	s.recv(ACK, 1, ack, optSACK(edges...))
	return len(s.drain())
}

// prrFlight has twenty segments in flight and more to send.
func prrFlight(t *testing.T, sentence string) *script {
	s := newScript(t, sentence, Config{InitialWindow: 20}, Params{})
	s.active(optSACKOK())
	s.write(60 * 1460)
	if n := len(s.drain()); n != 20 {
		s.fail("%d segments in the first flight", n)
	}
	s.advance(scriptRTT)
	return s
}

// TestPRR is the first example of RFC 6937 section 3.1: of twenty segments the first is lost.
//
// Shows: RFC6937-1.
func TestPRR(t *testing.T) {
	s := prrFlight(t, "recovery sends on every second acknowledgment, until what is in flight is the threshold")
	// Limited transmit, then the retransmission, which is ahead of its time by half a
	// segment, then every second, until the pipe is at the threshold.
	want := []int{1, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1}
	for i, n := range want {
		got := s.sendsOn(at(0), at(1), at(2+i))
		s.check(got == n, "acknowledgment %d lets %d segments go, want %d", i+1, got, n)
	}
	s.check(s.e.Info().InFlight == 10*1460, "%d in flight at the end, want the threshold", s.e.Info().InFlight)
	s.check(s.e.Info().SlowStartThreshold == 10*1460, "threshold %d", s.e.Info().SlowStartThreshold)
	s.advance(scriptRTT)
	s.sendsOn(at(20), at(20), at(22))
	s.check(s.e.Info().InFlight <= 10*1460, "%d in flight", s.e.Info().InFlight)
	s.recv(ACK, 1, at(22))
	s.drain()
	s.check(s.e.Info().CongestionWindow == 10*1460 && s.e.Info().InFlight == 10*1460, "window %d, %d in flight after recovery, want the threshold",
		s.e.Info().CongestionWindow, s.e.Info().InFlight)
}

// TestPRRHeavyLoss is the second example: the first fifteen of twenty are lost. While more
// is lost than the window is reduced by, as much is sent as arrives; as soon as
// SND.UNA advances without further loss, a segment more (the safeACK of RFC 9937).
//
// Shows: RFC6937-2.
func TestPRRHeavyLoss(t *testing.T) {
	s := prrFlight(t, "after heavy loss as much is sent as arrives, and a segment more with each step that repairs")
	for i, n := range []int{1, 1, 1, 1, 1, 1, 1} {
		got := s.sendsOn(at(0), at(15), at(16+i))
		s.check(got == n, "acknowledgment %d lets %d segments go, want %d", i+1, got, n)
	}
	s.check(s.e.sent.count[lost] == 10, "%d segments are lost and wait", s.e.sent.count[lost])
	s.advance(scriptRTT)
	pipe := s.e.Info().InFlight
	got := s.sendsOn(at(1), at(15), at(22))
	s.check(got == 2, "the first repair lets %d segments go, want 2", got)
	s.check(s.e.Info().InFlight == pipe+1460, "%d in flight, were %d", s.e.Info().InFlight, pipe)
	for i := 2; s.e.Info().InFlight < 10*1460; i++ {
		s.check(s.sendsOn(at(i), at(15), at(22)) <= 2, "more than two segments for one")
		s.check(i < 15, "the threshold is not reached")
	}
	s.check(s.e.Info().InFlight == 10*1460, "%d in flight, want the threshold", s.e.Info().InFlight)
}

// TestPRRTimer has the reordering timer find more losses during recovery: what a timer
// finds lets nothing go by itself.
//
// Shows: RFC6937-2.
func TestPRRTimer(t *testing.T) {
	s := newScript(t, "losses that the timer finds do not leave in a burst", Config{InitialWindow: 40, NoDelay: true}, Params{})
	s.active(optSACKOK())
	s.late(3) // reordering: from now on there is a window
	s.flight(10)
	s.advance(ms)
	s.flight(10)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(3), optSACK(at(22), at(23)))
	s.advance(reoStart - ms)
	s.drain()
	s.check(s.e.Info().FastRecoveries == 1 && s.e.sent.count[lost] > 0, "the timer found nothing")
	before, waiting := s.e.Info().Retransmits, s.e.sent.count[lost]
	s.advance(2 * ms)
	s.drain()
	s.check(s.e.sent.count[lost] >= waiting+8, "the second time it found nothing")
	s.check(s.e.Info().Retransmits == before, "%d segments are sent at once", s.e.Info().Retransmits-before)
}

// TestPRRStretch has one acknowledgment begin recovery that tells of six segments.
//
// Shows: RFC6937-1.
func TestPRRStretch(t *testing.T) {
	s := prrFlight(t, "what arrived with the acknowledgment that begins recovery was in flight when it began")
	if n := s.sendsOn(at(0), at(1), at(7)); n != 3 {
		s.fail("six of twenty segments let %d go, want 3, as the window is to be halved", n)
	}
}

// TestPRRWithoutSACK estimates what is delivered by duplicate ACKs (RFC 6937 section 2).
//
// Shows: RFC6937-1.
func TestPRRWithoutSACK(t *testing.T) {
	s := newScript(t, "without SACK too recovery sends on every second acknowledgment", Config{InitialWindow: 20}, Params{})
	s.active()
	s.write(60 * 1460)
	s.drain()
	s.advance(scriptRTT)
	for i, n := range []int{1, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1} {
		s.recv(ACK, 1, 1)
		got := len(s.drain())
		s.check(got == n, "duplicate %d lets %d segments go, want %d", i+1, got, n)
	}
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(22))
	s.drain()
	s.check(s.e.Info().InFlight == 10*1460 && s.e.Info().CongestionWindow == 10*1460, "%d in flight, window %d, want the threshold",
		s.e.Info().InFlight, s.e.Info().CongestionWindow)
	s.check(s.e.Info().Timeouts == 0, "a timeout")
}

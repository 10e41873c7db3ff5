package tcpcore

import (
	"testing"
	"time"
)

// TestLimitedTransmit is RFC 3042: the first two duplicate ACKs let new data go, so that
// a third can come.
//
// Shows: RFC3042-1.
func TestLimitedTransmit(t *testing.T) {
	for _, sack := range []bool{false, true} {
		s := newScript(t, "the first two duplicate ACKs let a new segment go each, and leave the window alone", Config{InitialWindow: 4}, Params{})
		blocks := func(n int) segOpt { return optSACK() }
		if sack {
			s.active(optSACKOK())
			blocks = func(n int) segOpt { return optSACK(at(1), at(1+n)) }
		} else {
			s.active()
		}
		s.write(20 * 1460)
		s.drain()
		s.recv(ACK, 1, 1, blocks(1))
		s.want(ACK, at(4), 1, 1460)
		s.wantIdle()
		s.recv(ACK, 1, 1, blocks(2))
		s.want(ACK, at(5), 1, 1460)
		s.wantIdle()
		in := s.e.Info()
		s.check(in.CongestionWindow == 4*1460 && in.Unacked == 6*1460, "window %d, %d outstanding", in.CongestionWindow, in.Unacked)
		s.recv(ACK, 1, 1, blocks(3))
		s.want(ACK, at(0), 1, 1460)
		s.check(s.e.Info().FastRecoveries == 1, "%d recoveries", s.e.Info().FastRecoveries)
		// "ssthresh = max (FlightSize / 2, 2*SMSS)" does not count limited transmit
		// (RFC 5681 section 3.2, step 2).
		s.check(s.e.Info().SlowStartThreshold == 2*1460, "threshold %d", s.e.Info().SlowStartThreshold)
	}
}

// TestLimitedTransmitBounds gives the cases in which nothing more may go.
//
// Shows: RFC3042-1.
func TestLimitedTransmitBounds(t *testing.T) {
	s := newScript(t, "limited transmit heeds the peer's window", Config{InitialWindow: 4}, Params{})
	s.peerWindow = 4 * 1460
	s.active()
	s.write(20 * 1460)
	s.drain()
	s.recv(ACK, 1, 1)
	s.recv(ACK, 1, 1)
	s.wantIdle()

	s = newScript(t, "what duplicate ACKs let go does not add up over acknowledgments", Config{InitialWindow: 4}, Params{})
	s.active()
	s.write(40 * 1460)
	s.drain()
	for i := range 6 {
		s.recv(ACK, 1, at(i))
		s.recv(ACK, 1, at(i))
		s.recv(ACK, 1, at(i+1))
		s.drain()
		in := s.e.Info()
		s.check(in.Unacked <= in.CongestionWindow, "%d outstanding, the window is %d", in.Unacked, in.CongestionWindow)
	}

	s = newScript(t, "after a timeout duplicate ACKs let nothing go", Config{InitialWindow: 4}, Params{})
	s.active()
	s.write(20 * 1460)
	s.drain()
	s.wantAfter(200*ms, ACK, at(0), 1, 1460)
	for range 5 {
		s.recv(ACK, 1, 1)
	}
	s.wantIdle()
}

// TestNewRenoEdge is RFC 6582 section 3.2, step 2: "the Cumulative Acknowledgment field
// covers more than recover".
//
// Shows: RFC6582-1.
func TestNewRenoEdge(t *testing.T) {
	s := newScript(t, "duplicate ACKs of what recovery sent twice begin no other", Config{}, Params{})
	s.active()
	s.flight(10)
	for range 4 {
		s.recv(ACK, 1, 1)
	}
	s.want(ACK, at(0), 1, 1460)
	s.recv(ACK, 1, at(10))
	s.flight(3)
	for range 5 {
		s.recv(ACK, 1, at(10))
	}
	s.wantIdle()
	s.check(s.e.Info().FastRecoveries == 1, "%d recoveries", s.e.Info().FastRecoveries)
	// Beyond that point they do.
	s.recv(ACK, 1, at(11))
	for range 3 {
		s.recv(ACK, 1, at(11))
	}
	s.want(ACK, at(11), 1, 1460)
	s.check(s.e.Info().FastRecoveries == 2, "%d recoveries", s.e.Info().FastRecoveries)
}

// TestNewRenoPipe checks the account of duplicates through partial acknowledgments.
//
// Shows: RFC6582-2.
func TestNewRenoPipe(t *testing.T) {
	s := newScript(t, "each partial acknowledgment repairs one hole, and the pipe stays what it is", Config{InitialWindow: 20}, Params{})
	s.active()
	s.flight(12) // 0, 4 and 8 are lost, nine duplicates come
	for range 9 {
		s.recv(ACK, 1, 1)
	}
	s.want(ACK, at(0), 1, 1460)
	s.wantIdle()
	pipe := func(n int) {
		t.Helper()
		s.check(s.e.Info().InFlight == n*1460, "%d in flight, want %d segments", s.e.Info().InFlight, n)
	}
	pipe(3) // as far as one knows: the retransmission, and two that are lost
	s.recv(ACK, 1, at(4))
	s.want(ACK, at(4), 1, 1460)
	s.wantIdle()
	pipe(2)
	s.recv(ACK, 1, at(8))
	s.want(ACK, at(8), 1, 1460)
	s.wantIdle()
	pipe(1)
	s.recv(ACK, 1, at(12))
	pipe(0)
	in := s.e.Info()
	s.check(in.FastRecoveries == 1 && in.Retransmits == 3 && in.Timeouts == 0, "%d recoveries, %d retransmissions, %d timeouts", in.FastRecoveries, in.Retransmits, in.Timeouts)
	s.wantQuiet(time.Hour)
}

package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// flight writes n full segments of 1460 octets and takes them out of the engine.
func (s *script) flight(n int) {
	s.t.Helper()
	begin := len(s.sent)
	s.write(n * 1460)
	for i := range n {
		s.want(ACK, 1+begin+i*1460, 1, 1460)
	}
	s.wantIdle()
}

// at is the sequence number of the i-th segment of a flight.
func at(i int) int { return 1 + i*1460 }

// TestFastRetransmit loses the first of ten segments; the peer knows no SACK.
//
// Shows: RFC5681-4, MUST-19.
func TestFastRetransmit(t *testing.T) {
	s := newScript(t, "the third duplicate ACK retransmits, before any timer", Config{}, Params{})
	s.active()
	s.flight(10)
	s.recv(ACK, 1, 1)
	s.wantIdle()
	s.recv(ACK, 1, 1)
	s.wantIdle()
	s.recv(ACK, 1, 1)
	s.want(ACK, 1, 1, 1460)
	s.wantIdle()
	s.check(s.e.Info().SlowStartThreshold == 5*1460, "threshold %d, want half of the flight", s.e.Info().SlowStartThreshold)
	for range 6 {
		s.recv(ACK, 1, 1)
	}
	s.wantIdle() // nothing more is lost, nothing new to send
	s.recv(ACK, 1, at(10))
	s.check(s.e.Info().CongestionWindow == 5*1460, "window %d after recovery, want the threshold", s.e.Info().CongestionWindow)
	s.check(s.e.Info().Timeouts == 0 && s.e.Info().FastRecoveries == 1, "%d timeouts, %d recoveries", s.e.Info().Timeouts, s.e.Info().FastRecoveries)
	s.wantQuiet(time.Hour)
}

// TestNoFastRetransmit gives reasons that are no duplicate ACKs.
//
// Shows: RFC5681-4.
func TestNoFastRetransmit(t *testing.T) {
	s := newScript(t, "window updates and segments with data are no duplicate ACKs", Config{DelayedACK: -1}, Params{})
	s.active()
	s.flight(4)
	for i := range 6 {
		s.recv(ACK, 1, 1, optWin(30000+i))
	}
	s.wantIdle()
	for i := range 6 {
		s.recv(ACK, 1+i, 1, "x", optWin(30005))
		s.want(ACK, at(4), 2+i)
	}
	s.wantIdle()
}

// TestNewReno loses two segments of one flight.
//
// Shows: RFC5681-4.
func TestNewReno(t *testing.T) {
	s := newScript(t, "a partial acknowledgment retransmits the next hole at once (RFC 6582)", Config{}, Params{})
	s.active()
	s.flight(8)
	for range 3 {
		s.recv(ACK, 1, 1)
	}
	s.want(ACK, at(0), 1, 1460)
	s.wantIdle()
	s.recv(ACK, 1, at(3)) // segments 0 to 2 are there, 3 is not
	s.want(ACK, at(3), 1, 1460)
	s.wantIdle()
	s.recv(ACK, 1, at(8))
	s.wantIdle()
	in := s.e.Info()
	s.check(in.Timeouts == 0 && in.FastRecoveries == 1 && in.Retransmits == 2, "%d timeouts, %d recoveries, %d retransmissions", in.Timeouts, in.FastRecoveries, in.Retransmits)
}

// TestSACKRecovery loses the first and the third of ten segments.
//
// Shows: RFC6675-3, RFC6675-1.
func TestSACKRecovery(t *testing.T) {
	s := newScript(t, "with SACK exactly the holes are sent again, as the window allows", Config{}, Params{})
	s.active(optSACKOK())
	s.flight(10)
	s.recv(ACK, 1, 1, optSACK(at(1), at(2)))
	s.recv(ACK, 1, 1, optSACK(at(3), at(4), at(1), at(2)))
	s.wantIdle()
	s.recv(ACK, 1, 1, optSACK(at(3), at(5), at(1), at(2)))
	s.want(ACK, at(0), 1, 1460) // three segments above it are there
	s.wantIdle()
	s.recv(ACK, 1, 1, optSACK(at(3), at(6), at(1), at(2)))
	s.recv(ACK, 1, 1, optSACK(at(3), at(7), at(1), at(2)))
	s.want(ACK, at(2), 1, 1460)
	s.recv(ACK, 1, 1, optSACK(at(3), at(10), at(1), at(2)))
	s.wantIdle()
	s.recv(ACK, 1, at(2), optSACK(at(3), at(10)))
	s.wantIdle()
	s.recv(ACK, 1, at(10))
	s.wantQuiet(time.Hour)
	in := s.e.Info()
	s.check(in.Retransmits == 2 && in.Timeouts == 0 && in.FastRecoveries == 1, "%d retransmissions, %d timeouts, %d recoveries", in.Retransmits, in.Timeouts, in.FastRecoveries)
}

// TestReneging takes back what it reported.
//
// Shows: RFC2018-5, RFC2018-6, RFC6675-1, RFC6675-5.
func TestReneging(t *testing.T) {
	s := newScript(t, "what was only selectively acknowledged is kept, and sent again after a timeout at the left edge", Config{}, Params{})
	s.active(optSACKOK())
	s.flight(4)
	s.recv(ACK, 1, 1, optSACK(at(1), at(4)))
	s.want(ACK, at(0), 1, 1460)
	// Now the peer has the first segment but has thrown the others away.
	s.recv(ACK, 1, at(1))
	s.wantIdle()
	s.wait(time.Minute)
	s.want(ACK, at(1), 1, 1460)
	s.recv(ACK, 1, at(2))
	s.want(ACK, at(2), 1, 1460)
	s.want(ACK, at(3), 1, 1460)
	s.recv(ACK, 1, at(4))
	s.wantQuiet(time.Hour)
}

// TestTimeoutInRecovery lets the timer fire during fast recovery.
//
// Shows: RFC6675-5.
func TestTimeoutInRecovery(t *testing.T) {
	s := newScript(t, "a timeout ends recovery, and no other begins before all is acknowledged", Config{}, Params{})
	s.active(optSACKOK())
	s.flight(10)
	s.recv(ACK, 1, 1, optSACK(at(1), at(4)))
	s.want(ACK, at(0), 1, 1460)
	s.wantIdle()
	s.wait(time.Minute) // the retransmission is lost too
	s.want(ACK, at(0), 1, 1460)
	s.wantIdle()
	s.check(s.e.Info().CongestionWindow == 1460, "window %d after the timeout, want a segment", s.e.Info().CongestionWindow)
	s.recv(ACK, 1, 1, optSACK(at(1), at(8)))
	s.recv(ACK, 1, 1, optSACK(at(1), at(9)))
	s.recv(ACK, 1, 1, optSACK(at(1), at(10)))
	s.check(s.e.Info().FastRecoveries == 1, "%d recoveries", s.e.Info().FastRecoveries)
	s.recv(ACK, 1, at(10))
	s.wantQuiet(time.Hour)
}

// TestWindowLimits holds both windows against a writer with much to say.
//
// Shows: RFC5681-1.
func TestWindowLimits(t *testing.T) {
	s := newScript(t, "no more is in flight than both windows allow", Config{InitialWindow: 4}, Params{})
	s.active()
	s.write(60000)
	for i := range 4 { // cwnd
		s.want(ACK, at(i), 1, 1460)
	}
	s.wantIdle()
	s.recv(ACK, 1, at(4), optWin(3*1460))
	for i := range 3 { // rwnd
		s.want(ACK, at(4+i), 1, 1460)
	}
	s.wantIdle()
}

// TestSACKBlocks receives with holes.
//
// Shows: RFC2018-3, RFC2018-2, RFC2018-4, SHLD-31.
func TestSACKBlocks(t *testing.T) {
	s := newScript(t, "the first SACK block reports what arrived last, then the others, most recent first", Config{}, Params{})
	s.passive(optSACKOK())
	s.recv(ACK, 101, 1, 100)
	s.want(ACK, 1, 1, optSACK(101, 201))
	s.recv(ACK, 301, 1, 100)
	s.want(ACK, 1, 1, optSACK(301, 401, 101, 201))
	s.recv(ACK, 501, 1, 100)
	s.want(ACK, 1, 1, optSACK(501, 601, 301, 401, 101, 201))
	s.recv(ACK, 701, 1, 100)
	s.recv(ACK, 901, 1, 100)
	s.want(ACK, 1, 1, optSACK(901, 1001, 701, 801, 501, 601, 301, 401))
	s.recv(ACK, 201, 1, 100) // joins two
	s.want(ACK, 1, 1, optSACK(101, 401, 901, 1001, 701, 801, 501, 601))
	s.recv(ACK, 1, 1, 100)
	s.want(ACK, 1, 401, optSACK(901, 1001, 701, 801, 501, 601))
	s.read(400)
	s.recv(ACK, 401, 1, 500)
	s.want(ACK, 1, 1001, optAnySACK())
	s.read(600)
	s.recv(ACK, 1001, 1, 100)
	s.wantAfter(40*ms, ACK, 1, 1101) // no blocks of what was delivered
}

// TestSACKWithTimestamps has less room.
//
// Shows: RFC2018-3.
func TestSACKWithTimestamps(t *testing.T) {
	s := newScript(t, "three blocks fit beside timestamps", Config{}, Params{})
	s.passive(optSACKOK(), optTSOn())
	for i := range 5 {
		s.recv(ACK, 101+200*i, 1, 100)
	}
	s.want(ACK, 1, 1, optSACK(901, 1001, 701, 801, 501, 601), optTSOn())
}

// TestDSACK receives twice.
func TestDSACK(t *testing.T) {
	s := newScript(t, "the first block reports a duplicate (RFC 2883)", Config{}, Params{})
	s.passive(optSACKOK())
	s.recv(ACK, 1, 1, 100)
	s.want2ndACK(101)
	s.recv(ACK, 1, 1, 100)
	s.want(ACK, 1, 101, optSACK(1, 101))
	s.recv(ACK, 301, 1, 100)
	s.want(ACK, 1, 101, optSACK(301, 401))
	s.recv(ACK, 301, 1, 100) // within what is held: the block follows its duplicate
	s.want(ACK, 1, 101, optSACK(301, 401, 301, 401))
}

// want2ndACK lets the delayed ACK come.
func (s *script) want2ndACK(ack int) {
	s.t.Helper()
	s.wantAfter(40*ms, ACK, 1, ack)
}

// TestDSACKReceived does not take a duplicate for an acknowledgment.
func TestDSACKReceived(t *testing.T) {
	s := newScript(t, "blocks below the acknowledgment, beyond what was sent or upside down mark nothing", Config{}, Params{})
	s.active(optSACKOK())
	s.flight(6)
	for range 4 {
		s.recv(ACK, 1, at(1), optSACK(at(0), at(1)))
		s.recv(ACK, 1, at(1), optSACK(at(6), at(9)))
		s.recv(ACK, 1, at(1), optSACK(at(5), at(2)))
		s.recv(ACK, 1, at(1), optSACK(-5000, at(6)))
	}
	s.wantIdle()
	s.recv(ACK, 1, at(6))
	s.wantQuiet(time.Hour)
}

// TestNoSACK negotiates every way but the one that turns SACK on.
//
// Shows: RFC2018-1, RFC2018-2.
func TestNoSACK(t *testing.T) {
	hole := func(s *script) {
		s.t.Helper()
		s.recv(ACK, 101, 1, 100)
		s.want(ACK, 1, 1) // want fails on a block
	}
	s := newScript(t, "no SACK unless the peer permitted it", Config{}, Params{})
	s.passive()
	hole(s)
	s = newScript(t, "no SACK if we do not want it", Config{NoSACK: true}, Params{})
	s.listen()
	s.recv(SYN, 0, 0, optMSS(1460), optSACKOK())
	s.want(SYN|ACK, 0, 1, optNoSACKOK())
	s.recv(ACK, 1, 1)
	hole(s)
	s = newScript(t, "SACK-permitted on a segment that is no SYN permits nothing", Config{}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, optSet(func(g *segment.Segment) { g.Options.SACKPermitted = true }))
	hole(s)
	s = newScript(t, "a passive end does not offer what it was not offered", Config{}, Params{})
	s.listen()
	s.recv(SYN, 0, 0, optMSS(1460))
	s.want(SYN|ACK, 0, 1, optNoSACKOK(), optNoTS(), optScale(-1))
}

// TestFirstBytesWin sends different bytes for one place.
func TestFirstBytesWin(t *testing.T) {
	s := newScript(t, "of bytes that arrive twice the first win, held or delivered", Config{}, Params{})
	s.passive()
	s.recv(ACK, 4, 1, "DEF")
	s.recv(ACK, 1, 1, "abcdefgh")
	s.want(ACK, 1, 9)
	s.read("abcDEFgh")
	s.recv(ACK, 5, 1, "wxyzi")
	s.want(ACK, 1, 10)
	s.read("i")
	s.recv(ACK, 14, 1, "nop")
	s.recv(ACK, 12, 1, "LMNOP")
	s.recv(ACK, 10, 1, "jk")
	s.want(ACK, 1, 17)
	s.read("jkLMnop")
}

// TestManyHoles sends every second octet.
//
// Shows: SHLD-31.
func TestManyHoles(t *testing.T) {
	s := newScript(t, "a peer that makes thousands of holes costs bounded memory and loses nothing", Config{}, Params{})
	s.passive()
	for i := range 2 * maxHoles {
		s.recv(ACK, 2+2*i, 1, 1)
		s.drain()
	}
	s.check(len(s.e.rcv.q.ranges) <= maxHoles, "%d ranges are held", len(s.e.rcv.q.ranges))
	// What was dropped is as if lost: sent again it completes the stream.
	const all = 4*maxHoles + 1
	for i := 0; i < all; i += 500 {
		s.recv(ACK, 1+i, 1, min(500, all-i))
		s.drain()
	}
	s.read(all)
}

// TestHolesDoNotStarve sends what is missing at the left edge when no more ranges are held.
//
// Shows: SHLD-31.
func TestHolesDoNotStarve(t *testing.T) {
	s := newScript(t, "what continues the stream is taken, however many holes there are beyond", Config{}, Params{})
	s.passive(optSACKOK())
	for i := range 2 * maxHoles {
		s.recv(ACK, 5000+2*i, 1, 1)
		s.drain()
	}
	s.recv(ACK, 1, 1, 1000)
	s.want(ACK, 1, 1001, optAnySACK())
	s.read(1000)
}

// TestBatchSACK: segments that were read together are told of one and all, in as many ACKs
// as it takes, so that none is taken for lost since a later one was told of; a range that
// was told of does not ask for another ACK.
//
// Shows: RFC2018-3.
func TestBatchSACK(t *testing.T) {
	for _, c := range []struct{ ranges, acks int }{{1, 1}, {3, 1}, {4, 2}, {7, 3}, {16, 6}} {
		s := newScript(t, "each of many ranges is told of", Config{}, Params{})
		s.active(optTSOn(), optSACKOK())
		for i := range c.ranges {
			s.recv(ACK, 101+200*i, 1, 100)
		}
		told := make(map[int]bool)
		acks := s.drain()
		for _, g := range acks {
			for _, b := range g.Options.SACK[:g.Options.SACKCount] {
				told[relative(b.Left, s.irs)] = true
			}
		}
		s.check(len(acks) == c.acks && len(told) == c.ranges, "%d ACKs told of %d of %d ranges", len(acks), len(told), c.ranges)
		s.recv(ACK, 101+200*c.ranges, 1, 100)
		acks = s.drain()
		s.check(len(acks) == 1 && relative(acks[0].Options.SACK[0].Left, s.irs) == 101+200*c.ranges, "then %d ACKs, %v", len(acks), acks)
	}
}

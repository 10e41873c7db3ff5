package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// The ECN field of a datagram (RFC 3168 section 5).
const (
	notECT = 0
	ect0   = 2
	ce     = 3
)

// ecn opens actively with ECN on both sides, and reports what arrives marked.
func ecnScript(t *testing.T, sentence string, cfg Config) *script {
	cfg.ECN = true
	s := newScript(t, sentence, cfg, Params{MarksVisible: true})
	s.connect()
	s.want(SYN|ECE|CWR, 0, 0, optClass(notECT))
	s.advance(scriptRTT)
	s.recv(SYN|ACK|ECE, 0, 1, optMSS(1460), optSACKOK())
	s.want(ACK, 1, 1, optClass(notECT))
	s.check(s.e.Info().ECN, "ECN was not agreed on")
	return s
}

// TestECNActive asks, and gets each possible answer.
//
// Shows: SHLD-8, RFC3168-1, RFC3168-2.
func TestECNActive(t *testing.T) {
	for _, ask := range []bool{false, true} {
		for _, answer := range []segment.Flags{0, ECE, CWR, ECE | CWR} {
			s := newScript(t, "ECN needs a SYN with both bits and a SYN-ACK with ECE alone", Config{ECN: ask}, Params{})
			s.connect()
			if ask {
				s.want(SYN|ECE|CWR, 0, 0, optClass(notECT))
			} else {
				s.want(SYN, 0, 0, optClass(notECT))
			}
			s.recv(SYN|ACK|answer, 0, 1)
			s.want(ACK, 1, 1, optClass(notECT))
			on := ask && answer == ECE
			s.check(s.e.Info().ECN == on, "asked %v, answer %v: ECN %v", ask, answer, s.e.Info().ECN)
			s.write("x")
			class := uint8(notECT)
			if on {
				class = ect0
			}
			s.want(ACK, 1, 1, "x", optClass(class))
		}
	}
}

// TestECNPassive is asked in each possible way.
//
// Shows: RFC3168-1.
func TestECNPassive(t *testing.T) {
	for _, own := range []bool{false, true} {
		for _, ask := range []segment.Flags{0, ECE, CWR, ECE | CWR} {
			s := newScript(t, "who asks with both bits is answered, whether or not we would ask", Config{ECN: own}, Params{})
			s.listen()
			s.recv(SYN|ask, 0, 0)
			on := ask == ECE|CWR
			if on {
				s.want(SYN|ACK|ECE, 0, 1, optClass(notECT))
			} else {
				s.want(SYN|ACK, 0, 1, optClass(notECT))
			}
			s.recv(ACK, 1, 1)
			s.check(s.e.Info().ECN == on, "asked by %v: ECN %v", ask, s.e.Info().ECN)
			s.write("x")
			class := uint8(notECT)
			if on {
				class = ect0
			}
			s.want(ACK, 1, 1, "x", optClass(class))
		}
	}
}

// TestECNSimultaneous has both sides ask, or one.
//
// Shows: RFC3168-1.
func TestECNSimultaneous(t *testing.T) {
	for _, c := range []struct{ own, peer, on bool }{
		{true, true, true}, {true, false, false}, {false, true, false}, {false, false, false},
	} {
		s := newScript(t, "in a simultaneous open ECN needs two who ask", Config{ECN: c.own}, Params{})
		s.connect()
		s.wantRaw()
		ask, answer := segment.Flags(0), segment.Flags(0)
		if c.peer {
			ask = ECE | CWR
		}
		s.recv(SYN|ask, 0, 0)
		if c.on {
			answer = ECE
		}
		s.want(SYN|ACK|answer, 0, 1, optClass(notECT))
		s.recv(SYN|ACK|answer, 0, 1)
		s.wantState(Established)
		s.check(s.e.Info().ECN == c.on, "%+v: ECN %v", c, s.e.Info().ECN)
		s.drain()
		s.write("x")
		class := uint8(notECT)
		if c.on {
			class = ect0
		}
		s.want(ACK, 1, 1, "x", optClass(class))
	}
	s := newScript(t, "a SYN-ACK that consents no more ends it", Config{ECN: true}, Params{})
	s.connect()
	s.want(SYN|ECE|CWR, 0, 0)
	s.recv(SYN|ECE|CWR, 0, 0)
	s.want(SYN|ACK|ECE, 0, 1)
	s.recv(SYN|ACK, 0, 1)
	s.check(!s.e.Info().ECN, "ECN stays on")
}

// TestECNFallback loses the SYN that asks (section 6.1.1.1).
//
// Shows: RFC3168-2, RFC3168-3.
func TestECNFallback(t *testing.T) {
	s := newScript(t, "a SYN that is lost is sent again without asking, and then nothing is marked; but marks are echoed", Config{ECN: true}, Params{MarksVisible: true})
	s.connect()
	s.want(SYN|ECE|CWR, 0, 0)
	s.wantAfter(time.Second, SYN, 0, 0)
	s.recv(SYN|ACK|ECE, 0, 1) // the answer to the first, late
	s.want(ACK, 1, 1)
	s.write("x")
	s.want(ACK, 1, 1, "x", optClass(notECT))
	s.recv(ACK, 1, 2, "y", optClass(ce))
	s.want(ACK|ECE, 2, 2)

	s = newScript(t, "a peer that asks no more gets a SYN-ACK without", Config{}, Params{})
	s.listen()
	s.recv(SYN|ECE|CWR, 0, 0)
	s.want(SYN|ACK|ECE, 0, 1)
	s.recv(SYN, 0, 0)
	s.drain()
	s.wait(time.Minute)
	s.want(SYN|ACK, 0, 1)
	s.recv(ACK, 1, 1)
	s.check(!s.e.Info().ECN, "ECN stays on")
	s.write("x")
	s.want(ACK, 1, 1, "x", optClass(notECT))
}

// TestECNReceiver is section 6.1.3: a mark is echoed on every ACK until the peer says CWR.
//
// Shows: RFC3168-4.
func TestECNReceiver(t *testing.T) {
	s := ecnScript(t, "CE is echoed on all that acknowledges until CWR comes", Config{})
	s.recv(ACK, 1, 1, 100, optClass(ect0))
	s.want2ndACK(101)
	s.recv(ACK, 101, 1, 100, optClass(ce))
	s.want(ACK|ECE, 1, 201) // at once
	s.recv(ACK, 201, 1, 100, optClass(ect0))
	s.wantAfter(40*ms, ACK|ECE, 1, 301)
	s.write("data")
	s.want(ACK|ECE, 1, 301, "data")
	s.recv(ACK|CWR, 301, 5, 100, optClass(ect0))
	s.wantAfter(40*ms, ACK, 5, 401)
	s.recv(ACK|CWR, 401, 5, 100, optClass(ce))
	s.want(ACK|ECE, 5, 501) // marked again
	s.check(s.e.Info().CEReceived == 2, "%d marks counted", s.e.Info().CEReceived)

	s = ecnScript(t, "marks on what is outside of the window, or has no data, are ignored", Config{})
	s.recv(ACK, 1, 1, 100, optClass(ect0))
	s.want2ndACK(101)
	s.recv(ACK, 1, 1, 100, optClass(ce))
	s.want(ACK, 1, 101, optAnySACK())
	s.recv(ACK, 101, 1, optClass(ce))
	s.wantIdle()

	s = newScript(t, "without ECN a mark is nothing", Config{}, Params{MarksVisible: true})
	s.active()
	s.recv(ACK, 1, 1, 100, optClass(ce))
	s.want2ndACK(101)
}

// TestECNSender is section 6.1.2: one reaction a window, and CWR on the first new data.
//
// Shows: RFC3168-5, RFC3168-6.
func TestECNSender(t *testing.T) {
	cfg, ctl := counted(10)
	s := ecnScript(t, "an echo halves the window once a window, and CWR tells of it", cfg)
	s.write(40 * 1460)
	for i := range 10 {
		s.want(ACK, at(i), 1, 1460, optClass(ect0))
	}
	s.wantIdle()
	s.advance(scriptRTT)
	s.recv(ACK|ECE, 1, at(1))
	s.check(len(ctl.losses) == 1 && ctl.losses[0].Cause == congestion.ECN, "%d reactions", len(ctl.losses))
	window := s.e.Info().CongestionWindow
	s.check(window == 5*1460, "the window is %d", window) // half of what the mark met, not of what is left
	for i := 2; i <= 10; i++ {
		s.recv(ACK|ECE, 1, at(i))
	}
	s.check(len(ctl.losses) == 1, "%d reactions to one window", len(ctl.losses))
	s.check(s.e.Info().CongestionWindow == window, "the window grows on echoes, to %d", s.e.Info().CongestionWindow)
	s.want(ACK|CWR, at(10), 1, 1460, optClass(ect0))
	s.want(ACK, at(11), 1, 1460, optClass(ect0)) // on one segment only
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK|ECE, 1, at(11)) // the next window is marked too
	s.check(len(ctl.losses) == 2, "%d reactions to two windows", len(ctl.losses))
	s.recv(ACK, 1, at(14))
	s.want(ACK|CWR, at(15), 1, 1460)
	s.drain()
	in := s.e.Info()
	s.check(in.ECNReactions == 2 && in.Retransmits == 0, "%d reactions counted, %d retransmissions", in.ECNReactions, in.Retransmits)
}

// TestECNAndLoss marks and loses in one window.
//
// Shows: RFC3168-5, RFC3168-6.
func TestECNAndLoss(t *testing.T) {
	cfg, ctl := counted(10)
	s := ecnScript(t, "a loss and a mark of one window are one indication of congestion, the loss first", cfg)
	s.flight(10)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(1), at(5)))
	s.want(ACK, at(0), 1, 1460, optClass(notECT)) // what is sent again is not marked
	s.recv(ACK|ECE, 1, 1, optSACK(at(1), at(6)))
	s.check(len(ctl.losses) == 1, "%d reactions", len(ctl.losses))
	s.recv(ACK, 1, at(10))
	s.write("new")
	s.want(ACK|CWR, at(10), 1, "new", optClass(ect0)) // "for any reason"

	cfg, ctl = counted(10)
	s = ecnScript(t, "or the mark first", cfg)
	s.flight(10)
	s.advance(scriptRTT)
	s.recv(ACK|ECE, 1, 1, optSACK(at(1), at(2)))
	s.recv(ACK|ECE, 1, 1, optSACK(at(1), at(5)))
	s.want(ACK, at(0), 1, 1460, optClass(notECT))
	s.check(len(ctl.losses) == 1 && s.e.Info().FastRecoveries == 1, "%d reactions, %d recoveries", len(ctl.losses), s.e.Info().FastRecoveries)
}

// TestECNNotMarked gives what must not be marked, but data that is new: retransmissions,
// probes of both kinds, acknowledgments.
//
// Shows: RFC3168-7.
func TestECNNotMarked(t *testing.T) {
	s := ecnScript(t, "only new data is marked", Config{})
	s.flight(2)
	s.wait(time.Minute)
	s.want(ACK, at(1), 1, 1460, optClass(notECT)) // a tail loss probe
	s.wait(time.Minute)
	s.want(ACK, at(0), 1, 1460, optClass(notECT)) // a timeout
	s.recv(ACK, 1, at(2), optWin(0))
	s.write("probe")
	s.wait(time.Minute)
	s.want(ACK, at(2), 1, "p", optClass(notECT)) // a window probe, without CWR too
	s.recv(ACK, 1, at(2), 1460, optWin(0))
	s.recv(ACK, 1461, at(2), 1460, optWin(0))
	s.want(ACK, at(2), 2921, optClass(notECT))
}

// TestECNBleached is a path that clears the field.
//
// Shows: RFC3168-8.
func TestECNBleached(t *testing.T) {
	s := ecnScript(t, "a path that clears the peer's marks is not given ours", Config{})
	for i := range bleachAfter {
		s.write("x")
		s.want(ACK, 1+i, 1+i, "x", optClass(ect0), optAnySACK())
		s.recv(ACK, 1+i, 2+i, "y", optClass(notECT))
		s.drain()
	}
	s.write("z")
	s.wantClassOnly(notECT)

	s = ecnScript(t, "one mark that arrives is enough", Config{})
	for i := range 3 * bleachAfter {
		class := uint8(notECT)
		if i == bleachAfter-1 {
			class = ect0
		}
		s.recv(ACK, 1+i, 1, "y", optClass(class))
		s.drain()
	}
	s.write("z")
	s.wantClassOnly(ect0)
}

// wantClassOnly wants one segment of the given class.
func (s *script) wantClassOnly(class uint8) {
	s.t.Helper()
	g := s.wantRaw()
	s.check(g.TrafficClass == class, "class %d, want %d", g.TrafficClass, class)
}

// TestECNDropped is a path that drops what is marked.
//
// Shows: RFC3168-8.
func TestECNDropped(t *testing.T) {
	s := ecnScript(t, "where the first marked segments vanish and what is sent again arrives, no more is marked", Config{})
	s.flight(5)
	s.wait(time.Minute)
	s.want(ACK, at(4), 1, 1460, optClass(notECT)) // the probe
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(4), at(5)))
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(5))
	s.write("more")
	g := s.wantRaw()
	s.check(g.TrafficClass == notECT && s.e.Info().ECN, "class %d, ECN %v", g.TrafficClass, s.e.Info().ECN)

	s = ecnScript(t, "losses of a path that lets marks through change nothing", Config{})
	s.flight(1)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(1))
	s.flight(8)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(1), optSACK(at(6), at(9)))
	s.drain()
	s.recv(ACK, 1, at(9))
	s.write("more")
	s.wantClassOnly(ect0)
}

// TestECNSmallestWindow is section 6.1.2: with a window of one segment the rate falls
// all the same.
//
// Shows: RFC3168-9.
func TestECNSmallestWindow(t *testing.T) {
	s := ecnScript(t, "echoes with a window of one segment slow sending below a segment a round trip", Config{InitialWindow: 1})
	s.write(20 * 1460)
	s.want(ACK, at(0), 1, 1460)
	for i := 1; i < 5; i++ {
		s.advance(scriptRTT)
		s.recv(ACK|ECE, 1, at(i))
		begin := s.now
		s.pump()
		if len(s.out) == 0 {
			s.wait(time.Minute)
		}
		s.drain()
		if gap := s.now.Sub(begin); i > 2 && gap < scriptRTT/2 {
			s.fail("after %d echoes the next segment comes %v later", i, gap)
		}
	}
}

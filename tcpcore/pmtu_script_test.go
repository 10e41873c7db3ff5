package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// narrowPath is a story on a path that is believed to take 1200 octets of data, where the
// interface takes 1460.
func narrowPath(t *testing.T, sentence string, cfg Config) *script {
	s := newScript(t, sentence, cfg, Params{MMS: 1220, MaxMMS: 1480})
	s.active(optSACKOK())
	return s
}

// sizes are the lengths of what is sent now.
func (s *script) sizes() []int {
	var n []int
	for _, g := range s.drain() {
		n = append(n, len(g.Payload))
	}
	return n
}

// TestMTUProbe is RFC 4821 sections 7.4, 7.5 and 7.6.1.
//
// Shows: RFC4821-1, RFC4821-4.
func TestMTUProbe(t *testing.T) {
	s := narrowPath(t, "a larger segment is sent as a train of its own, and once it arrives all are as large", Config{})
	s.write(20_000)
	s.check(s.e.Output(s.now, &s.train) && len(s.train.Buf) == 1480, "the first train has %d octets", len(s.train.Buf))
	s.unpack()
	s.want(ACK, 1, 1, 1460)
	for i := range 8 {
		s.want(ACK, 1461+i*1200, 1, 1200)
	}
	s.wantIdle()
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1461)
	s.want(ACK, 11061, 1, 1460)
	s.want(ACK, 12521, 1, 1460)
	s.wantEvent(EvPathMTU)
	in := s.e.Info()
	s.check(in.PathMTU == 1480 && in.SendMSS == 1460 && in.MTUProbes == 1 && in.MTUProbesLost == 0, "%+v", in)
	s.check(in.CongestionWindow == 12000+1460, "the window is %d", in.CongestionWindow)

	s = narrowPath(t, "too little data for a loss to be found is no occasion", Config{})
	s.write(1460 + 4*1200 - 1)
	s.check(len(s.sizes()) == 5, "not five segments, the rest being held back (RFC 9293 section 3.7.4)")
	s.check(s.e.Info().MTUProbes == 0, "a probe")

	s = narrowPath(t, "nor is a window that is too small", Config{InitialWindow: 5})
	s.write(20_000)
	s.check(len(s.sizes()) == 5 && s.e.Info().MTUProbes == 0, "a probe")

	s = narrowPath(t, "nor is the end of a record, which no segment goes beyond", Config{})
	s.write(1000)
	s.e.EndRecord()
	s.write(20_000)
	n := s.sizes()
	s.check(n[0] == 1000 && n[1] == 1460, "segments of %v", n)

	s = narrowPath(t, "it can be switched off", Config{NoMTUProbing: true})
	s.write(20_000)
	s.check(len(s.sizes()) == 10 && s.e.Info().MTUProbes == 0, "a probe")

	s = newScript(t, "and is, for a peer without SACK", Config{}, Params{MMS: 1220, MaxMMS: 1480})
	s.active()
	s.write(20_000)
	s.check(len(s.sizes()) == 10 && s.e.Info().MTUProbes == 0, "a probe")
}

// TestMTUProbeLost is RFC 4821 section 7.6.2: "the loss SHOULD NOT be interpreted as congestion
// signal", and the next probe waits for as many round trips as the window has segments.
//
// Shows: RFC4821-2, RFC4821-4.
func TestMTUProbeLost(t *testing.T) {
	cfg, ctl := counted(10)
	s := narrowPath(t, "a probe that is lost is sent again in pieces, and nothing is made of it", cfg)
	s.write(60_000)
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(1461, 1461+3*1200))
	s.want(ACK, 1, 1, 1200)
	s.want(ACK, 1201, 1, 260)
	s.drain()
	in := s.e.Info()
	s.check(len(ctl.losses) == 0 && in.FastRecoveries == 0 && in.MTUProbesLost == 1 && in.SendMSS == 1200,
		"%d reactions, %d recoveries, MSS %d", len(ctl.losses), in.FastRecoveries, in.SendMSS)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1461+8*1200)
	lost := s.now
	for s.e.Info().MTUProbes == 1 {
		s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
		s.write(10_000)
		s.drain()
		s.advance(scriptRTT)
		s.check(s.now.Sub(lost) < time.Second, "no other probe within a second")
	}
	s.check(s.now.Sub(lost) >= 9*scriptRTT, "another probe after %v", s.now.Sub(lost))
}

// TestMTUProbeInconclusive is RFC 4821 section 7.6.4: with other losses it is one of them.
func TestMTUProbeInconclusive(t *testing.T) {
	cfg, ctl := counted(10)
	s := narrowPath(t, "a probe that is lost with others was in the way of congestion, and is tried again", cfg)
	s.write(60_000)
	s.drain()
	s.advance(scriptRTT)
	// The probe was the first, and the segment behind it is lost, too.
	s.recv(ACK, 1, 1, optSACK(2661, 2661+3*1200))
	s.drain()
	s.check(len(ctl.losses) == 1, "%d reactions", len(ctl.losses))
	s.advance(scriptRTT)
	s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
	for range 10 {
		s.drain()
		s.advance(scriptRTT)
		s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
		s.write(10_000)
	}
	s.check(s.e.Info().MTUProbes >= 2, "%d probes", s.e.Info().MTUProbes)
}

// TestTooBig is RFC 9293 section 3.7.2 with the checks of RFC 5927: what is believed takes effect
// at once, and is no sign of congestion.
//
// Shows: RFC5927-1, RFC8899-1, RFC8899-2.
func TestTooBig(t *testing.T) {
	cfg, ctl := counted(10)
	s := newScript(t, "what was too large goes out in pieces at once", cfg, Params{MMS: 1480, MaxMMS: 1480})
	s.active(optSACKOK())
	s.flight(5)
	window := s.e.Info().CongestionWindow
	for _, c := range []struct {
		why string
		seq int
		mms int
	}{
		{"about nothing that was sent", at(5), 1220},
		{"about what was acknowledged", 0, 1220},
		{"that quotes no beginning of a segment", at(1) + 1, 1220},
		{"of a size that fits", at(1), 1480},
		{"of a size that every path takes", at(1), minPLPMTU - 1},
	} {
		s.check(!s.e.TooBig(s.now, s.ours(c.seq), c.mms), "believed: a report %s", c.why)
		s.wantIdle()
	}
	s.check(s.e.TooBig(s.now, s.ours(at(1)), 1220), "not believed")
	for i := range 5 {
		s.want(ACK, at(i), 1, 1200)
		s.want(ACK, at(i)+1200, 1, 260)
	}
	s.wantIdle()
	s.check(!s.e.TooBig(s.now, s.ours(at(2)), 1220), "the report about the next of them is news")
	s.wantIdle()
	in := s.e.Info()
	s.check(in.PathMTU == 1220 && in.SendMSS == 1200 && in.TooBigReports == 1 && in.TooBigIgnored == 6, "%+v", in)
	s.check(len(ctl.losses) == 0 && in.CongestionWindow == window, "%d reactions, window %d", len(ctl.losses), in.CongestionWindow)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(5))

	// "MUST NOT ... in less than 5 minutes" (RFC 1191 section 6.3); RFC 8899 has 10.
	s.write(20_000)
	for s.drain(); s.e.Info().Unacked > 0; s.drain() {
		s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
	}
	s.check(s.e.Info().MTUProbes == 0, "a probe although the path is known")
	s.advance(raiseAfter)
	s.write(20_000)
	s.check(s.sizes()[0] == 1460, "no probe after ten minutes")
}

// TestTooBigProbe is RFC 4821 section 7.6.2: the report about a probe says what to try instead.
func TestTooBigProbe(t *testing.T) {
	s := narrowPath(t, "a report about a probe is followed by one of the size that it names", Config{})
	s.write(60_000)
	s.drain()
	s.check(s.e.TooBig(s.now, s.ours(1), 1420), "not believed")
	s.want(ACK, 1, 1, 1200)
	s.want(ACK, 1201, 1, 260)
	s.wantIdle()
	s.check(s.e.Info().SendMSS == 1200, "the MSS is %d", s.e.Info().SendMSS)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1461+8*1200)
	s.check(s.sizes()[0] == 1400, "not the size of the report")
	s.advance(scriptRTT)
	s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
	s.check(s.e.Info().SendMSS == 1400 && s.e.Info().MTUProbes == 2, "MSS %d after %d probes", s.e.Info().SendMSS, s.e.Info().MTUProbes)
}

// TestBlackHole is RFC 4821 section 7.7: full segments that time out in a row are made smaller.
//
// Shows: RFC4821-3.
func TestBlackHole(t *testing.T) {
	s := newScript(t, "full segments vanish without a word", Config{}, Params{MMS: 1480, MaxMMS: 1480})
	s.active(optSACKOK())
	s.write(100_000)
	s.drain()
	s.advance(20 * ms) // the tail loss probe
	s.drain()
	for s.e.Info().Timeouts < 2 {
		s.wait(time.Second)
		s.drain()
	}
	in := s.e.Info()
	s.check(in.SendMSS == 1180 && in.BlackHoles == 1, "MSS %d", in.SendMSS)
	s.check(in.CongestionWindow >= 14600, "nothing of that size ever arrived, but the window is %d", in.CongestionWindow)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1181)
	s.drain()
	for range 4 {
		s.advance(scriptRTT)
		s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
		s.drain()
	}
	s.check(s.e.Info().MTUProbes > 0, "what was believed before is not tried again")

	s = newScript(t, "the base does not pass either: RFC 4821 section 7.7, \"upon additional successive timeouts\"", Config{},
		Params{MMS: 1480, MaxMMS: 1480})
	s.active(optSACKOK())
	s.write(100_000)
	for s.e.Info().Timeouts < 5 {
		s.drain()
		s.wait(time.Minute)
	}
	in = s.e.Info()
	s.check(in.SendMSS == minPLPMTU-20 && in.BlackHoles == 2, "MSS %d, %d times", in.SendMSS, in.BlackHoles)
	for range 8 { // but it was an outage
		s.drain()
		s.advance(scriptRTT)
		s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
	}
	s.check(s.e.Info().SendMSS == 1460, "MSS %d long after everything passes again", s.e.Info().SendMSS)

	s = newScript(t, "small segments that time out tell nothing of the path", Config{}, Params{MMS: 1480, MaxMMS: 1480})
	s.active(optSACKOK())
	s.write(500)
	for s.e.Info().Timeouts < 5 {
		s.drain()
		s.wait(time.Minute)
	}
	s.check(s.e.Info().SendMSS == 1460, "MSS %d", s.e.Info().SendMSS)
}

// silence has the first of a hundred thousand octets arrive in a full segment, and the next time
// out twice. What passes then brings a window.
func silence(t *testing.T, sentence string, window int) (*script, *counting) {
	cfg, ctl := counted(10)
	s := newScript(t, sentence, cfg, Params{MMS: 1480, MaxMMS: 1480})
	s.active(optSACKOK())
	s.flight(1)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(1))
	s.write(100_000)
	for s.drain(); s.e.Info().Timeouts < 2; s.pump() {
		s.drain()
		s.wait(time.Minute)
	}
	s.want(ACK, at(1), 1, 1180)
	s.want(ACK, at(1)+1180, 1, 280)
	s.wantIdle()
	s.check(s.e.Info().SendMSS == 1460 && s.e.Info().BlackHoles == 0, "full segments are given up although nothing passes")
	// A smaller one passes: of the next two the first is the test.
	s.advance(scriptRTT)
	s.peerWindow = uint16(window)
	s.recv(ACK, 1, at(1)+1180)
	s.want(ACK, at(2), 1, 1460)
	return s, ctl
}

// TestBlackHoleIsCongestion: where full segments had arrived before, a loss of all is
// answered as any, and one by one they are lost again, but smaller ones are not, before they are
// given up (RFC 4821 section 7.7); that loss is no second reason to slow down (section 7.6.2).
//
// Shows: RFC4821-3.
func TestBlackHoleIsCongestion(t *testing.T) {
	s, ctl := silence(t, "the path becomes narrower", 60_000)
	s.recv(ACK, 1, at(2))
	s.want(ACK, at(3), 1, 1180)
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(2), optSACK(at(3), at(3)+1180))
	s.want(ACK, at(2), 1, 1180)
	s.want(ACK, at(2)+1180, 1, 280)
	in := s.e.Info()
	s.check(in.BlackHoles == 1 && in.SendMSS == 1180 && in.Timeouts == 2, "%d black holes, MSS %d, %d timeouts", in.BlackHoles, in.SendMSS, in.Timeouts)
	s.check(len(ctl.losses) == 1 && ctl.losses[0].Cause == congestion.Timeout, "%d reactions", len(ctl.losses))

	s, ctl = silence(t, "the path becomes narrower, and only a timeout tells", 280+1460)
	s.advance(scriptRTT)
	s.peerWindow = 1460
	s.recv(ACK, 1, at(2)) // all that is in flight is the test
	for s.e.Info().Timeouts < 3 {
		s.drain()
		s.wait(time.Minute)
	}
	in = s.e.Info()
	s.check(in.BlackHoles == 1 && in.SendMSS == 1180, "%d black holes, MSS %d", in.BlackHoles, in.SendMSS)
	s.check(len(ctl.losses) == 1, "%d reactions", len(ctl.losses))
}

// TestOutageIsNoBlackHole: full segments that get through once the path is back are not given
// up (RFC 4821 section 7.7, RFC 8899 section 4.3: a black hole is where only smaller ones do).
//
// Shows: RFC4821-3.
func TestOutageIsNoBlackHole(t *testing.T) {
	s, _ := silence(t, "the path is dead for a while", 60_000)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(3))
	for _, size := range s.sizes() {
		s.check(size == 1460, "a segment of %d octets although full ones pass", size)
	}
	in := s.e.Info()
	s.check(in.BlackHoles == 0 && in.SendMSS == 1460 && in.MTUProbes == 0, "%d black holes, MSS %d", in.BlackHoles, in.SendMSS)
}

// TestSetMMSOfProber: a refusal by the own system (EMSGSIZE) lowers, and takes back nothing that
// was found out otherwise.
func TestSetMMSOfProber(t *testing.T) {
	s := narrowPath(t, "the interface became narrower than the probe", Config{})
	s.write(20_000)
	s.drain()
	s.e.SetMMS(s.now, 1320, 1320)
	s.want(ACK, 1, 1, 1200)
	s.want(ACK, 1201, 1, 260)
	s.check(s.e.Info().SendMSS == 1200, "MSS %d", s.e.Info().SendMSS)
	s.advance(scriptRTT)
	s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
	s.check(s.sizes()[0] == 1300, "the next probe is not what the interface takes now")
}

// TestSetMMSOfProbe: the own system may refuse a probe that the carrier had thought to fit, as
// where the address is not the sending interface's; that size is not tried again.
func TestSetMMSOfProbe(t *testing.T) {
	s := newScript(t, "an interface that takes less than it is said to", Config{}, Params{MMS: 1480, MaxMMS: 8980})
	s.active(optSACKOK(), optMSS(8960), optScale(7))
	refused := 0
	for range 40 {
		s.writeSome(s.userBytes(100_000))
		for _, size := range s.sizes() {
			if size > 1460 {
				refused++
				s.e.SetMMS(s.now, 1480, 8980)
			}
		}
		s.advance(scriptRTT)
		s.recv(ACK, 1, relative(s.e.snd.nxt, s.iss))
	}
	s.drain()
	in := s.e.Info()
	s.check(refused > 0 && refused < 20 && in.SendMSS == 1460, "%d segments were refused, MSS %d", refused, in.SendMSS)
}

// TestBlackHoleBetweenMessages: a message of one segment leaves nothing to test the path with,
// and the next is not to time out all over again.
//
// Shows: RFC4821-3.
func TestBlackHoleBetweenMessages(t *testing.T) {
	s := newScript(t, "the path becomes narrower, under messages of a segment each", Config{NoTailLossProbe: true}, Params{MMS: 1480, MaxMMS: 1480})
	s.active(optSACKOK())
	s.flight(1)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(1))
	for i := 1; i <= 3; i++ {
		s.write(1460)
		for una := at(i); una < at(i+1); {
			if s.pump(); len(s.out) == 0 {
				s.wait(time.Minute)
			}
			for _, g := range s.drain() {
				if seq := relative(g.Seq, s.iss); len(g.Payload) <= 1180 && seq == una {
					una += len(g.Payload)
				}
			}
			s.advance(scriptRTT)
			s.recv(ACK, 1, una)
		}
	}
	in := s.e.Info()
	s.check(in.BlackHoles == 1 && in.SendMSS == 1180 && in.Timeouts == 4, "%d black holes, MSS %d, %d timeouts", in.BlackHoles, in.SendMSS, in.Timeouts)
}

// TestSpuriousTimeoutsAreNoBlackHole: the original comes late, and was not too large.
func TestSpuriousTimeoutsAreNoBlackHole(t *testing.T) {
	s := newScript(t, "a segment is late, and times out twice", Config{NoTailLossProbe: true}, Params{MMS: 1480, MaxMMS: 1480})
	s.active(optSACKOK(), optTSOn())
	s.write(1448)
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1449)
	s.write(1448)
	s.drain()
	echo := s.tsRecent
	for s.e.Info().Timeouts < 2 {
		s.wait(time.Minute)
		s.drain()
	}
	s.recv(ACK, 1, 1+2*1448, optTSEcr(echo))
	in := s.e.Info()
	s.check(in.SpuriousTimeouts == 1, "%d spurious timeouts", in.SpuriousTimeouts)
	s.check(s.e.pmtu.cut == 0, "what is sent again would still be cut to %d", s.e.pmtu.cut)
}

// TestTimeoutOfMoreThanTheTest: what is smaller than the test is lost, too, and that is congestion.
//
// Shows: RFC5681-3.
func TestTimeoutOfMoreThanTheTest(t *testing.T) {
	s, ctl := silence(t, "the path is dead again", 60_000)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(2)) // the window grows
	s.drain()
	s.check(s.e.pipe() > 1460, "%d octets are in flight", s.e.pipe())
	for s.e.Info().Timeouts < 3 {
		s.drain()
		s.wait(time.Minute)
	}
	s.check(len(ctl.losses) == 2 && s.e.Info().CongestionWindow <= 1460, "%d reactions, window %d", len(ctl.losses), s.e.Info().CongestionWindow)
}

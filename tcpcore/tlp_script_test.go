package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// TestTailLoss is RFC 8985 section 7: the last two of five segments are lost, and
// no later one can tell of it.
//
// Shows: RFC8985-3.
func TestTailLoss(t *testing.T) {
	s := newScript(t, "a lost tail is probed for after two round trips, and RACK does the rest without a timeout", Config{}, Params{})
	s.active(optSACKOK())
	s.flight(5)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(3))
	s.wantAfter(2*scriptRTT, ACK, at(4), 1, 1460)
	s.wantIdle()
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(3), optSACK(at(4), at(5)))
	s.want(ACK, at(3), 1, 1460)
	s.wantIdle()
	s.recv(ACK, 1, at(5))
	s.wantQuiet(time.Hour)
	in := s.e.Info()
	s.check(in.Timeouts == 0 && in.TailLossProbes == 1 && in.FastRecoveries == 1 && in.Retransmits == 2,
		"%d timeouts, %d probes, %d recoveries, %d retransmissions", in.Timeouts, in.TailLossProbes, in.FastRecoveries, in.Retransmits)
}

// TestProbeWithNewData is section 7.3: new data comes first, and the congestion window is
// exceeded by one segment only.
//
// Shows: RFC8985-3.
func TestProbeWithNewData(t *testing.T) {
	s := newScript(t, "the probe is new data if there is some, one segment beyond the window", Config{InitialWindow: 4}, Params{})
	s.active(optSACKOK())
	s.write(10 * 1460)
	for i := range 4 {
		s.want(ACK, at(i), 1, 1460)
	}
	s.wantAfter(2*scriptRTT, ACK, at(4), 1, 1460)
	s.wantIdle()
	s.check(s.e.Info().InFlight == 5*1460, "%d in flight", s.e.Info().InFlight)
	// The acknowledgment erases what was sent too much.
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(1))
	s.want(ACK, at(5), 1, 1460)
	s.wantIdle()

	s = newScript(t, "new data that the peer's window does not let go is no probe", Config{InitialWindow: 4}, Params{})
	s.peerWindow = 4 * 1460
	s.active(optSACKOK())
	s.write(10 * 1460)
	for i := range 4 {
		s.want(ACK, at(i), 1, 1460)
	}
	s.wantAfter(2*scriptRTT, ACK, at(3), 1, 1460)
	s.wantIdle()

	s = newScript(t, "a probe does not wait for the Nagle algorithm", Config{}, Params{})
	s.active(optSACKOK())
	s.write(2 * 1460)
	s.want(ACK, at(0), 1, 1460)
	s.want(ACK, at(1), 1, 1460)
	s.write("tail")
	s.wantAfter(2*scriptRTT, ACK, at(2), 1, "tail")
}

// TestOneProbe is section 7.3: one probe at a time, "and MUST proceed to re-arm the RTO timer".
//
// Shows: RFC8985-3.
func TestOneProbe(t *testing.T) {
	s := newScript(t, "a probe that is not answered is followed by a timeout, one RTO later", Config{}, Params{})
	s.active(optSACKOK())
	s.flight(3)
	s.wantAfter(2*scriptRTT, ACK, at(2), 1, 1460)
	s.wantAfter(200*ms, ACK, at(0), 1, 1460)
	in := s.e.Info()
	s.check(in.TailLossProbes == 1 && in.Timeouts == 1, "%d probes, %d timeouts", in.TailLossProbes, in.Timeouts)

	s = newScript(t, "none goes out while one is, whatever is sent and acknowledged", wide(), Params{})
	s.active(optSACKOK())
	s.flight(3)
	s.wantAfter(2*scriptRTT, ACK, at(2), 1, 1460)
	s.flight(3)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(2)) // a round trip was measured, but the probe is not yet acknowledged
	s.wantQuiet(199 * ms)

	s = newScript(t, "none goes out before a round trip was measured since the last", wide(), Params{})
	s.active(optSACKOK())
	s.flight(3)
	s.wantAfter(2*scriptRTT, ACK, at(2), 1, 1460)
	s.recv(ACK, 1, at(2))
	s.recv(ACK, 1, at(3), optSACK(at(2), at(3))) // what was sent twice measures nothing (Karn)
	s.check(!s.e.tlp.active, "the probe is out still")
	s.e.tlp.stale = true // since then
	s.flight(3)
	s.wantAfter(200*ms, ACK, at(3), 1, 1460)
	s.check(s.e.Info().Timeouts == 1, "%d timeouts", s.e.Info().Timeouts)
}

// TestProbeTime is TLP_calc_PTO of section 7.2.
func TestProbeTime(t *testing.T) {
	s := newScript(t, "little data may be acknowledged late, so that its probe waits as long, but no longer than the RTO", Config{MinRTO: 500 * ms}, Params{})
	s.active(optSACKOK())
	s.flight(1)
	s.wantAfter(2*scriptRTT+200*ms, ACK, at(0), 1, 1460)
	s.wantAfter(500*ms, ACK, at(0), 1, 1460)
	s.check(s.e.Info().Timeouts == 1, "%d timeouts", s.e.Info().Timeouts)

	s = newScript(t, "a probe goes out at the time of an RTO that is sooner", Config{}, Params{})
	s.active(optSACKOK())
	s.flight(1)
	s.wantAfter(200*ms, ACK, at(0), 1, 1460)
	s.check(s.e.Info().TailLossProbes == 1 && s.e.Info().Timeouts == 0, "%d probes, %d timeouts", s.e.Info().TailLossProbes, s.e.Info().Timeouts)
	s.wantAfter(200*ms, ACK, at(0), 1, 1460)
	s.check(s.e.Info().Timeouts == 1, "%d timeouts", s.e.Info().Timeouts)

	s = newScript(t, "each acknowledgment and each new segment starts the time anew", wide(), Params{})
	s.active(optSACKOK())
	s.flight(6)
	s.advance(15 * ms)
	s.flight(1)
	s.wantQuiet(15 * ms)
	s.recv(ACK, 1, at(1))
	s.check(s.e.timer[tProbe] == s.now.Add(2*s.e.Info().RTT), "the probe is due in %v", s.e.timer[tProbe].Sub(s.now))
}

// TestNoProbe is section 7.2: not in recovery, and not above a hole that RACK watches.
func TestNoProbe(t *testing.T) {
	s := newScript(t, "nothing is probed for where RACK or a timeout does it", wide(), Params{})
	s.active(optSACKOK())
	s.flight(3)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(1), at(2)))
	s.check(!s.e.timer.on(tProbe), "the timer runs above a hole")
	s.wait(time.Minute) // the reordering timer
	s.want(ACK, at(0), 1, 1460)
	s.flight(1)
	s.recv(ACK, 1, at(1), optSACK(at(1), at(2)))
	s.check(s.e.rec.phase == fastRecovery && !s.e.timer.on(tProbe), "the timer runs in recovery")

	s = newScript(t, "entering recovery ends the episode", wide(), Params{})
	s.active(optSACKOK())
	s.flight(3)
	s.wantAfter(2*scriptRTT, ACK, at(2), 1, 1460)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(2), at(3)))
	s.want(ACK, at(0), 1, 1460)
	s.check(!s.e.tlp.active, "a probe is waited for in recovery")
}

// repairedTail has the last of a flight sent again by a probe, and its acknowledgment.
func repairedTail(t *testing.T, sentence string) (*script, *counting) {
	cfg, ctl := counted(10)
	s := newScript(t, sentence, cfg, Params{})
	s.active(optSACKOK())
	s.flight(5)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(4))
	s.wait(time.Minute)
	s.want(ACK, at(4), 1, 1460)
	s.check(s.e.Info().TailLossProbes == 1, "no probe")
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(5))
	s.wantIdle()
	return s, ctl
}

// TestProbeRepairs is section 7.4.2.
//
// Shows: RFC8985-4.
func TestProbeRepairs(t *testing.T) {
	s, ctl := repairedTail(t, "a loss that the probe repaired is one congestion event, once later data shows that no duplicate was reported")
	s.check(len(ctl.losses) == 0, "told of a loss before it is known")
	window := s.e.Info().CongestionWindow
	s.flight(3)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(6))
	s.check(len(ctl.losses) == 1 && ctl.losses[0].Cause == congestion.FastRetransmit && ctl.recovered == 1,
		"%d losses told, %d recoveries ended", len(ctl.losses), ctl.recovered)
	s.check(s.e.Info().CongestionWindow < window, "the window stays at %d", s.e.Info().CongestionWindow)
	s.recv(ACK, 1, at(8))
	s.check(len(ctl.losses) == 1, "%d losses told", len(ctl.losses))

	s, ctl = repairedTail(t, "if the original had arrived, which D-SACK reports, there was no loss")
	s.recv(ACK, 1, at(5), optSACK(at(4), at(5)))
	s.flight(3)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(8))
	s.check(len(ctl.losses) == 0, "%d losses told", len(ctl.losses))
	s.check(s.e.rack.mult <= 1, "a needless probe widens the reordering window")

	s, ctl = repairedTail(t, "a report of another duplicate says nothing of the probe")
	s.recv(ACK, 1, at(5), optSACK(at(2), at(3)))
	s.flight(3)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(8))
	s.check(len(ctl.losses) == 1, "%d losses told", len(ctl.losses))

	s, ctl = repairedTail(t, "a duplicate ACK tells as much, from a peer that reports no duplicates")
	s.recv(ACK, 1, at(5))
	s.flight(3)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(8))
	s.check(len(ctl.losses) == 0, "%d losses told", len(ctl.losses))
}

// TestProbeOfNewDataIsNoLoss is the first case of TLP_process_ack.
func TestProbeOfNewDataIsNoLoss(t *testing.T) {
	cfg, ctl := counted(4)
	s := newScript(t, "a probe with new data that is acknowledged tells of no loss", cfg, Params{})
	s.active(optSACKOK())
	s.write(8 * 1460)
	for i := range 4 {
		s.want(ACK, at(i), 1, 1460)
	}
	s.wantAfter(2*scriptRTT, ACK, at(4), 1, 1460)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(5))
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(8))
	s.check(len(ctl.losses) == 0, "%d losses told", len(ctl.losses))
}

// TestProbeOfFIN loses nothing but the end.
func TestProbeOfFIN(t *testing.T) {
	s := newScript(t, "a lost FIN is probed for", Config{}, Params{})
	s.active(optSACKOK())
	s.write("bye")
	s.closeWrite()
	s.want(FIN|ACK, 1, 1, "bye")
	s.wantAfter(200*ms, FIN|ACK, 1, 1, "bye")
	s.check(s.e.Info().TailLossProbes == 1, "%d probes", s.e.Info().TailLossProbes)
	s.recv(ACK, 1, 5)
	s.wantState(FinWait2)
	s.wantQuiet(time.Hour)
}

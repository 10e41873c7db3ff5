package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// The round trip of these stories is scriptRTT, 10 ms; a quarter of it, where the
// reordering window begins, is reoStart.
const reoStart = scriptRTT / 4

// wide is a Config whose congestion window is never in the way.
func wide() Config {
	return Config{NoDelay: true, Congestion: func() congestion.Controller { return openWindow{congestion.NewReno()} }}
}

// counting counts what a controller is told.
type counting struct {
	congestion.Controller
	losses    []congestion.Loss
	recovered int
	spurious  int
	acks      []congestion.Ack
}

func (c *counting) OnLoss(l congestion.Loss)      { c.losses = append(c.losses, l); c.Controller.OnLoss(l) }
func (c *counting) OnRecovered(now time.Duration) { c.recovered++; c.Controller.OnRecovered(now) }
func (c *counting) OnSpurious(now time.Duration)  { c.spurious++; c.Controller.OnSpurious(now) }
func (c *counting) OnAck(a *congestion.Ack)       { c.acks = append(c.acks, *a); c.Controller.OnAck(a) }

// counted returns a Config with a controller that counts what Reno is told.
func counted(iw int) (Config, *counting) {
	c := &counting{Controller: congestion.NewReno()}
	return Config{NoDelay: true, InitialWindow: iw, Congestion: func() congestion.Controller { return c }}, c
}

// next is the index of the next segment of 1460 octets that the user would write.
func (s *script) next() int { return len(s.sent) / 1460 }

// hole sends a flight of n, of which the first arrives neither at once nor soon, and
// returns how long after the others' acknowledgment it is sent again.
func (s *script) hole(n int) time.Duration {
	s.t.Helper()
	first := s.next()
	s.flight(n)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(first), optSACK(at(first+1), at(first+n)))
	s.pump()
	d := time.Duration(0)
	if len(s.out) == 0 {
		d = s.wait(time.Minute)
	}
	s.want(ACK, at(first), 1, 1460)
	s.wantIdle()
	return d
}

// late sends a flight of n whose first segment arrives a little after the rest.
func (s *script) late(n int) {
	s.t.Helper()
	first := s.next()
	s.flight(n)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(first), optSACK(at(first+1), at(first+n)))
	s.wantIdle()
	s.advance(ms)
	s.recv(ACK, 1, at(first+n))
	s.wantIdle()
}

// TestRACKTimer is steps 4 and 5 of RFC 8985 section 6.2.
//
// Shows: RFC8985-1.
func TestRACKTimer(t *testing.T) {
	s := newScript(t, "a hole below fewer than three segments is given a quarter of the round trip, then the reordering timer fires", wide(), Params{})
	s.active(optSACKOK())
	d := s.hole(3)
	s.check(d == reoStart, "sent again after %v, want %v", d, reoStart)
	s.recv(ACK, 1, at(3))
	s.wantQuiet(time.Hour)
	in := s.e.Info()
	s.check(in.Timeouts == 0 && in.TailLossProbes == 0 && in.FastRecoveries == 1, "%d timeouts, %d probes, %d recoveries", in.Timeouts, in.TailLossProbes, in.FastRecoveries)

	s = newScript(t, "what arrives within the reordering window is not sent again", wide(), Params{})
	s.active(optSACKOK())
	s.late(3)
	s.wantQuiet(time.Hour)
	s.check(s.e.Info().Retransmits == 0, "%d retransmissions", s.e.Info().Retransmits)
}

// TestRACKDupThresh is step 4: three segments above a hole count only while no
// reordering was seen. RFC 6675 alone would send at once in both stories.
//
// Shows: RFC8985-5.
func TestRACKDupThresh(t *testing.T) {
	s := newScript(t, "three segments above a hole prove it where there is no reordering", wide(), Params{})
	s.active(optSACKOK())
	d := s.hole(4)
	s.check(d == 0, "sent again after %v, want at once", d)

	s = newScript(t, "once reordering was seen they prove nothing, and the window has to pass", wide(), Params{})
	s.active(optSACKOK())
	s.late(3)
	d = s.hole(8)
	s.check(d == reoStart, "sent again after %v, want %v", d, reoStart)
}

// TestRACKNeeds is section 4.
//
// Shows: RFC8985-2.
func TestRACKNeeds(t *testing.T) {
	s := newScript(t, "without SACK there is no reordering timer and no probe", wide(), Params{})
	s.active()
	s.flight(3)
	s.recv(ACK, 1, 1)
	s.recv(ACK, 1, 1)
	s.check(!s.e.timer.on(tReorder) && !s.e.timer.on(tProbe), "a timer of RACK-TLP runs")
	s.check(s.e.rack.queue.n == 0, "%d transmissions are kept", s.e.rack.queue.n)
	d := s.wait(time.Minute)
	s.check(d == 200*ms, "sent again after %v, want an RTO", d)

	s = newScript(t, "each segment has its own time: what was sent later is given longer", wide(), Params{})
	s.active(optSACKOK())
	s.flight(1)
	s.advance(4 * ms)
	s.flight(1)
	s.advance(ms)
	s.flight(1)
	s.advance(7 * ms)
	// The third took 7 ms, a quarter of which is 1.75 ms: the first, sent 12 ms ago, is
	// lost, the second will be 8.75 ms after it was sent.
	s.recv(ACK, 1, 1, optSACK(at(2), at(3)))
	s.want(ACK, at(0), 1, 1460)
	s.wantAfter(750*time.Microsecond, ACK, at(1), 1, 1460)
}

// TestRACKAdapts is the adaptation of step 4: each round trip with a report of a duplicate
// adds a quarter of the round trip to the window, as far as SRTT.
//
// Shows: RFC8985-1.
func TestRACKAdapts(t *testing.T) {
	s := newScript(t, "reports of duplicates widen the window, up to SRTT", wide(), Params{})
	s.active(optSACKOK())
	s.late(3)
	for i := 1; i < 8; i++ {
		first := s.next()
		d := s.hole(6)
		want := min(time.Duration(i)*reoStart, s.e.Info().RTT)
		s.check(d == want, "after %d reports the window is %v, want %v", i-1, d, want)
		s.advance(scriptRTT)
		s.recv(ACK, 1, at(first+6))
		s.flight(1)
		s.recv(ACK, 1, at(first+6), optSACK(at(first), at(first+1)))
		s.recv(ACK, 1, at(first+6), optSACK(at(first), at(first+1))) // the same round trip
		s.wantIdle()
		s.advance(scriptRTT)
		s.recv(ACK, 1, at(s.next()))
	}
	s.check(s.e.Info().RTT < 5*reoStart, "SRTT is %v", s.e.Info().RTT)
}

// TestRACKPersists is RACK.reo_wnd_persist of step 4: after 16 recoveries without a report
// the window is back where it began.
func TestRACKPersists(t *testing.T) {
	s := newScript(t, "a widened window stays for 16 recoveries", wide(), Params{})
	s.active(optSACKOK())
	s.late(3)
	first := s.next()
	s.hole(4)
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(first+4))
	s.recv(ACK, 1, at(first+4), optSACK(at(first), at(first+1)))
	for i := range 20 {
		first := s.next()
		want := 2 * reoStart
		if i >= 16 {
			want = reoStart
		}
		d := s.hole(4)
		s.check(d == want, "in recovery %d the window is %v, want %v", i+1, d, want)
		s.advance(scriptRTT)
		s.recv(ACK, 1, at(first+4))
	}
}

// TestRACKLostRetransmission loses a segment twice. RFC 6675 would wait for the timer.
//
// Shows: RFC8985-6.
func TestRACKLostRetransmission(t *testing.T) {
	cfg, ctl := counted(20)
	s := newScript(t, "a retransmission that is lost is sent again without a timeout, and is congestion once more", cfg, Params{})
	s.active(optSACKOK())
	s.flight(10)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(1), at(4)))
	s.want(ACK, at(0), 1, 1460)
	s.wantIdle()
	threshold := s.e.Info().SlowStartThreshold
	s.check(len(ctl.losses) == 1 && threshold == 5*1460, "%d reactions, threshold %d", len(ctl.losses), threshold)
	s.write(20 * 1460)
	s.recv(ACK, 1, 1, optSACK(at(1), at(10)))
	s.want(ACK, at(10), 1, 1460) // new data, sent after the retransmission
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(10), at(11), at(1), at(10)))
	s.want(ACK, at(0), 1, 1460)
	s.check(len(ctl.losses) == 2 && ctl.losses[1].Cause == congestion.FastRetransmit, "%d reactions, want 2", len(ctl.losses))
	s.check(s.e.Info().SlowStartThreshold < threshold, "the threshold stays at %d", s.e.Info().SlowStartThreshold)
	s.drain()
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(11))
	s.check(s.e.Info().Timeouts == 0 && s.e.Info().Retransmits == 2, "%d timeouts, %d retransmissions", s.e.Info().Timeouts, s.e.Info().Retransmits)
}

// TestOneReaction loses several segments of one window at different times (RFC 5681 section
// 4.3, RFC 8985 section 9.3).
func TestOneReaction(t *testing.T) {
	cfg, ctl := counted(20)
	s := newScript(t, "what one window loses is one indication of congestion, what the next loses another", cfg, Params{})
	s.active(optSACKOK())
	s.flight(10)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(1), at(4)))
	s.want(ACK, at(0), 1, 1460)
	s.write(30 * 1460)
	s.recv(ACK, 1, 1, optSACK(at(5), at(9), at(1), at(4)))
	s.drain() // segment 4 again, and some new
	s.check(len(ctl.losses) == 1, "%d reactions to one window", len(ctl.losses))
	s.check(s.e.snd.nxt.Sub(s.ours(1)) >= 11*1460, "nothing new was sent")
	s.advance(scriptRTT)
	// All of the first window arrives, but of what was sent meanwhile the first is lost.
	s.recv(ACK, 1, at(10), optSACK(at(11), at(12)))
	s.drain()
	s.advance(reoStart)
	s.check(len(ctl.losses) == 2 && ctl.losses[1].Cause == congestion.FastRetransmit, "%d reactions, want 2", len(ctl.losses))
}

// TestRACKWaitsForWindow is section 9.3: "MUST NOT be retransmitted until congestion
// control deems this appropriate".
//
// Shows: RFC8985-6.
func TestRACKWaitsForWindow(t *testing.T) {
	s := newScript(t, "what is lost waits for the window", Config{}, Params{})
	s.active(optSACKOK())
	s.flight(10)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1, optSACK(at(7), at(10)))
	for i := range 3 { // of seven that are lost, as many as arrived
		s.want(ACK, at(i), 1, 1460)
	}
	s.wantIdle()
	s.check(s.e.sent.count[lost] == 4, "%d segments wait", s.e.sent.count[lost])
	s.advance(scriptRTT)
	s.recv(ACK, 1, at(1), optSACK(at(7), at(10)))
	s.want(ACK, at(3), 1, 1460)
	s.want(ACK, at(4), 1, 1460)
	s.wantIdle()
}

// TestRACKIgnoresAmbiguous is step 2 of section 6.2: what may acknowledge an earlier
// transmission does not count.
func TestRACKIgnoresAmbiguous(t *testing.T) {
	for _, ts := range []bool{false, true} {
		s := newScript(t, "an acknowledgment of the original does not pass for one of the retransmission", wide(), Params{})
		opts := []any{optSACKOK()}
		if ts {
			opts = append(opts, optTSOn(), optMSS(1472))
			s.p.MMS = 1492 // for segments of 1460 octets
		}
		s.active(opts...)
		s.flight(5)
		echo := s.tsRecent
		s.advance(scriptRTT)
		if ts {
			s.advance(5 * ms)
		}
		s.recv(ACK, 1, 1, optSACK(at(1), at(4)), optTSEcrIf(ts, echo))
		s.want(ACK, at(0), 1, 1460)
		wait := 3 * ms // less than the shortest round trip
		if ts {
			wait = 12 * ms // not less, but the echo tells
		}
		s.advance(wait)
		order := s.e.rack.order
		s.recv(ACK, 1, at(4), optTSEcrIf(ts, echo))
		s.check(s.e.rack.order == order, "the retransmission is taken for delivered")
		s.check(s.e.sent.at(0).state == inFlight, "the fifth, sent before it, is taken for lost")
		s.wantIdle()
	}
}

// optTSEcrIf is the timestamps option with the given echo, or nothing.
func optTSEcrIf(ts bool, ecr uint32) segOpt {
	if ts {
		return optTSEcr(ecr)
	}
	return optAnySACK()
}

// TestRACKOnTimeout is section 6.3: a timeout gives up the first segment, and of the others
// those that were sent long enough ago.
//
// Shows: RFC6298-4.
func TestRACKOnTimeout(t *testing.T) {
	s := newScript(t, "a segment sent just before the timeout is not taken for lost", wide(), Params{})
	s.active(optSACKOK())
	s.write("a")
	s.want(ACK, 1, 1, "a")
	s.wantAfter(200*ms, ACK, 1, 1, "a") // the probe
	s.advance(195 * ms)
	s.write("b")
	s.want(ACK, 2, 1, "b")
	s.wantAfter(5*ms, ACK, 1, 1, "a")
	s.wantIdle()
	in := s.e.Info()
	s.check(in.Timeouts == 1 && in.InFlight == 2, "%d timeouts, %d octets in flight", in.Timeouts, in.InFlight)
}

// TestHeadRetransmittedRestartsTimer is RFC 6298 section 5: "never retransmitted ... less
// than one RTO after the previous transmission".
//
// Shows: RFC6298-4.
func TestHeadRetransmittedRestartsTimer(t *testing.T) {
	s := newScript(t, "a fast retransmission puts the retransmission timer off", wide(), Params{})
	s.active(optSACKOK())
	s.flight(6)
	s.advance(150 * ms)
	s.drain() // whatever the probe did
	s.recv(ACK, 1, 1, optSACK(at(1), at(5)))
	s.want(ACK, at(0), 1, 1460)
	s.drain()
	begin := s.now
	for s.e.Info().Timeouts == 0 {
		s.wait(time.Minute)
		s.drain()
	}
	s.check(s.now.Sub(begin) >= s.e.rtt.rto, "the timeout comes %v after the retransmission, the RTO is %v", s.now.Sub(begin), s.e.rtt.rto)
}

// TestPipe is SetPipe of RFC 6675 section 4, and the order of its NextSeg: what is lost, the
// lowest first, then what is new.
//
// Shows: RFC6675-2, RFC6675-4.
func TestPipe(t *testing.T) {
	s := newScript(t, "pipe counts what is in flight; the lowest hole goes first, new data last, and recovery ends at its point", wide(), Params{})
	s.active(optSACKOK())
	s.flight(10)
	pipe := func(n int) {
		t.Helper()
		s.check(s.e.Info().InFlight == n*1460, "pipe is %d, want %d", s.e.Info().InFlight, n*1460)
	}
	pipe(10)
	s.advance(scriptRTT)
	s.write(1460)
	s.want(ACK, at(10), 1, 1460)
	pipe(11)
	s.write(2 * 1460)
	s.recv(ACK, 1, 1, optSACK(at(8), at(10), at(5), at(6), at(2), at(3)))
	pipe(1) // all but segment 10 is there or lost
	for _, i := range []int{0, 1, 3, 4, 6, 7, 11, 12} {
		s.want(ACK, at(i), 1, 1460)
	}
	s.wantIdle()
	pipe(9)
	s.recv(ACK, 1, at(10))
	s.check(s.e.rec.phase == fastRecovery, "recovery is over before its point")
	s.recv(ACK, 1, at(11))
	s.check(s.e.rec.phase == open, "recovery goes on beyond its point")
	pipe(2)
}

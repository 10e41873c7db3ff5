package tcpcore

import (
	"testing"
	"time"
)

// TestZeroWindow closes the window for ever.
//
// Shows: MUST-36, SHLD-29, SHLD-30, MUST-37, MAY-8, RFC6429-1.
func TestZeroWindow(t *testing.T) {
	s := newScript(t, "a closed window is probed, ever more slowly, and without end while it is answered", Config{MaxRTO: 10 * time.Second}, Params{})
	s.active()
	s.write("first")
	s.want(ACK, 1, 1, "first")
	s.recv(ACK, 1, 6, optWin(0))
	s.write("second")
	for _, d := range []time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 10 * time.Second} {
		s.wantAfter(d, ACK, 6, 1, "s")
		s.recv(ACK, 1, 6, optWin(0))
	}
	for range 1000 {
		s.wantAfter(10*time.Second, ACK, 6, 1, "s")
		s.recv(ACK, 1, 6, optWin(0))
	}
	s.wantState(Established)
	s.check(s.e.Info().Timeouts == 0, "%d timeouts", s.e.Info().Timeouts)
	s.recv(ACK, 1, 6, optWin(100))
	s.want(ACK, 6, 1, "second")
}

// TestProbeAccepted finds the window open.
//
// Shows: MUST-36.
func TestProbeAccepted(t *testing.T) {
	s := newScript(t, "a probe's octet that is taken is not sent again", Config{}, Params{})
	s.active()
	s.write("x")
	s.want(ACK, 1, 1, "x")
	s.recv(ACK, 1, 2, optWin(0))
	s.write("second")
	s.wantAfter(200*ms, ACK, 2, 1, "s")
	s.recv(ACK, 1, 3, optWin(1000))
	s.want(ACK, 3, 1, "econd")
	s.recv(ACK, 1, 8)
	s.wantQuiet(time.Hour)
}

// TestProbeUnanswered has nobody behind the closed window.
//
// Shows: MUST-37, MUST-20.
func TestProbeUnanswered(t *testing.T) {
	s := newScript(t, "probes that nobody answers end at R2", Config{Retries1: 3, Retries2: 6}, Params{})
	s.active()
	s.write("x")
	s.want(ACK, 1, 1, "x")
	s.recv(ACK, 1, 2, optWin(0))
	s.write("y")
	for range 6 {
		s.wait(time.Minute)
		s.want(ACK, 2, 1, "y")
	}
	s.wantEvent(EvSuspect)
	s.advance(5 * time.Minute)
	s.wantState(Closed)
	s.wantErr(ErrTimeout)
}

// TestProbeFIN has only a FIN to probe with.
func TestProbeFIN(t *testing.T) {
	s := newScript(t, "a FIN behind a closed window is the probe", Config{}, Params{})
	s.active()
	s.write("x")
	s.want(ACK, 1, 1, "x")
	s.recv(ACK, 1, 2, optWin(0))
	s.closeWrite()
	s.wantIdle()
	s.wait(time.Minute)
	s.want(FIN|ACK, 2, 1)
	s.recv(ACK, 1, 3, optWin(0))
	s.wantState(FinWait2)
}

// TestZeroWindowReceiver is the other side of the probes.
//
// Shows: MUST-36, MUST-66, MAY-8.
func TestZeroWindowReceiver(t *testing.T) {
	s := newScript(t, "a closed window answers probes and still sees ACK, URG and RST", Config{ReceiveBuffer: 1000, DelayedACK: -1}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, 1000)
	s.want(ACK, 1, 1001, optWin(0))
	for range 5 {
		s.recv(ACK, 1001, 1, "p")
		s.want(ACK, 1, 1001, optWin(0))
	}
	s.wantNoEvent(EvUrgent)
	s.recv(ACK|URG, 1001, 1, optUrg(10))
	s.wantEvent(EvUrgent)
	s.write("data")
	s.want(ACK, 1, 1001, "data")
	s.recv(ACK, 1001, 5) // is processed though the window is closed
	s.check(s.e.Info().SendQueue == 0, "the acknowledgment was not taken")
	s.read(1000)
	s.want(ACK, 5, 1001, optWin(1000))
	s.recv(ACK, 1001, 5, 1000)
	s.want(ACK, 5, 2001, optWin(0))
	s.recv(RST, 2001, 0)
	s.wantErr(ErrReset)
}

// TestShrink takes the window back.
//
// Shows: MUST-34, SHLD-15, SHLD-16, SHLD-17, RFC7323-5.
func TestShrink(t *testing.T) {
	s := newScript(t, "a window that shrinks stops new data, and what lies within is sent again", Config{}, Params{})
	s.active()
	s.write(10 * 1460)
	for i := range 10 {
		s.want(ACK, at(i), 1, 1460)
	}
	s.write(3000)
	s.recv(ACK, 1, at(1), optWin(3*1460)) // it had offered 65535
	s.wantIdle()
	s.wait(time.Minute)
	s.want(ACK, at(1), 1, 1460)
	s.recv(ACK, 1, at(2), optWin(2*1460))
	for _, g := range s.drain() {
		end := relative(g.Seq, s.iss) + len(g.Payload)
		s.check(end <= at(4), "sent up to %d, the window ends at %d", end, at(4))
	}
	s.recv(ACK, 1, at(10), optWin(20000))
	s.want(ACK, at(10), 1, 1460)
	s.drain()
	s.wantState(Established)
}

// TestShrinkToZero takes all of it back.
//
// Shows: MUST-35, SHLD-17, MUST-34.
func TestShrinkToZero(t *testing.T) {
	s := newScript(t, "a window that shrinks to nothing is probed, and its data never times out", Config{Retries1: 1, Retries2: 3, MaxRTO: 5 * time.Second}, Params{})
	s.active()
	s.flight(5)
	s.recv(ACK, 1, 1, optWin(0))
	for range 50 {
		s.wait(time.Minute)
		g := s.wantRaw()
		s.check(relative(g.Seq, s.iss) == 1 && len(g.Payload) <= 1, "probe of %d octets at %d", len(g.Payload), relative(g.Seq, s.iss))
		s.recv(ACK, 1, 1, optWin(0))
	}
	s.wantState(Established)
	s.recv(ACK, 1, 1, optWin(65535))
	s.want(ACK, 1, 1, 1460) // thrown away by the peer, and so sent again
}

// TestNoShrink fills the receive buffer in small pieces.
//
// Shows: SHLD-14, MUST-39.
func TestNoShrink(t *testing.T) {
	s := newScript(t, "the offered edge never moves left, nor right by silly amounts", Config{ReceiveBuffer: 10000, DelayedACK: -1}, Params{})
	s.passive()
	edge, pos := 10001, 1
	see := func() {
		t.Helper()
		for _, g := range s.drain() {
			e := relative(g.Ack, s.irs) + int(g.Window)
			s.check(e >= edge, "the edge went from %d to %d", edge, e)
			s.check(e == edge || e-edge >= 1460, "the edge moved by %d only", e-edge)
			edge = e
		}
	}
	for i := 0; pos+1000 <= edge; i++ {
		s.recv(ACK, pos, 1, 1000)
		pos += 1000
		see()
		if i%2 == 1 {
			s.read(100)
			see()
		}
	}
	for s.e.Info().ReceiveQueue >= 100 {
		s.read(100)
		see()
	}
	s.check(edge >= pos+8000, "the edge is at %d after all but a rest was read up to %d", edge, pos)
}

// TestSmallWritesWait writes little.
//
// Shows: SHLD-7, MAY-16, SHLD-28.
func TestSmallWritesWait(t *testing.T) {
	s := newScript(t, "while something is unacknowledged small writes wait, and then leave together", Config{}, Params{})
	s.active()
	s.write("a")
	s.want(PSH|ACK, 1, 1, "a")
	s.write("b")
	s.write("c")
	s.wantIdle()
	s.write(1458)
	s.want(ACK, 2, 1, 1460) // a full segment need not wait
	s.write("tail")
	s.wantIdle()
	s.recv(ACK, 1, 1462)
	s.want(PSH|ACK, 1462, 1, "tail")
}

// TestSmallWritesLeave switches it off.
//
// Shows: MUST-17.
func TestSmallWritesLeave(t *testing.T) {
	s := newScript(t, "without Nagle's rule every write is a segment", Config{NoDelay: true}, Params{})
	s.active()
	s.write("a")
	s.want(PSH|ACK, 1, 1, "a")
	s.write("b")
	s.want(PSH|ACK, 2, 1, "b")
	s = newScript(t, "switching the rule off releases what waits", Config{}, Params{})
	s.active()
	s.write("a")
	s.want(ACK, 1, 1, "a")
	s.write("b")
	s.wantIdle()
	s.e.SetNoDelay(true)
	s.want(PSH|ACK, 2, 1, "b")
}

// TestSenderSWS meets a peer that opens its window by little.
//
// Shows: MUST-38.
func TestSenderSWS(t *testing.T) {
	s := newScript(t, "a sliver of window is not used until it is worth it, or a while has passed", Config{NoDelay: true}, Params{})
	s.peerWindow = 2920
	s.active()
	s.write(5000)
	s.want(ACK, 1, 1, 1460)
	s.want(ACK, 1461, 1, 1460)
	s.recv(ACK, 1, 2921, optWin(100))
	s.wantIdle()
	s.recv(ACK, 1, 2921, optWin(500))
	s.wantIdle()
	s.recv(ACK, 1, 2921, optWin(1460))
	s.want(ACK, 2921, 1, 1460) // a full segment
	s.recv(ACK, 1, 4381, optWin(100))
	s.wantIdle()
	// The override timeout: 0.1 to 1.0 seconds.
	d := s.wait(time.Minute)
	s.want(ACK, 4381, 1, 100)
	s.check(d >= 100*ms && d <= time.Second, "overridden after %v", d)
}

// TestSmallWindowPeer has a window below a segment: half of it is worth sending.
//
// Shows: MUST-38.
func TestSmallWindowPeer(t *testing.T) {
	s := newScript(t, "half of the largest window is worth a segment", Config{NoDelay: true}, Params{})
	s.peerWindow = 800
	s.active()
	s.write(5000)
	s.want(ACK, 1, 1, 800)
	s.recv(ACK, 1, 801, optWin(399))
	s.wantIdle()
	s.recv(ACK, 1, 801, optWin(400))
	s.want(ACK, 801, 1, 400)
}

// TestDelayedACK receives one segment and then two.
//
// Shows: SHLD-18, MUST-40, SHLD-19, RFC5681-5.
func TestDelayedACK(t *testing.T) {
	s := newScript(t, "an ACK waits 40 ms for company, but not for more than two segments", Config{}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, 1460)
	s.wantAfter(40*ms, ACK, 1, 1461)
	s.recv(ACK, 1461, 1, 1460)
	s.wantIdle()
	s.recv(ACK, 2921, 1, 1460)
	s.want(ACK, 1, 4381)
	s.wantQuiet(time.Hour)
	s.recv(ACK, 4381, 1, 100)
	s.advance(20 * ms)
	s.write("reply")
	s.want(ACK, 1, 4481, "reply") // takes the ACK along
	s.recv(ACK, 4481, 6)
	s.wantQuiet(time.Hour)
	s = newScript(t, "the delay is as configured", Config{DelayedACK: 499 * ms}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, 100)
	s.wantAfter(499*ms, ACK, 1, 101)
}

// TestACKOfLastRoom offers a window that holds one full segment and not two.
//
// Shows: SHLD-19.
func TestACKOfLastRoom(t *testing.T) {
	s := newScript(t, "a full segment after which the window has no room for another is acknowledged at once", Config{ReceiveBuffer: 2500}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, 1460)
	s.want(ACK, 1, 1461)
	s = newScript(t, "a small one may be followed by others", Config{ReceiveBuffer: 2500}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, 500)
	s.recv(ACK, 501, 1, 1000)
	s.wantIdle()
}

// TestJoinedSegments receives several segments as one, as a carrier hands them on whose
// system joined them.
//
// Shows: SHLD-19.
func TestJoinedSegments(t *testing.T) {
	s := newScript(t, "several segments in one are acknowledged at once, and are no measure for those to come", Config{}, Params{})
	s.passive()
	for i := range 20 {
		s.recv(ACK, 1+29200*i, 1, 29200)
		s.want(ACK, 1, 29201+29200*i)
	}
	s.recv(ACK, 1+29200*20, 1, 1460)
	s.wantIdle()
	s.recv(ACK, 1+29200*20+1460, 1, 1460)
	s.want(ACK, 1, 1+29200*20+2920)
}

// TestACKLimits asks for delays that are too long, and for too many ACKs.
//
// Shows: MUST-40, RFC5681-5.
func TestACKLimits(t *testing.T) {
	if err := (&Config{DelayedACK: 501 * ms}).Check(); err == nil {
		t.Error("a delay over half a second is accepted")
	}
	s := newScript(t, "one segment brings one ACK at most", Config{}, Params{})
	s.passive(optSACKOK())
	for i := range 20 {
		s.recv(ACK, 101+200*i, 1, 100)
		s.want(ACK, 1, 1, optAnySACK())
		s.wantIdle()
	}
}

// TestACKsAreJoined processes a batch before it answers.
//
// Shows: MUST-58, MUST-59.
func TestACKsAreJoined(t *testing.T) {
	s := newScript(t, "ten segments at once are acknowledged at once", Config{DelayedACK: -1}, Params{})
	s.passive()
	for i := range 10 {
		s.recv(ACK, at(i), 1, 1460)
	}
	s.want(ACK, 1, at(10))
	s.wantIdle()
}

// TestImmediateACK must not wait: the peer counts duplicates (RFC 5681 section 4.2).
//
// Shows: MAY-13, RFC5681-5.
func TestImmediateACK(t *testing.T) {
	s := newScript(t, "out of order, and filling a hole, is acknowledged at once", Config{}, Params{})
	s.passive()
	for i := range 3 {
		s.recv(ACK, at(1+i), 1, 1460)
		s.want(ACK, 1, 1)
	}
	s.recv(ACK, at(0), 1, 1460)
	s.want(ACK, 1, at(4))
	s.wantIdle()
}

// TestWindowUpdate reads a full buffer empty.
//
// Shows: MUST-39.
func TestWindowUpdate(t *testing.T) {
	s := newScript(t, "room is offered when there is a segment's worth, or half of the buffer", Config{ReceiveBuffer: 4 * 1460}, Params{})
	s.passive()
	for i := range 4 {
		s.recv(ACK, at(i), 1, 1460)
	}
	s.want(ACK, 1, at(4), optWin(0))
	s.read(1000)
	s.wantIdle()
	s.read(1920)
	s.want(ACK, 1, at(4), optWin(2920))
	s.wantIdle()
	s = newScript(t, "half of a small buffer is worth an update", Config{ReceiveBuffer: 500, DelayedACK: -1}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, 500)
	s.want(ACK, 1, 501, optWin(0))
	s.read(249)
	s.wantIdle()
	s.read(1)
	s.want(ACK, 1, 501, optWin(250))
}

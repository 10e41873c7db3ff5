package tcpcore

import (
	"math"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

const ms = time.Millisecond

// TestLostData loses a segment, and TestLostACK its acknowledgment: the two ways of losing
// a packet look the same to the sender, and neither costs or doubles an octet.
//
// Shows: RFC6298-4.
func TestLostData(t *testing.T) {
	s := newScript(t, "a lost segment is sent again after one RTO, and only then", Config{}, Params{})
	s.active()
	s.write("hello")
	s.want(PSH|ACK, 1, 1, "hello")
	s.wantAfter(200*ms, PSH|ACK, 1, 1, "hello")
	s.recv(ACK, 1, 6)
	s.wantIdle()
	s.wantQuiet(time.Hour)
	s.check(s.e.Info().Retransmits == 1 && s.e.Info().Timeouts == 1, "counted %d retransmissions after %d timeouts", s.e.Info().Retransmits, s.e.Info().Timeouts)
}

func TestLostACK(t *testing.T) {
	s := newScript(t, "a segment that arrives again is acknowledged again and delivered once", Config{}, Params{})
	s.passive()
	s.recv(PSH|ACK, 1, 1, "hello")
	s.wantAfter(40*ms, ACK, 1, 6)
	s.recv(PSH|ACK, 1, 1, "hello")
	s.want(ACK, 1, 6)
	s.read("hello")
	s.wantReadErr(ErrWouldBlock)
}

// TestBackOff times out again and again.
//
// Shows: MUST-18, MUST-19, RFC6298-5.
func TestBackOff(t *testing.T) {
	s := newScript(t, "the RTO doubles at each timeout, up to its maximum", Config{MaxRTO: 5 * time.Second}, Params{})
	s.active()
	s.write("x")
	s.want(ACK, 1, 1, "x")
	for _, d := range []time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5 * time.Second, 5 * time.Second} {
		s.wantAfter(d, ACK, 1, 1, "x")
	}
}

// TestRTO follows SRTT and RTTVAR through three samples.
//
// Shows: MUST-18, RFC6298-1.
func TestRTO(t *testing.T) {
	s := newScript(t, "SRTT and RTTVAR follow RFC 6298 section 2", Config{}, Params{})
	s.connect()
	s.want(SYN, 0, 0)
	s.advance(400 * ms)
	s.recv(SYN|ACK, 0, 1)
	s.want(ACK, 1, 1)
	// (2.2) SRTT = R, RTTVAR = R/2, RTO = SRTT + 4*RTTVAR
	want := func(srtt, rttvar time.Duration) {
		t.Helper()
		in := s.e.Info()
		s.check(in.RTT == srtt && in.RTTVar == rttvar && in.RTO == srtt+4*rttvar,
			"RTT %v, variance %v, RTO %v; want %v, %v, %v", in.RTT, in.RTTVar, in.RTO, srtt, rttvar, srtt+4*rttvar)
	}
	want(400*ms, 200*ms)
	s.write("a")
	s.want(ACK, 1, 1, "a")
	s.advance(480 * ms)
	s.recv(ACK, 1, 2)
	// (2.3) RTTVAR = 3/4*200 + 1/4*|400-480|, then SRTT = 7/8*400 + 1/8*480
	want(410*ms, 170*ms)
	s.write("b")
	s.want(ACK, 2, 1, "b")
	s.advance(330 * ms)
	s.recv(ACK, 1, 3)
	want(400*ms, 147500*time.Microsecond)
	s.write("c")
	s.want(ACK, 3, 1, "c")
	s.wantAfter(990*ms, ACK, 3, 1, "c")
}

// TestKarn acknowledges a segment that was sent twice.
//
// Shows: MUST-18, RFC6298-3.
func TestKarn(t *testing.T) {
	s := newScript(t, "what was sent twice measures nothing, and the back-off stays until something does", Config{}, Params{})
	s.active()
	before := s.e.Info()
	s.write("x")
	s.want(ACK, 1, 1, "x")
	s.wantAfter(200*ms, ACK, 1, 1, "x")
	s.advance(50 * ms)
	s.recv(ACK, 1, 2)
	after := s.e.Info()
	s.check(after.RTT == before.RTT && after.RTTVar == before.RTTVar, "a sample was taken: %v, %v; before %v, %v",
		after.RTT, after.RTTVar, before.RTT, before.RTTVar)
	s.write("y")
	s.want(ACK, 2, 1, "y")
	s.wantAfter(400*ms, ACK, 2, 1, "y")
	s.recv(ACK, 1, 3)
	s.write("z")
	s.want(ACK, 3, 1, "z")
	s.advance(10 * ms)
	s.recv(ACK, 1, 4) // a valid sample at last
	s.write("w")
	s.want(ACK, 4, 1, "w")
	s.wantAfter(200*ms, ACK, 4, 1, "w")
}

// TestTimestampsMeasureRetransmissions tells which transmission was acknowledged.
//
// Shows: RFC6298-3.
func TestTimestampsMeasureRetransmissions(t *testing.T) {
	s := newScript(t, "with timestamps a retransmitted segment measures too", Config{}, Params{})
	s.active(optTSOn())
	s.write("x")
	s.want(ACK, 1, 1, "x")
	first := s.tsRecent
	s.wantAfter(200*ms, ACK, 1, 1, "x")
	s.advance(100 * ms)
	s.recv(ACK, 1, 2, optTS(s.tsNow(), first)) // the first transmission took 300 ms
	// SRTT was 10 ms: 7/8*10 + 1/8*300
	got := s.e.Info().RTT
	s.check(got > 45*ms && got < 48*ms, "SRTT %v, want about 46 ms", got)
}

// TestRestartOnProgress acknowledges part of what is outstanding.
//
// Shows: RFC6298-4.
func TestRestartOnProgress(t *testing.T) {
	s := newScript(t, "an acknowledgment of new data starts the timer anew", Config{NoDelay: true}, Params{})
	s.active()
	s.write("one")
	s.want(ACK, 1, 1, "one")
	s.write("two")
	s.want(ACK, 4, 1, "two")
	s.advance(150 * ms)
	s.recv(ACK, 1, 4)
	in := s.e.Info()
	s.wantAfter(in.RTO, ACK, 4, 1, "two")
}

// TestR1R2 leaves a segment unanswered for ever.
//
// Shows: MUST-20, MUST-21, SHLD-9, SHLD-10.
func TestR1R2(t *testing.T) {
	s := newScript(t, "the user is told at R1, and the connection ends at R2", Config{Retries1: 3, Retries2: 5}, Params{})
	s.active()
	s.wantNoEvent(EvSuspect)
	s.write("x")
	s.want(ACK, 1, 1, "x")
	s.wantAfter(200*ms, ACK, 1, 1, "x")
	s.wantAfter(400*ms, ACK, 1, 1, "x")
	s.wantNoEvent(EvSuspect)
	s.wantAfter(800*ms, ACK, 1, 1, "x")
	s.wantEvent(EvSuspect)
	s.wantAfter(1600*ms, ACK, 1, 1, "x")
	s.wantAfter(3200*ms, ACK, 1, 1, "x")
	s.wantState(Established)
	s.advance(6400 * ms)
	s.wantIdle()
	s.wantState(Closed)
	s.wantErr(ErrTimeout)
	s.wantEvent(EvClosed | EvReadable | EvWritable)
	s.wantNoEvent(EvSuspect)
	s.wantReadErr(ErrTimeout)
	s.wantWriteErr(ErrTimeout)
}

// TestDefaultR1R2 measures the defaults.
//
// Shows: SHLD-10, SHLD-11.
func TestDefaultR1R2(t *testing.T) {
	s := newScript(t, "R2 is at least 100 seconds by default, R1 at least 3 retransmissions", Config{}, Params{})
	s.active()
	s.write("x")
	s.want(ACK, 1, 1, "x")
	begin, sent := s.now, 0
	for s.e.State() != Closed {
		s.run(s.now.Add(2*time.Minute), true)
		if n := len(s.drain()); n > 0 && s.events&EvSuspect == 0 {
			sent += n
		}
	}
	s.check(sent >= 2, "R1 after %d retransmissions", sent)
	s.check(s.now.Sub(begin) >= 100*time.Second, "R2 after %v", s.now.Sub(begin))
	s.wantErr(ErrTimeout)
}

// TestLowMaxRTO: with a low maximum an outage of any length is over for the sender that long
// after its end, and neither R2 nor the R2 of a SYN passes before its time.
//
// Shows: SHLD-11, MUST-23.
func TestLowMaxRTO(t *testing.T) {
	s := newScript(t, "with MaxRTO 1 s the segment is sent again every second, for 100 s", Config{MaxRTO: time.Second}, Params{})
	s.active()
	s.write("x")
	s.want(ACK, 1, 1, "x")
	begin, last := s.now, s.now
	for s.e.State() != Closed {
		s.run(s.now.Add(10*time.Millisecond), true)
		if len(s.drain()) > 0 {
			s.check(s.now.Sub(last) <= 1010*time.Millisecond, "silent for %v", s.now.Sub(last))
			last = s.now
		}
	}
	s.check(s.now.Sub(begin) >= 100*time.Second, "R2 after %v", s.now.Sub(begin))
	s.wantErr(ErrTimeout)

	s = newScript(t, "a SYN for 3 minutes", Config{MaxRTO: time.Second}, Params{})
	s.connect()
	begin = s.now
	for s.e.State() != Closed {
		s.run(s.now.Add(time.Second), true)
		s.drain()
	}
	s.check(s.now.Sub(begin) >= 3*time.Minute, "R2 of the SYN after %v", s.now.Sub(begin))
}

// TestSYNTimeout dials nobody.
//
// Shows: MUST-22, MUST-23, SHLD-9.
func TestSYNTimeout(t *testing.T) {
	s := newScript(t, "a SYN is retried for three minutes at least, and the user is told at R1", Config{}, Params{})
	s.connect()
	s.want(SYN, 0, 0)
	begin := s.now
	d := time.Second
	for range 3 {
		s.wantAfter(d, SYN, 0, 0)
		d *= 2
	}
	s.wantEvent(EvSuspect)
	for s.e.State() == SynSent {
		s.run(s.now.Add(2*time.Minute), true)
		s.drain()
	}
	s.check(s.now.Sub(begin) >= 3*time.Minute, "gave up after %v", s.now.Sub(begin))
	s.wantErr(ErrTimeout)
	s.wantState(Closed)
}

// TestSYNACKTimeout is dialled by somebody who vanishes.
//
// Shows: MUST-22.
func TestSYNACKTimeout(t *testing.T) {
	s := newScript(t, "a SYN-ACK is retried as a SYN is", Config{SYNRetries: 2}, Params{})
	s.listen()
	s.recv(SYN, 0, 0)
	s.want(SYN|ACK, 0, 1)
	s.wantAfter(time.Second, SYN|ACK, 0, 1)
	s.wantAfter(2*time.Second, SYN|ACK, 0, 1)
	s.advance(4 * time.Second)
	s.wantIdle()
	s.check(s.e.State() == Closed || s.e.State() == Listen, "state %v", s.e.State())
}

// TestSYNLoss loses the first SYN.
//
// Shows: RFC6298-6, RFC5681-2.
func TestSYNLoss(t *testing.T) {
	for _, passive := range []bool{false, true} {
		s := newScript(t, "after a lost SYN the RTO begins at 3 s and the window at one segment", Config{NoDelay: true}, Params{})
		if passive {
			s.listen()
			s.recv(SYN, 0, 0, optMSS(1460))
			s.want(SYN|ACK, 0, 1)
			s.wantAfter(time.Second, SYN|ACK, 0, 1)
			s.recv(ACK, 1, 1)
		} else {
			s.connect()
			s.want(SYN, 0, 0)
			s.wantAfter(time.Second, SYN, 0, 0)
			s.recv(SYN|ACK, 0, 1, optMSS(1460))
			s.want(ACK, 1, 1)
		}
		s.write(5000)
		s.want(ACK, 1, 1, 1460)
		s.wantIdle()
		s.wantAfter(3*time.Second, ACK, 1, 1, 1460)
	}
}

// TestInitialWindow sends its first flight.
//
// Shows: RFC5681-1.
func TestInitialWindow(t *testing.T) {
	s := newScript(t, "the first flight is ten segments (RFC 6928)", Config{}, Params{})
	s.active()
	s.write(40000)
	for i := range 10 {
		s.want(ACK, 1+i*1460, 1, 1460)
	}
	s.wantIdle()
	// Slow start: two segments for each one acknowledged.
	s.recv(ACK, 1, 1+2*1460)
	for i := range 4 {
		s.want(ACK, 1+(10+i)*1460, 1, 1460)
	}
	s.wantIdle()
}

// TestTimeoutWindow loses a whole flight.
//
// Shows: RFC5681-3, MUST-19.
func TestTimeoutWindow(t *testing.T) {
	s := newScript(t, "a timeout halves the threshold and begins again with one segment", Config{}, Params{})
	s.active()
	s.write(40000)
	for i := range 10 {
		s.want(ACK, 1+i*1460, 1, 1460)
	}
	s.check(s.e.Info().SlowStartThreshold == math.MaxInt, "a threshold before the first loss")
	s.wantAfter(200*ms, ACK, 1, 1, 1460)
	s.wantIdle()
	in := s.e.Info()
	s.check(in.SlowStartThreshold == 5*1460, "threshold %d, want half of 10 segments", in.SlowStartThreshold)
	s.check(in.CongestionWindow == 1460, "window %d, want a segment", in.CongestionWindow)
	// A second timeout of the same segment leaves the threshold (RFC 5681 section 3.1).
	s.wantAfter(400*ms, ACK, 1, 1, 1460)
	s.wantIdle()
	s.check(s.e.Info().SlowStartThreshold == 5*1460, "the threshold fell again to %d", s.e.Info().SlowStartThreshold)
	// The rest is sent again as acknowledgments allow, one segment more for each (RFC 3465).
	s.recv(ACK, 1, 1+1460)
	s.want(ACK, 1+1460, 1, 1460)
	s.want(ACK, 1+2*1460, 1, 1460)
	s.wantIdle()
}

// TestByteCounting acknowledges a segment in many pieces.
//
// Shows: RFC3465-1.
func TestByteCounting(t *testing.T) {
	s := newScript(t, "a segment acknowledged in a hundred pieces opens the window by a segment", Config{}, Params{})
	s.active()
	s.write(100_000)
	s.drain()
	for i := range 100 {
		s.recv(ACK, 1, 1+14*(i+1))
	}
	s.recv(ACK, 1, 1+1460)
	s.check(s.e.Info().CongestionWindow == 11*1460, "window %d, want %d", s.e.Info().CongestionWindow, 11*1460)
}

// TestFINLost loses the FIN.
func TestFINLost(t *testing.T) {
	s := newScript(t, "a lost FIN is sent again", Config{}, Params{})
	s.active()
	s.closeWrite()
	s.want(FIN|ACK, 1, 1)
	s.wantState(FinWait1)
	s.wantAfter(200*ms, FIN|ACK, 1, 1)
	s.wantAfter(400*ms, FIN|ACK, 1, 1)
	s.recv(ACK, 1, 2)
	s.wantState(FinWait2)
	s.wantQuiet(time.Hour)
}

// TestRTOLimits has a path without delay, and one that never answers.
//
// Shows: RFC6298-2.
func TestRTOLimits(t *testing.T) {
	s := newScript(t, "the RTO is 200 ms at least by default, and backs off to 60 s", Config{}, Params{})
	s.active()
	for i := range 20 {
		s.write("x")
		s.want(ACK, 1+i, 1, "x")
		s.advance(ms)
		s.recv(ACK, 1, 2+i)
	}
	s.write("y")
	s.want(ACK, 21, 1, "y")
	s.wantAfter(200*ms, ACK, 21, 1, "y")
	last := time.Duration(0)
	for range 12 {
		last = s.wait(time.Hour)
		s.drain()
	}
	s.check(last == 60*time.Second, "backs off to %v", last)
	s = newScript(t, "a minimum of one second, as the RFC has it, can be asked for", Config{MinRTO: time.Second}, Params{})
	s.active()
	s.write("x")
	s.want(ACK, 1, 1, "x")
	s.wantAfter(time.Second, ACK, 1, 1, "x")
}

// fixedWindow is a congestion control of somebody else's.
type fixedWindow struct {
	congestion.Controller
	acks, losses int
}

func (f *fixedWindow) Name() string           { return "fixed" }
func (f *fixedWindow) Window() int            { return 3 * 1460 }
func (f *fixedWindow) OnAck(*congestion.Ack)  { f.acks++ }
func (f *fixedWindow) OnLoss(congestion.Loss) { f.losses++ }

// TestOtherController replaces Reno.
//
// Shows: MAY-18.
func TestOtherController(t *testing.T) {
	ctl := &fixedWindow{Controller: congestion.NewReno()}
	s := newScript(t, "a connection uses the congestion control that its user gives it",
		Config{Congestion: func() congestion.Controller { return ctl }}, Params{})
	s.active()
	s.write(20 * 1460)
	for i := range 3 {
		s.want(ACK, 1+i*1460, 1, 1460)
	}
	s.wantIdle()
	s.recv(ACK, 1, 1+1460)
	s.want(ACK, 1+3*1460, 1, 1460)
	s.wantIdle()
	s.wait(time.Minute)
	s.check(ctl.acks == 1 && ctl.losses == 1, "it was told of %d acknowledgments and %d losses", ctl.acks, ctl.losses)
	s.check(s.e.Info().CongestionControl == "fixed", "it is called %q", s.e.Info().CongestionControl)
}

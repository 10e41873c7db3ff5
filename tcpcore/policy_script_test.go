package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// TestPushWrites writes more than can be sent at once.
//
// Shows: MUST-61, SHLD-27.
func TestPushWrites(t *testing.T) {
	for _, linux := range []bool{false, true} {
		s := newScript(t, "PSH is on the last segment of a Write, also when it is sent again", Config{PushWrites: linux, NoDelay: true, InitialWindow: 3}, Params{})
		s.active(optSACKOK())
		push := func(on bool) segment.Flags {
			if on {
				return ACK | PSH
			}
			return ACK
		}
		s.write(2000)
		s.want(ACK, 1, 1, 1460, optNoPSH())
		s.want(ACK|PSH, 1461, 1, 540)
		s.write(10 * 1460)
		s.want(ACK, 2001, 1, 1460, optNoPSH())
		s.recv(ACK, 1, 1461)
		s.drain()
		s.recv(ACK, 1, 1461, optSACK(2001, 3461)) // the end of the first Write is lost
		s.drain()
		s.run(s.now.Add(time.Minute), true)
		found := false
		for _, g := range s.drain() {
			if relative(g.Seq, s.iss) == 1461 {
				s.check(len(g.Payload) == 540 && g.Flags == push(linux), "the end of the first Write again: %v", g.Flags)
				found = true
			}
		}
		s.check(found, "the end of the first Write was not sent again")
	}
}

// TestForcedPush writes more than the receiver's window at once.
func TestForcedPush(t *testing.T) {
	s := newScript(t, "half of the largest window does not go without PSH", Config{PushWrites: true, NoDelay: true, InitialWindow: 100}, Params{MMS: 1020})
	s.peerWindow = 20000
	s.active()
	s.write(45000)
	// Gathered in chunks of 10000, of which two are more than half a window.
	var pushed []int
	for acked := 1; acked < 45001; acked += 5000 {
		for _, g := range s.drain() {
			if g.Flags.Has(PSH) {
				pushed = append(pushed, relative(g.Seq, s.iss)+len(g.Payload)-1)
			}
		}
		s.recv(ACK, 1, acked+5000)
	}
	s.check(len(pushed) == 3 && pushed[0] == 20000 && pushed[1] == 40000 && pushed[2] == 45000, "PSH behind %v octets", pushed)
}

// TestRecords ends two records while nothing can be sent.
func TestRecords(t *testing.T) {
	s := newScript(t, "the octets of two records never share a segment", Config{InitialWindow: 1}, Params{})
	s.active()
	s.write(1460)
	s.want(ACK, 1, 1, 1460)
	s.write("one")
	s.e.EndRecord()
	s.write("two")
	s.e.EndRecord()
	s.e.EndRecord() // an empty record is none
	s.write("three")
	s.wantIdle()
	s.recv(ACK, 1, 1461)
	// Nothing can be added to the first two, so that Nagle's algorithm has nothing to wait for.
	s.want(PSH|ACK, 1461, 1, "one")
	s.want(PSH|ACK, 1464, 1, "two")
	s.wantIdle()
	s.run(s.now.Add(time.Minute), true) // all is lost
	s.want(PSH|ACK, 1461, 1, "one")
	s.want(PSH|ACK, 1464, 1, "two")
	s.recv(ACK, 1, 1467)
	s.want(PSH|ACK, 1467, 1, "three")
	s.recv(ACK, 1, 1472)
	s.e.EndRecord() // all was sent
	s.write("four")
	s.want(PSH|ACK, 1472, 1, "four")
}

// TestQuickACKs acknowledges the beginning at once.
func TestQuickACKs(t *testing.T) {
	s := newScript(t, "the first segments, and the first after a pause, are acknowledged at once", Config{QuickACKs: 3}, Params{})
	s.active()
	at := 1
	quick := func() { s.t.Helper(); s.recv(ACK, at, 1, 100); at += 100; s.want(ACK, 1, at) }
	slow := func() {
		s.t.Helper()
		s.recv(ACK, at, 1, 100)
		at += 100
		s.wantAfter(40*time.Millisecond, ACK, 1, at)
	}
	for range 3 {
		quick()
	}
	slow()
	s.wantQuiet(1100 * time.Millisecond) // the RTO is 1 s yet
	quick()
	quick()
	quick()
	slow()
	s.recv(ACK, at-100, 1, 100) // twice: an ACK may have been lost
	s.want(ACK, 1, at)
	quick()
	quick()

	s.write("answer") // now acknowledgments have something to ride with
	s.want(PSH|ACK, 1, at, "answer")
	s.recv(ACK, at, 7, 100)
	at += 100
	s.wantAfter(40*time.Millisecond, ACK, 7, at) // and none came
	s.e.SetQuickACK(s.now, true)
	for range 3 {
		s.recv(ACK, at, 7, 100)
		at += 100
		s.want(ACK, 7, at)
	}
	s.recv(ACK, at, 7, 100)
	at += 100
	s.wantIdle()
	s.e.SetQuickACK(s.now, true)
	s.want(ACK, 7, at)
	s.e.SetQuickACK(s.now, false)
	s.recv(ACK, at, 7, 100)
	s.wantAfter(40*time.Millisecond, ACK, 7, at+100)
}

// TestACKRule counts what is acknowledged at once.
//
// Shows: SHLD-19.
func TestACKRule(t *testing.T) {
	for rule, sizes := range map[ACKRule][]int{
		ACKTwoFull:  {1460, 1460},
		ACKOverFull: {1460, 1},
		ACKSecond:   {1, 1},
	} {
		s := newScript(t, "acknowledgments by the rule", Config{ACKRule: rule, DelayedACK: 300 * time.Millisecond}, Params{})
		s.active()
		s.recv(ACK, 1, 1, 1460)
		s.recv(ACK, 1461, 1, 1460)
		s.want(ACK, 1, 2921)
		at := 2921
		for range 3 {
			for i, n := range sizes {
				if rule != ACKSecond && n == 1460 && i == 1 {
					s.recv(ACK, at, 1, n-1) // a little less is not enough
					at += n - 1
					if rule == ACKTwoFull {
						s.wantIdle()
						n = 1
					}
				}
				s.recv(ACK, at, 1, n)
				at += n
				if i == 0 {
					s.wantIdle()
				}
			}
			s.want(ACK, 1, at)
		}
	}
}

// TestRoundWindow offers whole segments.
func TestRoundWindow(t *testing.T) {
	s := newScript(t, "an unscaled window is a multiple of the segment size", Config{RoundWindow: true, NoWindowScale: true, NoTimestamps: true}, Params{})
	s.connect()
	s.want(SYN, 0, 0, optWin(44*1460))
	s.recv(SYN|ACK, 0, 1, optMSS(1460))
	s.want(ACK, 1, 1, optWin(44*1460))
	s.recv(ACK, 1, 1, 1460)
	s.recv(ACK, 1461, 1, 1460)
	s.want(ACK, 1, 2921, optWin(44*1460))

	s = newScript(t, "and so is that of a SYN-ACK, beside timestamps", Config{RoundWindow: true}, Params{})
	s.listen()
	s.recv(SYN, 0, 0, optMSS(1460), optTS(1, 0), optScale(7))
	s.want(SYN|ACK, 0, 1, optWin(45*1448))
}

// TestWindowScaleChoice sets the shift.
func TestWindowScaleChoice(t *testing.T) {
	for n, want := range map[int]int{-1: 0, 1: 1, 7: 7, 14: 14} {
		s := newScript(t, "the shift count of our SYN is as configured", Config{WindowScale: n, ReceiveBuffer: 50_000}, Params{})
		s.connect()
		s.want(SYN, 0, 0, optScale(want))
		s.recv(SYN|ACK, 0, 1, optMSS(1460), optScale(2))
		s.want(ACK, 1, 1)
		s.recv(ACK, 1, 1, 1000)
		s.advance(time.Second)
		g := s.wantRaw()
		s.check(int(g.Window)<<want <= 65535, "a window of %d, shifted by %d", g.Window, want)
	}
}

// TestFirstRead reads a little, early.
//
// Shows: MUST-39.
func TestFirstRead(t *testing.T) {
	s := newScript(t, "reading what hardly touched the window is not told", Config{}, Params{})
	s.passive(optScale(7)) // a SYN-ACK offers 64 KiB at most
	s.recv(ACK, 1, 1, 1000)
	s.read(1000)
	s.wantIdle()
	s.wantAfter(40*time.Millisecond, ACK, 1, 1001)
	s.recv(ACK, 1001, 1, 1000)
	s.read(500)
	s.wantIdle()
}

// TestRetryLimits counts SYNs and SYN-ACKs until the engine gives up.
//
// Shows: MUST-23.
func TestRetryLimits(t *testing.T) {
	for _, c := range []struct {
		cfg       Config
		syn       []time.Duration // of retransmissions, and of the end
		synack    int
		data, end int
	}{
		{cfg: Config{SYNRetries: -1, SYNACKRetries: -1, Retries2: -1}, syn: []time.Duration{time.Second}, synack: 0, data: 0},
		{cfg: Config{SYNRetries: 2, SYNACKRetries: 1, Retries2: 2}, syn: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, synack: 1, data: 2},
		{cfg: Config{SYNRetries: 1, SYNLinear: 2, Retries2: 1}, syn: []time.Duration{time.Second, time.Second, time.Second, 2 * time.Second}, synack: 1, data: 1},
	} {
		s := newScript(t, "SYNs are sent again as configured", c.cfg, Params{})
		s.connect()
		s.want(SYN, 0, 0)
		for _, d := range c.syn[:len(c.syn)-1] {
			s.wantAfter(d, SYN, 0, 0)
		}
		s.wantQuiet(c.syn[len(c.syn)-1] - time.Nanosecond)
		s.wantState(SynSent)
		s.advance(time.Nanosecond)
		s.wantErr(ErrTimeout)

		s = newScript(t, "and SYN-ACKs", c.cfg, Params{})
		s.listen()
		s.recv(SYN, 0, 0)
		s.want(SYN|ACK, 0, 1)
		for range c.synack {
			s.wait(time.Minute)
			s.want(SYN|ACK, 0, 1)
		}
		s.wantQuiet(time.Minute)
		s.wantErr(ErrTimeout)

		s = newScript(t, "and data", c.cfg, Params{})
		s.active()
		s.write("x")
		s.want(ACK, 1, 1, "x")
		for range c.data {
			s.wait(time.Minute)
			s.want(ACK, 1, 1, "x")
		}
		s.wantQuiet(time.Minute)
		s.wantErr(ErrTimeout)
	}
}

// TestNoECN refuses a peer that asks.
func TestNoECN(t *testing.T) {
	s := newScript(t, "NoECN does not consent", Config{NoECN: true}, Params{})
	s.listen()
	s.recv(SYN|ECE|CWR, 0, 0)
	s.want(SYN|ACK, 0, 1)
	s.check((&Config{ECN: true, NoECN: true}).Check() != nil, "ECN and NoECN together pass")
}

// TestNoFRTO sends what timed out again rather than new data.
//
// Shows: RFC5682-1.
func TestNoFRTO(t *testing.T) {
	for _, off := range []bool{false, true} {
		s := newScript(t, "after a timeout NoFRTO goes on with what was sent before", Config{NoFRTO: off, NoTailLossProbe: true, InitialWindow: 3}, Params{})
		s.active(optSACKOK())
		s.write(10 * 1460)
		s.want(ACK, 1, 1, 1460)
		s.want(ACK, 1461, 1, 1460)
		s.want(ACK, 2921, 1, 1460)
		s.wantAfter(200*time.Millisecond, ACK, 1, 1, 1460)
		s.recv(ACK, 1, 1461)
		if off {
			s.want(ACK, 1461, 1, 1460)
		} else {
			s.want(ACK, 4381, 1, 1460)
		}
	}
}

package tcpcore

import (
	"testing"
	"time"
)

// TestNagleRule checks RFC 9293 section 3.7.4: a small segment waits while anything is
// unacknowledged; a full one does not.
//
// Shows: SHLD-7, MAY-16, SHLD-28.
func TestNagleRule(t *testing.T) {
	s := newScript(t, "small writes are joined while one is unacknowledged", Config{}, Params{})
	s.passive()
	s.write("a")
	s.want(PSH|ACK, 1, 1, "a")
	s.write("b")
	s.write("c")
	s.wantIdle()
	s.write("d")
	s.wantQuiet(10 * time.Millisecond)
	s.recv(ACK, 1, 2)
	s.want(PSH|ACK, 2, 1, "bcd")
	s.wantIdle()

	s = newScript(t, "what fills a segment goes at once, the rest waits", Config{}, Params{})
	s.passive()
	s.write(100)
	s.want(ACK|PSH, 1, 1, 100)
	for range 30 {
		s.write(100)
	}
	s.want(ACK, 101, 1, 1460)
	s.want(ACK, 1561, 1, 1460)
	s.wantIdle()
	s.recv(ACK, 1, 3021)
	s.want(PSH|ACK, 3021, 1, 80)
	s.wantIdle()

	s = newScript(t, "a FIN takes along what waits", Config{}, Params{})
	s.passive()
	s.write("a")
	s.want(PSH|ACK, 1, 1, "a")
	s.write("b")
	s.wantIdle()
	s.closeWrite()
	s.want(FIN|PSH|ACK, 2, 1, "b")
}

// TestNagleOff checks that a connection can do without, from the start or from now on.
//
// Shows: MUST-17.
func TestNagleOff(t *testing.T) {
	s := newScript(t, "no Nagle by configuration", Config{NoDelay: true}, Params{})
	s.passive()
	for i := range 5 {
		s.write("x")
		s.want(PSH|ACK, 1+i, 1, "x")
	}

	s = newScript(t, "no Nagle from now on", Config{}, Params{})
	s.passive()
	s.write("a")
	s.want(PSH|ACK, 1, 1, "a")
	s.write("b")
	s.wantIdle()
	s.e.SetNoDelay(true)
	s.want(PSH|ACK, 2, 1, "b")
	s.write("c")
	s.want(PSH|ACK, 3, 1, "c")
	s.e.SetNoDelay(false)
	s.write("d")
	s.wantIdle()
}

// TestPush checks that the last segment of what was written carries PSH and no other
// does, however many writes there were, and that nothing is held back for want of one.
//
// Shows: MUST-60, MUST-61, SHLD-27, SHLD-28, MAY-16.
func TestPush(t *testing.T) {
	s := newScript(t, "one write of three segments and a half", Config{}, Params{})
	s.passive()
	s.write(3*1460 + 700)
	for i := range 3 {
		s.want(ACK, 1+i*1460, 1, 1460, optNoPSH())
	}
	// The small rest waits for an ACK, as Nagle wants it, and no longer.
	s.recv(ACK, 1, 1+3*1460)
	s.want(PSH|ACK, 1+3*1460, 1, 700)
	s.wantIdle()

	s = newScript(t, "exactly two segments", Config{}, Params{})
	s.passive()
	s.write(2 * 1460)
	s.want(ACK, 1, 1, 1460, optNoPSH())
	s.want(PSH|ACK, 1461, 1, 1460)

	s = newScript(t, "many writes in one segment", Config{}, Params{})
	s.passive()
	for range 20 {
		s.write(146)
	}
	s.want(ACK, 1, 1, 1460, optNoPSH())
	s.want(PSH|ACK, 1461, 1, 1460)
	s.wantIdle()

	s = newScript(t, "no PSH while the window leaves something behind", Config{}, Params{})
	s.peerWindow = 1460
	s.passive()
	s.write(2 * 1460)
	s.want(ACK, 1, 1, 1460, optNoPSH())
	s.wantIdle()
	s.recv(ACK, 1, 1461)
	s.want(PSH|ACK, 1461, 1, 1460)
}

// TestTrafficClass checks that every kind of segment goes out with the traffic class that the
// user chose, which may change.
//
// Shows: MUST-48, SHLD-21, SHLD-22.
func TestTrafficClass(t *testing.T) {
	const ef, cs1 = 46 << 2, 8 << 2
	s := newScript(t, "traffic class", Config{TrafficClass: ef}, Params{})
	classes := func(want uint8, n int) {
		t.Helper()
		s.pump()
		if len(s.out) < n {
			s.fail("%d segments are sent, want %d", len(s.out), n)
		}
		for _, o := range s.out {
			// The lower two bits are ECN's.
			if o.class&^3 != want {
				s.fail("%v goes out with class %#x, want %#x", &o.seg, o.class, want)
			}
		}
		s.out = nil
	}
	s.listen()
	s.recv(SYN, 0, 0, optMSS(1460))
	classes(ef, 1)
	s.recv(ACK, 1, 1)
	s.write(5000)
	classes(ef, 3)
	s.recv(ACK, 100, 1, "hole")
	classes(ef, 1)
	s.e.SetTrafficClass(cs1)
	s.recv(ACK, 1, 1461, "x")
	classes(cs1, 1)
	s.advance(s.e.Info().RTO + time.Second)
	classes(cs1, 1) // a retransmission
	s.abort()
	classes(cs1, 1)
	for _, tc := range []uint8{1, 2, 3, ef | 1} {
		if err := (&Config{TrafficClass: tc}).Check(); err == nil {
			t.Errorf("a traffic class of %#x, in ECN's bits, is accepted", tc)
		}
	}
}

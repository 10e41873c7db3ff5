package tcpcore

import (
	"testing"
	"time"
)

// TestCork holds what is not a full segment.
func TestCork(t *testing.T) {
	s := newScript(t, "a cork lets only full segments through, until it is taken away or 200 ms have passed", Config{Cork: true, NoDelay: true}, Params{})
	s.active()
	s.write(1460 + 40)
	s.want(ACK, 1, 1, 1460)
	s.wantIdle()
	s.write(60)
	s.wantIdle()
	s.e.SetCork(false)
	s.want(ACK, 1461, 1, 100)
	s.recv(ACK, 1, 1561)
	s.wantIdle()
	s.e.SetCork(true)
	s.write(10)
	s.wantAfter(200*time.Millisecond, ACK, 1561, 1, 10)
	s.recv(ACK, 1, 1571)
	s.write(10)
	s.wantIdle()
	s.closeWrite()
	s.want(FIN|ACK, 1571, 1, 10)
}

// TestNotSentLowWater refuses bytes that would only queue.
func TestNotSentLowWater(t *testing.T) {
	s := newScript(t, "Write takes no more than NotSentLowWater beyond what was sent", Config{NotSentLowWater: 3000, InitialWindow: 2}, Params{})
	s.active()
	s.e.Events()
	n := s.writeSome(make([]byte, 100_000))
	s.check(n == 3000, "took %d bytes", n)
	if n := s.writeSome([]byte("x")); n != 0 {
		s.check(false, "took %d bytes too many", n)
	}
	s.want(ACK, 1, 1, 1460)
	s.want(ACK, 1461, 1, 1460)
	s.wantEvent(EvWritable)
	n = s.writeSome(make([]byte, 100_000))
	s.check(n == 2920, "took %d bytes", n)
	s.e.SetNotSentLowWater(0)
	n = s.writeSome(make([]byte, 100_000))
	s.check(n == 100_000, "took %d bytes without a bound", n)
}

// TestWindowClamp bounds what is offered, whatever room there is.
func TestWindowClamp(t *testing.T) {
	s := newScript(t, "no window offered is larger than WindowClamp", Config{WindowClamp: 1000, NoWindowScale: true}, Params{})
	s.active()
	s.recv(ACK, 1, 1, 1000)
	s.want(ACK, 1, 1001, optWin(1000))
	s.e.SetWindowClamp(2000)
	s.recv(ACK, 1001, 1, 500)
	s.wantAfter(40*time.Millisecond, ACK, 1, 1501, optWin(2000))
}

// TestRTOPolicies: G of RFC 6298 section 2 and a margin make the timeouts of kernels.
func TestRTOPolicies(t *testing.T) {
	ms := time.Millisecond
	for _, tt := range []struct {
		cfg           Config
		first, second time.Duration // after one sample of 100 ms, and after many
		backedOff     time.Duration // the second one, once more
	}{
		{Config{}, 300 * ms, 200 * ms, 400 * ms},
		{Config{RTOGranularity: 200 * ms}, 300 * ms, 300 * ms, 600 * ms},
		{Config{MinRTO: 30 * ms, RTOMargin: 200 * ms}, 500 * ms, 330 * ms, 460 * ms},
	} {
		c := tt.cfg
		c.fill()
		var r rttState
		r.init(&c)
		if got := r.timeout(&c); got != time.Second {
			t.Errorf("%+v: %v before the first sample", tt.cfg, got)
		}
		r.sample(0, &c, 100*ms)
		if got := r.timeout(&c); got != tt.first {
			t.Errorf("%+v: %v after one sample, want %v", tt.cfg, got, tt.first)
		}
		for range 100 {
			r.sample(0, &c, 100*ms)
		}
		if got := r.timeout(&c).Round(ms); got != tt.second {
			t.Errorf("%+v: %v after many, want %v", tt.cfg, got, tt.second)
		}
		r.backoff++
		if got := r.timeout(&c).Round(ms); got != tt.backedOff {
			t.Errorf("%+v: %v backed off, want %v", tt.cfg, got, tt.backedOff)
		}
	}
}

// TestEmptyProbes asks for a closed window without data.
func TestEmptyProbes(t *testing.T) {
	s := newScript(t, "with EmptyProbes a closed window is asked for as keep-alives do", Config{EmptyProbes: true}, Params{})
	s.active()
	s.write("first")
	s.want(ACK, 1, 1, "first")
	s.recv(ACK, 1, 6, optWin(0))
	s.write("second")
	for _, d := range []time.Duration{200, 400, 800} {
		s.wantAfter(d*time.Millisecond, ACK, 5, 1)
		s.recv(ACK, 1, 6, optWin(0))
	}
	s.check(s.e.Info().ZeroWindowProbes == 3, "%d probes", s.e.Info().ZeroWindowProbes)
	s.recv(ACK, 1, 6, optWin(100))
	s.want(ACK, 6, 1, "second")
}

// TestStrictTimestamps drops what lacks them, but for a reset.
func TestStrictTimestamps(t *testing.T) {
	s := newScript(t, "with StrictTimestamps a segment without them is dropped in silence", Config{StrictTimestamps: true}, Params{})
	s.passive(optTSOn())
	s.recv(ACK, 1, 1, "hello", optNoTS())
	s.advance(time.Second)
	s.wantIdle()
	s.check(s.e.Info().ReceiveQueue == 0, "it was taken")
	s.recv(ACK, 1, 1, "hello")
	s.read("hello")
	s.recv(RST, 6, 0, optNoTS())
	s.wantState(Closed)
}

// TestPeek reads twice.
func TestPeek(t *testing.T) {
	s := newScript(t, "Peek leaves what it returns to be read", Config{}, Params{})
	s.active()
	s.recv(ACK, 1, 1, "hello")
	var b [3]byte
	n, err := s.e.Peek(s.now, b[:])
	s.check(err == nil && string(b[:n]) == "hel", "peeked %q, %v", b[:n], err)
	s.read("hello")
	_, err = s.e.Peek(s.now, b[:])
	s.check(err == ErrWouldBlock, "peeked with %v", err)
}

// TestUnscaledUpdate reads a little from a window that cannot be offered whole.
//
// Shows: MUST-39.
func TestUnscaledUpdate(t *testing.T) {
	s := newScript(t, "a little room is not worth an ACK, whatever the buffer has beyond 64 KiB", Config{NoWindowScale: true}, Params{})
	s.active()
	s.recv(ACK, 1, 1, 100)
	s.read(100)
	s.wantIdle()
	s.wantAfter(40*time.Millisecond, ACK, 1, 101, optWin(65435))
}

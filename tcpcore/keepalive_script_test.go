package tcpcore

import (
	"testing"
	"time"
)

// TestKeepAliveOff leaves a connection alone for a year.
//
// Shows: MUST-25.
func TestKeepAliveOff(t *testing.T) {
	s := newScript(t, "without keep-alive an idle connection says nothing and sets no timer", Config{}, Params{})
	s.active()
	s.wantQuiet(365 * 24 * time.Hour)
	s.check(s.e.Deadline() == Never, "a timer is set for %v", time.Duration(s.e.Deadline()))
	s.wantState(Established)
}

// TestKeepAlive has an idle peer that answers, and then one that does not.
//
// Shows: MAY-5, MUST-24, MUST-27, MUST-29, SHLD-12.
func TestKeepAlive(t *testing.T) {
	s := newScript(t, "a silent peer is probed without data, and given up after several probes only",
		Config{KeepAlive: true, KeepAliveIdle: time.Minute, KeepAliveInterval: 10 * time.Second, KeepAliveCount: 3}, Params{})
	s.active()
	for range 5 {
		s.wantAfter(time.Minute, ACK, 0, 1)
		s.recv(ACK, 1, 1)
	}
	s.wantAfter(time.Minute, ACK, 0, 1)
	s.wantAfter(10*time.Second, ACK, 0, 1)
	s.recv(ACK, 1, 1) // one answer is enough
	s.wantAfter(time.Minute, ACK, 0, 1)
	s.wantAfter(10*time.Second, ACK, 0, 1)
	s.wantAfter(10*time.Second, ACK, 0, 1)
	s.wantState(Established)
	s.advance(10 * time.Second)
	s.wantState(Closed)
	s.wantErr(ErrTimeout)
	s.check(s.e.Info().KeepAliveProbes == 10, "%d probes counted", s.e.Info().KeepAliveProbes)
}

// TestKeepAliveDefault measures the default interval.
//
// Shows: MUST-28.
func TestKeepAliveDefault(t *testing.T) {
	s := newScript(t, "the first probe comes after two hours by default", Config{KeepAlive: true}, Params{})
	s.passive()
	s.wantAfter(2*time.Hour, ACK, 0, 1)
}

// TestKeepAliveOnlyWhenIdle has traffic.
//
// Shows: MUST-26.
func TestKeepAliveOnlyWhenIdle(t *testing.T) {
	s := newScript(t, "no probe while something is outstanding, nor within the interval after something arrived",
		Config{KeepAlive: true, KeepAliveIdle: time.Minute, MaxRTO: 20 * time.Second}, Params{})
	s.active()
	s.advance(50 * time.Second)
	s.recv(ACK, 1, 1, "x")
	s.want2ndACK(2)
	s.wantQuiet(59 * time.Second)
	s.read("x")
	s.write("data")
	s.want(ACK, 1, 2, "data")
	for range 20 { // retransmissions, and never a probe
		s.wait(time.Minute)
		s.want(ACK, 1, 2, "data")
		if s.e.State() == Closed {
			break
		}
		if s.e.Info().Timeouts == 12 {
			break
		}
	}
	s.check(s.e.Info().KeepAliveProbes == 0, "%d probes", s.e.Info().KeepAliveProbes)
	s.recv(ACK, 2, 5)
	s.wantAfter(time.Minute, ACK, 4, 2)
}

// TestKeepAliveSwitch turns it on and off.
//
// Shows: MUST-24, MUST-27.
func TestKeepAliveSwitch(t *testing.T) {
	s := newScript(t, "keep-alive is switched while the connection lives", Config{}, Params{})
	s.active()
	s.e.SetKeepAlive(s.now, true, 30*time.Second, 5*time.Second, 2)
	s.wantAfter(30*time.Second, ACK, 0, 1)
	s.e.SetKeepAlive(s.now, false, -1, -1, -1)
	s.wantQuiet(24 * time.Hour)
	s.wantState(Established)
}

// TestKeepAliveAnswered is the side that is probed.
func TestKeepAliveAnswered(t *testing.T) {
	s := newScript(t, "a probe is answered", Config{}, Params{})
	s.active()
	s.recv(ACK, 0, 1)
	s.want(ACK, 1, 1)
	s.wantIdle()
	s.recv(ACK, 0, 1, "g") // with one octet of garbage
	s.want(ACK, 1, 1)
	s.wantReadErr(ErrWouldBlock)
}

// TestUserTimeout leaves data unacknowledged.
func TestUserTimeout(t *testing.T) {
	s := newScript(t, "data unacknowledged for the user timeout ends the connection", Config{UserTimeout: 3 * time.Second}, Params{})
	s.active()
	s.advance(time.Minute) // an idle connection has no user timeout
	s.wantState(Established)
	s.write("x")
	s.drain()
	s.advance(2 * time.Second)
	s.recv(ACK, 1, 2)
	s.advance(time.Minute)
	s.wantState(Established)
	s.write("y")
	s.advance(2900 * ms)
	s.drain()
	s.wantState(Established)
	s.advance(100 * ms)
	s.drain()
	s.wantState(Closed)
	s.wantErr(ErrTimeout)
	s.wantReadErr(ErrTimeout)
}

// TestUserTimeoutOfOpen has nobody answer the SYN.
func TestUserTimeoutOfOpen(t *testing.T) {
	s := newScript(t, "the user timeout covers the handshake", Config{UserTimeout: 10 * time.Second}, Params{})
	s.connect()
	s.advance(9900 * ms)
	s.drain()
	s.wantState(SynSent)
	s.advance(100 * ms)
	s.wantState(Closed)
	s.wantErr(ErrTimeout)
}

// TestOrphan is closed by its user and left by its peer.
func TestOrphan(t *testing.T) {
	s := newScript(t, "a closed connection does not wait for ever for the peer's FIN", Config{OrphanTimeout: 20 * time.Second}, Params{})
	s.active()
	s.close()
	s.want(FIN|ACK, 1, 1)
	s.recv(ACK, 1, 2)
	s.wantState(FinWait2)
	s.advance(19 * time.Second)
	s.wantState(FinWait2)
	s.advance(time.Second)
	s.wantState(Closed)
	s = newScript(t, "nor at a window that does not open", Config{OrphanTimeout: 20 * time.Second}, Params{})
	s.active()
	s.write("x")
	s.want(ACK, 1, 1, "x")
	s.recv(ACK, 1, 2, optWin(0))
	s.write("rest")
	s.close()
	for s.now < Time(3*time.Minute) && s.e.State() != Closed {
		s.run(s.now.Add(5*time.Second), true)
		if gs := s.drain(); s.e.State() != Closed && len(gs) > 0 {
			s.recv(ACK, 1, 2, optWin(0))
		}
	}
	s.wantState(Closed)
	s = newScript(t, "nor for the acknowledgment of its own FIN alone", Config{OrphanTimeout: 20 * time.Second}, Params{})
	s.active()
	s.recv(FIN|ACK, 1, 1)
	s.want(ACK, 1, 2)
	s.close()
	s.wantState(LastAck)
	s.jump(20 * time.Second)
	s.wantState(Closed)
	s.wantErr(nil)

	s = newScript(t, "but a half-closed connection with a user waits", Config{OrphanTimeout: 20 * time.Second}, Params{})
	s.active()
	s.closeWrite()
	s.want(FIN|ACK, 1, 1)
	s.recv(ACK, 1, 2)
	s.wantQuiet(24 * time.Hour)
	s.wantState(FinWait2)
}

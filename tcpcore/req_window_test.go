package tcpcore

import (
	"fmt"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// boundless is a congestion control that allows everything, so that the peer's window decides.
type boundless struct{ congestion.Controller }

func newBoundless() congestion.Controller { return boundless{congestion.NewReno()} }
func (boundless) Window() int             { return 1 << 30 }

// TestWindowUnsigned checks that windows with the highest bit set are large, not
// negative, and that scaled ones of up to 30 bits are kept as they are.
//
// Shows: MUST-1, REC-1.
func TestWindowUnsigned(t *testing.T) {
	for _, win := range []int{100, 32767, 32768, 40000, 65535} {
		s := newScript(t, fmt.Sprintf("a window of %d allows as much", win), Config{Congestion: newBoundless}, Params{})
		s.peerWindow = uint16(win)
		s.passive()
		s.write(100_000)
		n := 0
		for _, g := range s.drain() {
			n += len(g.Payload)
		}
		if n > win || n < win-1460 {
			s.fail("%d octets are sent", n)
		}
		if got := s.e.Info().SendWindow; got != win {
			s.fail("the window is taken for %d", got)
		}
	}
	for _, c := range []struct{ shift, want int }{
		{0, 65535}, {1, 131070}, {14, 65535 << 14}, {15, 65535 << 14}, {255, 65535 << 14},
	} {
		s := newScript(t, fmt.Sprintf("a window scaled by %d", c.shift), Config{}, Params{})
		s.passive(optScale(c.shift))
		if got := s.e.Info().SendWindow; got != c.want {
			s.fail("the window is taken for %d, want %d", got, c.want)
		}
	}
}

// TestClosedWindowControls closes the receive window and lets controls arrive: RST,
// URG and ACK count all the same.
//
// Shows: MUST-66.
func TestClosedWindowControls(t *testing.T) {
	closed := func(story string) *script {
		s := newScript(t, story, Config{ReceiveBuffer: 1000, DelayedACK: -1}, Params{})
		s.passive()
		s.recv(ACK|PSH, 1, 1, 1000)
		s.want(ACK, 1, 1001, optWin(0))
		s.events = 0
		return s
	}
	s := closed("a reset while the window is closed")
	s.recv(RST, 1001, 0)
	s.wantState(Closed)
	s.wantErr(ErrReset)

	s = closed("a reset with ACK and data while the window is closed")
	s.recv(RST|ACK, 1001, 1, "bye")
	s.wantErr(ErrReset)

	s = closed("a reset elsewhere while the window is closed")
	s.recv(RST, 1002, 0)
	s.recv(RST, 1000, 0)
	s.wantState(Established)

	s = closed("urgent data while the window is closed")
	s.recv(ACK|URG, 1001, 1, optUrg(5), "abcd!")
	s.wantEvent(EvUrgent)
	s.want(ACK, 1, 1001, optWin(0))

	s = closed("an empty segment with an urgent pointer while the window is closed")
	s.recv(ACK|URG, 1001, 1, optUrg(5))
	s.wantEvent(EvUrgent)

	s = closed("an ACK while the window is closed")
	s.write("abc")
	s.want(PSH|ACK, 1, 1001, "abc")
	s.recv(ACK, 1001, 4)
	s.wantEvent(EvAcked)
	s.wantIdle()

	s = closed("an ACK that comes with a window probe")
	s.write("abc")
	s.want(PSH|ACK, 1, 1001, "abc")
	s.recv(ACK|PSH, 1001, 4, "x")
	s.wantEvent(EvAcked)
	s.want(ACK, 4, 1001, optWin(0))
	if got := s.e.Info().ReceiveQueue; got != 1000 {
		s.fail("%d octets are ready for a buffer of 1000", got)
	}
}

// TestAcksJoined lets several segments arrive before anything is sent: one ACK
// answers them all, and not before the last one was processed.
//
// Shows: MUST-58, MUST-59.
func TestAcksJoined(t *testing.T) {
	s := newScript(t, "ten segments at hand are worth one ACK", Config{}, Params{})
	s.passive()
	for i := range 10 {
		s.recv(ACK, 1+i*1460, 1, 1460)
	}
	s.want(ACK, 1, 14601)
	s.wantQuiet(time.Second)

	s = newScript(t, "and so are segments, a FIN and a challenge", Config{}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, 1460)
	s.recv(SYN, 5, 0)
	s.recv(ACK|FIN, 1461, 1, 1460)
	s.want(ACK, 1, 2922)
	s.wantQuiet(time.Second)

	s = newScript(t, "data that goes out at the time takes the ACK along", Config{}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, 1460)
	s.recv(ACK, 1461, 1, 1460)
	s.write("answer")
	s.want(PSH|ACK, 1, 2921, "answer")
	s.wantQuiet(100 * time.Millisecond)
}

// TestUrgentConsumed checks that an urgent pointer tells of nothing once the data it
// points behind was read: RFC 9293 section 3.10.7.4, sixth step, "if the urgent pointer
// (RCV.UP) is in advance of the data consumed".
//
// Shows: MUST-32.
func TestUrgentConsumed(t *testing.T) {
	s := newScript(t, "an urgent pointer comes after its data", Config{}, Params{})
	s.passive()
	s.recv(ACK|PSH, 1, 1, "abc")
	s.read("abc")
	s.events = 0
	s.recv(ACK|URG, 4, 1, optUrg(0))
	s.wantNoEvent(EvUrgent)
	if got := s.e.Info().UrgentQueue; got != 0 {
		s.fail("%d octets of urgent data", got)
	}
	s.recv(ACK|URG, 4, 1, optUrg(1))
	s.wantEvent(EvUrgent)

	s = newScript(t, "an urgent pointer comes before its data is read", Config{}, Params{})
	s.passive()
	s.recv(ACK|PSH, 1, 1, "abc")
	s.events = 0
	s.recv(ACK|URG, 4, 1, optUrg(0))
	s.wantEvent(EvUrgent)
	if got := s.e.Info().UrgentQueue; got != 3 {
		s.fail("%d octets of urgent data", got)
	}
}

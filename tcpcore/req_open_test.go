package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// issOf opens actively at a time and returns the ISS of the SYN.
func issOf(t *testing.T, at Time, isn uint32, active bool) uint32 {
	s := newScript(t, "an ISS", Config{}, Params{ISN: isn})
	s.now = at
	if active {
		s.connect()
	} else {
		s.listen()
		s.recv(SYN, 0, 0)
	}
	g := s.wantRaw()
	return uint32(g.Seq)
}

// TestISN checks ISN = M + F(): a clock of 4 microseconds added to what the endpoint's
// keyed function gave, on both ways into a connection.
//
// Shows: MUST-8, SHLD-1.
func TestISN(t *testing.T) {
	const f uint32 = 0xfffffff0 // M makes it wrap
	for _, active := range []bool{true, false} {
		base := issOf(t, 0, f, active)
		if base != f {
			t.Errorf("ISS at time 0 is %#x, want F() = %#x", base, f)
		}
		for _, d := range []time.Duration{4 * time.Microsecond, time.Millisecond, time.Second, time.Hour, 5 * time.Hour} {
			want := base + uint32(d/(4*time.Microsecond))
			if got := issOf(t, Time(d), f, active); got != want {
				t.Errorf("ISS after %v is %#x, want %#x", d, got, want)
			}
		}
		if got := issOf(t, Time(time.Second), f, active) - issOf(t, Time(time.Second), f-77, active); got != 77 {
			t.Errorf("F() less by 77 moves the ISS by %d", got)
		}
	}
}

// TestSimultaneousOpen plays both sides' views of figure 7: SYNs that cross, then SYN-ACKs
// that cross, or the ACKs that an implementation may answer them with.
//
// Shows: MUST-10, MUST-11.
func TestSimultaneousOpen(t *testing.T) {
	for _, answer := range []string{"SYN-ACK", "ACK", "data", "both"} {
		s := newScript(t, "SYNs cross, and the peer goes on with "+answer, Config{}, Params{})
		s.connect()
		s.want(SYN, 0, 0)
		s.recv(SYN, 0, 0, optMSS(1000))
		s.want(SYN|ACK, 0, 1, optMSS(1460))
		s.wantState(SynReceived)
		s.wantNoEvent(EvEstablished)
		switch answer {
		case "SYN-ACK":
			s.recv(SYN|ACK, 0, 1, optMSS(1000))
		case "ACK":
			s.recv(ACK, 1, 1)
		case "data":
			s.recv(ACK|PSH, 1, 1, "early")
		case "both":
			s.recv(SYN|ACK, 0, 1, optMSS(1000))
			s.recv(ACK, 1, 1)
		}
		s.drain()
		s.wantState(Established)
		s.wantEvent(EvEstablished)
		if answer == "data" {
			s.read("early")
			s.recv(ACK|PSH, 6, 1, "late")
			s.read("late")
			s.write(1001)
			s.want(ACK, 1, 10, 1000)
			continue
		}
		// The connection carries data both ways, by the MSS of the peer's SYN.
		s.recv(ACK|PSH, 1, 1, "hello")
		s.read("hello")
		s.write(1001)
		s.want(ACK, 1, 6, 1000)
	}
}

// TestSimultaneousOpenLoss loses the SYN-ACK of a simultaneous open: it is sent again.
//
// Shows: MUST-10.
func TestSimultaneousOpenLoss(t *testing.T) {
	s := newScript(t, "the SYN-ACK of a simultaneous open is lost", Config{}, Params{})
	s.connect()
	s.want(SYN, 0, 0)
	s.recv(SYN, 0, 0)
	s.want(SYN|ACK, 0, 1)
	s.wait(10 * time.Second)
	s.want(SYN|ACK, 0, 1)
	s.recv(ACK, 1, 1)
	s.wantIdle()
	s.wantState(Established)
}

// TestOpeningOrigin checks that a reset undoes a passive opening and refuses an active
// one, and that the listener that is left is as good as new.
//
// Shows: MUST-11, RFC9293-1.
func TestOpeningOrigin(t *testing.T) {
	s := newScript(t, "after a reset a passive opening listens again", Config{}, Params{})
	s.listen()
	s.recv(SYN, 0, 0, optMSS(300), optTSOn(), optSACKOK(), optScale(9))
	s.want(SYN|ACK, 0, 1)
	s.recv(RST, 1, 0)
	s.wantIdle()
	s.wantState(Listen)
	s.wantEvent(EvListen)
	s.wantErr(nil)
	// No timer of the first opening is left, and no option of it.
	s.wantQuiet(10 * time.Minute)
	s.irs += 5555
	s.knowISS = false
	s.recv(SYN, 0, 0)
	s.want(SYN|ACK, 0, 1, optNoTS(), optNoSACKOK(), optScale(-1))
	s.recv(ACK, 1, 1)
	s.wantState(Established)
	s.write(600)
	s.want(ACK, 1, 1, 536)

	s = newScript(t, "a reset refuses an active opening", Config{}, Params{})
	s.connect()
	s.want(SYN, 0, 0)
	s.recv(SYN, 0, 0)
	s.want(SYN|ACK, 0, 1)
	s.recv(RST, 1, 0)
	s.wantIdle()
	s.wantState(Closed)
	s.wantEvent(EvClosed)
	s.wantErr(ErrRefused)
}

// TestHalfOpen checks the recovery of figure 9: one side has forgotten the connection,
// and its SYN meets the other, which remembers.
func TestHalfOpen(t *testing.T) {
	s := newScript(t, "a peer that crashed comes back with a SYN", Config{}, Params{})
	s.passive()
	s.recv(SYN, 5000, 0)
	s.want(ACK, 1, 1) // which the peer, in SYN-SENT, answers by a reset
	s.recv(RST, 1, 0)
	s.wantState(Closed)
	s.wantErr(ErrReset)
}

// TestOldDuplicateSYN is figure 8: a SYN from an earlier connection opens, and the
// peer's reset undoes it.
func TestOldDuplicateSYN(t *testing.T) {
	s := newScript(t, "an old duplicate SYN", Config{}, Params{})
	s.listen()
	s.recv(SYN, -90, 0)
	g := s.wantRaw()
	if g.Ack != s.theirs(-89) {
		s.fail("ACK %d", g.Ack)
	}
	s.recv(RST, -89, 0)
	s.wantIdle()
	s.wantState(Listen)
	s.knowISS = false
	s.recv(SYN, 0, 0)
	s.want(SYN|ACK, 0, 1)
	s.recv(ACK, 1, 1)
	s.wantState(Established)
}

// TestReopenedISS opens a connection in place of one in TIME-WAIT that went faster than
// the clock of the ISS.
//
// Shows: MAY-2.
func TestReopenedISS(t *testing.T) {
	const last = segment.Seq(4_000_000_000)
	for _, c := range []struct {
		isn   uint32
		after bool // the clock alone does it
	}{{uint32(last) - 1000, false}, {uint32(last) + 1000, true}} {
		e := New(Config{})
		if err := e.OpenActive(0, Params{LocalPort: 1, RemotePort: 2, MMS: 1480, ISN: c.isn, Reuse: true, After: last}); err != nil {
			t.Fatal(err)
		}
		var tr Train
		var s segment.Segment
		if !e.Output(0, &tr) || segment.Parse(&s, tr.Buf) != nil {
			t.Fatal("no SYN")
		}
		if !s.Seq.Greater(last) || c.after != (s.Seq == segment.Seq(c.isn)) {
			t.Errorf("F() = %d after %d: ISS is %d", c.isn, last, s.Seq)
		}
	}
}

// TestSendOnListen writes to a passive connection whose peer is known.
//
// Shows: MUST-11.
func TestSendOnListen(t *testing.T) {
	e := New(Config{})
	if err := e.OpenPassive(0, Params{LocalPort: 1, RemotePort: 2, MMS: 1480}); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Write(0, []byte("x")); n != 0 || err != ErrWouldBlock || e.State() != SynSent {
		t.Fatalf("Write: %d, %v, then %v", n, err, e.State())
	}
}

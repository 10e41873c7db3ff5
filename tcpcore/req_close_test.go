package tcpcore

import (
	"fmt"
	"io"
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// TestResetWithData checks that what a RST carries changes nothing about it.
//
// Shows: SHLD-2.
func TestResetWithData(t *testing.T) {
	for _, f := range []segment.Flags{RST, RST | ACK, RST | ACK | PSH | FIN} {
		s := newScript(t, "a reset with an explanation", Config{}, Params{})
		s.passive()
		s.recv(f, 1, 1, "because")
		s.wantIdle()
		s.wantState(Closed)
		s.wantErr(ErrReset)
		s.wantReadErr(ErrReset)
	}
	s := newScript(t, "a refusal with an explanation", Config{}, Params{})
	s.connect()
	s.want(SYN, 0, 0)
	s.recv(RST|ACK, 0, 1, "because")
	s.wantErr(ErrRefused)
}

// TestEndings checks that the user can tell how a connection ended, and reads what came
// before the end first.
//
// Shows: MUST-12.
func TestEndings(t *testing.T) {
	s := newScript(t, "an orderly end", Config{}, Params{})
	s.passive()
	s.recv(ACK|FIN, 1, 1, "last words")
	s.wantEvent(EvReadable)
	s.read("last words")
	s.wantEOF()
	s.wantEOF()
	s.want(ACK, 1, 12)
	s.closeWrite()
	s.want(FIN|ACK, 1, 12)
	s.recv(ACK, 12, 2)
	s.wantState(Closed)
	s.wantEOF()
	s.wantErr(nil)

	s = newScript(t, "an abort", Config{}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, "last words")
	s.drain()
	s.events = 0
	s.recv(RST, 11, 0)
	s.wantEvent(EvReadable | EvClosed)
	s.wantErr(ErrReset)
	s.wantWriteErr(ErrReset)

	s = newScript(t, "an abort of a connection that is half closed", Config{}, Params{})
	s.passive()
	s.closeWrite()
	s.want(FIN|ACK, 1, 1)
	s.recv(ACK, 1, 2)
	s.wantState(FinWait2)
	s.recv(RST, 1, 0)
	s.wantReadErr(ErrReset)
	s.wantErr(ErrReset)
}

// TestAbortUnsent checks that an abort tells the peer of data that was written and never
// sent: both sides may have closed, and the FIN waits behind a closed window.
func TestAbortUnsent(t *testing.T) {
	for _, state := range []State{LastAck, Closing} {
		s := newScript(t, "ABORT in "+state.String()+" while a closed window holds data back", Config{}, Params{})
		s.passive()
		s.write("x")
		s.want(PSH|ACK, 1, 1, "x")
		s.recv(ACK, 1, 2, optWin(0))
		s.write("never sent")
		if state == Closing {
			s.closeWrite()
		}
		s.recv(FIN|ACK, 1, 2, optWin(0))
		s.want(ACK, 2, 2)
		if state == LastAck {
			s.closeWrite()
		}
		s.wantState(state)
		s.abort()
		s.want(RST|ACK, 2, 2)
		s.wantIdle()
	}
}

// TestCloseWithUnread checks that a user who will not read lets the peer know when something is
// lost by that, and only then.
//
// Shows: SHLD-3, MAY-1.
func TestCloseWithUnread(t *testing.T) {
	s := newScript(t, "data is unread at CLOSE", Config{}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, "unread")
	s.close()
	s.want(RST|ACK, 1, 7)
	s.wantState(Closed)

	s = newScript(t, "data beyond a hole is unread at CLOSE", Config{}, Params{})
	s.passive()
	s.recv(ACK, 10, 1, "unread")
	s.drain()
	s.close()
	s.want(RST|ACK, 1, 1)
	s.wantState(Closed)

	for _, acked := range []bool{false, true} {
		s = newScript(t, fmt.Sprintf("data arrives after CLOSE, our FIN acknowledged: %v", acked), Config{}, Params{})
		s.passive()
		s.close()
		s.want(FIN|ACK, 1, 1)
		if acked {
			s.recv(ACK, 1, 2)
			s.wantState(FinWait2)
		}
		s.recv(ACK, 1, 1, "too late")
		if g := s.wantRaw(); !g.Flags.Has(RST) || g.Seq != s.ours(2) {
			s.fail("%v is no reset at SND.NXT", &g)
		}
		s.wantIdle()
		s.wantState(Closed)
		s.wantReadErr(ErrAborted)
	}

	s = newScript(t, "a half-close loses nothing", Config{}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, "unread")
	s.closeWrite()
	s.want(FIN|ACK, 1, 7)
	s.recv(ACK|PSH, 7, 2, " and more")
	s.read("unread and more")
	s.wantState(FinWait2)

	s = newScript(t, "all was read, and CLOSE is orderly", Config{}, Params{})
	s.passive()
	s.recv(ACK, 1, 1, "read")
	s.read("read")
	s.close()
	s.want(FIN|ACK, 1, 5)
	s.recv(FIN|ACK, 5, 2)
	s.want(ACK, 2, 6)
	s.wantState(TimeWait)
}

// TestTimeWait checks who waits, and for how long.
//
// Shows: MUST-13.
func TestTimeWait(t *testing.T) {
	for _, msl := range []time.Duration{0, 5 * time.Second, 2 * time.Minute} {
		want := 2 * msl
		if msl == 0 {
			want = time.Minute // the default
		}
		for _, way := range []string{"active", "simultaneous"} {
			s := newScript(t, fmt.Sprintf("%s close, MSL %v", way, msl), Config{MSL: msl}, Params{})
			s.passive()
			s.closeWrite()
			s.want(FIN|ACK, 1, 1)
			if way == "active" {
				s.recv(ACK, 1, 2)
				s.recv(FIN|ACK, 1, 2)
				s.want(ACK, 2, 2)
			} else {
				s.recv(FIN|ACK, 1, 1)
				s.want(ACK, 2, 2)
				s.wantState(Closing)
				s.recv(ACK, 2, 2)
			}
			s.wantState(TimeWait)
			s.wantEvent(EvTimeWait)
			// The peer did not see our ACK, and its FIN comes again: the time begins anew.
			s.wantQuiet(want - 1)
			s.wantState(TimeWait)
			s.recv(FIN|ACK, 1, 2)
			s.want(ACK, 2, 2)
			s.wantQuiet(want - 1)
			s.wantState(TimeWait)
			s.wantNoEvent(EvClosed)
			s.wantQuiet(1)
			s.wantState(Closed)
			s.wantEvent(EvClosed)
			s.wantErr(nil)
			if d := s.e.Deadline(); d != Never {
				s.fail("a timer is left, for %v", time.Duration(d))
			}
		}
	}

	s := newScript(t, "who closes second does not wait", Config{}, Params{})
	s.passive()
	s.recv(FIN|ACK, 1, 1)
	s.want(ACK, 1, 2)
	s.closeWrite()
	s.want(FIN|ACK, 1, 2)
	s.recv(ACK, 2, 2)
	s.wantState(Closed)
	s.wantNoEvent(EvTimeWait)
}

// timeWait brings a connection to TIME-WAIT: the peer's FIN is octet 1.
func timeWait(t *testing.T, story string, ts bool) *script {
	t.Helper()
	s := newScript(t, story, Config{}, Params{})
	if ts {
		s.passive(optTSOn())
	} else {
		s.passive()
	}
	s.closeWrite()
	s.want(FIN|ACK, 1, 1)
	s.recv(ACK, 1, 2)
	s.recv(FIN|ACK, 1, 2)
	s.want(ACK, 2, 2)
	s.wantState(TimeWait)
	return s
}

// TestTimeWaitReuse walks through RFC 6191 section 2: which SYN opens a new connection.
// The peer's last timestamp is 5000, its FIN's number 1.
//
// Shows: MAY-2, SHLD-4.
func TestTimeWaitReuse(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		before bool // the old connection used timestamps
		ts     int  // of the SYN, from the last one
		seq    int
		reopen bool
	}{
		{true, 1, 100, true},
		{true, 1, -100, true}, // the timestamp is enough
		{true, 1 << 30, -100, true},
		{true, 0, 100, true},
		{true, 0, 2, true},
		{true, 0, 1, false}, // the number of the FIN is not greater
		{true, 0, -100, false},
		{true, -2, 100, false}, // an old duplicate, whatever its number
		{true, -1 << 30, 100, false},
		{true, none, 100, true},
		{true, none, 2, true},
		{true, none, 1, false},
		{true, none, -100, false},
		{false, 1, 100, true},
		{false, 1, -100, true}, // "honor the incoming connection request"
		{false, none, 2, true},
		{false, none, 1 << 30, true},
		{false, none, 1, false},
		{false, none, 0, false}, // the SYN of the old connection
		{false, none, -100, false},
	} {
		s := timeWait(t, fmt.Sprintf("TIME-WAIT, timestamps %v, and a SYN of %+d with a timestamp of %+d", c.before, c.seq, c.ts), c.before)
		last := s.tsNow()
		s.peerTS = false
		var opts []any
		if c.ts != none {
			opts = append(opts, optTS(last+uint32(c.ts), 0))
		}
		// The record that outlives the engine must agree with it.
		r, ok := s.e.Retire()
		if !ok {
			s.fail("TIME-WAIT does not retire")
		}
		g := segment.Segment{SrcPort: s.p.RemotePort, DstPort: s.p.LocalPort, Seq: s.theirs(c.seq), Flags: SYN}
		if c.ts != none {
			g.Options.HasTimestamps, g.Options.TSVal = true, last+uint32(c.ts)
		}
		reply, reopen := r.Input(s.now, &g, nil)
		if reopen != c.reopen {
			s.fail("the record says %v", reopen)
		}
		if reopen && len(reply) > 0 {
			s.fail("the record replies to a SYN that is not its own")
		}
		if got := s.recv(SYN, c.seq, 0, opts...); got != c.reopen {
			s.fail("the engine says %v", got)
		}
		gs := s.drain()
		if c.reopen {
			s.wantState(Closed)
			s.wantErr(nil)
			if len(gs) > 0 {
				s.fail("%v is sent", &gs[0])
			}
			continue
		}
		// Dropped, or answered by an ACK as RFC 9293 has it.
		s.wantState(TimeWait)
		for _, g := range gs {
			if g.Flags != ACK || g.Seq != s.ours(2) || g.Ack != s.theirs(2) {
				s.fail("%v is sent", &g)
			}
		}
	}
}

// TestTimeWaitRefusesTimestamps: "TCP Timestamps would not be enabled for the new incarnation" where
// we leave them out, whatever the SYN offers (RFC 6191 section 2), so that its number decides. Else a
// duplicate of the SYN that began the connection would end TIME-WAIT.
func TestTimeWaitRefusesTimestamps(t *testing.T) {
	for _, c := range []struct {
		seq    int
		reopen bool
	}{{0, false}, {1, false}, {-100, false}, {2, true}, {100, true}} {
		s := newScript(t, fmt.Sprintf("TIME-WAIT without our timestamps, and a SYN of %+d with one", c.seq), Config{NoTimestamps: true}, Params{})
		s.listen()
		s.recv(SYN, 0, 0, optMSS(1460), optTS(5000, 0))
		s.want(SYN|ACK, 0, 1)
		s.recv(ACK, 1, 1)
		s.close()
		s.want(FIN|ACK, 1, 1)
		s.recv(ACK, 1, 2)
		s.recv(FIN|ACK, 1, 2)
		s.want(ACK, 2, 2)
		s.wantState(TimeWait)
		r, ok := s.e.Retire()
		if !ok {
			s.fail("TIME-WAIT does not retire")
		}
		g := segment.Segment{SrcPort: s.p.RemotePort, DstPort: s.p.LocalPort, Seq: s.theirs(c.seq), Flags: SYN}
		g.Options.HasTimestamps, g.Options.TSVal = true, 5000
		if _, reopen := r.Input(s.now, &g, nil); reopen != c.reopen {
			s.fail("the record says %v", reopen)
		}
		if got := s.recv(SYN, c.seq, 0, optTS(5000, 0)); got != c.reopen {
			s.fail("the engine says %v", got)
		}
		s.drain()
	}
}

// TestTimeWaitRecord checks that a record does for a connection what the engine does.
//
// Shows: MUST-13, RFC1337-1.
func TestTimeWaitRecord(t *testing.T) {
	s := timeWait(t, "a record", true)
	r, ok := s.e.Retire()
	if !ok {
		s.fail("TIME-WAIT does not retire")
	}
	begin := s.now
	if got := r.Expires(); got != begin.Add(time.Minute) {
		s.fail("the record expires in %v", got.Sub(begin))
	}
	in := func(flags segment.Flags, seq, ack int) *segment.Segment {
		g := segment.Segment{SrcPort: s.p.RemotePort, DstPort: s.p.LocalPort, Seq: s.theirs(seq), Flags: flags}
		if flags.Has(ACK) {
			g.Ack = s.ours(ack)
		}
		b, reopen := r.Input(s.now, &g, []byte("prefix"))
		if reopen || string(b[:6]) != "prefix" {
			s.fail("reopen %v, %q", reopen, b)
		}
		if len(b) == 6 {
			return nil
		}
		var out segment.Segment
		if err := segment.Parse(&out, b[6:]); err != nil {
			s.fail("%v", err)
		}
		return &out
	}
	s.now = s.now.Add(10 * time.Second)
	for _, seq := range []int{1, 2, 3} {
		if g := in(RST, seq, 0); g != nil {
			s.fail("a reset at %d is answered by %v", seq, g)
		}
	}
	if r.Expires() != begin.Add(time.Minute) {
		s.fail("a reset moves the end to %v", r.Expires())
	}
	g := in(FIN|ACK, 1, 2)
	if g == nil || g.Flags != ACK || g.Seq != s.ours(2) || g.Ack != s.theirs(2) || !g.Options.HasTimestamps {
		s.fail("the FIN is answered by %v", g)
	}
	if got := r.Expires(); got != s.now.Add(time.Minute) {
		s.fail("after the FIN the record expires in %v", got.Sub(s.now))
	}

	// Not before all is read, unless nobody will.
	s = newScript(t, "unread data keeps the engine", Config{}, Params{})
	s.passive()
	s.closeWrite()
	s.want(FIN|ACK, 1, 1)
	s.recv(ACK|FIN, 1, 2, "unread")
	s.want(ACK, 2, 8)
	s.wantState(TimeWait)
	if _, ok := s.e.Retire(); ok {
		s.fail("it retires with data unread")
	}
	s.read("unread")
	if _, err := s.e.Read(s.now, make([]byte, 1)); err != io.EOF {
		s.fail("%v at the end", err)
	}
	if _, ok := s.e.Retire(); !ok {
		s.fail("it does not retire")
	}
}

package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// TestChallengeLimit floods a connection.
//
// Shows: RFC5961-4.
func TestChallengeLimit(t *testing.T) {
	s := newScript(t, "challenge ACKs are limited to ten in five seconds, of this connection", Config{}, Params{})
	other := newScript(t, "a flood of one connection does not show in another", Config{}, Params{})
	s.passive()
	other.passive()
	flood := func(s *script) int {
		n := 0
		for i := range 300 {
			switch i % 3 {
			case 0:
				s.recv(SYN, 5, 0)
			case 1:
				s.recv(RST, 100, 0)
			case 2:
				s.recv(ACK, 1, 50_000)
			}
			n += len(s.drain())
		}
		return n
	}
	n := flood(s)
	s.check(n == 10, "%d challenges", n)
	n = flood(other)
	other.check(n == 10, "%d challenges of another connection", n)
	s.advance(5 * time.Second)
	n = flood(s)
	s.check(n == 10, "%d challenges five seconds later", n)
	s.check(s.e.Info().ChallengeACKs == 20, "%d counted", s.e.Info().ChallengeACKs)
	s.wantState(Established)
}

// TestACKLoop lets two engines that disagree talk to each other.
//
// Shows: RFC5961-4, RFC5961-3.
func TestACKLoop(t *testing.T) {
	s := newScript(t, "ACKs that are answered by ACKs come to an end", Config{}, Params{})
	s.passive()
	n := 0
	for range 1000 {
		s.recv(ACK, 1, 90_000) // acknowledges what was never sent
		n += len(s.drain())
		s.recv(ACK, 3<<20, 1) // far beyond the window
		n += len(s.drain())
	}
	s.check(n <= 20, "%d answers to 2000 segments", n)
}

// TestBlindReset tries every way but the exact one.
//
// Shows: RFC5961-1.
func TestBlindReset(t *testing.T) {
	s := newScript(t, "only the exact number resets; elsewhere in the window is challenged, outside is silence", Config{}, Params{})
	s.passive()
	s.recv(RST, 0, 0)
	s.recv(RST, 65536, 0)
	s.recv(RST, -100_000, 0)
	s.wantIdle()
	s.recv(RST, 2, 0)
	s.want(ACK, 1, 1)
	s.recv(RST, 65535, 0)
	s.want(ACK, 1, 1)
	s.wantState(Established)
	s.recv(RST, 1, 0)
	s.wantState(Closed)
	s.wantErr(ErrReset)
	s.wantEvent(EvClosed | EvReadable | EvWritable)
}

// TestBlindSYN tries numbers all over.
//
// Shows: RFC5961-2.
func TestBlindSYN(t *testing.T) {
	s := newScript(t, "a SYN in a synchronized state is challenged, whatever its number", Config{}, Params{})
	s.passive()
	for _, seq := range []int{0, 1, 2, 65535, 65536, 1 << 30, -5} {
		s.recv(SYN, seq, 0)
		s.want(ACK, 1, 1)
		s.wantState(Established)
	}
}

// TestOldACK injects data with a guessed acknowledgment.
//
// Shows: RFC5961-3, MAY-12.
func TestOldACK(t *testing.T) {
	s := newScript(t, "data with an acknowledgment too old or too new is not delivered", Config{}, Params{})
	s.peerWindow = 1000
	s.passive()
	s.write(1000)
	s.want(ACK, 1, 1, 1000)
	s.recv(ACK, 1, 1001)
	s.recv(PSH|ACK, 1, 1, "evil") // within MAX.SND.WND: old but possible
	s.advance(time.Second)
	s.drain()
	s.read("evil")
	s.recv(PSH|ACK, 5, -1000, "evil")
	s.want(ACK, 1001, 5)
	s.recv(PSH|ACK, 5, 1002, "evil")
	s.want(ACK, 1001, 5)
	s.recv(PSH|ACK, 5, 1<<30, "evil")
	s.want(ACK, 1001, 5)
	s.wantReadErr(ErrWouldBlock)
}

// TestTimeWaitDuty is the last duty of the active closer.
//
// Shows: MUST-13, RFC1337-1.
func TestTimeWaitDuty(t *testing.T) {
	s := newScript(t, "TIME-WAIT lasts 2 MSL from the last FIN and no RST ends it", Config{MSL: 10 * time.Second}, Params{})
	s.timeWait()
	s.recv(RST, 2, 0)
	s.recv(RST|ACK, 2, 2)
	s.wantIdle()
	s.wantState(TimeWait)
	s.advance(15 * time.Second)
	s.recv(FIN|ACK, 1, 2) // our ACK was lost
	s.want(ACK, 2, 2)
	s.advance(19 * time.Second)
	s.wantState(TimeWait)
	s.recv(ACK, -5, 2, "old") // an old duplicate is acknowledged, and starts nothing anew
	s.want(ACK, 2, 2)
	s.advance(time.Second)
	s.wantState(Closed)
	s.wantErr(nil)
	s.wantEvent(EvClosed)
}

// timeWait brings the script into TIME-WAIT.
func (s *script) timeWait(opts ...any) {
	s.t.Helper()
	s.active(opts...)
	s.close()
	s.want(FIN|ACK, 1, 1)
	s.recv(ACK, 1, 2)
	s.recv(FIN|ACK, 1, 2)
	s.want(ACK, 2, 2)
	s.wantState(TimeWait)
	s.wantEvent(EvTimeWait)
}

// TestReopenRules meets a new connection in TIME-WAIT.
//
// Shows: MAY-2, SHLD-4.
func TestReopenRules(t *testing.T) {
	for _, c := range []struct {
		why    string
		ts     bool
		syn    []any
		seq    int
		reopen bool
	}{
		{"a larger sequence number", false, nil, 3, true},
		{"an old sequence number", false, nil, 0, false},
		{"a larger timestamp, whatever the sequence number", true, []any{optTS(1<<20, 0)}, -1000, true},
		{"a smaller timestamp, whatever the sequence number", true, []any{optTS(1, 0)}, 100_000, false},
		{"no timestamp where there were some, and a larger number", true, []any{optNoTS()}, 3, true},
		{"no timestamp where there were some, and an old number", true, []any{optNoTS()}, -3, false},
		{"timestamps where there were none", false, []any{optTS(1, 0)}, -3, true},
	} {
		for _, retire := range []bool{false, true} {
			s := newScript(t, "a SYN in TIME-WAIT with "+c.why, Config{}, Params{})
			if c.ts {
				s.timeWait(optTSOn())
			} else {
				s.timeWait()
			}
			s.advance(time.Second)
			if retire {
				s.retired(func(rec *TimeWaitRecord) {
					g := segment.Segment{SrcPort: 2000, DstPort: 1000, Seq: s.theirs(c.seq), Flags: SYN}
					for _, o := range c.syn {
						o.(segOpt).set(s, &g)
					}
					reply, reopen := rec.Input(s.now, &g, nil)
					s.check(reopen == c.reopen, "the record says reopen: %v", reopen)
					s.check(reopen == (len(reply) == 0), "with a reply of %d bytes", len(reply))
				})
				continue
			}
			reopen := s.recv(SYN, c.seq, 0, c.syn...)
			s.check(reopen == c.reopen, "reopen: %v", reopen)
			if reopen {
				s.wantState(Closed)
				s.wantIdle()
			} else {
				s.want(ACK, 2, 2)
				s.wantState(TimeWait)
			}
		}
	}
}

// retired hands over the record that remains of the script's connection.
func (s *script) retired(f func(*TimeWaitRecord)) {
	s.t.Helper()
	rec, ok := s.e.Retire()
	s.check(ok, "TIME-WAIT does not retire")
	f(&rec)
}

// TestTimeWaitRecordDuty does what TestTimeWaitDuty does without an engine.
//
// Shows: MUST-13, RFC1337-1.
func TestTimeWaitRecordDuty(t *testing.T) {
	s := newScript(t, "the record does TIME-WAIT's duty", Config{MSL: 10 * time.Second}, Params{})
	s.timeWait(optTSOn())
	s.advance(5 * time.Second)
	s.retired(func(rec *TimeWaitRecord) {
		s.check(rec.Expires() == s.now.Add(15*time.Second), "it expires in %v", rec.Expires().Sub(s.now))
		in := func(flags segment.Flags, seq, ack int) *segment.Segment {
			t.Helper()
			g := segment.Segment{SrcPort: 2000, DstPort: 1000, Seq: s.theirs(seq), Ack: s.ours(ack), Flags: flags,
				Options: segment.Options{HasTimestamps: true, TSVal: s.tsNow()}}
			reply, reopen := rec.Input(s.now, &g, nil)
			s.check(!reopen, "%v reopens", flags)
			if len(reply) == 0 {
				return nil
			}
			var out segment.Segment
			if err := segment.Parse(&out, reply); err != nil {
				t.Fatal(err)
			}
			return &out
		}
		s.now += Time(time.Second)
		r := in(FIN|ACK, 1, 2)
		s.check(r != nil && r.Flags == ACK && r.Seq == s.ours(2) && r.Ack == s.theirs(2) && r.Options.HasTimestamps &&
			r.SrcPort == 1000 && r.DstPort == 2000, "a FIN is answered by %v", r)
		s.check(rec.Expires() == s.now.Add(20*time.Second), "it expires in %v after a FIN", rec.Expires().Sub(s.now))
		s.check(in(RST, 2, 0) == nil, "a RST is answered")
		n := 0
		for range 100 {
			if in(SYN|ACK, 5, 2) != nil {
				n++
			}
		}
		s.check(n <= 10, "%d challenges", n)
		s.check(rec.Expires() == s.now.Add(20*time.Second), "it expires in %v after a flood", rec.Expires().Sub(s.now))
	})
}

// TestErrorsFromTheNetwork reports soft and hard ones.
//
// Shows: RFC5927-1, MUST-56.
func TestErrorsFromTheNetwork(t *testing.T) {
	const unreachable Error = "no route"
	s := newScript(t, "in a synchronized state no network error ends the connection", Config{}, Params{})
	s.active()
	s.e.SoftError(s.now, unreachable)
	s.wantEvent(EvSoftError)
	s.e.HardError(s.now, unreachable)
	s.wantEvent(EvSoftError)
	s.wantState(Established)
	in := s.e.Info()
	s.check(in.SoftErrors == 2 && in.LastSoftError == unreachable, "%d errors told, the last %v", in.SoftErrors, in.LastSoftError)
	s = newScript(t, "before, a hard error refuses it and a soft one does not", Config{}, Params{})
	s.connect()
	s.want(SYN, 0, 0)
	s.e.SoftError(s.now, unreachable)
	s.wantState(SynSent)
	s.e.HardError(s.now, unreachable)
	s.wantState(Closed)
	s.wantErr(ErrRefused)
}

// TestEarlyData arrives before the handshake ends.
func TestEarlyData(t *testing.T) {
	s := newScript(t, "data on a SYN is delivered once the connection is established", Config{}, Params{})
	s.listen()
	s.recv(SYN, 0, 0, "early", optMSS(1460))
	g := s.wantRaw()
	s.check(g.Flags == SYN|ACK, "answered by %v", g.Flags)
	s.wantReadErr(ErrWouldBlock)
	s.recv(ACK, 1, 1, "early")
	s.recv(ACK, 6, 1, " bird")
	s.wantState(Established)
	s.read("early bird")
}

// TestResetKeepsItsPlace sends segments after the one that ended the connection.
//
// Shows: SHLD-3.
func TestResetKeepsItsPlace(t *testing.T) {
	s := newScript(t, "what arrives with the end does not take the place of the reset that tells of it", Config{}, Params{})
	s.active()
	s.close()
	s.want(FIN|ACK, 1, 1)
	s.recv(ACK, 1, 1, "nobody reads this")
	s.wantErr(ErrAborted)
	s.recv(ACK, 18, 2, "nor this") // its acknowledgment would make another reset
	s.want(RST|ACK, 2, 1)
	s.wantIdle()
}

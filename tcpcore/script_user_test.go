package tcpcore

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
)

// write is SEND of a string or of a number of octets of the pattern, all of which must be accepted.
func (s *script) write(x any) {
	s.t.Helper()
	p := s.userBytes(x)
	if n := s.writeSome(p); n != len(p) {
		s.fail("write of %d octets took %d", len(p), n)
	}
}

func (s *script) userBytes(x any) []byte {
	s.t.Helper()
	switch x := x.(type) {
	case string:
		return []byte(x)
	case []byte:
		return x
	case int:
		return patternBytes(len(s.sent), x)
	}
	s.fail("BUG: write of a %T", x)
	return nil
}

// writeSome is SEND of p, and returns how much was accepted.
func (s *script) writeSome(p []byte) int {
	s.t.Helper()
	n, err := s.e.Write(s.now, p)
	s.note("write %d: %d, %v", len(p), n, err)
	if err != nil && !(n == 0 && errors.Is(err, ErrWouldBlock)) {
		s.fail("write: %v", err)
	}
	s.sent = append(s.sent, p[:n]...)
	s.events |= s.e.Events()
	return n
}

// writeUrgent is SEND with the urgent flag.
func (s *script) writeUrgent(x any) {
	s.t.Helper()
	p := s.userBytes(x)
	n, err := s.e.WriteUrgent(s.now, p)
	s.note("write urgent %d: %d, %v", len(p), n, err)
	if n != len(p) || err != nil {
		s.fail("urgent write of %d octets: %d, %v", len(p), n, err)
	}
	s.sent = append(s.sent, p...)
}

// wantWriteErr is SEND that must fail with err.
func (s *script) wantWriteErr(err error) {
	s.t.Helper()
	if n, got := s.e.Write(s.now, []byte("x")); n != 0 || !errors.Is(got, err) {
		s.fail("write: %d, %v; want 0, %v", n, got, err)
	}
}

// read is RECEIVE until x, a string or a number of octets of the pattern, has been read in full.
func (s *script) read(x any) {
	s.t.Helper()
	var want []byte
	switch x := x.(type) {
	case string:
		want = []byte(x)
	case int:
		want = patternBytes(s.readPos, x)
	default:
		s.fail("BUG: read of a %T", x)
	}
	got := make([]byte, len(want))
	for n := 0; n < len(got); {
		m, err := s.e.Read(s.now, got[n:])
		if err != nil || m == 0 {
			s.fail("read of %d octets: %v after %d", len(want), err, n)
		}
		n += m
	}
	s.readPos += len(got)
	s.note("read %d", len(got))
	if !bytes.Equal(got, want) {
		s.fail("read %.64q, want %.64q", got, want)
	}
	s.events |= s.e.Events()
}

// wantReadErr is RECEIVE that must fail with err.
func (s *script) wantReadErr(err error) {
	s.t.Helper()
	if n, got := s.e.Read(s.now, make([]byte, 1)); n != 0 || !errors.Is(got, err) {
		s.fail("read: %d, %v; want 0, %v", n, got, err)
	}
}

// wantEOF is RECEIVE at the end of the stream.
func (s *script) wantEOF() {
	s.t.Helper()
	if n, got := s.e.Read(s.now, make([]byte, 1)); n != 0 || got != io.EOF {
		s.fail("read: %d, %v; want 0, EOF", n, got)
	}
}

// closeWrite is a half-close, close is CLOSE, abort is ABORT.
func (s *script) closeWrite() {
	s.t.Helper()
	s.note("close write")
	if err := s.e.CloseWrite(s.now); err != nil {
		s.fail("CloseWrite: %v", err)
	}
}

func (s *script) close() {
	s.t.Helper()
	s.note("close")
	if err := s.e.Close(s.now); err != nil {
		s.fail("Close: %v", err)
	}
}

func (s *script) abort() {
	s.note("abort")
	s.e.Abort(s.now)
}

// ---- openings ----

// listen is a passive OPEN.
func (s *script) listen() {
	s.t.Helper()
	if err := s.e.OpenPassive(s.now, s.p); err != nil {
		s.fail("OpenPassive: %v", err)
	}
	s.note("listen")
}

// connect is an active OPEN; its SYN is left to be wanted.
func (s *script) connect() {
	s.t.Helper()
	if err := s.e.OpenActive(s.now, s.p); err != nil {
		s.fail("OpenActive: %v", err)
	}
	s.note("connect")
}

// scriptRTT is how long a handshake takes in passive and active. The RTO is at
// its minimum afterwards, 200 ms by default.
const scriptRTT = 10 * time.Millisecond

// passive opens passively, with the peer's options on its SYN: an MSS of 1460 and
// nothing else unless others are named. Timestamps, once named, go on all the peer sends.
func (s *script) passive(opts ...any) {
	s.t.Helper()
	s.listen()
	s.recv(SYN, 0, 0, append([]any{optMSS(1460)}, opts...)...)
	s.want(SYN|ACK, 0, 1)
	s.negotiated(opts)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1)
	s.wantIdle()
	s.wantState(Established)
	s.wantEvent(EvEstablished)
}

// active opens actively, with the peer's options on its SYN-ACK as for passive.
func (s *script) active(opts ...any) {
	s.t.Helper()
	s.connect()
	s.want(SYN, 0, 0)
	s.advance(scriptRTT)
	s.recv(SYN|ACK, 0, 1, append([]any{optMSS(1460)}, opts...)...)
	s.negotiated(opts)
	s.want(ACK, 1, 1)
	s.wantIdle()
	s.wantState(Established)
	s.wantEvent(EvEstablished)
}

// negotiated makes the peer carry timestamps if opts has them.
func (s *script) negotiated(opts []any) {
	for _, o := range opts {
		if o, ok := o.(segOpt); ok && strings.HasPrefix(o.name, "ts") {
			s.peerTS = true
		}
	}
}

// ---- what must be true ----

func (s *script) wantState(want State) {
	s.t.Helper()
	if got := s.e.State(); got != want {
		s.fail("state %v, want %v", got, want)
	}
}

// wantEvent fails unless all of these events happened since they were last wanted, and forgets them.
func (s *script) wantEvent(want Event) {
	s.t.Helper()
	s.events |= s.e.Events()
	if s.events&want != want {
		s.fail("events %012b, want %012b among them", s.events, want)
	}
	s.events &^= want
}

// wantNoEvent fails if any of these events happened and was not yet wanted.
func (s *script) wantNoEvent(not Event) {
	s.t.Helper()
	s.events |= s.e.Events()
	if s.events&not != 0 {
		s.fail("events %012b, want none of %012b", s.events, not)
	}
}

// wantErr fails unless the connection ended with err.
func (s *script) wantErr(err error) {
	s.t.Helper()
	if got := s.e.Err(); !errors.Is(got, err) {
		s.fail("the connection's error is %v, want %v", got, err)
	}
}

// check fails with what, unless ok.
func (s *script) check(ok bool, what string, args ...any) {
	s.t.Helper()
	if !ok {
		s.fail(what, args...)
	}
}

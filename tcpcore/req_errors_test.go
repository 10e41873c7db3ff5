package tcpcore

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

// everyState calls f with a connection in each state but CLOSED.
func everyState(t *testing.T, f func(state string, s *script)) {
	for _, name := range stateNames[1:] {
		for _, variant := range []string{"passive", "active"} {
			if variant == "active" && name != "SYN-RECEIVED" {
				continue
			}
			a := arrival{state: name, variant: variant}
			f(name+" "+variant, a.scene(t, false).script)
		}
	}
}

// TestSoftErrors reports a soft error in every state: the user hears of it, and nothing
// else happens.
//
// Shows: MUST-47, SHLD-25, MUST-56.
func TestSoftErrors(t *testing.T) {
	unreachable := errors.New("no route to host")
	everyState(t, func(state string, s *script) {
		s.story = "a soft error in " + state
		before, info := s.e.State(), s.e.Info()
		for range 3 {
			s.e.SoftError(s.now, unreachable)
		}
		s.wantEvent(EvSoftError)
		s.wantNoEvent(EvClosed)
		s.wantState(before)
		s.wantErr(nil)
		s.wantIdle()
		after := s.e.Info()
		if after.SoftErrors != info.SoftErrors+3 || after.LastSoftError != unreachable {
			s.fail("Info tells of %d, the last %v", after.SoftErrors, after.LastSoftError)
		}
	})

	s := newScript(t, "an opening goes on in spite of soft errors, and succeeds", Config{}, Params{})
	s.connect()
	s.want(SYN, 0, 0)
	s.e.SoftError(s.now, unreachable)
	s.wait(10 * time.Second)
	s.want(SYN, 0, 0)
	s.e.SoftError(s.now, unreachable)
	s.recv(SYN|ACK, 0, 1)
	s.want(ACK, 1, 1)
	s.wantState(Established)
}

// TestHardErrors reports a hard error in every state: it refuses an opening, and changes
// nothing once the connection is synchronized, where it may be forged or pass (RFC
// 5461 section 4, RFC 5927 section 5.2).
//
// Shows: SHLD-26, RFC5927-1.
func TestHardErrors(t *testing.T) {
	refused := errors.New("port unreachable")
	everyState(t, func(state string, s *script) {
		s.story = "a hard error in " + state
		before := s.e.State()
		s.e.HardError(s.now, refused)
		switch state {
		case "SYN-SENT passive", "SYN-RECEIVED active":
			s.wantState(Closed)
			s.wantErr(ErrRefused)
			s.wantEvent(EvClosed)
			s.wantQuiet(time.Hour)
		default:
			s.wantState(before)
			s.wantErr(nil)
			s.wantNoEvent(EvClosed)
			s.wantEvent(EvSoftError)
			s.wantIdle()
		}
	})
}

// TestUserCalls walks through sections 3.10.1 to 3.10.6: each call in each state.
func TestUserCalls(t *testing.T) {
	type want struct {
		open, send, receive, close error
		closed                     string // state after CLOSE
		fin, rst                   bool   // sent by CLOSE; by ABORT
	}
	for state, w := range map[string]want{
		// SEND turns LISTEN into an active opening, the remote socket being specified.
		"LISTEN":       {nil, ErrWouldBlock, ErrWouldBlock, nil, "CLOSED", false, false},
		"SYN-SENT":     {ErrExists, ErrWouldBlock, ErrWouldBlock, nil, "CLOSED", false, false},
		"SYN-RECEIVED": {ErrExists, ErrWouldBlock, ErrWouldBlock, nil, "FIN-WAIT-1", true, true},
		"ESTABLISHED":  {ErrExists, nil, ErrWouldBlock, nil, "FIN-WAIT-1", true, true},
		"FIN-WAIT-1":   {ErrExists, ErrClosing, ErrWouldBlock, ErrClosing, "FIN-WAIT-1", false, true},
		"FIN-WAIT-2":   {ErrExists, ErrClosing, ErrWouldBlock, ErrClosing, "FIN-WAIT-2", false, true},
		"CLOSE-WAIT":   {ErrExists, nil, io.EOF, nil, "LAST-ACK", true, true},
		"CLOSING":      {ErrExists, ErrClosing, io.EOF, ErrClosing, "CLOSING", false, false},
		"LAST-ACK":     {ErrExists, ErrClosing, io.EOF, ErrClosing, "LAST-ACK", false, false},
		"TIME-WAIT":    {ErrExists, ErrClosing, io.EOF, ErrClosing, "TIME-WAIT", false, false},
	} {
		for _, variant := range []string{"passive", "active"} {
			at := func(call string) *script {
				a := arrival{state: state, variant: variant}
				s := a.scene(t, false).script
				s.story = call + " in " + state
				return s
			}
			is := func(s *script, call string, got, want error) {
				t.Helper()
				if got != want {
					s.fail("%s: %v, want %v", call, got, want)
				}
			}
			s := at("OPEN")
			is(s, "active OPEN", s.e.OpenActive(s.now, s.p), w.open)
			if w.open == nil {
				s.wantState(SynSent)
				s.want(SYN, 0, 0)
			} else if s.e.State().String() != state {
				s.fail("the state becomes %v", s.e.State())
			}
			s = at("OPEN")
			is(s, "passive OPEN", s.e.OpenPassive(s.now, s.p), ErrExists)

			s = at("SEND")
			_, err := s.e.Write(s.now, []byte("x"))
			is(s, "SEND", err, w.send)

			s = at("RECEIVE")
			_, err = s.e.Read(s.now, make([]byte, 1))
			is(s, "RECEIVE", err, w.receive)

			s = at("CLOSE")
			// A second CLOSE is an error in the RFC's eyes, or an "ok" that does nothing.
			if err := s.e.CloseWrite(s.now); err != nil || w.close == nil {
				is(s, "CLOSE", err, w.close)
			}
			if got := s.e.State().String(); got != w.closed {
				s.fail("the state becomes %s, want %s", got, w.closed)
			}
			fins := 0
			for _, g := range s.drain() {
				if g.Flags.Has(FIN) {
					fins++
				}
			}
			if fins > 1 || (fins == 1) != w.fin {
				s.fail("%d FINs are sent", fins)
			}

			s = at("ABORT")
			nxt := s.ours(1)
			switch state {
			case "ESTABLISHED", "CLOSE-WAIT":
				nxt = s.ours(3)
			case "FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "LAST-ACK":
				nxt = s.ours(2)
			}
			s.abort()
			s.wantState(Closed)
			gs := s.drain()
			switch {
			case w.rst && (len(gs) != 1 || !gs[0].Flags.Has(RST) || gs[0].Seq != nxt):
				s.fail("ABORT sends %v, want a reset at SND.NXT", gs)
			case state == "CLOSING" || state == "LAST-ACK":
				// The RFC sends nothing; a reset in their place tells a peer that it
				// may not have got all, since our FIN is not acknowledged.
			case !w.rst && len(gs) != 0:
				s.fail("ABORT sends %v", gs)
			}
			s.wantQuiet(time.Hour)

			if got := fmt.Sprint(at("STATUS").e.Info().State); got != state {
				t.Errorf("STATUS in %s is %s", state, got)
			}
			if state != "SYN-RECEIVED" {
				break
			}
		}
	}

	s := newScript(t, "calls on a connection that does not exist", Config{}, Params{})
	s.wantWriteErr(ErrNotOpen)
	s.wantReadErr(ErrNotOpen)
	if err := s.e.CloseWrite(s.now); err != ErrNotOpen {
		s.fail("CLOSE: %v", err)
	}
	s.e.Abort(s.now)
	s.wantIdle()
	s.wantState(Closed)
	s.wantErr(nil)
}

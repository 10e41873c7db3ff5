package tcpcore

import (
	"errors"
	"io"
	"time"
)

// How a user ends.
type simStyle uint8

const (
	simPolite  simStyle = iota // writes all, half-closes, reads to the end, closes
	simServer                  // reads to the end, then writes the rest and closes
	simCloser                  // writes all and closes without reading on
	simAborter                 // aborts at some moment
	simDeaf                    // stops reading at some moment
	simRude                    // closes at some moment
	simStyles
)

// A simApp is the user of one engine. It reads and writes only when it has reason to
// believe that it can: an event that fails to come leaves it waiting for ever.
type simApp struct {
	h     *simHost
	style simStyle
	total int // bytes that it means to write
	chunk int
	read  int // size of its read buffer
	pause Time
	// It reads nothing for stall after every stallEvery bytes.
	stall      Time
	stallEvery int
	actAt      Time // when an aborter, a deaf or a rude one does so
	patience   Time // when it gives up whatever it waits for
	urgent     float64

	next                 Time
	nextRead, nextWrite  Time
	noRoom, nothing      bool // wait for EvWritable, EvReadable
	up                   bool // EvEstablished came
	born                 Time // host's clock at the open
	accepted, delivered  int
	stalledAt            int
	ended, sawEOF        bool
	closed, deaf, gaveUp bool
	done, fellBack       bool
	err                  error
	buf                  []byte
}

// schedule makes the next step due at a moment, or earlier if it already is.
func (a *simApp) schedule(at Time) {
	if a.born == 0 {
		a.born = a.h.now()
	}
	if at == Never || a.done {
		return
	}
	at = max(at, a.h.s.now)
	if at < a.next {
		a.next = at
		a.h.s.pushAt(a.h, evApp, at)
	}
}

// wake is told of the engine's events.
func (a *simApp) wake(ev Event) {
	s := a.h.s
	if ev&EvEstablished != 0 {
		if a.up {
			s.fail("%c is established twice", a.h.name)
		}
		a.up = true
	}
	if ev&EvListen != 0 && a.h.wire.gotSYN {
		a.h.wire.reset()
		a.fellBack = true
	}
	if ev&EvReadable != 0 {
		a.nothing = false
	}
	if ev&EvWritable != 0 {
		a.noRoom = false
	}
	if ev&EvClosed != 0 && a.h.e.State() != Closed {
		s.fail("%c: EvClosed in %v", a.h.name, a.h.e.State())
	}
	a.schedule(s.now)
}

// step does what is due, and schedules what will be.
func (a *simApp) step() {
	s, e := a.h.s, a.h.e
	if a.done {
		return
	}
	if a.actAt <= s.now {
		a.actAt = Never
		a.misbehave()
	}
	if a.patience <= s.now && !a.closed {
		s.trace("%c gives up", a.h.name)
		if s.strict {
			s.fail("%c is stuck: wrote %d of %d (waits %v), read %d (waits %v), %v", a.h.name,
				a.accepted, a.total, a.noRoom, a.delivered, a.nothing, e.State())
		}
		a.gaveUp, a.ended, a.closed = true, true, true
		a.h.wire.excuses++
		e.Abort(a.h.now())
	}
	if a.fellBack && !a.closed && e.State() == Listen {
		a.close() // the listener goes with its only caller
	}
	if !a.closed && (a.up || e.State() == Closed) {
		a.stepRead()
		a.stepWrite()
		a.stepEnd()
	}
	if a.closed && e.State() == Closed {
		a.done = true
		return
	}
	at := min(a.actAt, a.patience)
	if !a.closed && a.up {
		if !a.nothing && !a.sawEOF {
			at = min(at, a.nextRead)
		}
		if !a.noRoom && a.accepted < a.total && !a.ended {
			at = min(at, a.nextWrite)
		}
	}
	if at > s.now || !a.closed {
		a.schedule(at)
	}
}

func (a *simApp) misbehave() {
	s, e := a.h.s, a.h.e
	if a.closed {
		return
	}
	a.h.wire.excuses++
	switch a.style {
	case simAborter:
		s.trace("%c aborts", a.h.name)
		a.gaveUp, a.ended, a.closed = true, true, true
		e.Abort(a.h.now())
		if e.State() != Closed {
			s.fail("%c is in %v after ABORT", a.h.name, e.State())
		}
	case simDeaf:
		s.trace("%c closes for reading", a.h.name)
		a.deaf = true
		a.nothing = false
		e.CloseRead(a.h.now())
	case simRude:
		a.close()
	}
}

// close is CLOSE; unread data makes it an abort (RFC 9293 SHLD-3).
func (a *simApp) close() {
	s, e := a.h.s, a.h.e
	s.trace("%c closes, %v", a.h.name, e.State())
	a.h.wire.excuses++
	a.closed = true
	if !a.sawEOF {
		a.gaveUp = true
	}
	a.ended = true
	if err := e.Close(a.h.now()); err != nil && e.State() != Closed {
		s.fail("%c: Close: %v in %v", a.h.name, err, e.State())
	}
}

func (a *simApp) stepRead() {
	s, e := a.h.s, a.h.e
	for !a.nothing && !a.sawEOF && a.nextRead <= s.now {
		if a.deaf {
			a.sawEOF = true
			break
		}
		if cap(a.buf) < a.read {
			a.buf = make([]byte, a.read)
		}
		if s.chance(0.1) && !a.peek() {
			return
		}
		n, err := e.Read(a.h.now(), a.buf[:a.read])
		s.trace("%c reads %d, %v", a.h.name, n, err)
		if n > 0 && err != nil || n == 0 && err == nil || n > a.read {
			s.fail("%c: Read of %d: %d, %v", a.h.name, a.read, n, err)
			return
		}
		if n > 0 {
			p := a.h.peer
			if !s.chaos && (a.delivered+n > p.app.accepted || !streamIs(p.index(), a.delivered, a.buf[:n])) {
				s.fail("%c reads at %d what its peer did not write (it wrote %d)", a.h.name, a.delivered, p.app.accepted)
			}
			a.delivered += n
			a.h.wire.excuses++ // a window update may follow
		}
		switch {
		case errors.Is(err, ErrWouldBlock):
			a.nothing = true
		case err == io.EOF:
			a.sawEOF = true
			if !s.chaos && (!a.h.peer.app.ended || a.delivered != a.h.peer.app.accepted) {
				s.fail("%c sees the end after %d bytes of %d", a.h.name, a.delivered, a.h.peer.app.accepted)
			}
		case err != nil:
			a.fatal(err)
			return
		}
		if a.stall > 0 && a.delivered-a.stalledAt >= a.stallEvery {
			a.stalledAt = a.delivered
			a.nextRead = s.now + a.stall
		} else if a.pause > 0 && s.chance(0.3) {
			a.nextRead = s.now + s.upTo(a.pause)
		}
	}
}

// peek looks at what the next Read will bring.
func (a *simApp) peek() bool {
	p := a.h.peer
	n, err := a.h.e.Peek(a.h.now(), a.buf[:a.read])
	ok := err != nil || a.h.s.chaos || a.delivered+n <= p.app.accepted && streamIs(p.index(), a.delivered, a.buf[:n])
	if !ok {
		a.h.s.fail("%c: Peek of %d: %d, %v, not what its peer wrote", a.h.name, a.read, n, err)
	}
	return ok
}

func (a *simApp) stepWrite() {
	s, e := a.h.s, a.h.e
	for !a.noRoom && !a.ended && a.accepted < a.total && a.nextWrite <= s.now && a.err == nil {
		n := min(1+s.rng.IntN(a.chunk), a.total-a.accepted)
		a.buf = streamAt(a.buf[:0], a.h.index(), a.accepted, n)
		write := e.Write
		if s.chance(a.urgent) {
			write = e.WriteUrgent
		}
		m, err := write(a.h.now(), a.buf)
		s.trace("%c writes %d: %d, %v", a.h.name, n, m, err)
		for i := range a.buf {
			a.buf[i] = 0xaa // the engine must have copied
		}
		if m < 0 || m > n || m == 0 && err == nil {
			s.fail("%c: Write of %d: %d, %v", a.h.name, n, m, err)
			return
		}
		a.accepted += m
		switch {
		case errors.Is(err, ErrWouldBlock), err == nil && m < n:
			a.noRoom = true
		case err != nil:
			a.fatal(err)
			return
		}
		if a.pause > 0 {
			a.nextWrite = s.now + s.upTo(a.pause)
		}
	}
}

// fatal is an error that ends the connection for the user.
func (a *simApp) fatal(err error) {
	s, e := a.h.s, a.h.e
	a.err = err
	if e.State() != Closed {
		s.fail("%c: %v in %v", a.h.name, err, e.State())
	}
	if e.Err() == nil {
		s.fail("%c: the user is told of %v, and Err of nothing", a.h.name, err)
	}
	a.closed, a.ended = true, true
}

// stepEnd closes what is to be closed.
func (a *simApp) stepEnd() {
	s, e := a.h.s, a.h.e
	if a.closed {
		return
	}
	wrote := a.accepted == a.total
	if wrote && !a.ended && (a.style != simServer || a.sawEOF) {
		switch {
		case a.style == simCloser:
			a.close()
			return
		case a.sawEOF && s.chance(0.5):
			a.close() // both halves in one call
			return
		default:
			a.ended = true
			s.trace("%c closes for writing", a.h.name)
			a.h.wire.excuses++
			if err := e.CloseWrite(a.h.now()); err != nil && e.State() != Closed {
				s.fail("%c: CloseWrite: %v in %v", a.h.name, err, e.State())
			}
		}
	}
	if e.State() == Closed && a.h.e.Err() != nil {
		a.closed, a.ended = true, true
		return
	}
	if a.ended && a.sawEOF {
		a.close()
	}
}

// randTime returns a time in [lo, hi], upTo one in [0, d].
func (s *sim) randTime(lo, hi int64) Time { return Time(lo + s.rng.Int64N(hi-lo+1)) }

func (s *sim) upTo(d Time) Time {
	if d <= 0 {
		return 0
	}
	return Time(s.rng.Int64N(int64(d) + 1))
}

func (s *sim) chance(p float64) bool { return p > 0 && s.rng.Float64() < p }

func (s *sim) between(lo, hi int) int { return lo + s.rng.IntN(hi-lo+1) }

func (s *sim) pick(ds ...time.Duration) time.Duration { return ds[s.rng.IntN(len(ds))] }

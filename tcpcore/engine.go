package tcpcore

import "example.com/culvert/tcpcore/segment"

// Params are what a connection is told when it opens.
type Params struct {
	LocalPort, RemotePort uint16
	// ISN is F() of RFC 6528: a keyed hash of the connection's identity. The engine
	// adds M, its clock.
	ISN uint32
	// TimestampOffset is added to the timestamp clock (RFC 7323 section 5.4); random
	// per connection identity.
	TimestampOffset uint32
	// MMS is the largest segment, header included, that the carrier takes to the
	// peer and from it (RFC 9293 section 3.7.1).
	MMS int
	// IPv6 selects the default send MSS of IPv6.
	IPv6 bool
}

// Engine is one connection.
type Engine struct{ state State }

// New returns an engine in CLOSED. cfg must have passed Check.
func New(cfg Config) *Engine { return &Engine{} }

// OpenActive is OPEN (RFC 9293 section 3.10.1) with an active request: a SYN is due.
// It returns ErrExists unless the state is CLOSED or LISTEN.
func (e *Engine) OpenActive(now Time, p Params) error { return nil }

// OpenPassive is OPEN with a passive request: the state becomes LISTEN. RemotePort 0
// is filled in from the SYN.
func (e *Engine) OpenPassive(now Time, p Params) error { return nil }

// Input is SEGMENT ARRIVES (section 3.10.7). It keeps no reference to s or its payload.
// It reports whether the segment was a SYN that ends TIME-WAIT in favour of a new
// connection (RFC 6191): the engine is then CLOSED, and the SYN belongs to the listener.
func (e *Engine) Input(now Time, s *segment.Segment) (reopen bool) { return false }

// Advance runs the timers that are due.
func (e *Engine) Advance(now Time) {}

// Deadline tells when Advance or Output wants to be called even if nothing happens; Never if not.
func (e *Engine) Deadline() Time { return Never }

// Output fills t with what is to be sent next and reports whether there was anything.
// Call it until it returns false.
func (e *Engine) Output(now Time, t *Train) bool { return false }

// Write is SEND (section 3.10.2): it takes over as much of p as the send buffer has room
// for. It returns ErrWouldBlock if that is nothing.
func (e *Engine) Write(now Time, p []byte) (int, error) { return 0, nil }

// WriteUrgent is SEND with the urgent flag: the urgent pointer points behind p's last byte taken.
func (e *Engine) WriteUrgent(now Time, p []byte) (int, error) { return 0, nil }

// Read is RECEIVE (section 3.10.3). It returns io.EOF after the peer's FIN, ErrWouldBlock
// while there is nothing.
func (e *Engine) Read(now Time, p []byte) (int, error) { return 0, nil }

// CloseRead discards what has arrived and what will.
func (e *Engine) CloseRead(now Time) {}

// CloseWrite sends FIN after what was written; reading goes on.
func (e *Engine) CloseWrite(now Time) error { return nil }

// Close is CLOSE (section 3.10.4) by a user who will not read any more: unread data makes it
// an abort (SHLD-3), and so does data that arrives later.
func (e *Engine) Close(now Time) error { return nil }

// Abort is ABORT (section 3.10.5): a RST is due where the state asks for one, and the
// state is CLOSED.
func (e *Engine) Abort(now Time) {}

// SoftError tells of a network error that does not end the connection (RFC 9293 section 3.9.2.2).
func (e *Engine) SoftError(now Time, err error) {}

// HardError tells of one that says the peer cannot be reached (unreachable port or protocol):
// it ends a connection that is not yet synchronized with ErrRefused, and is soft later (RFC 5461).
func (e *Engine) HardError(now Time, err error) {}

// SetMMS tells that the carrier's largest segment changed.
func (e *Engine) SetMMS(now Time, mms int) {}

// SetNoDelay, SetKeepAlive and the like change the tunables of a live connection.
func (e *Engine) SetNoDelay(now Time, on bool) {}

// State returns the connection's state.
func (e *Engine) State() State { return e.state }

// Err tells why the connection ended: nil while it lives and after an orderly close.
func (e *Engine) Err() error { return nil }

// Events returns what happened since the last call.
func (e *Engine) Events() Event { return 0 }

// Info is STATUS (section 3.10.6).
func (e *Engine) Info() Info { return Info{} }

// Retire returns what must remain of a connection in TIME-WAIT whose user is gone.
// It reports false in any other state, or while there is something left to read.
func (e *Engine) Retire() (TimeWaitRecord, bool) { return TimeWaitRecord{}, false }

// Refuse appends to b the reset that answers a segment for which there is no
// connection (RFC 9293 section 3.10.7.1); nothing if s is itself a reset.
func Refuse(b []byte, s *segment.Segment) []byte { return b }

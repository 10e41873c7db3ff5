package conn

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// Receive processes one segment that arrived at now. Nothing is sent and nobody is
// woken before Finish, so that all segments at hand are processed before any is
// acknowledged (RFC 9293 MUST-58, MUST-59). It keeps nothing of s. It reports
// whether s is a SYN that ended TIME-WAIT and belongs to a listener (RFC 6191).
func (d *Driver) Receive(now tcpcore.Time, s *segment.Segment) (reopen bool) {
	d.Lock()
	defer d.Unlock()
	return d.ReceiveLocked(now, s)
}

// Lock and Unlock are round several calls of ReceiveLocked, so that a run of segments costs
// one lock. In between no other method may be called.
func (d *Driver) Lock() { d.c.mu.Lock() }

// Unlock ends what Lock began.
func (d *Driver) Unlock() { d.c.mu.Unlock() }

// ReceiveLocked is Receive between Lock and Unlock.
func (d *Driver) ReceiveLocked(now tcpcore.Time, s *segment.Segment) (reopen bool) {
	c := d.c
	c.refused, c.soft = refusals{}, nil
	return c.engine.Input(c.at(now), s)
}

// Lent returns the memory where the next octets of the stream are wanted, none if nobody waits
// for them; see tcpcore.Engine.Lent. It may be written by who was called by Leader.Lead with
// reading, until that returns.
func (d *Driver) Lent() []byte {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.c.engine.Lent()
}

// Finish ends a batch of Receive calls: it wakes readers and writers and sends what
// is due. It is also how a new connection sends its first segment. It reports whether a
// Read or Write has been woken since the last call.
func (d *Driver) Finish() (woken bool) {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pump()
	woken, c.woken = c.woken, false
	return woken
}

// Fail tells that the carrier died of err: the connection ends at once, and its
// user gets err.
func (d *Driver) Fail(err error) {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure == nil {
		c.failure = err
	}
	c.engine.Abort(c.now())
	c.pump()
}

// NoRoute tells that the system itself knows no way to the peer. It ends a connection that
// is being opened, whose user gets the errno in err; for others it is a soft error.
func (d *Driver) NoRoute(err error) {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	var errno syscall.Errno
	if c.engine.State() != tcpcore.SynSent || c.failure != nil || !errors.As(err, &errno) {
		c.soft = err
		c.engine.SoftError(c.now(), err)
	} else {
		c.failure = errno
		c.engine.Abort(c.now())
	}
	c.pump()
}

// Drop gives up, without a word to the peer, a connection that nobody has got yet.
func (d *Driver) Drop() { d.Fail(net.ErrClosed) }

// Abort resets the connection, for a user who never got it, or who must do without
// it from now on. What it was about to tell its user becomes net.ErrClosed.
func (d *Driver) Abort() {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut()
	c.engine.Abort(c.now())
	c.pump()
}

// SoftError tells of a network error that may pass (RFC 9293 section 3.9.2.2).
func (d *Driver) SoftError(err error) {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.soft = err
	c.engine.SoftError(c.now(), err)
	c.pump()
}

// HardError tells of one that says that the peer cannot be reached. It ends a
// connection that is being opened, and an established one if it comes again and again
// for over a second while nothing arrives; its user gets ECONNRESET.
func (d *Driver) HardError(err error) {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.soft = err
	c.engine.HardError(now, err)
	if c.told && c.refused.final(now) && c.failure == nil {
		c.failure = syscall.ECONNRESET
		c.engine.Abort(now)
	}
	c.pump()
}

// refusals counts the network's refusals since anything arrived. One may be forged, or
// pass (RFC 5461 section 4.1); but when retransmissions go on to be refused, nobody
// is there any more: when the peer's process ends, its socket goes with it, and that is
// the only way to learn of it, where a kernel would send a reset (RFC 9293 SHLD-26).
type refusals struct {
	n     int
	first tcpcore.Time
}

func (r *refusals) final(now tcpcore.Time) bool {
	if r.n++; r.n == 1 {
		r.first = now
	}
	return r.n >= 3 && now.Sub(r.first) >= time.Second
}

// Outstanding reports whether seq was sent and is not acknowledged (RFC 5927 section
// 4.1).
func (d *Driver) Outstanding(seq segment.Seq) bool {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.c.engine.Outstanding(seq)
}

// LastSent returns SND.NXT, behind which the next connection of this identity begins.
func (d *Driver) LastSent() segment.Seq {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.c.engine.LastSent()
}

// SetMMS tells what the carrier takes from now on; see tcpcore.Engine.SetMMS.
func (d *Driver) SetMMS(mms, most int) {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.engine.SetMMS(c.now(), mms, most)
	c.pump()
}

// TooBig tells of a report that the segment at seq was larger than mms; see
// tcpcore.Engine.TooBig.
func (d *Driver) TooBig(seq segment.Seq, mms int) {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.engine.TooBig(c.now(), seq, mms)
	c.pump()
}

// SetPart bounds the window that is offered, by what the connection may have of a socket's
// queue that it shares; see tcpcore.Engine.SetPart.
func (d *Driver) SetPart(bytes, rate int) {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	d.c.engine.SetPart(bytes, rate)
}

// SetLocal tells the local address once it is known, when the system chose it.
func (d *Driver) SetLocal(a netip.AddrPort) {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	if d.c.local.at != a {
		d.c.local = address{at: a}
	}
}

// Err tells why a connection that did not become established ended, as the
// engine's error or the one given to Fail; nil while it lives.
func (d *Driver) Err() error {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		return c.failure
	}
	return c.cause(c.engine.Err())
}

// Established reports whether the handshake was completed.
func (d *Driver) Established() bool {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.c.told
}

// Closed reports whether the user has closed the connection: it is then only
// delivering what is left.
func (d *Driver) Closed() bool {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.c.closed
}

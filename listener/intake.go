package listener

import (
	"net"
	"net/netip"
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// Action is what an endpoint is to do with a segment.
type Action uint8

// The actions.
const (
	// Drop: nothing.
	Drop Action = iota
	// Reply: send Verdict.Reply back to where the segment came from.
	Reply
	// Open: make a connection that listens, give it the segment, and bind it to
	// Verdict.Place.
	Open
)

// Verdict is an Intake's answer to a segment.
type Verdict struct {
	Action Action
	Reply  []byte
	Place  *Place
}

// Receive judges a segment for which there is no connection, sent by peer to local,
// an address that is not valid where the carrier does not know it. A reply is
// appended to b. A verdict of Open takes a place in the backlog, which the endpoint
// gives back with Place.Release unless it binds a connection to it.
func (in *Intake) Receive(s *segment.Segment, peer netip.AddrPort, local netip.Addr, b []byte) Verdict {
	switch {
	case s.Flags.Has(segment.RST):
		// "An incoming RST segment could not be valid" (RFC 9293 section 3.10.7.2).
		return Verdict{}
	case s.Flags.Has(segment.ACK):
		// "Any acknowledgment is bad if it arrives on a connection still in the LISTEN
		// state": it is answered with a reset. The answer to a SYN cookie would
		// be recognized here, before that.
		if b = tcpcore.Refuse(b, s); len(b) == 0 {
			return Verdict{}
		}
		return Verdict{Action: Reply, Reply: b}
	case !s.Flags.Has(segment.SYN):
		return Verdict{} // section 3.10.7.2, fourth: "drop the segment and return"
	case !unicast(peer.Addr()) || peer.Port() == 0 || local.IsValid() && !unicast(local):
		// MUST-63, MUST-57: "silently discard".
		return Verdict{}
	}
	p := in.c.take()
	if p == nil {
		// No place: the peer's SYN comes again, as with Linux. A SYN cookie would be
		// the reply.
		return Verdict{}
	}
	return Verdict{Action: Open, Place: p}
}

// Fail tells that the carrier died of err: Accept returns it from now on, and the
// connections that were not accepted are given up.
func (in *Intake) Fail(err error) {
	in.c.mu.Lock()
	if in.c.failure == nil {
		in.c.failure = err
	}
	in.c.mu.Unlock()
	in.c.close()
}

// unicast reports whether a may be the address of one end of a connection.
func unicast(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && !a.IsMulticast() && !a.IsUnspecified() && a != broadcast
}

// broadcast is the limited broadcast address; a net's own is not known here.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Place is one connection's place in the backlog.
type Place struct {
	c     *core
	state placeState
	conn  net.Conn
	reins Reins
	since time.Time // the SYN

	older, newer *Place // in core.half while it is halfOpen, in core.queue while it is queued
}

// Reins are what a listener holds of a connection that nobody has got yet.
type Reins interface {
	// Abort resets it.
	Abort()
	// Drop gives it up without a word while its handshake lasts.
	Drop()
}

// halfOpenGrace is how long a handshake keeps its place when others want it: longer than
// the first retransmission timeout, so that a SYN-ACK or an ACK may get lost.
const halfOpenGrace = 1500 * time.Millisecond

type placeState uint8

const (
	halfOpen placeState = iota
	queued
	gone // accepted, or given back
)

// take returns a new place, or nil if there is none. SYNs with forged addresses shall not
// shut everybody out for as long as their SYN-ACKs are sent again (RFC 4987 section 2): the
// oldest handshake makes room if it has had its chance.
func (c *core) take() *Place {
	p, victim := c.takeOrEvict()
	if victim != nil && victim.reins != nil {
		victim.reins.Drop()
	}
	return p
}

func (c *core) takeOrEvict() (p, victim *Place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil
	}
	now := time.Now()
	if c.half.n+c.queue.n >= c.backlog {
		oldest := c.half.first
		if oldest == nil || now.Sub(oldest.since) < halfOpenGrace {
			return nil, nil
		}
		victim = oldest
		victim.leave(gone)
	}
	p = &Place{c: c, since: now}
	c.half.push(p)
	return p, victim
}

// leave ends halfOpen.
func (p *Place) leave(s placeState) {
	p.state = s
	p.c.half.remove(p)
}

// places are some in a row, the oldest first.
type places struct {
	first, last *Place
	n           int
}

func (l *places) push(p *Place) {
	p.older, p.newer = l.last, nil
	*l.from(l.last), l.last = p, p
	l.n++
}

func (l *places) remove(p *Place) {
	*l.from(p.older) = p.newer
	if p.newer != nil {
		p.newer.older = p.older
	} else {
		l.last = p.older
	}
	p.older, p.newer = nil, nil
	l.n--
}

// from is the link that leads on from p, or to the first.
func (l *places) from(p *Place) **Place {
	if p == nil {
		return &l.first
	}
	return &p.newer
}

// Bind tells the connection that has the place, and how to be rid of it: whoever the
// place is needed for, the peer may be a forgery. It reports false if the place is lost
// meanwhile, as when the listener has closed: the connection must be given up.
func (p *Place) Bind(conn net.Conn, r Reins) bool {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.state != halfOpen {
		return false
	}
	p.conn, p.reins = conn, r
	return true
}

// Ready moves the connection to the queue of Accept: its handshake is complete. It
// reports whether that was so, and nothing else is expected for the place.
func (p *Place) Ready() bool {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.state != halfOpen || p.conn == nil {
		return false
	}
	p.leave(queued)
	c.queue.push(p)
	if c.waiting > 0 {
		c.cond.Broadcast()
	}
	return true
}

// Release gives the place of a handshake that failed back. A connection that is in
// the queue stays there.
func (p *Place) Release() {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.state == halfOpen {
		p.leave(gone)
	}
}

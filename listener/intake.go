package listener

import (
	"container/list"
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
	abort func()
	drop  func()
	since time.Time     // the SYN
	half  *list.Element // in core.half while it is halfOpen
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
	if victim != nil && victim.drop != nil {
		victim.drop()
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
	if c.half.Len()+len(c.queue) >= c.backlog {
		oldest := c.half.Front()
		if oldest == nil || now.Sub(oldest.Value.(*Place).since) < halfOpenGrace {
			return nil, nil
		}
		victim = oldest.Value.(*Place)
		victim.leave(gone)
	}
	p = &Place{c: c, since: now}
	p.half = c.half.PushBack(p)
	return p, victim
}

// leave ends halfOpen.
func (p *Place) leave(s placeState) {
	p.state = s
	p.c.half.Remove(p.half)
	p.half = nil
}

// Bind tells the connection that has the place, how to reset it, and how to give it up
// without a word while its handshake lasts: whoever the place is needed for, the peer
// may be a forgery. It reports false if the place is lost meanwhile, as when the
// listener has closed: the connection must be given up.
func (p *Place) Bind(conn net.Conn, abort, drop func()) bool {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.state != halfOpen {
		return false
	}
	p.conn, p.abort, p.drop = conn, abort, drop
	return true
}

// Ready moves the connection to the queue of Accept: its handshake is complete.
func (p *Place) Ready() {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.state != halfOpen || p.conn == nil {
		return
	}
	p.leave(queued)
	c.queue = append(c.queue, p)
	if c.waiting > 0 {
		c.cond.Broadcast()
	}
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

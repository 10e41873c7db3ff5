package listener

import (
	"net"
	"net/netip"

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
}

type placeState uint8

const (
	halfOpen placeState = iota
	queued
	gone // accepted, or given back
)

func (c *core) take() *Place {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.half)+len(c.queue) >= c.backlog {
		return nil
	}
	p := &Place{c: c}
	c.half[p] = struct{}{}
	return p
}

// Bind tells the connection that has the place, and how to reset it. It reports
// false if the listener has closed meanwhile: the connection must be given up.
func (p *Place) Bind(conn net.Conn, abort func()) bool {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.state != halfOpen {
		return false
	}
	p.conn, p.abort = conn, abort
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
	p.state = queued
	delete(c.half, p)
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
		p.state = gone
		delete(c.half, p)
	}
}

package udpcarrier

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"

	"example.com/culvert/carrier"
)

// A Carrier sends and receives segments in UDP datagrams. Its methods keep the
// contract of carrier.Carrier: one goroutine at a time reads, any number write.
type Carrier struct {
	link       link
	pc         net.PacketConn
	opts       Options
	local      netip.AddrPort // as the socket says, unmapped
	caps       carrier.Caps
	recv, send int // socket buffers granted; 0 unknown
	counts     counts
	trains     *trainBook
	closed     atomic.Bool
}

var (
	_ carrier.Interrupter = (*Carrier)(nil)
	_ carrier.Placer      = (*Carrier)(nil)
	_ carrier.Poller      = (*Carrier)(nil)
	_ carrier.Prober      = (*Carrier)(nil)
)

// A link moves datagrams for a Carrier: the three implementations are the ways
// that systems and libraries offer. Errors about this peer or this moment come
// back from read as reports, and from write as errors.
type link interface {
	// read may use p, if it can; see carrier.Placer.
	read(p []byte) (*carrier.Batch, error)
	write(ds []carrier.Datagram) (int, error)
	// mtu is the MTU of the route to peer in bytes, 0 if unknown.
	mtu(peer netip.AddrPort) int
	// maxMTU is what can be sent to peer at all, 0 if that is unknown or may be fragmented.
	maxMTU(peer netip.AddrPort) int
}

// A poller is a link that can be read without waiting.
type poller interface {
	// poll is read that returns nil where it would wait.
	poll(p []byte) (*carrier.Batch, error)
}

// counts are the events that nobody is told of otherwise.
type counts struct {
	truncated, strange, refused, trainless atomic.Uint64
}

// Stats are counters of a carrier's life.
type Stats struct {
	Truncated uint64 // datagrams dropped because they, or what the system tells of them, were too long
	Strange   uint64 // datagrams dropped because their sender's address is none of UDP's
	Overflows uint64 // datagrams that the system dropped because the receive buffer was full, on Linux
	Refused   uint64 // trains that the system refused, and whose segments were sent one by one
	Trainless uint64 // paths on which this carrier was the first to switch trains off, by such a refusal or by DistrustTrains
}

// ReadBatch waits for datagrams and reports; see carrier.Carrier. Over a plain
// net.PacketConn a waiting carrier holds one buffer of 64 KiB, since there is no
// other way to wait there; over a socket it holds none.
func (c *Carrier) ReadBatch() (*carrier.Batch, error) { return c.ReadInto(nil) }

// ReadInto is ReadBatch that has the kernel put data into p; see carrier.Placer. It does so
// on Linux, while segments are large and like the ones before.
func (c *Carrier) ReadInto(p []byte) (*carrier.Batch, error) {
	if c.closed.Load() {
		return nil, c.closedError("read")
	}
	return c.outcome(c.link.read(p))
}

// Poll is ReadInto that returns nil where it would wait; see carrier.Poller. Without Caps.Poll it
// always does.
func (c *Carrier) Poll(p []byte) (*carrier.Batch, error) {
	if c.closed.Load() {
		return nil, c.closedError("read")
	}
	if l, ok := c.link.(poller); ok {
		return c.outcome(l.poll(p))
	}
	return nil, nil
}

// outcome is what a link's reader returned, as the carrier's does.
func (c *Carrier) outcome(b *carrier.Batch, err error) (*carrier.Batch, error) {
	if err != nil && c.closed.Load() {
		// Not every PacketConn says net.ErrClosed (vnet's does not).
		return nil, c.closedError("read")
	}
	return b, err
}

// Reads reports whether as is c itself, not something around it; see carrier.Placer.
func (c *Carrier) Reads(as carrier.Carrier) bool { return as == carrier.Carrier(c) }

// Interrupt calls back whoever is in ReadBatch; see carrier.Interrupter. It does nothing
// without Caps.Interrupt, which a plain net.PacketConn lacks.
func (c *Carrier) Interrupt() {
	if l, ok := c.link.(interface{ interrupt() }); ok {
		l.interrupt()
	}
}

// WriteBatch sends datagrams; see carrier.Carrier. A train counts as handed over
// when all of its segments were; after an error some of them may be on their way.
func (c *Carrier) WriteBatch(ds []carrier.Datagram) (int, error) {
	if c.closed.Load() {
		return 0, c.closedError("write")
	}
	if len(ds) == 0 {
		return 0, nil
	}
	n, err := c.link.write(ds)
	if err != nil && c.closed.Load() {
		err = c.closedError("write")
	}
	return n, err
}

// LocalAddr returns the socket's address; its IP is unspecified for a wildcard.
func (c *Carrier) LocalAddr() netip.AddrPort { return c.local }

// Caps tells what this carrier can do.
func (c *Carrier) Caps() carrier.Caps { return c.caps }

// MMS returns the largest segment, in bytes, that a datagram to peer can carry at
// present without fragmentation: the route's MTU less the headers of IP and UDP.
func (c *Carrier) MMS(peer netip.AddrPort) int {
	if c.caps.Connected.IsValid() {
		peer = c.caps.Connected
	}
	mtu := c.link.mtu(peer)
	if mtu <= 0 {
		mtu = defaultMTU
	}
	if c.opts.MTU != 0 {
		mtu = min(mtu, c.opts.MTU)
	}
	return mms(peer.Addr(), mtu)
}

// MaxMMS returns the largest segment, in bytes, that a datagram to peer can carry as far as
// the interface goes; 0 where datagrams may be fragmented, so that no larger ones than
// MMS says must be tried. See carrier.Prober.
func (c *Carrier) MaxMMS(peer netip.AddrPort) int {
	if c.caps.Connected.IsValid() {
		peer = c.caps.Connected
	}
	mtu := c.link.maxMTU(peer)
	if mtu <= 0 {
		return 0
	}
	if c.opts.MTU != 0 {
		mtu = min(mtu, c.opts.MTU)
	}
	return mms(peer.Addr(), mtu)
}

// Headers of a segment's datagram, in bytes.
const (
	udpHeader  = 8
	ipv4Header = 20
	ipv6Header = 40
)

// maxDatagram is the longest UDP payload: IPv4's total length less both headers.
const maxDatagram = 65535 - ipv4Header - udpHeader

// mms is what is left of an MTU for a segment (RFC 9293 section 3.7.1, MMS_S).
func mms(peer netip.Addr, mtu int) int {
	return narrow(peer, max(mtu, minMTU))
}

// narrow is mms of a path that may be narrower than any should be.
func narrow(peer netip.Addr, mtu int) int {
	header := ipv6Header + udpHeader
	if a := peer.Unmap(); a.Is4() {
		header = ipv4Header + udpHeader
	}
	return min(mtu-header, maxDatagram)
}

// Buffers returns what the system granted for receiving and sending, in bytes as
// the system counts (Linux includes its own overhead); 0 where it does not tell.
func (c *Carrier) Buffers() (recv, send int) { return c.recv, c.send }

// Stats returns the carrier's counters. It may be called at any time.
func (c *Carrier) Stats() Stats {
	s := Stats{
		Truncated: c.counts.truncated.Load(), Strange: c.counts.strange.Load(),
		Refused: c.counts.refused.Load(), Trainless: c.counts.trainless.Load(),
	}
	if u, ok := c.pc.(*net.UDPConn); ok {
		s.Overflows = overflows(u)
	}
	return s
}

// Close releases the socket and unblocks ReadBatch and WriteBatch. Closing again
// does nothing.
func (c *Carrier) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.pc.Close()
}

func (c *Carrier) closedError(op string) error {
	return &net.OpError{Op: op, Net: c.caps.Network, Addr: net.UDPAddrFromAddrPort(c.local), Err: net.ErrClosed}
}

// report makes the batch that tells of a network error about peer.
func report(peer netip.AddrPort, err error) *carrier.Batch {
	return &carrier.Batch{Datagrams: []carrier.Datagram{{Peer: peer, Err: err}}}
}

// unmap turns an IPv4-mapped IPv6 address into the IPv4 address that it stands for:
// above this package a peer has one name, whatever the socket's family.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// addrPort reads the address of a PacketConn; the zero AddrPort if it is none of UDP's.
func addrPort(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case nil:
		return netip.AddrPort{}
	case *net.UDPAddr:
		if a == nil {
			return netip.AddrPort{}
		}
		return unmap(a.AddrPort())
	default:
		p, err := netip.ParseAddrPort(a.String())
		if err != nil {
			return netip.AddrPort{}
		}
		return unmap(p)
	}
}

// isTimeout reports whether err is a deadline that somebody set on our socket.
func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

package rawcarrier

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/interfaces"
)

// A Carrier sends and receives segments in IPv4 datagrams. Its methods keep the
// contract of carrier.Carrier: one goroutine at a time reads, any number write.
type Carrier struct {
	link   link
	opts   Options
	local  netip.AddrPort
	caps   carrier.Caps
	counts counts
	closed atomic.Bool
}

var (
	_ carrier.Interrupter = (*Carrier)(nil)
	_ carrier.Prober      = (*Carrier)(nil)
)

// A link moves datagrams for a Carrier.
type link interface {
	read() (*carrier.Batch, error)
	write(ds []carrier.Datagram) (int, error)
	// route is the address that datagrams to peer are sent from, and the MTU of the way
	// there in bytes; the zero Addr and 0 where the system does not tell.
	route(peer netip.Addr) (source netip.Addr, mtu int)
	// interrupt makes read return carrier.ErrInterrupted.
	interrupt()
	close() error
}

// counts are the events that nobody is told of otherwise.
type counts struct {
	truncated, strange atomic.Uint64
}

// Stats are counters of a carrier's life.
type Stats struct {
	Truncated uint64 // datagrams dropped because they were longer than an IPv4 datagram can be
	Strange   uint64 // datagrams dropped because they were no TCP over IPv4 from one host to this one
}

// Sizes in bytes.
const (
	ipv4Header  = 20 // without options, as we send it
	maxDatagram = 65535
	tcpHeader   = 20
)

// ReadBatch waits for datagrams and reports; see carrier.Carrier. A waiting carrier
// holds no buffer.
func (c *Carrier) ReadBatch() (*carrier.Batch, error) {
	if c.closed.Load() {
		return nil, c.closedError("read")
	}
	b, err := c.link.read()
	if err != nil && err != carrier.ErrInterrupted && c.closed.Load() {
		return nil, c.closedError("read")
	}
	return b, err
}

// WriteBatch sends datagrams, with their checksums as they are; see carrier.Carrier. On
// a wildcard, a datagram without Local gets the address that the route has, which
// Source tells.
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

// Interrupt calls the reader back; see carrier.Interrupter.
func (c *Carrier) Interrupt() { c.link.interrupt() }

// interrupted is the error of a read that failed with err, once a deadline that was
// passed is taken back: we set none but to call the reader back.
func interrupted(f *os.File, err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	f.SetReadDeadline(time.Time{})
	return carrier.ErrInterrupted
}

// longAgo is a deadline that is over.
var longAgo = time.Unix(1, 0)

// LocalAddr returns the address and the TCP port that the carrier receives on; the IP
// is unspecified for a wildcard, the port 0 if all ports are.
func (c *Carrier) LocalAddr() netip.AddrPort { return c.local }

// Caps tells what this carrier can do.
func (c *Carrier) Caps() carrier.Caps { return c.caps }

// MMS returns the largest segment, in bytes, that a datagram to peer can carry at
// present without fragmentation: the route's MTU less the IP header.
func (c *Carrier) MMS(peer netip.AddrPort) int {
	_, mtu := c.link.route(c.to(peer))
	return c.mms(mtu)
}

// MaxMMS returns the largest segment, in bytes, that a datagram to peer can carry as far as
// the interface goes, whatever the kernel believes of the path; see carrier.Prober. Don't
// Fragment is set in all of them.
func (c *Carrier) MaxMMS(peer netip.AddrPort) int {
	source, mtu := c.link.route(c.to(peer))
	if a := c.local.Addr(); !a.IsUnspecified() {
		source = a
	}
	return c.mms(max(mtu, interfaces.MTU(source)))
}

// to is the address that datagrams for peer go to.
func (c *Carrier) to(peer netip.AddrPort) netip.Addr {
	if c.caps.Connected.IsValid() {
		peer = c.caps.Connected
	}
	return peer.Addr()
}

// mms is what an MTU, 0 if it is unknown, leaves for a segment.
func (c *Carrier) mms(mtu int) int {
	if mtu <= 0 {
		mtu = defaultMTU
	}
	if c.opts.MTU != 0 {
		mtu = min(mtu, c.opts.MTU)
	}
	return min(max(mtu, minMTU), maxDatagram) - ipv4Header
}

// Source returns the address that a datagram to peer leaves from, which the checksum
// covers: the carrier's own, or the route's on a wildcard. It is the zero Addr if there
// is no route.
func (c *Carrier) Source(peer netip.Addr) netip.Addr {
	if a := c.local.Addr(); a.IsValid() && !a.IsUnspecified() {
		return a
	}
	source, _ := c.link.route(peer)
	return source
}

// Stats returns the carrier's counters. It may be called at any time.
func (c *Carrier) Stats() Stats {
	return Stats{Truncated: c.counts.truncated.Load(), Strange: c.counts.strange.Load()}
}

// Close releases what the carrier holds, its port with the kernel included, and
// unblocks ReadBatch and WriteBatch. Closing again does nothing.
func (c *Carrier) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.link.close()
}

func (c *Carrier) closedError(op string) error {
	return &net.OpError{Op: op, Net: network, Addr: carrier.Addr(c.local), Err: net.ErrClosed}
}

// network is what package net calls it.
const network = "ip4:tcp"

package transport

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/tcpcore/segment"
)

// memNet is a network in memory: what one carrier sends is at once in the queue of the
// one with that address. It works in virtual time.
type memNet struct {
	mu    sync.Mutex
	ends  map[netip.AddrPort]*memCarrier
	drop  func(from netip.AddrPort, d *carrier.Datagram) bool
	sends []sent
}

// sent is a segment as it went into the network.
type sent struct {
	from, to netip.AddrPort
	carrier.Datagram
	seg segment.Segment
}

func newMemNet() *memNet { return &memNet{ends: make(map[netip.AddrPort]*memCarrier)} }

// memCarrier is a carrier in a memNet. As a wildcard it has any number of addresses.
type memCarrier struct {
	n     *memNet
	addrs []netip.AddrPort
	caps  carrier.Caps
	in    chan carrier.Datagram
	calls chan struct{} // of Interrupt, if it is an Interrupter
	done  chan struct{}
	once  sync.Once

	mu     sync.Mutex
	mms    int
	refuse func(d *carrier.Datagram) error // of WriteBatch
}

func (n *memNet) open(addrs ...string) *memCarrier {
	c := &memCarrier{n: n, in: make(chan carrier.Datagram, 1<<14), done: make(chan struct{}), mms: 1472, caps: carrier.Caps{Network: "udp"}}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range addrs {
		at := netip.MustParseAddrPort(a)
		c.addrs = append(c.addrs, at)
		n.ends[at] = c
	}
	return c
}

// take returns what was sent since the last call.
func (n *memNet) take() []sent {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sends
	n.sends = nil
	return s
}

// another is one more socket of c's address: what comes there is read by whichever is first.
func (c *memCarrier) another() *memCarrier {
	return &memCarrier{n: c.n, addrs: c.addrs, caps: c.caps, in: c.in, done: make(chan struct{}), mms: c.mms}
}

func (c *memCarrier) LocalAddr() netip.AddrPort {
	if len(c.addrs) > 1 {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), c.addrs[0].Port())
	}
	return c.addrs[0]
}

func (c *memCarrier) Caps() carrier.Caps { return c.caps }

func (c *memCarrier) MMS(netip.AddrPort) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mms
}

// limit sets MMS, and what does not fit is refused.
func (c *memCarrier) limit(mms int, refuse func(*carrier.Datagram) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mms, c.refuse = mms, refuse
}

func (c *memCarrier) Close() error {
	c.once.Do(func() {
		close(c.done)
		c.n.mu.Lock()
		defer c.n.mu.Unlock()
		for _, a := range c.addrs {
			delete(c.n.ends, a)
		}
	})
	return nil
}

func (c *memCarrier) closed() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

var errMemClosed = &net.OpError{Op: "read", Net: "mem", Err: net.ErrClosed}

func (c *memCarrier) ReadBatch() (*carrier.Batch, error) {
	b := &carrier.Batch{}
	select {
	case d := <-c.in:
		b.Datagrams = append(b.Datagrams, d)
	case <-c.calls:
		return nil, carrier.ErrInterrupted
	case <-c.done:
		return nil, errMemClosed
	}
	for {
		select {
		case d := <-c.in:
			b.Datagrams = append(b.Datagrams, d)
		default:
			// What is read of a batch after Release is an error that shows.
			b.Free = func(b *carrier.Batch) {
				for _, d := range b.Datagrams {
					clear(d.Data)
				}
			}
			return b, nil
		}
	}
}

// interruptible makes it an Interrupter, before anybody has it.
func (c *memCarrier) interruptible() *memCarrier {
	c.calls, c.caps.Interrupt = make(chan struct{}, 1), true
	return c
}

func (c *memCarrier) Interrupt() {
	select {
	case c.calls <- struct{}{}:
	default:
	}
}

func (c *memCarrier) WriteBatch(ds []carrier.Datagram) (int, error) {
	if c.closed() {
		return 0, errMemClosed
	}
	for i := range ds {
		d := &ds[i]
		c.mu.Lock()
		refuse := c.refuse
		c.mu.Unlock()
		if refuse != nil {
			if err := refuse(d); err != nil {
				return i, err
			}
		}
		from := c.addrs[0]
		if d.Local.IsValid() {
			from = netip.AddrPortFrom(d.Local, from.Port())
		}
		for b := range d.Segments {
			c.n.deliver(from, d, slices.Clone(b))
		}
	}
	return len(ds), nil
}

func (n *memNet) deliver(from netip.AddrPort, d *carrier.Datagram, b []byte) {
	s := sent{from: from, to: d.Peer, Datagram: *d}
	s.Data = b
	if err := segment.Parse(&s.seg, b); err != nil {
		panic(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sends = append(n.sends, s)
	if n.drop != nil && n.drop(from, &s.Datagram) {
		return
	}
	if c := n.ends[d.Peer]; c != nil {
		c.push(carrier.Datagram{Peer: from, Local: d.Peer.Addr(), Data: slices.Clone(b), TrafficClass: d.TrafficClass})
	}
}

func (c *memCarrier) push(d carrier.Datagram) {
	if len(c.addrs) == 1 {
		d.Local = netip.Addr{}
	}
	select {
	case c.in <- d:
	default: // the queue is full
	}
}

// forge puts a segment into c's queue as if peer had sent it.
func (c *memCarrier) forge(peer string, s *segment.Segment) {
	c.push(carrier.Datagram{Peer: netip.MustParseAddrPort(peer), Local: c.addrs[0].Addr(), Data: s.Append(nil)})
}

// report puts a network error into c's queue.
func (c *memCarrier) report(peer string, quote []byte, err error) {
	c.push(carrier.Datagram{Peer: netip.MustParseAddrPort(peer), Data: quote, Err: err})
}

// quick is a Config for virtual time.
func quick() *Config { return &Config{MSL: 20 * time.Millisecond} }

func mustSettings(t testing.TB, c *Config) *settings {
	t.Helper()
	s, err := c.settings()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustEndpoint(t testing.TB, c carrier.Carrier, cfg *Config) *Endpoint {
	t.Helper()
	e, err := NewEndpoint(c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		<-e.s.gone
	})
	return e
}

// serveEcho accepts on e until it closes.
func serveEcho(t testing.TB, e *Endpoint) {
	t.Helper()
	l, err := e.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	go echoOn(l)
}

func isOp(err error, op string, inner error) bool {
	var oe *net.OpError
	return errors.As(err, &oe) && oe.Op == op && errors.Is(err, inner)
}

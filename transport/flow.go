package transport

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"example.com/culvert/carrier"
	"example.com/culvert/conn"
	"example.com/culvert/listener"
	"example.com/culvert/tcpcore"
)

// flow is a connection as its shard knows it: its conn.Host.
type flow struct {
	s      *shard
	key    key // the shard's lock guards it
	peer   netip.AddrPort
	cfg    *settings
	driver *conn.Driver

	// source is the local address to send from; the zero Addr leaves it to the
	// system. With learn, answered becomes the one where the peer's segments arrive.
	source   netip.Addr
	learn    bool
	anyPort  bool // the local port was ours to choose
	answered atomic.Pointer[netip.Addr]

	backlog *listener.Place // of a passive open
	opened  chan struct{}   // of an active open: closed when it came to an end, good or bad
	once    sync.Once       // closes opened

	hop atomic.Uint32 // TTL or hop limit; 0 is the system's

	touched atomic.Uint64          // the readers that have given it segments since they last finished it
	home    atomic.Pointer[reader] // the one that got data for it first
	taking  taking                 // belongs to home
}

// Now reads the shard's clock.
func (f *flow) Now() tcpcore.Time { return f.s.clock.now() }

// outPool lends what trains are described in on their way to the carrier, so that an idle
// connection holds none.
var outPool = sync.Pool{New: func() any { return new([]carrier.Datagram) }}

// Transmit hands trains to the carrier. What cannot be sent now is lost as a
// datagram may be: the engine will send it again.
func (f *flow) Transmit(trains []*tcpcore.Train) {
	source := f.source
	if a := f.answered.Load(); a != nil {
		source = *a // RFC 9293 MUST-45: always the address of the previous segments
	}
	out := outPool.Get().(*[]carrier.Datagram)
	ds := (*out)[:0]
	for _, t := range trains {
		d := carrier.Datagram{
			Peer: f.peer, Local: source, Data: t.Buf,
			TrafficClass: t.TrafficClass, HopLimit: uint8(f.hop.Load()),
		}
		if len(t.Data) > 0 {
			d.Heads, d.HeadSize, d.Data = t.Buf, t.HeadSize, t.Data
		}
		if t.SegmentSize < len(t.Buf)+len(t.Data) {
			d.SegmentSize = t.SegmentSize
		}
		ds = append(ds, d)
	}
	f.s.seal(ds)
	f.s.write(ds, f.sendFailed)
	clear(ds)
	*out = ds
	outPool.Put(out)
}

// SetHopLimit is for conn.Conn.SetHopLimit.
func (f *flow) SetHopLimit(n uint8) { f.hop.Store(uint32(n)) }

// Buffers is what the system granted the carrier; see conn.Buffered.
func (f *flow) Buffers() (recv, send int) {
	if b, ok := f.s.car.(carrier.Buffered); ok {
		return b.Buffers()
	}
	return 0, 0
}

// TrainsSpoiled has the carrier send segments one by one on this path, if it can.
func (f *flow) TrainsSpoiled() {
	if d, ok := f.s.car.(carrier.Distruster); ok {
		d.DistrustTrains(f.peer)
	}
}

// Established tells whoever waits for the handshake.
func (f *flow) Established() {
	if f.backlog != nil && f.backlog.Ready() {
		f.backlog = nil
	}
	f.end()
}

// Done takes the connection out of the shard.
func (f *flow) Done(how conn.End) {
	if f.backlog != nil {
		f.backlog.Release()
	}
	f.s.forget(f, how)
	f.end()
}

func (f *flow) end() {
	if f.opened != nil {
		f.once.Do(func() { close(f.opened) })
	}
}

// settleSource makes the address that the peer answered to the connection's local
// address for good.
func (f *flow) settleSource() {
	a := f.answered.Load()
	if !f.learn || a == nil {
		return
	}
	f.s.mu.Lock()
	f.s.learn(f.peer.Addr(), *a)
	if k := f.s.keyOf(f.peer, *a, f.key.localPort, f.key.remotePort); f.s.flows[f.key] == f && !f.s.taken(k) {
		delete(f.s.flows, f.key)
		f.key = k
		f.s.flows[k] = f
	}
	f.s.mu.Unlock()
	f.driver.SetLocal(f.s.localOf(f.key, *a))
}

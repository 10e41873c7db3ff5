package packetdrill

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"example.com/culvert/carrier"
)

// wire is the network that a script sees: it takes down what the stack sends, and
// delivers what the script injects.
type wire struct {
	start         time.Time
	local, remote netip.Addr
	udp           bool   // segments travel in UDP datagrams, else as IP protocol 6
	udpPort       uint16 // the stack's

	mu      sync.Mutex
	mtu     int
	link    int // what the interface takes, if the stack is to search the path; 0 is not
	taps    []*tap
	limit   int   // segments that the stack may still send
	broken  error // the stack sent what no stack may
	arrived chan struct{}
	mangle  func(b []byte) [][]byte // tests put a broken stack's habits in
}

// maxSent bounds what a stack that has gone wild can send in one script.
const maxSent = 100000

func newWire(local, remote netip.Addr) *wire {
	return &wire{start: time.Now(), local: local, remote: remote, mtu: 1500,
		limit: maxSent, arrived: make(chan struct{}, 1)}
}

// now is the time of the script.
func (w *wire) now() time.Duration { return time.Since(w.start) }

// overhead is what a datagram has before the segment.
func (w *wire) overhead() int {
	n := 20
	if w.local.Is6() {
		n = 40
	}
	if w.udp {
		n += 8
	}
	return n
}

// tap is one carrier on the wire: each socket of the script has its own.
type tap struct {
	w     *wire
	local netip.AddrPort
	in    chan carrier.Datagram
	gone  chan struct{}
	once  sync.Once
	sent  []*live // what the script has not looked at; the wire's lock guards it
}

func (w *wire) newTap(port uint16) *tap {
	if w.udp {
		port = w.udpPort
	}
	t := &tap{w: w, local: netip.AddrPortFrom(w.local, port),
		in: make(chan carrier.Datagram, 256), gone: make(chan struct{})}
	w.mu.Lock()
	w.taps = append(w.taps, t)
	w.mu.Unlock()
	return t
}

func (t *tap) ReadBatch() (*carrier.Batch, error) {
	b := &carrier.Batch{}
	select {
	case d := <-t.in:
		b.Datagrams = append(b.Datagrams, d)
	case <-t.gone:
		return nil, net.ErrClosed
	}
	return b, nil
}

// WriteBatch takes the segments down. Those of a train become single ones.
func (t *tap) WriteBatch(ds []carrier.Datagram) (int, error) {
	select {
	case <-t.gone:
		return 0, net.ErrClosed
	default:
	}
	w := t.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range ds {
		d := &ds[i]
		for b := range d.Segments {
			for _, b := range w.mangled(b) {
				w.take(t, d, b)
			}
		}
	}
	select {
	case w.arrived <- struct{}{}:
	default:
	}
	return len(ds), nil
}

func (w *wire) mangled(b []byte) [][]byte {
	if w.mangle == nil {
		return [][]byte{b}
	}
	return w.mangle(append([]byte(nil), b...))
}

// take notes one segment, the lock held.
func (w *wire) take(t *tap, d *carrier.Datagram, b []byte) {
	if w.limit--; w.limit < 0 {
		w.fail(fmt.Errorf("the stack sent more than %d segments", maxSent))
		return
	}
	b = append([]byte(nil), b...)
	l, err := decode(b)
	if err != nil {
		w.fail(fmt.Errorf("%w: % x", err, b[:min(len(b), 60)]))
		return
	}
	if !w.udp && sum16(b, w.local.AsSlice(), w.remote.AsSlice()) != 0 {
		w.fail(fmt.Errorf("the checksum of a segment is wrong: %v", &l.k))
	}
	if max := max(w.mtu, w.link) - w.overhead(); len(b) > max {
		w.fail(fmt.Errorf("a segment of %d octets exceeds what the path takes, %d", len(b), max))
	}
	l.at = w.now()
	l.tos, l.hop = d.TrafficClass, d.HopLimit
	l.udpSrc, l.udpDst = t.local.Port(), d.Peer.Port()
	t.sent = append(t.sent, l)
}

func (w *wire) fail(err error) {
	if w.broken == nil {
		w.broken = err
	}
}

// error is the first thing that no stack may do.
func (w *wire) error() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

// sent takes what the tap has noted.
func (t *tap) take() []*live {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	s := t.sent
	t.sent = nil
	return s
}

// inject delivers a segment from the peer, with the checksum where there is one.
func (t *tap) inject(b []byte, port uint16, tos uint8) {
	w := t.w
	if !w.udp {
		b[16], b[17] = 0, 0
		binary.BigEndian.PutUint16(b[16:], sum16(b, w.remote.AsSlice(), w.local.AsSlice()))
	}
	t.deliver(carrier.Datagram{Peer: netip.AddrPortFrom(w.remote, port), Local: w.local, Data: b, TrafficClass: tos})
}

func (t *tap) deliver(d carrier.Datagram) {
	select {
	case t.in <- d:
	case <-t.gone:
	}
}

func (t *tap) LocalAddr() netip.AddrPort { return t.local }

func (t *tap) MMS(netip.AddrPort) int {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return max(t.w.mtu-t.w.overhead(), 20)
}

func (t *tap) MaxMMS(netip.AddrPort) int {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	if t.w.link == 0 {
		return 0
	}
	return max(t.w.link-t.w.overhead(), 20)
}

func (t *tap) Caps() carrier.Caps {
	c := carrier.Caps{Trains: true, TrafficClass: true, HopLimit: true, Network: "ip4:tcp", Checksum: true}
	if t.w.udp {
		c.Network, c.Checksum = "udp", false
	}
	return c
}

func (t *tap) Close() error {
	t.once.Do(func() { close(t.gone) })
	return nil
}

// setMTU changes what the path takes.
func (w *wire) setMTU(mtu int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mtu = mtu
}

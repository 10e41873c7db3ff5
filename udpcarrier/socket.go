package udpcarrier

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/interfaces"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// socket is a UDP socket of the system, and what both ways of using one share.
type socket struct {
	c        *Carrier
	udp      *net.UDPConn
	raw      syscall.RawConn
	inet6    bool // an IPv6 socket, whatever it carries
	wildcard bool // bound to no address: the local one is another for each peer
	gso, gro bool // it sends trains in one piece; it may receive several segments in one
	cache    *mtuCache
	// whole4 and whole6 tell that no datagram of the family is ever fragmented.
	whole4, whole6 bool

	interrupted atomic.Bool // interrupt was called, and no reader has noticed
}

// interrupt calls back whoever reads.
func (s *socket) interrupt() {
	s.interrupted.Store(true)
	s.udp.SetReadDeadline(time.Unix(1, 0))
}

// resume is for a reader whose deadline has passed. The deadline goes before the mark is
// looked at: a call that comes between is noticed now, and one that comes later sets
// the deadline again.
func (s *socket) resume() error {
	err := s.udp.SetReadDeadline(time.Time{})
	if s.interrupted.Swap(false) {
		return carrier.ErrInterrupted
	}
	return err
}

// prepare sets the socket's options. Only those fail that nothing works without:
// an option that a system lacks is a service less (see the package comment).
func (s *socket) prepare() error {
	local := s.udp.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	s.wildcard = local.IsUnspecified()
	err := s.raw.Control(func(fd uintptr) {
		s.inet6 = isInet6(fd, local)
		setOptions(fd, s)
		setBuffers(fd, s.udp, &s.c.opts)
		s.c.recv, s.c.send = buffers(fd)
	})
	if err == nil && s.wildcard {
		s.askLocal()
	}
	return err
}

// askLocal has the address that each datagram was sent to reported: on a wildcard it is
// what a reply must come from. An IPv6 socket is asked for IPv4's as well, since it may be
// dual-stack; a system that cannot tell leaves the choice of the source to itself.
func (s *socket) askLocal() {
	ipv4.NewPacketConn(s.udp).SetControlMessage(ipv4.FlagDst, true)
	if s.inet6 {
		ipv6.NewPacketConn(s.udp).SetControlMessage(ipv6.FlagDst, true)
	}
}

// mtu is the route's MTU: asked of the connected socket, or cached per peer.
func (s *socket) mtu(peer netip.AddrPort) int {
	if !peer.IsValid() {
		return 0
	}
	if s.c.caps.Connected.IsValid() {
		if mtu := socketMTU(s.raw, s.inet6); mtu > 0 {
			return mtu
		}
	}
	return s.cache.get(peer.Addr()).mtu
}

// maxMTU is what the interface takes on the way to peer, 0 if datagrams may be fragmented.
func (s *socket) maxMTU(peer netip.AddrPort) int {
	whole := s.whole6
	if peer.Addr().Unmap().Is4() {
		whole = s.whole4
	}
	if !whole || !peer.IsValid() {
		return 0
	}
	if local := s.c.local.Addr(); s.c.caps.Connected.IsValid() || !s.wildcard {
		return max(interfaces.MTU(local), s.mtu(peer))
	}
	return s.cache.get(peer.Addr()).max
}

// socketLink moves datagrams by the methods of *net.UDPConn, one a call: what works
// on every system.
type socketLink struct {
	*socket

	// Of whoever reads:
	ready  func(fd uintptr) bool
	look   func(fd uintptr)
	asked  bool
	more   bool  // what look found
	failed error // what a call met with behind datagrams that were handed on first
	poll   pollState
}

func newSocketLink(s *socket) *socketLink {
	l := &socketLink{socket: s}
	l.ready = func(fd uintptr) bool {
		// A first look, since readiness is told but once; having been told, go and read.
		first := !l.asked
		l.asked = true
		return !first || readable(fd, &l.poll)
	}
	l.look = func(fd uintptr) { l.more = waiting(fd, &l.poll) }
	return l
}

// socketBatchSize is how many datagrams a batch has at most: each costs calls of its own, but
// what is acknowledged together costs one acknowledgment (RFC 9293 MUST-58, MUST-59).
const socketBatchSize = 16

// socketBatch is a batch and its buffers, of which the system backs what is used.
type socketBatch struct {
	batch carrier.Batch
	d     [socketBatchSize]carrier.Datagram
	oob   [oobSize]byte
	buf   [socketBatchSize][1 << 16]byte
}

// oobSize is room for the control messages of one datagram to be sent: source address,
// traffic class, hop limit and segment size; or for those of one received here.
const oobSize = 128

var socketBatches sync.Pool

func init() {
	socketBatches.New = func() any {
		b := new(socketBatch)
		b.batch.Free = func(*carrier.Batch) { socketBatches.Put(b) }
		return b
	}
}

func (l *socketLink) read([]byte) (*carrier.Batch, error) {
	for failures := 0; ; {
		err := l.failed
		if l.failed = nil; err == nil {
			// The wait borrows nothing.
			l.asked = false
			err = l.raw.Read(l.ready)
		}
		if err == nil {
			b := socketBatches.Get().(*socketBatch)
			err = l.receive(b)
			if len(b.batch.Datagrams) > 0 {
				l.failed = err
				return &b.batch, nil
			}
			socketBatches.Put(b)
		}
		if err == nil {
			continue
		}
		if isTruncation(err) {
			l.c.counts.truncated.Add(1)
			continue
		}
		if isTimeout(err) && !l.c.closed.Load() {
			if err := l.resume(); err != nil {
				return nil, err
			}
			continue
		}
		if failures++; failures <= maxFailures && !l.c.closed.Load() && !errors.Is(err, net.ErrClosed) {
			if e, ok := networkError(err); ok {
				if !l.c.caps.Connected.IsValid() {
					continue
				}
				return report(l.c.caps.Connected, e), nil
			}
		}
		return nil, err
	}
}

// receive fills b with what has arrived; an error is that of the call behind it.
func (l *socketLink) receive(b *socketBatch) error {
	ds := b.d[:0]
	defer func() { b.batch.Datagrams = ds }()
	for i := range b.buf {
		n, oobn, flags, from, err := l.udp.ReadMsgUDPAddrPort(b.buf[i][:], b.oob[:])
		switch {
		case err != nil:
			return err
		case flags&msgTrunc != 0:
			l.c.counts.truncated.Add(1)
		default:
			m := parseControl(b.oob[:oobn])
			d := carrier.Datagram{Peer: l.peer(from), Local: m.local, Data: b.buf[i][:n], TrafficClass: m.trafficClass}
			if !d.Local.IsValid() {
				d.Local = l.bound()
			}
			ds = append(ds, d)
		}
		if err := l.raw.Control(l.look); err != nil || !l.more {
			break // the next call tells of an error
		}
	}
	return nil
}

// peer names the sender of a datagram.
func (s *socket) peer(from netip.AddrPort) netip.AddrPort {
	if p := s.c.caps.Connected; p.IsValid() {
		return p
	}
	return unmap(from)
}

// bound is the socket's own address, the zero Addr if it has none.
func (s *socket) bound() netip.Addr {
	if s.wildcard {
		return netip.Addr{}
	}
	return s.c.local.Addr()
}

// source is what a control message must say about the source address: the zero
// Addr if the socket's own, or the system's choice, will do.
func (s *socket) source(d *carrier.Datagram) netip.Addr {
	if !s.wildcard || !d.Local.IsValid() || d.Local.IsUnspecified() {
		return netip.Addr{}
	}
	return d.Local.Unmap()
}

func (l *socketLink) write(ds []carrier.Datagram) (int, error) {
	var room [oobSize]byte
	for i := range ds {
		d := &ds[i]
		var to netip.AddrPort // the zero AddrPort on a connected socket
		if !l.c.caps.Connected.IsValid() {
			if to = unmap(d.Peer); !to.IsValid() {
				return i, &net.OpError{Op: "write", Net: "udp", Err: syscall.EDESTADDRREQ}
			}
		}
		oob := l.control(room[:0], d, to)
		for seg := range d.Segments {
			if err := l.send(seg, oob, to); err != nil {
				l.cache.forget(d.Peer.Addr(), err)
				return i, err
			}
		}
	}
	return len(ds), nil
}

// send sends one segment, once more if what failed may have been another one: a
// report that was pending, or a control message that the system does not know.
func (l *socketLink) send(seg, oob []byte, to netip.AddrPort) error {
	_, _, err := l.udp.WriteMsgUDPAddrPort(seg, oob, to)
	if err != nil && errors.Is(err, syscall.EINVAL) && len(oob) > 0 {
		_, _, err = l.udp.WriteMsgUDPAddrPort(seg, nil, to)
	}
	e, ok := networkError(err)
	if ok {
		_, _, err = l.udp.WriteMsgUDPAddrPort(seg, oob, to)
		e, ok = networkError(err)
	}
	if ok && !errors.Is(err, e) {
		err = &net.OpError{Op: "write", Net: "udp", Addr: net.UDPAddrFromAddrPort(to), Err: e}
	}
	return err
}

// control appends the control messages for d, none if the socket's defaults say it all.
func (s *socket) control(b []byte, d *carrier.Datagram, to netip.AddrPort) []byte {
	k := controlKey{source: s.source(d), v4: to.Addr().Is4() || !s.inet6}
	if s.c.caps.TrafficClass {
		k.trafficClass, k.hopLimit = d.TrafficClass, d.HopLimit
	}
	if s.c.caps.Connected.IsValid() {
		k.v4 = s.c.caps.Connected.Addr().Is4()
	}
	return appendControl(b, k)
}

// controlKey is what control messages say of a datagram to be sent.
type controlKey struct {
	source       netip.Addr // the zero Addr: the system's choice
	trafficClass uint8
	hopLimit     uint8  // 0: the system's default
	v4           bool   // the datagram is IPv4, whatever the socket
	segmentSize  uint16 // of a train for the system to divide; 0: it is none
}

// received is what control messages say of what was received.
type received struct {
	local        netip.Addr // the zero Addr: they do not tell
	trafficClass uint8
	segmentSize  int // of several that the system made one of; 0: it did not
}

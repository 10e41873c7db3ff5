package udpcarrier

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/culvert/carrier"
)

// packetLink moves datagrams over any net.PacketConn, one a call.
type packetLink struct {
	c    *Carrier
	pc   net.PacketConn
	conn net.Conn // pc again, if it is connected
	last atomic.Pointer[namedPeer]
}

// namedPeer is the peer of the last datagram sent, in package net's form: it may be
// kept by whoever gets it (vnet does), so it is never written again.
type namedPeer struct {
	peer netip.AddrPort
	addr *net.UDPAddr
}

func newPacketLink(c *Carrier) *packetLink {
	l := &packetLink{c: c, pc: c.pc}
	if c.caps.Connected.IsValid() {
		l.conn, _ = c.pc.(net.Conn)
	}
	return l
}

// packetBatch is a batch of one datagram and its buffer.
type packetBatch struct {
	batch carrier.Batch
	d     [1]carrier.Datagram
	buf   [1 << 16]byte
}

var packetBatches sync.Pool

func init() {
	// Here since New cannot name the pool whose initial value it is part of.
	packetBatches.New = func() any {
		b := new(packetBatch)
		b.batch.Free = func(*carrier.Batch) { packetBatches.Put(b) }
		return b
	}
}

// maxFailures is how many errors in a row a read takes for passing ones (a deadline
// that somebody set, a report about an unknown peer); more are the PacketConn's end.
const maxFailures = 16

func (l *packetLink) read([]byte) (*carrier.Batch, error) {
	b := packetBatches.Get().(*packetBatch)
	for failures := 0; ; {
		n, from, err := l.pc.ReadFrom(b.buf[:])
		switch {
		case err == nil:
			peer := addrPort(from)
			if l.c.caps.Connected.IsValid() {
				peer = l.c.caps.Connected
			}
			if !peer.IsValid() {
				l.c.counts.strange.Add(1)
				continue
			}
			b.d[0] = carrier.Datagram{Peer: peer, Data: b.buf[:n]}
			if a := l.c.local.Addr(); a.IsValid() && !a.IsUnspecified() {
				b.d[0].Local = a
			}
			b.batch.Datagrams = b.d[:]
			return &b.batch, nil
		case errors.Is(err, io.ErrShortBuffer) || isTruncation(err):
			l.c.counts.truncated.Add(1)
			continue
		}
		if failures++; failures <= maxFailures && !l.c.closed.Load() {
			if isTimeout(err) && l.pc.SetReadDeadline(time.Time{}) == nil {
				continue
			}
			if e, ok := networkError(err); ok {
				if !l.c.caps.Connected.IsValid() {
					continue // of use to nobody without the peer's name
				}
				packetBatches.Put(b)
				return report(l.c.caps.Connected, e), nil
			}
		}
		packetBatches.Put(b)
		return nil, err
	}
}

func (l *packetLink) write(ds []carrier.Datagram) (int, error) {
	for i := range ds {
		d := &ds[i]
		peer := d.Peer
		if l.conn != nil {
			peer = l.c.caps.Connected
		}
		limit := l.c.MMS(peer)
		for seg := range d.Segments {
			// Nobody below knows an MTU; whoever sends must see one all the same.
			if len(seg) > limit {
				return i, l.opError(peer, syscall.EMSGSIZE)
			}
			if err := l.send(seg, peer); err != nil {
				return i, err
			}
		}
	}
	return len(ds), nil
}

// send sends one segment. The first failure may be a report that was pending on the
// socket, about an earlier segment: it must not cost this one.
func (l *packetLink) send(seg []byte, peer netip.AddrPort) error {
	err := l.sendOnce(seg, peer)
	if err != nil {
		if _, ok := networkError(err); ok {
			err = l.sendOnce(seg, peer)
		}
	}
	return err
}

func (l *packetLink) sendOnce(seg []byte, peer netip.AddrPort) error {
	if l.conn != nil {
		_, err := l.conn.Write(seg)
		return err
	}
	if !peer.IsValid() {
		return l.opError(peer, syscall.EDESTADDRREQ)
	}
	p := l.last.Load()
	if p == nil || p.peer != peer {
		p = &namedPeer{peer, net.UDPAddrFromAddrPort(peer)}
		l.last.Store(p)
	}
	_, err := l.pc.WriteTo(seg, p.addr)
	return err
}

func (l *packetLink) opError(peer netip.AddrPort, err error) error {
	return &net.OpError{Op: "write", Net: "udp", Addr: net.UDPAddrFromAddrPort(peer), Err: err}
}

// mtu is unknown to a PacketConn: what the options say, or the default.
func (l *packetLink) mtu(netip.AddrPort) int { return l.c.opts.MTU }

// maxMTU: nor does anybody promise that a PacketConn's datagrams stay whole.
func (l *packetLink) maxMTU(netip.AddrPort) int { return 0 }

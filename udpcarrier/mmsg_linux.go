package udpcarrier

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"

	"example.com/culvert/carrier"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// batcher is ipv4.PacketConn or ipv6.PacketConn: sendmmsg(2) and recvmmsg(2).
type batcher interface {
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
	WriteBatch(ms []ipv4.Message, flags int) (int, error)
}

// batchLink moves datagrams over a socket by the batch.
type batchLink struct {
	*socket
	pc batcher

	// Of whoever reads:
	full  bool // the last batch was full: there is probably more
	wait  func(fd uintptr) bool
	ready int16
	poll  pollState
}

func newBatchLink(s *socket) link {
	l := &batchLink{socket: s}
	if s.inet6 {
		l.pc = ipv6.NewPacketConn(s.udp)
	} else {
		l.pc = ipv4.NewPacketConn(s.udp)
	}
	l.wait = func(fd uintptr) bool {
		l.ready = pollNow(fd, &l.poll)
		return l.ready != 0
	}
	return l
}

// Sizes of a batch, in datagrams. A socket that has been waiting starts with a short
// one, so that many sockets that wake at once do not borrow much; one that fills it
// gets long ones, whose system calls cost little per datagram of 1500 bytes.
const (
	shortBatch = 8
	longBatch  = 32
	writeBatch = 64
)

// reader is a batch with everything that receiving it takes.
type reader struct {
	batch carrier.Batch
	pool  *sync.Pool
	ms    []ipv4.Message
	ds    []carrier.Datagram
}

// Readers are shared by all sockets: only those that have something hold a reader.
var shortReaders, longReaders sync.Pool

func init() {
	shortReaders.New = func() any { return newReader(&shortReaders, shortBatch) }
	longReaders.New = func() any { return newReader(&longReaders, longBatch) }
}

func newReader(pool *sync.Pool, size int) *reader {
	const buffer = 1 << 16 // for the longest datagram
	r := &reader{pool: pool, ms: make([]ipv4.Message, size), ds: make([]carrier.Datagram, size)}
	data, oob := make([]byte, size*buffer), make([]byte, size*oobSize)
	for i := range r.ms {
		r.ms[i].Buffers = [][]byte{data[i*buffer:][:buffer:buffer]}
		r.ms[i].OOB = oob[i*oobSize:][:oobSize:oobSize]
	}
	r.batch.Free = func(*carrier.Batch) { r.release() }
	return r
}

func (r *reader) release() { r.pool.Put(r) }

func (l *batchLink) read() (*carrier.Batch, error) {
	for failures := 0; ; {
		if !l.full {
			err := l.await()
			if err != nil {
				return nil, err
			}
			if l.ready&unix.POLLERR != 0 {
				if b := l.reports(); b != nil {
					return b, nil
				}
			}
		}
		pool := &shortReaders
		if l.full {
			pool = &longReaders
		}
		r := pool.Get().(*reader)
		n, err := l.pc.ReadBatch(r.ms, unix.MSG_DONTWAIT)
		l.full = err == nil && n == len(r.ms)
		if err == nil {
			if l.fill(r, n) {
				return &r.batch, nil
			}
			r.release()
			continue
		}
		r.release()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		// A pending error: its details, if there are any, are in the error queue.
		if b := l.reports(); b != nil {
			return b, nil
		}
		e, ok := networkError(err)
		if failures++; failures > maxFailures || !ok && !isUnpollable(err) {
			return nil, err
		}
		if ok && l.c.caps.Connected.IsValid() {
			return report(l.c.caps.Connected, e), nil
		}
	}
}

// isUnpollable reports whether err is the runtime's "not pollable", which has no name
// outside of it: it takes an error report that finds the send buffer full (EPOLLERR
// and nothing else) for the end of the socket, until the next event.
func isUnpollable(err error) bool {
	var e syscall.Errno
	return !errors.As(err, &e) && !errors.Is(err, net.ErrClosed) && !isTimeout(err)
}

// await waits until there is something to read, without holding a buffer.
func (l *batchLink) await() error {
	for {
		err := l.raw.Read(l.wait)
		if err == nil || l.c.closed.Load() || !isUnpollable(err) {
			return err
		}
		// The runtime does not know; ask the kernel.
		cerr := l.raw.Control(func(fd uintptr) {
			l.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
			const briefly = 10 // milliseconds: Close waits for as long
			unix.Poll(l.poll[:], briefly)
			l.ready = l.poll[0].Revents
		})
		if cerr != nil {
			return cerr
		}
		if l.ready&unix.POLLERR != 0 {
			return nil
		}
		runtime.Gosched() // let the runtime see the event, too
	}
}

// fill turns n messages into datagrams and reports whether any is worth handing on.
func (l *batchLink) fill(r *reader, n int) bool {
	ds := r.ds[:0]
	for i := range r.ms[:n] {
		m := &r.ms[i]
		if m.Flags&unix.MSG_TRUNC != 0 {
			l.c.counts.truncated.Add(1)
			continue
		}
		from, _ := m.Addr.(*net.UDPAddr)
		if from == nil {
			l.c.counts.strange.Add(1)
			continue
		}
		local, class := parseControl(m.OOB[:m.NN])
		if !local.IsValid() {
			local = l.bound()
		}
		ds = append(ds, carrier.Datagram{
			Peer:         l.peer(from.AddrPort()),
			Local:        local,
			Data:         m.Buffers[0][:m.N],
			TrafficClass: class,
		})
	}
	r.batch.Datagrams = ds
	return len(ds) > 0
}

// writer is what sending a batch takes: a message per segment.
type writer struct {
	ms    [writeBatch]ipv4.Message
	iov   [writeBatch][1][]byte
	owner [writeBatch]int // index of the datagram that the segment belongs to

	// Addresses and control messages, one each for runs of equal ones.
	addrs [writeBatch]net.UDPAddr
	ips   [writeBatch][16]byte
	oob   [writeBatch][oobSize]byte
}

var writers = sync.Pool{New: func() any {
	w := new(writer)
	for i := range w.ms {
		w.ms[i].Buffers = w.iov[i][:]
	}
	return w
}}

// release lets go of what was lent.
func (w *writer) release(n int) {
	for i := range w.iov[:n] {
		w.iov[i][0] = nil
	}
	writers.Put(w)
}

// position is the next segment to be sent: a datagram and an offset into it.
type position struct{ datagram, offset int }

func (l *batchLink) write(ds []carrier.Datagram) (int, error) {
	w := writers.Get().(*writer)
	most := 0
	defer func() { w.release(most) }()
	var next position
	for next.datagram < len(ds) {
		n, err := l.load(w, ds, &next)
		most = max(most, n)
		sent, serr := l.send(w.ms[:n])
		if serr != nil {
			first := w.owner[sent]
			l.cache.forget(ds[first].Peer.Addr(), serr)
			return first, serr
		}
		if err != nil {
			return next.datagram, err
		}
	}
	return len(ds), nil
}

// load takes datagrams apart into messages, as many as fit, and moves next past
// them. An error is about the datagram at next.
func (l *batchLink) load(w *writer, ds []carrier.Datagram, next *position) (n int, err error) {
	connected := l.c.caps.Connected.IsValid()
	var (
		to     netip.AddrPort
		addr   *net.UDPAddr
		key    controlKey
		oob    []byte
		keyed  bool
		family = !l.inet6
	)
	if connected {
		family = l.c.caps.Connected.Addr().Is4()
	}
	for ; next.datagram < len(ds); next.datagram, next.offset = next.datagram+1, 0 {
		d := &ds[next.datagram]
		if n == len(w.ms) {
			return n, nil
		}
		if !connected && (addr == nil || d.Peer != to) {
			if !d.Peer.IsValid() {
				return n, &net.OpError{Op: "write", Net: "udp", Err: unix.EDESTADDRREQ}
			}
			to, addr = d.Peer, w.address(n, d.Peer)
		}
		k := controlKey{source: l.source(d), trafficClass: d.TrafficClass, hopLimit: d.HopLimit, v4: family}
		if !connected {
			k.v4 = to.Addr().Unmap().Is4()
		}
		if !keyed || k != key {
			key, oob, keyed = k, appendControl(w.oob[n][:0], k), true
		}
		size := d.SegmentSize
		if size <= 0 {
			size = max(len(d.Data), 1)
		}
		// The place for UDP GSO, when Caps.Trains comes: one message with a
		// UDP_SEGMENT control message in place of this loop.
		for {
			if n == len(w.ms) {
				return n, nil
			}
			end := min(next.offset+size, len(d.Data))
			m := &w.ms[n]
			w.iov[n][0] = d.Data[next.offset:end]
			w.owner[n] = next.datagram
			m.OOB = oob
			m.Addr = nil
			if !connected {
				m.Addr = addr
			}
			n++
			if next.offset = end; end == len(d.Data) {
				break
			}
		}
	}
	return n, nil
}

// address writes peer into the writer's i-th address.
func (w *writer) address(i int, peer netip.AddrPort) *net.UDPAddr {
	a := &w.addrs[i]
	ip := peer.Addr().Unmap()
	if ip.Is4() {
		b := ip.As4()
		a.IP = append(w.ips[i][:0], b[:]...)
	} else {
		w.ips[i] = ip.As16()
		a.IP = w.ips[i][:]
	}
	a.Port, a.Zone = int(peer.Port()), ip.Zone()
	return a
}

// sendTries is how often a message is sent that fails. With IP_RECVERR a socket that
// received an ICMP error fails its next send, whoever that is to, once for each
// report; and the report is in the error queue in any case.
const sendTries = 3

// send sends all messages, or tells how many before the one that fails.
func (l *batchLink) send(ms []ipv4.Message) (sent int, err error) {
	for failures := 0; sent < len(ms); {
		n, err := l.pc.WriteBatch(ms[sent:], 0)
		if n > 0 {
			sent += n
			failures = 0
			continue
		}
		if err == nil || errors.Is(err, unix.EINTR) {
			continue
		}
		if _, ok := networkError(err); !ok {
			return sent, err
		}
		if failures++; failures >= sendTries {
			return sent, err
		}
	}
	return sent, nil
}

package udpcarrier

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"example.com/culvert/carrier"
	"golang.org/x/sys/unix"
)

// Sizes of a batch, in messages. A socket that has been waiting starts with a short
// one, so that many sockets that wake at once do not borrow much. One that fills it
// with small messages gets a long one next, which halves the cost of a datagram of
// 1500 bytes; large ones gain nothing, and would leave the processor's caches.
const (
	shortBatch   = 4
	longBatch    = 32
	smallMessage = 8 << 10 // bytes, on average
	// A message may be a whole datagram of the greatest length, or as many as the
	// kernel coalesced, which are no more bytes than that.
	messageRoom = 1 << 16
	// receiveOOB is room for the control messages of one message: both families'
	// addresses (a dual-stack socket tells both), traffic class, segment size, and what
	// somebody else may have asked of the socket.
	receiveOOB = 256
)

// reader is a batch with everything that receiving it takes.
type reader struct {
	batch carrier.Batch
	pool  *sync.Pool
	ms    []unix.Mmsghdr
	iovs  []unix.Iovec
	names []sockaddr
	oobs  [][receiveOOB]byte
	data  []byte
	ds    []carrier.Datagram
}

// Readers are shared by all sockets: only those that have something hold a reader.
var shortReaders, longReaders sync.Pool

func init() {
	shortReaders.New = func() any { return newReader(&shortReaders, shortBatch) }
	longReaders.New = func() any { return newReader(&longReaders, longBatch) }
}

func newReader(pool *sync.Pool, size int) *reader {
	r := &reader{
		pool: pool,
		ms:   make([]unix.Mmsghdr, size), iovs: make([]unix.Iovec, size),
		names: make([]sockaddr, size), oobs: make([][receiveOOB]byte, size),
		data: make([]byte, size*messageRoom), ds: make([]carrier.Datagram, size),
	}
	for i := range r.ms {
		r.iovs[i].Base = &r.data[i*messageRoom]
		r.iovs[i].SetLen(messageRoom)
		h := &r.ms[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = &r.oobs[i][0]
		r.arm(i)
	}
	r.batch.Free = func(*carrier.Batch) { r.release(len(r.ms)) }
	return r
}

// arm says again how much room the i-th message has; the kernel has written how much
// it took.
func (r *reader) arm(i int) {
	h := &r.ms[i].Hdr
	h.Namelen = uint32(unsafe.Sizeof(r.names[i]))
	h.SetControllen(receiveOOB)
}

// bytes is how much a full batch brought.
func (r *reader) bytes() (n int) {
	for i := range r.ms {
		n += int(r.ms[i].Len)
	}
	return n
}

// release gives the reader back, of whose messages the first n were used.
func (r *reader) release(n int) {
	for i := range n {
		r.arm(i)
	}
	r.pool.Put(r)
}

// inbound is what belongs to whoever reads a batchLink.
type inbound struct {
	// receive and ask are handed to RawConn, once made so that they cost nothing.
	receive func(fd uintptr) bool
	ask     func(fd uintptr)
	poll    pollState

	busy bool // the last batch was full of small messages

	// What receive found: r with n messages, or nothing because of errno.
	r     *reader
	n     int
	errno syscall.Errno
}

func (in *inbound) init(l *batchLink) {
	in.receive = func(fd uintptr) bool { return in.try(l.sys, fd) }
	in.ask = func(fd uintptr) {
		in.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		unix.Poll(in.poll[:], briefly)
		in.try(l.sys, fd)
	}
}

// try receives what is there, and reports whether there was anything to tell. The
// system call itself is the question: poll(2) would be one more, and a reader is
// borrowed in no time.
func (in *inbound) try(sys syscalls, fd uintptr) bool {
	pool := &shortReaders
	if in.busy {
		pool = &longReaders
	}
	r := pool.Get().(*reader)
	for {
		in.n, in.errno = sys.recvmmsg(fd, r.ms)
		if in.errno != unix.EINTR {
			break
		}
	}
	if in.errno == 0 {
		in.r = r
		in.busy = in.n == len(r.ms) && r.bytes() < in.n*smallMessage
		return true
	}
	in.r, in.busy = nil, false
	r.release(0)
	return in.errno != unix.EAGAIN
}

func (l *batchLink) read() (*carrier.Batch, error) {
	for failures := 0; ; {
		if err := l.receive(); err == carrier.ErrInterrupted {
			// The call may have met with a sender's knock, which is only heard once.
			if b := l.reports(); b != nil {
				l.interrupt()
				return b, nil
			}
			return nil, err
		} else if err != nil {
			return nil, err
		}
		if r := l.in.r; r != nil {
			l.in.r = nil
			if l.fill(r, l.in.n) {
				return &r.batch, nil
			}
			r.release(l.in.n)
			continue
		}
		// A pending error: its details, if there are any, are in the error queue.
		if b := l.reports(); b != nil {
			return b, nil
		}
		if l.in.errno == unix.EAGAIN {
			continue
		}
		if failures++; failures > maxFailures || !isReport(l.in.errno) {
			return nil, &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("recvmmsg", l.in.errno)}
		}
		if l.c.caps.Connected.IsValid() {
			return report(l.c.caps.Connected, l.in.errno), nil
		}
	}
}

// receive waits until there is something in l.in, an empty error queue perhaps,
// without holding a buffer. An error is the socket's end.
func (l *batchLink) receive() error {
	l.in.r, l.in.errno = nil, unix.EAGAIN
	err := l.raw.Read(l.in.receive)
	switch {
	case err == nil || l.c.closed.Load():
		return err
	case isTimeout(err):
		// A sender's knock (see stir), a call (see interrupt), or a deadline that is
		// none of ours.
		return l.resume()
	case isUnpollable(err):
		// The runtime will not wait; ask the kernel.
		return l.raw.Control(l.in.ask)
	}
	return err
}

// stir makes whoever reads look into the error queue. A report there is also an error
// that the next system call meets with; if that is a send, no receive will be told.
func (l *batchLink) stir() { l.udp.SetReadDeadline(time.Unix(1, 0)) }

// fill turns n messages into datagrams and reports whether any is worth handing on.
func (l *batchLink) fill(r *reader, n int) bool {
	connected := l.c.caps.Connected
	ds := r.ds[:0]
	for i := range r.ms[:n] {
		h := &r.ms[i].Hdr
		size := int(r.ms[i].Len)
		m := parseControl(r.oobs[i][:h.Controllen])
		// Control messages that did not fit may have told where one segment ends.
		if h.Flags&unix.MSG_TRUNC != 0 || h.Flags&unix.MSG_CTRUNC != 0 && l.gro && m.segmentSize == 0 {
			l.c.counts.truncated.Add(1)
			continue
		}
		peer := connected
		if !peer.IsValid() {
			if peer = r.names[i].addrPort(h.Namelen); !peer.IsValid() {
				l.c.counts.strange.Add(1)
				continue
			}
		}
		if !m.local.IsValid() {
			m.local = l.bound()
		}
		// One datagram of a size, which the kernel does not mention, is no train.
		if m.segmentSize >= size {
			m.segmentSize = 0
		}
		ds = append(ds, carrier.Datagram{
			Peer: peer, Local: m.local, Data: r.data[i*messageRoom:][:size:size],
			SegmentSize: m.segmentSize, TrafficClass: m.trafficClass,
		})
	}
	r.batch.Datagrams = ds
	return len(ds) > 0
}

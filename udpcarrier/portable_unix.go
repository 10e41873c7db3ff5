//go:build linux || darwin || freebsd

package udpcarrier

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"example.com/culvert/carrier"
	"golang.org/x/sys/unix"
)

// Package net's methods would do, but cannot tell that nothing more has arrived without
// waiting, and take the socket's locks for each datagram: half of what raw UDP costs. So
// recvmsg(2) and sendmsg(2) are called here.

// An envelope is what either call takes.
type envelope struct {
	h    unix.Msghdr
	iov  unix.Iovec
	name rawName
	oob  [oobSize]byte
}

func (m *envelope) init() {
	m.h.Iov = &m.iov
	m.h.SetIovlen(1)
}

// data has the message's bytes be, or go to, p.
func (m *envelope) data(p []byte) {
	m.iov.Base = unsafe.SliceData(p)
	m.iov.SetLen(len(p))
}

// call makes a system call that does not wait, and so the runtime's scheduler need not hear of
// it; see package mmsg.
func (m *envelope) call(num, fd uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall(num, fd, uintptr(unsafe.Pointer(&m.h)), unix.MSG_DONTWAIT)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}

// taker is what belongs to whoever reads a socketLink.
type taker struct {
	// take and ask are handed to RawConn, once made so that they cost nothing.
	take  func(fd uintptr) bool
	ask   func(fd uintptr)
	m     envelope
	named bool // datagrams come with their sender's address
	told  bool // and with control messages that somebody reads

	b     *socketBatch  // what take has found
	errno syscall.Errno // what a call met with, perhaps behind datagrams that are handed on first
}

func (t *taker) init(l *socketLink) {
	t.m.init()
	t.named, t.told = !l.c.caps.Connected.IsValid(), l.wildcard
	t.take = func(fd uintptr) bool {
		if t.errno != 0 {
			return true
		}
		b := socketBatches.Get().(*socketBatch)
		if t.errno = l.fill(b, fd); t.errno == unix.EAGAIN {
			t.errno = 0
		}
		if len(b.batch.Datagrams) > 0 {
			t.b = b
			return true
		}
		socketBatches.Put(b)
		return t.errno != 0
	}
	t.ask = func(fd uintptr) {
		pollBriefly(fd, unix.POLLIN)
		t.take(fd)
	}
}

// fill receives into b until there is no more, which is EAGAIN, or no room for it.
func (l *socketLink) fill(b *socketBatch, fd uintptr) syscall.Errno {
	m, ds, free := &l.in.m, b.d[:0], b.buf[:]
	defer func() {
		b.batch.Datagrams = ds
		m.data(nil) // a socket that waits holds no buffer
	}()
	for range socketBatchSize {
		if len(free) < socketRoom {
			break
		}
		m.data(free[:socketRoom])
		if m.h.Name, m.h.Namelen = nil, 0; l.in.named {
			m.h.Name, m.h.Namelen = (*byte)(unsafe.Pointer(&m.name)), uint32(unsafe.Sizeof(m.name))
		}
		if m.h.Control = nil; l.in.told {
			m.h.Control = &m.oob[0]
			m.h.SetControllen(len(m.oob))
		}
		n, errno := m.call(unix.SYS_RECVMSG, fd)
		if errno != 0 {
			return errno
		}
		if m.h.Flags&unix.MSG_TRUNC != 0 {
			l.c.counts.truncated.Add(1)
			continue
		}
		from := l.c.caps.Connected
		if l.in.named {
			if from = ofName(&m.name, m.h.Namelen); !from.IsValid() {
				l.c.counts.strange.Add(1)
				continue
			}
		}
		var told received
		if l.in.told {
			told = parseControl(m.oob[:m.h.Controllen])
		}
		ds = append(ds, l.datagram(from, told, free[:n:n]))
		free = free[n:]
	}
	return 0
}

// receive waits for a batch; nil without an error is nothing after all.
func (l *socketLink) receive() (*socketBatch, error) {
	err := l.raw.Read(l.in.take)
	if err != nil && !l.c.closed.Load() && isUnpollable(err) {
		err = l.raw.Control(l.in.ask)
	}
	if err != nil {
		return nil, err
	}
	if b := l.in.b; b != nil || l.in.errno == 0 {
		l.in.b = nil
		return b, nil
	}
	errno := l.in.errno
	l.in.errno = 0
	return nil, &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("recvmsg", errno)}
}

// position is a segment that is to be sent: a datagram and an offset into it.
type position struct{ datagram, offset int }

func (p position) after() position { return position{p.datagram + 1, 0} }

// A giver sends a batch.
type giver struct {
	l     *socketLink // in use by
	ds    []carrier.Datagram
	next  position
	bare  bool // without control messages
	m     envelope
	errno syscall.Errno

	// Handed to RawConn: they send from next on, and leave in errno what that met with.
	try  func(fd uintptr)
	wait func(fd uintptr) bool
	ask  func(fd uintptr)
}

var givers = sync.Pool{New: func() any {
	g := new(giver)
	g.m.init()
	g.try = g.give
	g.wait = func(fd uintptr) bool {
		g.give(fd)
		return g.errno != unix.EAGAIN
	}
	g.ask = func(fd uintptr) {
		pollBriefly(fd, unix.POLLOUT)
		g.give(fd)
	}
	return g
}}

// address has the message go to whom d goes to.
func (g *giver) address(d *carrier.Datagram) syscall.Errno {
	l, h := g.l, &g.m.h
	var to netip.AddrPort // the zero AddrPort on a connected socket
	if h.Name, h.Namelen = nil, 0; !l.c.caps.Connected.IsValid() {
		if to = unmap(d.Peer); !to.IsValid() {
			return unix.EDESTADDRREQ
		}
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&g.m.name)), setName(&g.m.name, to, l.inet6)
	}
	oob := g.m.oob[:0]
	if !g.bare {
		oob = l.control(oob, d, to)
	}
	h.Control = nil // BSDs and macOS refuse (EINVAL) a place for control messages without any
	if len(oob) > 0 {
		h.Control = &oob[0]
	}
	h.SetControllen(len(oob))
	return 0
}

func (g *giver) give(fd uintptr) {
	for ; g.next.datagram < len(g.ds); g.next = g.next.after() {
		d := &g.ds[g.next.datagram]
		if g.errno = g.address(d); g.errno != 0 {
			return
		}
		size := d.SegmentSize
		if size <= 0 {
			size = len(d.Data)
		}
		for {
			end := min(g.next.offset+size, len(d.Data))
			g.m.data(d.Data[g.next.offset:end])
			if _, g.errno = g.m.call(unix.SYS_SENDMSG, fd); g.errno != 0 {
				return
			}
			if g.next.offset = end; end == len(d.Data) {
				break
			}
		}
	}
}

func (l *socketLink) write(ds []carrier.Datagram) (int, error) {
	g := givers.Get().(*giver)
	g.l, g.ds, g.next, g.bare, g.errno = l, ds, position{}, false, 0
	defer func() {
		g.l, g.ds = nil, nil
		g.m.data(nil)
		givers.Put(g)
	}()
	failed := position{-1, 0}
	for {
		// Not by RawConn.Write at first, which lets one in at a time.
		err := l.raw.Control(g.try)
		for err == nil && g.errno == unix.EAGAIN {
			err = l.raw.Write(g.wait)
			if err != nil && !l.c.closed.Load() && isUnpollable(err) {
				err = l.raw.Control(g.ask)
			}
		}
		if err == nil && g.errno == 0 {
			return len(ds), nil
		}
		if err == nil {
			// Once more if what failed may have been another one, a report that was pending;
			// or a control message that the system does not know.
			if g.errno == unix.EINVAL && g.m.h.Controllen > 0 {
				g.bare = true
				continue
			}
			if isReport(g.errno) && g.next != failed {
				failed = g.next
				continue
			}
			err = g.errno
		}
		d := &ds[g.next.datagram]
		l.cache.forget(l.to(d).Addr(), err)
		return g.next.datagram, l.writeError("sendmsg", d, err)
	}
}

// isUnpollable reports whether err is the runtime's "not pollable", which has no name
// outside of it: it takes an error report that finds the send buffer full (EPOLLERR
// and nothing else, on Linux) for the end of the socket, until the next event.
func isUnpollable(err error) bool {
	var e syscall.Errno
	return !errors.As(err, &e) && !errors.Is(err, net.ErrClosed) && !isTimeout(err)
}

// briefly is how long the kernel is asked when the runtime will not wait, in
// milliseconds: Close waits for as long.
const briefly = 10

// pollBriefly waits until the kernel says that the socket is ready for events, or not for long.
func pollBriefly(fd uintptr, events int16) {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	unix.Poll(p[:], briefly)
}

package benchmarks

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What raw UDP carries is the bound of all that is built on it. The datagrams are of
// the size that a full segment has at an MTU of 1500, moved by sendmmsg(2) and
// recvmmsg(2), with one copy from and to the user's buffer at each end.
const (
	limitDatagram = 1452
	limitTrain    = 44 * limitDatagram // what one call divides, below 64 KiB
	// limitWindow is how many bytes are sent before the receiver said that it took
	// some: without it, the sender's figure would be one of what is thrown away.
	limitWindow = 1 << 20
	// limitCredit is how many bytes a receiver takes before it says so.
	limitCredit = 128 << 10
	limitBuffer = 8 << 20
	// limitPatience is how long a sender waits for credit until what is missing
	// counts as lost.
	limitPatience = 5 * time.Millisecond
)

// limitCalls is how datagrams are handed to the system.
type limitCalls uint8

const (
	offloaded limitCalls = iota // many in one piece, and several such a call
	batched                     // several a call
	single                      // one a call, by package net
)

func limitStacks() []Stack {
	return []Stack{
		limitStack("udp-gso", "raw UDP datagrams of 1452 bytes, GSO and GRO", offloaded),
		limitStack("udp-plain", "raw UDP datagrams of 1452 bytes, sendmmsg and recvmmsg", batched),
		limitStack("udp-single", "raw UDP datagrams of 1452 bytes, one a call of net.UDPConn", single),
	}
}

func limitStack(name, about string, calls limitCalls) Stack {
	return Stack{
		Name: name, About: about, Limit: true,
		Listen: func(addr string) (net.Listener, error) {
			at, err := net.ResolveUDPAddr("udp4", addr)
			if err != nil {
				return nil, err
			}
			u, err := net.ListenUDP("udp4", at)
			if err != nil {
				return nil, err
			}
			return &limitListener{u: u, calls: calls, taken: make(chan struct{}, 1), closed: make(chan struct{})}, nil
		},
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			c, err := d.DialContext(ctx, "udp4", addr)
			if err != nil {
				return nil, err
			}
			return newLimitConn(c.(*net.UDPConn), calls)
		},
	}
}

// limitListener accepts one connection: whoever sends the first datagram.
type limitListener struct {
	u             *net.UDPConn
	calls         limitCalls
	taken, closed chan struct{}
}

func (l *limitListener) Addr() net.Addr { return l.u.LocalAddr() }

func (l *limitListener) Close() error {
	select {
	case <-l.closed:
		return net.ErrClosed
	default:
		close(l.closed)
		return l.u.Close()
	}
}

func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.taken <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	first := make([]byte, limitDatagram)
	n, from, err := l.u.ReadFromUDP(first)
	if err != nil {
		return nil, err
	}
	raw, err := l.u.SyscallConn()
	if err != nil {
		return nil, err
	}
	to := &unix.SockaddrInet4{Port: from.Port, Addr: [4]byte(from.IP.To4())}
	if cerr := raw.Control(func(fd uintptr) { err = unix.Connect(int(fd), to) }); cerr != nil {
		return nil, cerr
	} else if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c, err := newLimitConn(l.u, l.calls)
	if err != nil {
		return nil, err
	}
	c.pending = append(c.pending, first[:n])
	return c, nil
}

// A limitConn makes a stream of datagrams that are all supposed to arrive. It is for
// one goroutine at a time.
type limitConn struct {
	*net.UDPConn
	raw    syscall.RawConn
	calls  limitCalls
	window uint64

	out, in batch
	pending [][]byte // what arrived, from next on not yet read
	next    int
	sent    uint64
	written uint64 // of sent, what was said to have arrived, or given up

	taken, told uint64 // bytes read, and of these the other end knows
	word        [creditSize]byte
}

// A credit is a datagram of its own size, which no benchmark's message has, and tells
// how many bytes arrived so far. The kernel may join several.
const (
	creditSize = 9
	creditMark = 0xc7
)

// batch is what one system call moves, with all that it needs.
type batch struct {
	hdrs  []unix.Mmsghdr
	iovs  []unix.Iovec
	bufs  [][]byte
	do    func(fd uintptr) bool
	from  int // the first message that is still to be sent
	n     int
	errno syscall.Errno
}

func newBatch(n, size int) batch {
	b := batch{hdrs: make([]unix.Mmsghdr, n), iovs: make([]unix.Iovec, n), bufs: make([][]byte, n)}
	all := make([]byte, n*size)
	for i := range n {
		b.bufs[i] = all[i*size : (i+1)*size]
		b.iovs[i].Base = &b.bufs[i][0]
		b.iovs[i].SetLen(size)
		b.hdrs[i].Hdr.Iov = &b.iovs[i]
		b.hdrs[i].Hdr.SetIovlen(1)
	}
	return b
}

func (b *batch) call(trap, fd uintptr, hdrs []unix.Mmsghdr) int {
	n, _, errno := syscall.Syscall6(trap, fd, uintptr(unsafe.Pointer(&hdrs[0])), uintptr(len(hdrs)), unix.MSG_DONTWAIT, 0, 0)
	b.errno = errno
	if errno != 0 {
		return 0
	}
	return int(n)
}

func newLimitConn(u *net.UDPConn, calls limitCalls) (*limitConn, error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &limitConn{UDPConn: u, raw: raw, calls: calls, window: limitWindow}
	if cerr := raw.Control(func(fd uintptr) {
		// As far as this process may; the second of each works without privileges.
		for _, o := range []int{unix.SO_RCVBUF, unix.SO_RCVBUFFORCE, unix.SO_SNDBUF, unix.SO_SNDBUFFORCE} {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, o, limitBuffer)
		}
		// What the kernel keeps beside each datagram counts, too.
		if granted, gerr := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF); gerr == nil {
			c.window = min(limitWindow, max(4*limitDatagram, uint64(granted)/4))
		}
		if calls == offloaded {
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, limitDatagram),
				unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1))
		}
	}); cerr != nil {
		return nil, cerr
	} else if err != nil {
		return nil, fmt.Errorf("UDP_SEGMENT and UDP_GRO: %w", err)
	}
	c.out, c.in = newBatch(64, limitDatagram), newBatch(64, 2048)
	if calls == offloaded {
		c.out, c.in = newBatch(4, limitTrain), newBatch(8, 1<<16)
	}
	c.out.do = func(fd uintptr) bool {
		b := &c.out
		n := b.call(unix.SYS_SENDMMSG, fd, b.hdrs[b.from:b.n])
		b.from += n
		return b.from == b.n || b.errno != 0 && b.errno != unix.EAGAIN && b.errno != unix.EINTR
	}
	c.in.do = func(fd uintptr) bool {
		b := &c.in
		b.n = b.call(unix.SYS_RECVMMSG, fd, b.hdrs)
		return b.errno != unix.EAGAIN && b.errno != unix.EINTR
	}
	return c, nil
}

// Write sends p as datagrams, the last of which may be short.
func (c *limitConn) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		if err := c.await(); err != nil {
			return done, err
		}
		b := &c.out
		b.from, b.n = 0, 0
		some := 0
		for ; b.n < len(b.hdrs) && done+some < len(p); b.n++ {
			m := copy(b.bufs[b.n], p[done+some:])
			b.iovs[b.n].SetLen(m)
			some += m
		}
		if err := c.send(); err != nil {
			return done, err
		}
		done += some
		c.sent += uint64(some)
	}
	return done, nil
}

func (c *limitConn) send() error {
	b := &c.out
	for ; c.calls == single && b.from < b.n; b.from++ {
		if _, err := c.UDPConn.Write(b.bufs[b.from][:b.iovs[b.from].Len]); err != nil {
			return err
		}
	}
	for b.from < b.n {
		if err := c.raw.Write(b.do); err != nil {
			return err
		}
		if b.errno != 0 && b.from < b.n {
			return fmt.Errorf("sendmmsg: %w", b.errno)
		}
	}
	return nil
}

// await waits until the window is open. What comes in instead of credit is dropped: a
// benchmark that sends this much does not await any.
func (c *limitConn) await() error {
	if c.sent-c.written <= c.window {
		return nil
	}
	for c.sent-c.written > c.window {
		if err := c.SetReadDeadline(time.Now().Add(limitPatience)); err != nil {
			return err
		}
		err := c.receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.written = c.sent
		} else if err != nil {
			return err
		}
		c.pending, c.next = c.pending[:0], 0
	}
	return c.SetReadDeadline(time.Time{})
}

// receive makes one call, and divides credit from data.
func (c *limitConn) receive() error {
	if c.calls == single {
		n, err := c.UDPConn.Read(c.in.bufs[0])
		if err != nil {
			return err
		}
		c.in.n, c.in.hdrs[0].Len = 1, uint32(n)
	} else if err := c.raw.Read(c.in.do); err != nil {
		return err
	} else if c.in.errno != 0 {
		return fmt.Errorf("recvmmsg: %w", c.in.errno)
	}
	for i, h := range c.in.hdrs[:c.in.n] {
		d := c.in.bufs[i][:h.Len]
		if len(d) > 0 && d[0] == creditMark && len(d)%creditSize == 0 && len(d) < limitDatagram {
			last := d[len(d)-creditSize:]
			c.written = max(c.written, min(c.sent, binary.BigEndian.Uint64(last[1:])))
			continue
		}
		c.pending = append(c.pending, d)
	}
	return nil
}

// Read copies what has arrived, and waits for something if nothing has.
func (c *limitConn) Read(p []byte) (int, error) {
	for c.next == len(c.pending) {
		c.pending, c.next = c.pending[:0], 0
		if err := c.receive(); err != nil {
			return 0, err
		}
	}
	n := 0
	for n < len(p) && c.next < len(c.pending) {
		d := c.pending[c.next]
		m := copy(p[n:], d)
		n += m
		if c.pending[c.next] = d[m:]; m == len(d) {
			c.next++
		}
	}
	c.taken += uint64(n)
	if c.taken-c.told >= min(limitCredit, c.window/4) {
		c.told = c.taken
		c.word[0] = creditMark
		binary.BigEndian.PutUint64(c.word[1:], c.taken)
		c.UDPConn.Write(c.word[:]) // lost, the next one makes up for it
	}
	return n, nil
}

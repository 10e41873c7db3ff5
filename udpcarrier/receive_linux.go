package udpcarrier

import (
	"net"
	"os"
	"syscall"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/mmsg"
	"golang.org/x/sys/unix"
)

// inbound is what belongs to whoever reads a batchLink.
type inbound struct {
	// receive and ask are handed to RawConn, once made so that they cost nothing.
	receive func(fd uintptr) bool
	ask     func(fd uintptr)

	busy bool // the last batch was full of small messages

	into   []byte     // where ReadInto's caller wants data, while it is inside
	brisk  bool       // the caller does not want to wait
	expect mmsg.Shape // what the last batch was like, if it is worth placing

	// What receive found: r with n messages, or nothing because of errno.
	r     *mmsg.Reader
	n     int
	errno syscall.Errno
}

func (in *inbound) init(l *batchLink) {
	in.receive = func(fd uintptr) bool { return in.try(l.sys, fd) || in.brisk }
	in.ask = func(fd uintptr) {
		if !in.brisk {
			pollBriefly(fd, unix.POLLIN)
		}
		in.try(l.sys, fd)
	}
}

// try receives what is there, and reports whether there was anything to tell. The
// system call itself is the question: poll(2) would be one more, and a reader is
// borrowed in no time.
func (in *inbound) try(sys syscalls, fd uintptr) bool {
	r := mmsg.GetPlaced(in.into, in.expect)
	if r == nil {
		r = mmsg.Get(in.busy)
	}
	if in.n, in.errno = sys.recvmmsg(fd, r.Messages); in.errno == 0 {
		in.r, in.busy = r, r.Busy(in.n)
		return true
	}
	in.r, in.busy = nil, false
	r.Release(0)
	return in.errno != unix.EAGAIN
}

func (l *batchLink) read(p []byte) (*carrier.Batch, error) { return l.readOr(p, false) }

func (l *batchLink) poll(p []byte) (*carrier.Batch, error) { return l.readOr(p, true) }

// readOr waits, or with brisk returns nil where it would.
func (l *batchLink) readOr(p []byte, brisk bool) (*carrier.Batch, error) {
	l.in.into, l.in.brisk = p, brisk
	defer func() { l.in.into = nil }()
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
				return &r.Batch, nil
			}
			r.Release(l.in.n)
			continue
		}
		if brisk && l.in.errno == unix.EAGAIN {
			return nil, nil
		}
		// A pending error, or a sender's knock: the details, if there are any, are in the error queue.
		if b := l.reports(); b != nil {
			return b, nil
		}
		if l.in.errno == 0 || l.in.errno == unix.EAGAIN {
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
// without holding a buffer; or does not wait. An error is the socket's end.
func (l *batchLink) receive() error {
	l.in.r, l.in.errno = nil, 0
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
func (l *batchLink) fill(r *mmsg.Reader, n int) bool {
	connected := l.c.caps.Connected
	ds := r.Datagrams[:0]
	p := place(r)
	for i := range r.Messages[:n] {
		m := parseControl(r.Control(i))
		// Control messages that did not fit may have told where one segment ends.
		if flags := r.Messages[i].Hdr.Flags; flags&unix.MSG_TRUNC != 0 ||
			flags&unix.MSG_CTRUNC != 0 && l.gro && m.segmentSize == 0 {
			l.c.counts.truncated.Add(1)
			continue
		}
		peer := connected
		if !peer.IsValid() {
			if peer = ofName(r.Name(i)); !peer.IsValid() {
				l.c.counts.strange.Add(1)
				continue
			}
		}
		if !m.local.IsValid() {
			m.local = l.bound()
		}
		d := carrier.Datagram{Peer: peer, Local: m.local, TrafficClass: m.trafficClass}
		p.finish(&d, i, m.segmentSize)
		ds = append(ds, d)
	}
	l.in.expect = p.next(l.in.expect)
	r.Batch.Datagrams = ds
	return len(ds) > 0
}

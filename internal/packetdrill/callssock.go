package packetdrill

import (
	"fmt"
	"io"
	"syscall"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/tcpcore"
)

func callSocket(r *runner, c *Call) (*op, error) {
	domain := int64(2)
	if !isAny(c.arg(0)) {
		d, err := c.num(0)
		if err != nil {
			return nil, err
		}
		domain = d
	}
	typ, err := c.num(1)
	if err != nil {
		return nil, err
	}
	proto, err := c.flagsArg(2)
	if err != nil {
		return nil, err
	}
	if typ&0xf != constants["SOCK_STREAM"] || proto != 0 && proto != constants["IPPROTO_TCP"] {
		if proto == constants["IPPROTO_MPTCP"] {
			return nil, unsupported("MPTCP")
		}
		return nil, unsupported("a socket other than of TCP")
	}
	if domain != 2 && domain != 10 {
		return nil, unsupported("a socket of family %d", domain)
	}
	f := &file{r: r, conf: r.conf.c, ipv6: domain == 10 || r.ipv6, options: make(map[[2]int64]int64)}
	f.keep.Idle, f.keep.Interval, f.keep.Count = r.conf.c.KeepAliveIdle, r.conf.c.KeepAliveInterval, r.conf.c.KeepAliveCount
	f.nonblock = typ&constants["SOCK_NONBLOCK"] != 0
	f.connTimeout = r.conf.connectTimeout
	n, err := r.newFile(c, f)
	if err != nil {
		return nil, err
	}
	return now(outcome{value: n})
}

func callBind(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	a, ok, err := sockaddr(c.arg(1))
	if err != nil {
		return nil, err
	}
	f.port = defaultPort
	if ok && a.Port() != 0 {
		f.port = a.Port()
	}
	for _, g := range r.fds {
		if g != f && g.l != nil && g.port == f.port {
			return bad(syscall.EADDRINUSE)
		}
	}
	return nil, nil
}

func orBadFile(err error) error {
	if err != nil {
		return err
	}
	return syscall.EBADF
}

func callListen(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	n, err := c.num(1)
	if err != nil {
		return nil, err
	}
	// Linux admits one more than the backlog says.
	if err := f.listen(int(min(n, 100000)) + 1); err != nil {
		return bad(err)
	}
	return nil, nil
}

func callAccept(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	if f.l == nil {
		return bad(syscall.EINVAL)
	}
	var flags int64
	if c.Name == "accept4" {
		if flags, err = c.flagsArg(3); err != nil {
			return nil, err
		}
	}
	var got *conn.Conn
	o := &op{nonblock: f.nonblock}
	if len(f.stash) > 0 {
		got, f.stash = f.stash[0], f.stash[1:]
		o.run = func() outcome { return outcome{} }
	} else {
		o.run = func() outcome {
			c, err := f.l.Accept()
			if err != nil {
				return failed(err)
			}
			got = c.(*conn.Conn)
			return outcome{}
		}
	}
	o.stop = func() { _ = f.l.SetDeadline(past) }
	o.undo = func() { _ = f.l.SetDeadline(time.Time{}) }
	o.after = func(res *outcome) {
		if got == nil {
			return
		}
		g := f.accepted(got)
		g.nonblock = flags&constants["SOCK_NONBLOCK"] != 0
		n, err := r.newFile(c, g)
		if err != nil {
			*res = failed(err)
			return
		}
		res.value = n
	}
	return o, nil
}

func callConnect(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	if f.connErr != nil {
		// The failure of the last attempt is told once.
		err := f.connErr
		f.connErr = nil
		return bad(err)
	}
	if f.c != nil && f.begun && !r.conf.freebsd {
		f.begun = false
		return now(outcome{}) // Linux tells of the success once
	}
	if err := f.connect(); err != nil {
		return bad(err)
	}
	d := f.dial
	if f.nonblock {
		r.settle()
		if !d.finished() {
			f.begun = true
			return bad(syscall.EINPROGRESS)
		}
	}
	return &op{
		run: func() outcome {
			<-d.done
			if d.err != nil {
				return failed(d.err)
			}
			return outcome{}
		},
		stop: d.cancel, undo: func() {},
		after: func(res *outcome) {
			f.poke()
			f.connErr = nil // it was told
		},
	}, nil
}

func callClose(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	delete(r.fds, f.fd)
	if f.c != nil {
		// It may linger.
		return &op{run: func() outcome {
			if err := f.c.Close(); err != nil {
				return failed(err)
			}
			return outcome{}
		}}, nil
	}
	if err := f.closeFile(); err != nil {
		return bad(err)
	}
	return nil, nil
}

func callShutdown(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	how, err := c.num(1)
	switch {
	case err != nil:
		return nil, err
	case how < 0 || how > 2:
		return bad(syscall.EINVAL)
	case f.l != nil && how != 1:
		// As Linux: it stops listening, and stays a socket.
		if err := f.l.Close(); err != nil {
			return bad(err)
		}
		f.l = nil
		return nil, nil
	case f.c == nil && f.dial != nil && how == 0 && r.conf.freebsd:
		return nil, nil
	case f.c == nil && f.dial != nil:
		// RFC 9293 section 3.10.4, CLOSE in SYN-SENT: "Delete the TCB".
		if err := f.closeFile(); err != nil {
			return bad(err)
		}
		return nil, nil
	case f.c == nil:
		return bad(syscall.ENOTCONN)
	}
	if how != 0 {
		if err := f.c.CloseWrite(); err != nil {
			return bad(err)
		}
		f.shutWr = true
	}
	if how != 1 {
		if err := f.c.CloseRead(); err != nil {
			return bad(err)
		}
		f.shutRd = true
	}
	return nil, nil
}

func callFcntl(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	cmd, err := c.num(1)
	if err != nil {
		return nil, err
	}
	switch cmd {
	case constants["F_GETFL"]:
		v := constants["O_RDWR"] | f.flags
		if f.nonblock && r.conf.freebsd {
			v |= 4 // the number that it has there
		} else if f.nonblock {
			v |= constants["O_NONBLOCK"]
		}
		return now(outcome{value: v})
	case constants["F_SETFL"]:
		v, err := c.num(2)
		if err != nil {
			return nil, err
		}
		f.nonblock = v&constants["O_NONBLOCK"] != 0 || r.conf.freebsd && v&4 != 0
		return nil, nil
	case constants["F_GETFD"], constants["F_SETFD"]:
		return nil, nil
	}
	return nil, unsupported("fcntl command %d", cmd)
}

func callIoctl(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	cmd, err := c.num(1)
	if err != nil {
		return nil, err
	}
	if cmd == constants["FIONBIO"] {
		v, err := c.num(2)
		if err != nil {
			return nil, err
		}
		f.nonblock = v != 0
		return nil, nil
	}
	if f.l != nil {
		return bad(syscall.EINVAL)
	}
	var i tcpcore.Info
	if f.c != nil {
		i = f.c.Info().Info
	}
	var v int
	switch cmd {
	case constants["SIOCINQ"]:
		v = i.ReceiveQueue
	case constants["SIOCOUTQ"], constants["FIONWRITE"]:
		v = i.SendQueue
	case constants["SIOCOUTQNSD"]:
		v = max(0, i.SendQueue-i.Unacked)
	case constants["FIONSPACE"]:
		v = max(0, f.sendBuffer()-i.SendQueue)
	default:
		return nil, unsupported("ioctl %#x", cmd)
	}
	want := c.arg(2)
	return now(outcome{check: func() error {
		if isAny(want) {
			return nil
		}
		w, err := eval(want)
		if err == nil && w != int64(v) {
			err = fmt.Errorf("expected %d but got %d", w, v)
		}
		return err
	}})
}

func callGetname(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	if c.Name == "getpeername" && f.c == nil {
		return bad(syscall.ENOTCONN)
	}
	return nil, nil
}

// pendingError is the error that a connection broke with, which the next call or
// SO_ERROR tells; nil if there is none. It is told once.
func (f *file) pendingError() error {
	if err := f.connErr; err != nil {
		f.connErr = nil
		return err
	}
	err := f.peekError()
	f.readErr = nil
	return f.told(err)
}

// peekError looks for that error without taking it.
func (f *file) peekError() error {
	if f.connErr != nil {
		return f.connErr
	}
	if f.readErr != nil || f.c == nil || f.asked {
		return f.readErr
	}
	if i := f.c.Info(); i.State != tcpcore.Closed || i.ReceiveQueue > 0 {
		return nil
	}
	// Nothing can be read any more, so Read tells how it ended.
	f.asked = true
	_, err := f.c.Read(make([]byte, 1))
	if err == io.EOF && !f.shutWr {
		// The stream ended before the connection broke: writing tells.
		_, err = f.c.Write(make([]byte, 1))
	}
	if err != nil {
		if n := errnoName(err); n != "" && n != "EBADF" {
			f.readErr = err
		}
	}
	return f.readErr
}

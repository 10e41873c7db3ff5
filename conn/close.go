package conn

import (
	"net"
	"os"
	"syscall"
	"time"

	"example.com/culvert/tcpcore"
)

// Close closes the connection and unblocks its readers and writers, whose answer
// is net.ErrClosed, as is everybody's from now on. It returns at once, and what was
// written is delivered in the background, unless SetLinger says otherwise. Data
// that was not read makes it a reset, so that the peer knows of the loss
// (RFC 9293 SHLD-3).
func (x *Conn) Close() error {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.shut()
	now := c.now()
	if c.linger == 0 {
		c.engine.Abort(now)
	} else {
		// That the connection does not exist any more is no error of Close.
		_ = c.engine.Close(now)
	}
	c.pump()
	if c.leader != nil {
		c.leader.Attend()
	}
	if c.linger > 0 {
		c.bye = newSide(c)
		c.bye.deadline = now.Add(time.Duration(c.linger) * time.Second)
		for c.unacknowledged() && c.bye.expired(c.now()) == nil {
			c.bye.wait(ForChange)
		}
		c.bye.stop()
	}
	return nil
}

// shut makes the user's methods fail from now on.
func (c *core) shut() {
	c.closed = true
	c.watch = watch{}
	c.rd.wake()
	c.wr.wake()
	c.rd.stop()
	c.wr.stop()
}

// unacknowledged reports whether our FIN, or what precedes it, is not yet
// acknowledged: the states in which it is outstanding (RFC 9293 section 3.3.2).
func (c *core) unacknowledged() bool {
	switch c.engine.State() {
	case tcpcore.Closed, tcpcore.FinWait2, tcpcore.TimeWait, tcpcore.Listen:
		return false
	}
	return true
}

// notConnected is the answer to a user call on a connection that is gone.
func (c *core) notConnected(op string) error {
	if c.failure != nil {
		return c.opError(op, c.failure)
	}
	return c.opError(op, os.NewSyscallError("shutdown", syscall.ENOTCONN))
}

// SetLinger sets what Close does with data that is not yet acknowledged: below zero
// (the default) it is delivered in the background; at zero it is discarded and the
// peer gets a reset; above zero Close blocks until it is acknowledged, at most for
// so many seconds, and what is left then goes on in the background.
func (x *Conn) SetLinger(sec int) error {
	return x.c.change(func(tcpcore.Time) error {
		x.c.linger = sec
		return nil
	})
}

package conn

import (
	"io"
	"net"
	"time"

	"example.com/culvert/tcpcore"
)

// Read reads at least one byte of the stream, and blocks until there is one, the
// peer has closed its direction (io.EOF), the read deadline passes
// (os.ErrDeadlineExceeded), the connection breaks or is closed (net.ErrClosed). All
// errors but io.EOF are *net.OpError.
func (x *Conn) Read(p []byte) (int, error) { return x.c.receive(p, false) }

// Peek is Read that leaves the bytes to be read again.
func (x *Conn) Peek(p []byte) (int, error) { return x.c.receive(p, true) }

// receive is RECEIVE: it waits until the engine has something to say.
func (c *core) receive(p []byte, peek bool) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if len(p) == 0 && !c.closed {
			return 0, nil // as package net: before the deadline is looked at
		}
		now := c.now()
		if err := c.mayRead(now); err != nil {
			return 0, err
		}
		if peek {
			n, err = c.engine.Peek(now, p)
		} else {
			n, err = c.engine.Read(now, p)
		}
		if n > 0 {
			c.asked = false
			c.pump() // the window may be worth telling
			return n, nil
		}
		if err != nil && err != tcpcore.ErrWouldBlock {
			c.pump()
			return 0, c.readError(err)
		}
		if ack, rest := c.engine.ReleaseACK(), c.engine.ReleaseRest(); ack || rest {
			c.pump() // lets go of the lock: something may have come meanwhile
			continue
		}
		// While nobody else can take bytes out of their order, what comes next need not go by
		// way of the receive buffer.
		lent := !peek && c.engine.Lend(p)
		c.rd.wait(c.reason(lent))
		if lent {
			if n := c.engine.TakeBack(); n > 0 {
				c.asked = false
				return n, nil
			}
		}
	}
}

// mayRead returns what stops a reader whatever the engine says.
func (c *core) mayRead(now tcpcore.Time) error {
	if c.closed {
		return c.opError("read", net.ErrClosed)
	}
	if err := c.rd.expired(now); err != nil {
		return c.opError("read", err)
	}
	if c.readShut {
		return io.EOF
	}
	return nil
}

// reason is why a Read waits that has lent its buffer, or not.
func (c *core) reason(lent bool) Reason {
	switch {
	case !lent:
		return ForChange
	case c.asked:
		return ForAnswer
	}
	return ForData
}

// CloseRead shuts the reading side: what has arrived is discarded, and so is what
// will; Read returns io.EOF. The peer is not told.
func (x *Conn) CloseRead() error {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.readShut = true
	c.engine.CloseRead(c.now())
	c.rd.wake()
	c.pump()
	return nil
}

// SetDeadline sets both deadlines: absolute times after which Read and Write fail
// with os.ErrDeadlineExceeded, those that are blocked already included. The zero
// time means none. No byte is lost by a deadline, and it may be extended after it
// has passed.
func (x *Conn) SetDeadline(t time.Time) error { return x.c.setDeadline(t, true, true) }

// SetReadDeadline sets the deadline of Read; see SetDeadline.
func (x *Conn) SetReadDeadline(t time.Time) error { return x.c.setDeadline(t, true, false) }

// SetWriteDeadline sets the deadline of Write; see SetDeadline. A Write that it
// interrupts reports how much was taken over, and that much will be sent.
func (x *Conn) SetWriteDeadline(t time.Time) error { return x.c.setDeadline(t, false, true) }

func (c *core) setDeadline(t time.Time, read, write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.setError(net.ErrClosed)
	}
	now := c.now()
	if read {
		c.rd.set(now, t)
	}
	if write {
		c.wr.set(now, t)
	}
	return nil
}

package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"example.com/culvert/tcpcore"
)

// opError dresses err as package net does.
func (c *core) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local.addr(), Addr: c.remote.addr(), Err: err}
}

// setError is what package net returns from the setters: it names only the local
// address.
func (c *core) setError(err error) error {
	return &net.OpError{Op: "set", Net: "tcp", Addr: c.local.addr(), Err: err}
}

// cause turns the engine's reason for a connection's end into the system's. A
// network error that preceded a timeout explains it better (so does the kernel).
func (c *core) cause(err error) error {
	switch err {
	case tcpcore.ErrReset:
		return syscall.ECONNRESET
	case tcpcore.ErrRefused:
		return syscall.ECONNREFUSED
	case tcpcore.ErrTimeout:
		var errno syscall.Errno
		if errors.As(c.soft, &errno) && errno != 0 {
			return errno
		}
		return syscall.ETIMEDOUT
	case tcpcore.ErrAborted:
		return net.ErrClosed
	}
	return err
}

// readError is what Read returns for an answer of the engine.
func (c *core) readError(err error) error {
	switch {
	case c.failure != nil:
		return c.opError("read", c.broken("read", c.failure))
	case err == io.EOF:
		return io.EOF // bare, as io.Reader wants it
	case err == tcpcore.ErrClosing || err == tcpcore.ErrNotOpen:
		// The connection is gone. Why it broke, if it did, may be asked again.
		if why := c.engine.Err(); why != nil && why != err {
			return c.readError(why)
		}
		return io.EOF
	}
	return c.opError("read", c.broken("read", err))
}

// writeError is what Write returns for an answer of the engine: the first to ask
// hears why the connection broke, and from then on it is EPIPE, as with the kernel.
func (c *core) writeError(err error) error {
	if c.failure != nil {
		return c.opError("write", c.broken("write", c.failure))
	}
	why := c.engine.Err()
	if why == nil || c.reported {
		if why == tcpcore.ErrAborted {
			return c.opError("write", net.ErrClosed)
		}
		return c.opError("write", os.NewSyscallError("write", syscall.EPIPE))
	}
	return c.opError("write", c.broken("write", why))
}

// broken names the system call, as package net does, and notes that the user knows.
func (c *core) broken(call string, err error) error {
	c.reported = true
	err = c.cause(err)
	if errno, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}

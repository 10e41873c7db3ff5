package main

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// control gives a socket of the kernel its congestion control, and an address that was
// in use a moment ago.
func (o *options) control(_, _ string, raw syscall.RawConn) error {
	var err error
	e := raw.Control(func(fd uintptr) {
		if o.cc != "" {
			err = os.NewSyscallError("setsockopt", unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, o.cc))
		}
		if err == nil {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		}
		if n := o.config.ReceiveBuffer; err == nil && n > 0 {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, n)
		}
		if n := o.config.MSS; err == nil && n > 0 {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, n)
		}
	})
	if e != nil {
		return e
	}
	return err
}

// cork holds back what is written to a socket of the kernel's, until more comes or the end.
func cork(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CORK, 1) })
	if e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt", err)
}

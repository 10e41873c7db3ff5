package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
)

// timeoutError is what package net returns when a dial takes too long.
type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }
func (timeoutError) Is(err error) bool {
	return err == context.DeadlineExceeded || err == os.ErrDeadlineExceeded
}

// canceledError is what package net returns when a dial's context is cancelled.
type canceledError struct{}

func (canceledError) Error() string     { return "operation was canceled" }
func (canceledError) Is(err error) bool { return err == context.Canceled }

// contextError turns a context's error into what package net's users expect.
func contextError(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return canceledError{}
	case errors.Is(err, context.DeadlineExceeded):
		return timeoutError{}
	}
	return err
}

// dialError dresses err as package net does. An error that is dressed already, by
// the carrier's socket, is undressed first: it would tell of UDP.
func dialError(network string, source, addr net.Addr, err error) error {
	return &net.OpError{Op: "dial", Net: network, Source: source, Addr: addr, Err: bare(err)}
}

func listenError(network string, addr net.Addr, err error) error {
	return &net.OpError{Op: "listen", Net: network, Addr: addr, Err: bare(err)}
}

func bare(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	if errno, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError("connect", errno)
	}
	return err
}

var errInUse = os.NewSyscallError("bind", syscall.EADDRINUSE)

// rawNetwork is TCP directly in IPv4 datagrams.
const rawNetwork = "ip4:tcp"

// checkNetwork returns the network that carries a TCP one, of UDP or rawNetwork, and the
// family of addresses to look up.
func checkNetwork(network string) (below, ip string, err error) {
	switch network {
	case "tcp":
		return "udp", "ip", nil
	case "tcp4":
		return "udp4", "ip4", nil
	case "tcp6":
		return "udp6", "ip6", nil
	case rawNetwork:
		return rawNetwork, "ip4", nil
	}
	return "", "", net.UnknownNetworkError(network)
}

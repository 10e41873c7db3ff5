//go:build !linux

package main

import (
	"errors"
	"net"
	"syscall"
)

// control has nothing to do where no test is.
func (o *options) control(_, _ string, _ syscall.RawConn) error { return nil }

func cork(*net.TCPConn) error { return errors.ErrUnsupported }

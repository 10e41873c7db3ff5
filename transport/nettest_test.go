package transport_test

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"example.com/culvert/transport"
)

// pipe makes a connected pair with the dialer and listener that are given.
func pipe(d *transport.Dialer, lc *transport.ListenConfig, address string) nettest.MakePipe {
	return func() (c1, c2 net.Conn, stop func(), err error) {
		l, err := lc.Listen(ctx, "tcp", address)
		if err != nil {
			return nil, nil, nil, err
		}
		defer l.Close()
		accepted := make(chan net.Conn, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				c = nil
			}
			accepted <- c
		}()
		c1, err = d.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, nil, nil, err
		}
		c2 = <-accepted
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	}
}

// What package net's users expect of a net.Conn, over UDP on loopback.
func TestConn(t *testing.T) {
	t.Run("IPv4", func(t *testing.T) {
		nettest.TestConn(t, pipe(&transport.Dialer{Config: quick()}, &transport.ListenConfig{Config: quick()}, "127.0.0.1:0"))
	})
	t.Run("IPv6", func(t *testing.T) {
		nettest.TestConn(t, pipe(&transport.Dialer{Config: quick()}, &transport.ListenConfig{Config: quick()}, "[::1]:0"))
	})
}

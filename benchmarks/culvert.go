package benchmarks

import (
	"context"
	"net"

	"example.com/culvert/conn"
	"example.com/culvert/transport"
)

// culvertStack is culvert as its zero configuration has it.
func culvertStack() Stack {
	return Stack{
		Name:   "culvert",
		About:  "defaults",
		Listen: func(addr string) (net.Listener, error) { return transport.Listen("tcp", addr) },
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			return new(transport.Dialer).DialContext(ctx, "tcp", addr)
		},
	}
}

// Retransmits tells how many segments of c were sent again, if c is culvert's.
func Retransmits(c net.Conn) (n uint64, ok bool) {
	if c, ok := c.(*conn.Conn); ok {
		return c.Info().Retransmits, true
	}
	return 0, false
}

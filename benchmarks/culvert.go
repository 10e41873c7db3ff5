package benchmarks

import (
	"context"
	"net"

	"example.com/culvert/conn"
	"example.com/culvert/transport"
)

// ethernetMSS is the MSS at an MTU of 1500: less 20 bytes of IPv4, 8 of UDP and 20
// of TCP. Timestamps take another 12, which leaves 1440 for data.
const ethernetMSS = 1452

// culvertStack is culvert with segments as large as the loopback interface takes,
// which is what the kernel's TCP does there too.
func culvertStack() Stack { return culvertWith("culvert", "defaults", nil) }

// culvertEthernetStack is culvert with segments as on an Ethernet, which is what
// quic-go sends on loopback too.
func culvertEthernetStack() Stack {
	return culvertWith("culvert-1440", "segments of 1440 bytes", &transport.Config{MSS: ethernetMSS})
}

func culvertWith(name, about string, cfg *transport.Config) Stack {
	return Stack{
		Name:  name,
		About: about,
		Listen: func(addr string) (net.Listener, error) {
			lc := transport.ListenConfig{Config: cfg}
			return lc.Listen(context.Background(), "tcp", addr)
		},
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			d := transport.Dialer{Config: cfg}
			return d.DialContext(ctx, "tcp", addr)
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

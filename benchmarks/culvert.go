package benchmarks

import (
	"context"
	"net"
	"strings"
	"sync"

	"example.com/culvert/conn"
	"example.com/culvert/transport"
)

// ethernetMSS is the MSS at an MTU of 1500: less 20 bytes of IPv4, 8 of UDP and 20
// of TCP. Timestamps take another 12, which leaves 1440 for data.
const ethernetMSS = 1452

// culvertStack is culvert with segments as large as the path takes, which is what the
// kernel's TCP has, too.
func culvertStack() Stack { return culvertWith("culvert", "CUBIC, its default", nil) }

func culvertBBRStack() Stack {
	return culvertWith("culvert-bbr", "BBR", &transport.Config{CongestionControl: "bbr"})
}

// culvertEthernetStack is culvert with segments as on an Ethernet, which is what
// quic-go sends on loopback too.
func culvertEthernetStack() Stack {
	return culvertWith("culvert-1440", "CUBIC, segments of 1440 bytes", &transport.Config{MSS: ethernetMSS})
}

// culvertPlainStack is culvert with a datagram for each segment, as on a system without
// GSO and GRO.
func culvertPlainStack() Stack {
	s := culvertWith("culvert-plain", "CUBIC, segments of 1440 bytes, GSO and GRO off", &transport.Config{MSS: ethernetMSS})
	s.Env = []string{"CULVERT_NO_GSO=1", "CULVERT_NO_GRO=1"}
	return s
}

// culvertSingleStack is culvert with a system call for each segment, by the code for systems
// that have no better.
func culvertSingleStack() Stack {
	s := culvertWith("culvert-single", "CUBIC, segments of 1440 bytes, one a system call", &transport.Config{MSS: ethernetMSS})
	s.Env = []string{"CULVERT_NO_BATCH=1"}
	return s
}

// culvertSharedStack is culvert with all of a process's connections on one socket.
func culvertSharedStack() Stack {
	s := culvertWith("culvert-shared", "CUBIC, a socket for all", nil)
	var endpoint struct {
		sync.Mutex
		*transport.Endpoint
	}
	s.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
		endpoint.Lock()
		if endpoint.Endpoint == nil {
			host, _, err := net.SplitHostPort(addr)
			if err == nil {
				// Of the peer's family; which interface, the route says.
				network := "tcp4"
				if strings.Contains(host, ":") {
					network = "tcp6"
				}
				endpoint.Endpoint, err = transport.ListenEndpoint(network, ":0")
			}
			if err != nil {
				endpoint.Unlock()
				return nil, err
			}
		}
		e := endpoint.Endpoint
		endpoint.Unlock()
		return e.DialContext(ctx, "tcp", addr)
	}
	return s
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

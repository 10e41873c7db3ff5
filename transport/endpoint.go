package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"example.com/culvert/carrier"
	"example.com/culvert/conn"
)

// Endpoint is one carrier that any number of dials and listeners share: one socket,
// or Config.Sockets of one address, a goroutine for each, and one port to take through a
// NAT. Its methods may be called by any number of goroutines at once.
type Endpoint struct {
	s   *shard
	cfg *settings

	mu     sync.Mutex
	closed bool
}

// NewEndpoint makes an Endpoint of a carrier, which belongs to it from now on: nobody
// else may read from it, and Close closes it. The Config, nil meaning the zero one,
// holds for all connections.
func NewEndpoint(c carrier.Carrier, config *Config) (*Endpoint, error) {
	if c == nil {
		return nil, errors.New("NewEndpoint: the carrier is nil")
	}
	cfg, err := config.settings()
	if err != nil {
		return nil, fmt.Errorf("NewEndpoint: %w", err)
	}
	s := newShard(c)
	s.mu.Lock()
	s.keepWaits = false // the carrier is somebody else's, who wants it closed
	s.mu.Unlock()
	return newEndpoint(s, cfg), nil
}

// ListenEndpoint makes an Endpoint of a UDP socket bound to "host:port"; network is
// "tcp", "tcp4" or "tcp6", as for Listen. On "ip4:tcp" it is a raw carrier with one TCP
// port, from which it has one connection at a time to each address and port.
func ListenEndpoint(network, address string) (*Endpoint, error) {
	return new(ListenConfig).Endpoint(context.Background(), network, address)
}

// Endpoint makes an Endpoint of a UDP socket bound to "host:port", as ListenEndpoint
// does, with the options of lc.
func (lc *ListenConfig) Endpoint(ctx context.Context, network, address string) (*Endpoint, error) {
	if ctx == nil {
		return nil, listenError(network, nil, errors.New("Endpoint: ctx is nil"))
	}
	below, ip, err := checkNetwork(network)
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	cfg, err := lc.settings()
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	s, local, err := openLocal(ctx, lc.Net, below, ip, address, cfg)
	if err != nil {
		return nil, listenError(network, tcpAddr(local), err)
	}
	if err := s.claim(); err != nil {
		s.leave()
		return nil, listenError(network, tcpAddr(local), err)
	}
	return newEndpoint(s, cfg), nil
}

func newEndpoint(s *shard, cfg *settings) *Endpoint {
	s.begin()
	return &Endpoint{s: s, cfg: cfg}
}

// LocalAddr returns the carrier's address, a *net.TCPAddr.
func (e *Endpoint) LocalAddr() net.Addr { return carrier.Addr(e.s.local) }

// Dial is DialContext without a context.
func (e *Endpoint) Dial(network, address string) (net.Conn, error) {
	return e.DialContext(context.Background(), network, address)
}

// DialContext connects to "host:port" over the Endpoint's carrier, as
// Dialer.DialContext does. The port is the peer's in the carrier and in the TCP
// header; DialPort tells them apart.
func (e *Endpoint) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return e.dial(ctx, network, address, 0)
}

// DialPort is DialContext to a listener that a peer's Endpoint has on another port
// of the TCP header than that of its carrier.
func (e *Endpoint) DialPort(ctx context.Context, network, address string, port uint16) (net.Conn, error) {
	if port == 0 {
		return nil, dialError(network, nil, nil, errors.New("DialPort: port is 0"))
	}
	return e.dial(ctx, network, address, port)
}

func (e *Endpoint) dial(ctx context.Context, network, address string, port uint16) (net.Conn, error) {
	if ctx == nil {
		return nil, dialError(network, nil, nil, errors.New("DialContext: ctx is nil"))
	}
	_, ip, err := checkNetwork(network)
	if err != nil {
		return nil, dialError(network, nil, nil, err)
	}
	if !e.use() {
		return nil, dialError(network, nil, nil, net.ErrClosed)
	}
	defer e.s.leave()
	addrs, err := resolver{}.destinations(ctx, ip, address)
	if err == nil {
		addrs, err = sameFamily(addrs, e.s.local.Addr())
	}
	if err != nil {
		if ctx.Err() != nil {
			err = contextError(ctx.Err())
		}
		return nil, dialError(network, nil, nil, err)
	}
	c, err := race(ctx, addrs, 0, func(ctx context.Context, to netip.AddrPort) (*conn.Conn, error) {
		inner := port
		if inner == 0 {
			inner = to.Port()
		}
		err := dialable(to)
		if err == nil {
			err = ctx.Err()
		}
		var c *conn.Conn
		if err == nil {
			c, err = e.s.dial(ctx, to, 0, inner, e.cfg)
		}
		if err == nil && e.isClosed() {
			// Close did not see it: it was not yet there.
			c.SetLinger(0)
			c.Close()
			err = net.ErrClosed
		}
		if err != nil {
			return nil, dialError(network, e.LocalAddr(), carrier.Addr(to), contextError(err))
		}
		return c, nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// use keeps the shard alive for a call.
func (e *Endpoint) use() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.closed && e.s.use()
}

func (e *Endpoint) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

// Listen listens on a port of the TCP header; 0 means the carrier's, which is where
// Dial looks. Each port has one listener at a time.
func (e *Endpoint) Listen(port uint16) (net.Listener, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, listenError("tcp", e.LocalAddr(), net.ErrClosed)
	}
	l, err := e.s.listen(port, e.cfg)
	if err != nil {
		return nil, listenError("tcp", e.LocalAddr(), err)
	}
	return l, nil
}

// Close closes the Endpoint: its listeners, and the connections that are still open,
// whose peers get a reset. Connections that were closed before, and are delivering
// what is left, may finish; the carrier closes with the last of them. A second
// Close returns net.ErrClosed.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return &net.OpError{Op: "close", Net: "tcp", Addr: e.LocalAddr(), Err: net.ErrClosed}
	}
	e.closed = true
	e.mu.Unlock()
	e.s.shut()
	e.s.leave()
	return nil
}

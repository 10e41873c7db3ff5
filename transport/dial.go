package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	piontransport "github.com/pion/transport/v3"

	"example.com/culvert/carrier"
	"example.com/culvert/conn"
	"example.com/culvert/tcpcore"
)

// Dial connects to "host:port" on a network, "tcp", "tcp4", "tcp6" or "ip4:tcp", as
// net.Dial does. The connection is a *conn.Conn. Whoever exits right after Close wants
// Config.Linger.
func Dial(network, address string) (net.Conn, error) {
	return new(Dialer).Dial(network, address)
}

// DialTimeout is Dial with a limit on the time that it takes, names included.
func DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	return (&Dialer{Timeout: timeout}).Dial(network, address)
}

// Dialer holds the options of Dial. The zero value works. Its methods may be called
// by any number of goroutines at once.
type Dialer struct {
	// Timeout is the longest that a Dial may take, names included. Default none;
	// without any limit a peer that does not answer ends it after Config.SYNRetries. That a
	// router calls it unreachable does not, other than with kernels (RFC 9293 MUST-56).
	Timeout time.Duration
	// Deadline is the moment at which dials fail. Default none.
	Deadline time.Time
	// LocalAddr is the address to dial from, a *net.TCPAddr or *net.UDPAddr. With a
	// port, that is the port of UDP and of the TCP header, and the socket is shared with
	// a listener and other dials of this process on the same address; so two hosts
	// that dial each other's ports meet (RFC 9293 section 3.5, simultaneous open), unless
	// a NAT changes a port. Repeat what is refused: it came before the other's socket was open.
	// Default the system's choice.
	LocalAddr net.Addr
	// FallbackDelay is how long to wait for one address family before the other one is
	// tried as well (RFC 8305); negative switches that off. Default 300 ms.
	FallbackDelay time.Duration
	// KeepAliveConfig switches keep-alive on, if Enable is set, as
	// conn.Conn.SetKeepAliveConfig does. Default off, and Config decides.
	KeepAliveConfig net.KeepAliveConfig
	// Resolver looks up names. Default net.DefaultResolver.
	Resolver *net.Resolver
	// Config holds the tunables. Default the zero Config.
	Config *Config
	// Net is the network to open UDP sockets on, for example a vnet; it looks
	// up names, too. Default the system's.
	Net piontransport.Net
}

// Dial is DialContext without a context.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to "host:port". When the context ends before the connection
// is established, it returns at once, with an error for which errors.Is holds with
// the context's, and nothing stays behind; later the context has no effect. Errors are
// *net.OpError, as package net's. A host with several addresses is dialled as RFC 8305
// has it.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if ctx == nil {
		return nil, dialError(network, nil, nil, errors.New("DialContext: ctx is nil"))
	}
	below, ip, err := checkNetwork(network)
	if err != nil {
		return nil, dialError(network, nil, nil, err)
	}
	cfg, err := d.Config.settings()
	if err != nil {
		return nil, dialError(network, nil, nil, err)
	}
	local, err := localAddr(d.LocalAddr)
	if err != nil {
		return nil, dialError(network, nil, nil, err)
	}
	ctx, cancel := d.limit(ctx)
	defer cancel()
	addrs, err := resolver{d.Resolver, d.Net}.destinations(ctx, ip, address)
	if err != nil {
		if ctx.Err() != nil {
			err = contextError(ctx.Err())
		}
		return nil, dialError(network, nil, nil, err)
	}
	addrs, err = sameFamily(addrs, local.Addr())
	if err != nil {
		return nil, dialError(network, nil, nil, err)
	}
	c, err := race(ctx, addrs, d.FallbackDelay, func(ctx context.Context, to netip.AddrPort) (*conn.Conn, error) {
		c, err := d.dial(ctx, below, local, to, cfg)
		if err != nil {
			return nil, dialError(network, d.LocalAddr, carrier.Addr(to), err)
		}
		return c, nil
	})
	if err != nil {
		return nil, err
	}
	if d.KeepAliveConfig.Enable {
		if err := c.SetKeepAliveConfig(d.KeepAliveConfig); err != nil && !errors.Is(err, net.ErrClosed) {
			c.SetLinger(0)
			c.Close()
			return nil, dialError(network, d.LocalAddr, c.RemoteAddr(), err)
		}
	}
	return c, nil
}

// limit applies Timeout and Deadline.
func (d *Dialer) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	end := d.Deadline
	if d.Timeout != 0 { // one that is negative is over, as in package net
		if t := time.Now().Add(d.Timeout); end.IsZero() || t.Before(end) {
			end = t
		}
	}
	if end.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, end)
}

// localAddr reads Dialer.LocalAddr.
func localAddr(a net.Addr) (netip.AddrPort, error) {
	var p netip.AddrPort
	switch a := a.(type) {
	case nil:
		return p, nil
	case *net.TCPAddr:
		if a == nil {
			return p, nil
		}
		p = netip.AddrPortFrom(p.Addr(), uint16(a.Port))
		if a.IP != nil {
			p = a.AddrPort()
		}
	case *net.UDPAddr:
		if a == nil {
			return p, nil
		}
		p = netip.AddrPortFrom(p.Addr(), uint16(a.Port))
		if a.IP != nil {
			p = a.AddrPort()
		}
	default:
		return p, fmt.Errorf("Dialer.LocalAddr: a %T is neither *net.TCPAddr nor *net.UDPAddr", a)
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port()), nil
}

// sameFamily keeps the addresses that can be reached from local.
func sameFamily(addrs []netip.AddrPort, local netip.Addr) ([]netip.AddrPort, error) {
	if !local.IsValid() || local == netip.IPv6Unspecified() {
		return addrs, nil
	}
	fit := addrs[:0:0]
	for _, a := range addrs {
		if a.Addr().Is4() == local.Is4() {
			fit = append(fit, a)
		}
	}
	if len(fit) == 0 {
		return nil, &net.AddrError{Err: "cannot be reached from " + local.String(), Addr: addrs[0].Addr().String()}
	}
	return fit, nil
}

// dial connects to one address, from a socket of its own, or from the one that has
// the port asked for.
func (d *Dialer) dial(ctx context.Context, below string, local, to netip.AddrPort, cfg *settings) (*conn.Conn, error) {
	if err := dialable(to); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	var s *shard
	if local.Port() != 0 {
		// Not connected to the peer: a listener may want the port, too (MUST-42).
		shared, err := registry.open(d.Net, below, local, cfg.udp, 1)
		if err != nil {
			return nil, err
		}
		s = shared
	} else {
		private, err := d.private(below, local, to, cfg)
		if err != nil {
			return nil, err
		}
		s = private
	}
	defer s.leave()
	c, err := s.dial(ctx, to, local.Port(), to.Port(), cfg)
	if err != nil && local.Port() == 0 {
		s.route = route{} // where this socket leads nobody may answer: the next dial has another
	}
	return c, err
}

// private returns the shard of a socket for one connection, with the caller as its user: one that
// lingered, or else a new one.
func (d *Dialer) private(below string, local, to netip.AddrPort, cfg *settings) (*shard, error) {
	var r route
	if d.Net == nil && below != rawNetwork {
		r = route{below, local.Addr(), to, cfg.udp.NoGSO, cfg.udp.NoGRO, cfg.udp.Logger}
		if s := lingering.again(r); s != nil {
			return s, nil
		}
	}
	car, err := spare(func() (carrier.Carrier, error) { return dialCarrier(d.Net, below, local, to, cfg.udp) })
	if err != nil {
		return nil, err
	}
	s := newShard(car)
	s.route = r
	return s, nil
}

// dialable returns why nobody can connect to a, if so.
func dialable(a netip.AddrPort) error {
	if !unicast(a.Addr()) {
		return &net.AddrError{Err: "multicast and broadcast addresses cannot be dialled", Addr: a.Addr().String()}
	}
	if a.Port() == 0 {
		return syscall.ECONNREFUSED // as the kernel: nobody can listen there
	}
	return nil
}

// dial opens a connection actively, from an inner port, 0 meaning any, to an inner
// port of the peer, and waits until it is established.
func (s *shard) dial(ctx context.Context, to netip.AddrPort, from, port uint16, cfg *settings) (*conn.Conn, error) {
	if s.caps.SamePorts {
		if from == 0 {
			from = s.local.Port()
		}
		if port != to.Port() {
			return nil, &net.AddrError{Err: "there is no other port than that of the TCP header", Addr: to.String()}
		}
	}
	f := &flow{
		s: s, peer: to, key: key{peer: to, localPort: from, remotePort: port}, cfg: cfg,
		learn: s.wild, opened: make(chan struct{}),
	}
	if s.wild && s.caps.Checksum {
		// The checksum covers the address, so that it must be known before the first segment.
		if f.source = s.sourceTo(to.Addr()); !f.source.IsValid() {
			return nil, syscall.ENETUNREACH
		}
		f.key.local, f.learn = f.source, false
	}
	c, err := s.enter(f)
	if err != nil {
		return nil, err
	}
	f.driver.Finish()
	select {
	case <-f.opened:
	case <-ctx.Done():
		f.driver.Abort()
		return nil, contextError(ctx.Err())
	}
	if !f.driver.Established() {
		if err := f.driver.Err(); err != nil {
			return nil, err
		}
		return nil, net.ErrClosed
	}
	f.settleSource()
	return c, nil
}

// enter opens an engine for an active flow and finds it a place.
func (s *shard) enter(f *flow) (*conn.Conn, error) {
	chosen := f.key.localPort
	f.anyPort = chosen == 0
	for {
		var before *predecessor
		if chosen == 0 {
			f.key.localPort, before = s.choose(f.key)
			if f.key.localPort == 0 {
				return nil, syscall.EADDRNOTAVAIL
			}
		}
		engine := f.cfg.engine()
		params := s.params(f.key)
		if before != nil {
			params.Reuse, params.After = true, before.last
		}
		if err := engine.OpenActive(f.Now(), params); err != nil {
			return nil, err
		}
		c, err := s.newFlow(f, engine, before)
		if err != errInUse || chosen != 0 {
			return c, err
		}
		// Another dial took the port meanwhile: choose again.
	}
}

// fewPorts is how many ports a dial looks at before it contents itself with one whose connection
// is in TIME-WAIT.
const fewPorts = 8

// choose finds a local port for a dial: one that is free, or else one that was long enough in
// TIME-WAIT, whose record goes when the new one is entered. 0 is none.
func (s *shard) choose(k key) (port uint16, before *predecessor) {
	now := s.clock.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	free := func(p uint16) bool {
		k.localPort = p
		return s.free(k)
	}
	if p := ephemeral(fewPorts, free); p != 0 {
		return p, nil
	}
	port = ephemeral(allPorts, func(p uint16) bool {
		if free(p) {
			return true
		}
		before = s.reusable(now, k)
		return before != nil
	})
	return port, before
}

// reusable returns the connection in TIME-WAIT in whose place that of k may be dialled, nil if there
// is none, or something else in the way. The lock is held.
func (s *shard) reusable(now tcpcore.Time, k key) *predecessor {
	known := s.known(k)
	if s.ports[k.localPort] != nil || s.hosts[k.host()] > 0 || s.flows[k] != nil || s.flows[known] != nil {
		return nil
	}
	at := k
	if known != k && s.waits.has(known) {
		if s.waits.has(k) {
			return nil // answers would be found to be the other one's
		}
		at = known
	}
	if !s.waits.has(at) || !s.waits.get(at).rec.Reusable(now) {
		return nil
	}
	return &predecessor{at, s.waits.lastOf(at)}
}

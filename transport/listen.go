package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	piontransport "github.com/pion/transport/v3"

	"example.com/culvert/carrier"
)

// Listen listens on "host:port" as net.Listen does, on the network "tcp" (both
// families where the host is empty or unspecified), "tcp4", "tcp6" or "ip4:tcp". The listener
// is a *listener.Listener, its connections are *conn.Conn.
func Listen(network, address string) (net.Listener, error) {
	return new(ListenConfig).Listen(context.Background(), network, address)
}

// ListenConfig holds the options of Listen. The zero value works. Its method may be
// called by any number of goroutines at once.
type ListenConfig struct {
	// Backlog bounds the connections that are half open or not yet accepted,
	// together. Default Config.Backlog.
	Backlog int
	// Config holds the tunables of the connections. Default the zero Config.
	Config *Config
	// Net is the network to open UDP sockets on, for example a vnet. Default the
	// system's.
	Net piontransport.Net
}

// Listen listens on "host:port". Port 0 lets the system choose; Addr tells. The
// context bounds the lookup of the host, and has no effect later. Errors are
// *net.OpError, as package net's.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if ctx == nil {
		return nil, listenError(network, nil, errors.New("Listen: ctx is nil"))
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
	defer s.leave()
	l, err := s.listen(0, cfg)
	if err != nil {
		return nil, listenError(network, tcpAddr(local), err)
	}
	return l, nil
}

// settings are the Config's, with the Backlog of lc.
func (lc *ListenConfig) settings() (*settings, error) {
	cfg, err := lc.Config.settings()
	if err != nil {
		return nil, err
	}
	if lc.Backlog < 0 || lc.Backlog > maxBacklog {
		return nil, fmt.Errorf("ListenConfig.Backlog: %d is outside of 1..%d", lc.Backlog, maxBacklog)
	}
	if lc.Backlog > 0 {
		own := *cfg
		own.backlog, cfg = lc.Backlog, &own
	}
	return cfg, nil
}

// sharedReceiveBuffer is what is asked of the system for the queue of a socket that many
// connections share, in bytes: room for the least parts of 256 at once, twice over.
const sharedReceiveBuffer = 16 << 20

// openLocal opens the socket of "host:port", or takes over the one that there is.
func openLocal(ctx context.Context, n piontransport.Net, below, ip, address string, cfg *settings) (*shard, netip.AddrPort, error) {
	local, err := resolver{net: n}.binding(ctx, ip, address)
	if err != nil {
		if ctx.Err() != nil {
			err = contextError(ctx.Err())
		}
		return nil, local, err
	}
	if a := local.Addr(); a.IsValid() && !unicast(a) {
		return nil, local, &net.AddrError{Err: "not an address to listen on", Addr: a.String()}
	}
	o := cfg.udp
	if o.ReceiveBuffer == 0 {
		o.ReceiveBuffer = sharedReceiveBuffer
	}
	s, err := registry.open(n, below, local, o, cfg.sockets)
	return s, local, err
}

// tcpAddr is a as a net.Addr, nil for the zero AddrPort.
func tcpAddr(a netip.AddrPort) net.Addr {
	if a == (netip.AddrPort{}) {
		return nil
	}
	if !a.Addr().IsValid() {
		return &net.TCPAddr{Port: int(a.Port())}
	}
	return carrier.Addr(a)
}

package transport

import (
	"errors"
	"net/netip"
	"reflect"
	"sync"
	"syscall"

	piontransport "github.com/pion/transport/v3"

	"example.com/culvert/carrier"
	"example.com/culvert/rawcarrier"
	"example.com/culvert/udpcarrier"
)

// The registry knows the shards whose socket has a port of its own, by address. The
// socket of a listener outlives it while connections that it accepted do, or their
// TIME-WAIT; a new Listen on the same address, or a Dial from it, takes it over
// instead of finding the address in use (RFC 9293 MUST-42).
var registry = &shards{m: make(map[address]*entry)}

type shards struct {
	mu sync.Mutex
	m  map[address]*entry
}

// address is where a socket is bound, and in which network.
type address struct {
	net     piontransport.Net
	network string // rawNetwork, or that of a wildcard: it tells which families
	local   netip.AddrPort
}

type entry struct {
	at    address
	shard *shard
}

func newAddress(n piontransport.Net, network string, local netip.AddrPort) (a address, shared bool) {
	if n != nil && !reflect.TypeOf(n).Comparable() {
		return a, false
	}
	if ip := local.Addr(); ip.IsValid() && !ip.IsUnspecified() {
		if network != rawNetwork {
			network = ""
		}
	} else {
		local = netip.AddrPortFrom(netip.Addr{}, local.Port())
	}
	return address{n, network, local}, true
}

// open returns the shard of a socket bound to local, with the caller as a user: one
// that is there, or a new one, of as many sockets as are asked for and the system can spread
// segments over.
func (r *shards) open(n piontransport.Net, network string, local netip.AddrPort, o udpcarrier.Options, sockets int) (*shard, error) {
	at, shared := newAddress(n, network, local)
	for tried := false; ; tried = true {
		if s := r.get(at); s != nil && shared {
			if !s.use() {
				<-s.gone // it is closing its socket
				continue
			}
			if s.excluded() {
				s.leave()
				return nil, errInUse
			}
			return s, nil
		}
		c, err := spare(func() (carrier.Carrier, error) { return openCarrier(n, network, local, o) })
		if err != nil {
			if errors.Is(err, syscall.EADDRINUSE) && !tried && r.get(at) != nil {
				continue // somebody here was faster
			}
			return nil, err
		}
		more, err := others(c, sockets-1)
		if err != nil {
			c.Close()
			return nil, err
		}
		return r.add(n, network, shared, c, more...), nil
	}
}

// openCarrier opens the socket of a network that is bound to local.
func openCarrier(n piontransport.Net, network string, local netip.AddrPort, o udpcarrier.Options) (carrier.Carrier, error) {
	if network != rawNetwork {
		return udpcarrier.ListenNet(n, network, local, o)
	}
	if n != nil {
		return nil, errRawNet
	}
	return rawcarrier.Listen(local, rawcarrier.Options{})
}

// others opens n more sockets at the address of c, none if the system or the network has no way.
func others(c carrier.Carrier, n int) (more []carrier.Carrier, err error) {
	u, ok := c.(*udpcarrier.Carrier)
	for ok && len(more) < n {
		another, err := u.Another()
		if errors.Is(err, errors.ErrUnsupported) {
			break
		}
		if err != nil {
			for _, c := range more {
				c.Close()
			}
			return nil, err
		}
		more = append(more, another)
	}
	return more, nil
}

// dialCarrier opens a socket for one peer alone.
func dialCarrier(n piontransport.Net, network string, local, to netip.AddrPort, o udpcarrier.Options) (carrier.Carrier, error) {
	if network != rawNetwork {
		return udpcarrier.DialNet(n, network, local, to, o)
	}
	if n != nil {
		return nil, errRawNet
	}
	return rawcarrier.Dial(local, to, rawcarrier.Options{})
}

var errRawNet = errors.New("the network ip4:tcp is the system's, and Net is set, which has UDP sockets")

// add makes the shard of new sockets and enters it.
func (r *shards) add(n piontransport.Net, network string, shared bool, c carrier.Carrier, more ...carrier.Carrier) *shard {
	s := newShard(c, more...)
	if !shared {
		return s
	}
	at, _ := newAddress(n, network, c.LocalAddr())
	r.mu.Lock()
	defer r.mu.Unlock()
	s.entry = &entry{at, s}
	r.m[at] = s.entry
	return s
}

func (r *shards) get(at address) *shard {
	if at.local.Port() == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.m[at]; e != nil {
		return e.shard
	}
	return nil
}

// drop takes a shard out, which has closed its socket.
func (e *entry) drop() {
	if e == nil {
		return
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if registry.m[e.at] == e {
		delete(registry.m, e.at)
	}
}

// excluded reports whether an Endpoint has the shard for itself.
func (s *shard) excluded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exclusive
}

package transport

import (
	"container/list"
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

// maxLingering bounds the sockets, in the whole process, that stay open for nothing
// but TIME-WAIT, or to repeat a reset.
const maxLingering = 1024

// lingering are those sockets, oldest first. Its lock comes after a shard's.
var lingering lingerers

type lingerers struct {
	mu    sync.Mutex
	order list.List // of *shard
	where map[*shard]*list.Element
}

// add enters a shard, and returns the one that must go to make room, if any.
func (l *lingerers) add(s *shard) (oldest *shard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.where[s] != nil {
		return nil
	}
	if l.where == nil {
		l.where = make(map[*shard]*list.Element)
	}
	l.where[s] = l.order.PushBack(s)
	if l.order.Len() <= maxLingering {
		return nil
	}
	oldest = l.order.Remove(l.order.Front()).(*shard)
	delete(l.where, oldest)
	return oldest
}

// take returns the oldest one, nil if there is none, which is not counted any more.
func (l *lingerers) take() *shard {
	l.mu.Lock()
	defer l.mu.Unlock()
	front := l.order.Front()
	if front == nil {
		return nil
	}
	s := l.order.Remove(front).(*shard)
	delete(l.where, s)
	return s
}

// spare opens a socket. Where there are too many open files, it ends the oldest socket that
// lingers and tries once more.
func spare(open func() (carrier.Carrier, error)) (carrier.Carrier, error) {
	c, err := open()
	if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
		return c, err
	}
	oldest := lingering.take()
	if oldest == nil {
		return c, err
	}
	oldest.hurry()
	return open()
}

func (l *lingerers) remove(s *shard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.where[s]; e != nil {
		l.order.Remove(e)
		delete(l.where, s)
	}
}

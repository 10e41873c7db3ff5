package udpcarrier

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// mtuCache remembers the MTU of routes for a short while, for sockets that have
// more than one peer. Finding out costs a few system calls.
type mtuCache struct {
	mu    sync.Mutex
	known map[netip.Addr]mtuEntry
}

type mtuEntry struct {
	mtu, max int // of the route; of the interface that it begins with
	until    time.Time
}

// A peer can make the cache grow by one entry with each address that it can send
// from, so it is bounded; what it forgets is asked again.
const maxMTUs = 1024

func newMTUCache() *mtuCache { return &mtuCache{} }

// get returns the MTUs to peer, 0 if the system does not tell.
func (c *mtuCache) get(peer netip.Addr) mtuEntry {
	now := time.Now()
	c.mu.Lock()
	e, ok := c.known[peer]
	c.mu.Unlock()
	if ok && now.Before(e.until) {
		return e
	}
	mtu, local := routeMTU(peer)
	e = mtuEntry{mtu: mtu, max: max(mtu, interfaceMTU(local)), until: now.Add(mtuLife)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[netip.Addr]mtuEntry)
	}
	if _, ok := c.known[peer]; !ok && len(c.known) >= maxMTUs {
		for victim := range c.known { // the map's order is arbitrary enough
			delete(c.known, victim)
			break
		}
	}
	c.known[peer] = e
	return e
}

// forget drops what is known about peer if err says that it was wrong.
func (c *mtuCache) forget(peer netip.Addr, err error) {
	if !errors.Is(err, syscall.EMSGSIZE) {
		return
	}
	c.mu.Lock()
	delete(c.known, peer.Unmap())
	c.mu.Unlock()
}

// interfaces remembers the MTUs of the interfaces by their addresses, for all sockets of
// the process: listing them is dear, and they hardly change.
var interfaces struct {
	mu    sync.Mutex
	mtu   map[netip.Addr]int
	until time.Time
}

// interfacesLife is how long they are believed.
const interfacesLife = time.Minute

// interfaceMTU is the MTU of the interface that has a local address, 0 if none has.
func interfaceMTU(local netip.Addr) int {
	if !local.IsValid() || local.IsUnspecified() {
		return 0
	}
	i := &interfaces
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := time.Now(); i.mtu == nil || now.After(i.until) {
		i.mtu, i.until = listMTUs(), now.Add(interfacesLife)
	}
	return i.mtu[local.Unmap().WithZone("")]
}

// listMTUs asks the system for all interfaces.
func listMTUs() map[netip.Addr]int {
	all := make(map[netip.Addr]int)
	list, err := net.Interfaces()
	if err != nil {
		return all
	}
	for _, i := range list {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					all[ip.Unmap()] = max(all[ip.Unmap()], i.MTU)
				}
			}
		}
	}
	return all
}

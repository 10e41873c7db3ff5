package udpcarrier

import (
	"errors"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"example.com/culvert/internal/interfaces"
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
	e = mtuEntry{mtu: mtu, max: max(mtu, interfaces.MTU(local)), until: now.Add(mtuLife)}
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

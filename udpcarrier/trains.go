package udpcarrier

import (
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// trainBook remembers the paths that take no trains. A path is a peer's address:
// routes, and the devices at their beginning, do not depend on ports.
type trainBook struct {
	listed atomic.Int32 // paths in the book, so that an empty one costs no lock
	mu     sync.RWMutex
	until  map[netip.Addr]time.Time
}

// trainless is the book of all carriers, since one has often a single connection: the next one to
// the same peer need not find out again, nor say it.
var trainless trainBook

const (
	// trainLife is how long a path goes without trains: routes and drivers change, and
	// one refused train in that time costs nothing.
	trainLife = 10 * time.Minute
	// maxTrainPaths bounds the book, since peers choose their addresses.
	maxTrainPaths = 1024
)

// distrusted reports whether peer's path takes no trains at present.
func (b *trainBook) distrusted(peer netip.Addr) bool {
	if b.listed.Load() == 0 {
		return false
	}
	b.mu.RLock()
	until, ok := b.until[peer.Unmap()]
	b.mu.RUnlock()
	return ok && time.Now().Before(until)
}

// distrust lists peer's path from now on, and reports whether it was not listed. What
// is listed stays so after its time, so that the same path is news only once.
func (b *trainBook) distrust(peer netip.Addr, now time.Time) (news bool) {
	peer = peer.Unmap()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until == nil {
		b.until = make(map[netip.Addr]time.Time)
	}
	if _, ok := b.until[peer]; !ok {
		news = true
		if len(b.until) >= maxTrainPaths {
			for victim := range b.until { // the map's order is arbitrary enough
				delete(b.until, victim)
				break
			}
		}
	}
	b.until[peer] = now.Add(trainLife)
	b.listed.Store(int32(len(b.until)))
	return news
}

// DistrustTrains has all carriers send no trains in one piece on the path to peer, known by
// its address, for ten minutes: their segments go one by one. It is for whoever sees that a
// kernel or a driver spoils them, since losses follow the segments' place in the train; the
// carrier cannot see that. What the system refuses it notices by itself. Without
// Caps.Trains it does nothing. It may be called at any time.
func (c *Carrier) DistrustTrains(peer netip.AddrPort) {
	if p := c.caps.Connected; p.IsValid() {
		peer = p
	}
	if c.caps.Trains && peer.IsValid() {
		c.distrust(peer, "segments are lost by their place in the train")
	}
}

// distrust switches trains off on a path, and says so when it is news.
func (c *Carrier) distrust(peer netip.AddrPort, reason string) {
	if !c.trains.distrust(peer.Addr(), time.Now()) {
		return
	}
	c.counts.trainless.Add(1)
	log := c.opts.Logger
	if log == nil {
		log = slog.Default()
	}
	log.Info("udpcarrier: segments go one by one on this path, not in trains (UDP_SEGMENT)",
		"peer", peer.Addr(), "reason", reason)
}

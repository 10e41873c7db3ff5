//go:build linux || darwin || freebsd

package udpcarrier

import (
	"net"
	"strconv"
	"sync"
	"time"
)

// zones names the interfaces of link-local peers, for all sockets.
var zones zoneCache

// zoneCache remembers the names and indices of interfaces: asking takes several
// system calls, and would be done for each datagram.
type zoneCache struct {
	mu    sync.Mutex
	until time.Time
	names map[uint32]string
	ids   map[string]uint32
}

const (
	zoneLife = time.Minute // interfaces are hardly ever renamed
	maxZones = 1024
)

// name is the name of the interface with that index, as package net spells zones.
func (c *zoneCache) name(id uint32) string {
	c.mu.Lock()
	c.tidy()
	name, ok := c.names[id]
	c.mu.Unlock()
	if ok {
		return name
	}
	name = strconv.FormatUint(uint64(id), 10)
	if i, err := net.InterfaceByIndex(int(id)); err == nil {
		name = i.Name
	}
	c.mu.Lock()
	c.names[id] = name
	c.mu.Unlock()
	return name
}

// id is the index of the interface that an IPv6 zone names, by name or number; 0 if
// there is none.
func (c *zoneCache) id(name string) uint32 {
	if name == "" {
		return 0
	}
	c.mu.Lock()
	c.tidy()
	id, ok := c.ids[name]
	c.mu.Unlock()
	if ok {
		return id
	}
	if i, err := net.InterfaceByName(name); err == nil {
		id = uint32(i.Index)
	} else {
		n, _ := strconv.ParseUint(name, 10, 32)
		id = uint32(n)
	}
	c.mu.Lock()
	c.ids[name] = id
	c.mu.Unlock()
	return id
}

// tidy forgets everything when it is old or much.
func (c *zoneCache) tidy() {
	now := time.Now()
	if now.Before(c.until) && len(c.names) < maxZones && len(c.ids) < maxZones {
		return
	}
	c.until = now.Add(zoneLife)
	c.names, c.ids = make(map[uint32]string), make(map[string]uint32)
}

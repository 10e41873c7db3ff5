// Package interfaces tells how long the datagrams are that leave from a local address,
// for carriers that search the path's MTU (RFC 4821 section 7.2: the interface bounds it).
package interfaces

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// known remembers the MTUs of the interfaces by their addresses, for all sockets of
// the process: listing them is dear, and they hardly change.
var known struct {
	mu    sync.Mutex
	mtu   map[netip.Addr]int
	until time.Time
}

// life is how long they are believed.
const life = time.Minute

// MTU returns the MTU in bytes of the interface that has a local address, 0 if none has, as
// it was a minute ago at most. Any number of goroutines may call it at once.
func MTU(local netip.Addr) int {
	if !local.IsValid() || local.IsUnspecified() {
		return 0
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	if now := time.Now(); known.mtu == nil || now.After(known.until) {
		known.mtu, known.until = list(), now.Add(life)
	}
	return known.mtu[local.Unmap().WithZone("")]
}

// list asks the system for all interfaces.
func list() map[netip.Addr]int {
	all := make(map[netip.Addr]int)
	interfaces, err := net.Interfaces()
	if err != nil {
		return all
	}
	for _, i := range interfaces {
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

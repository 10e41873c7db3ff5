package transport

import (
	"fmt"
	"net/netip"
	"testing"
)

// BenchmarkLookup is how a segment finds its connection among others of one socket.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e := mustEndpoint(b, newMemNet().open("192.0.2.1:80"), nil)
			s := e.s
			peer := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), 2222)
			at := func(i int) key {
				return s.keyOf(netip.AddrPortFrom(peer.Addr(), uint16(i>>14)), netip.Addr{}, 80, firstEphemeral+uint16(i&(1<<14-1)))
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for i := range n {
				s.flows[at(i)] = &flow{}
			}
			defer clear(s.flows)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if f, _ := s.find(at(i * 7919 % n)); f == nil {
					b.Fatal("a connection is not found")
				}
			}
		})
	}
}

//go:build linux || darwin || freebsd

package udpcarrier

import (
	"net/netip"
	"testing"

	"example.com/culvert/carrier"
)

// A message without control messages has no place for them either: where one is named, BSDs want
// at least a header there, and refuse all else (sendit of their kernels).
func TestNoControlNoPlace(t *testing.T) {
	wild := must[*Carrier](t)(Listen("udp4", netip.AddrPort{}, Options{portable: true}))
	defer wild.Close()
	peer := at(netip.MustParseAddr("127.0.0.1"), wild.LocalAddr().Port())
	own := must[*Carrier](t)(Dial("udp4", netip.AddrPort{}, peer, Options{portable: true}))
	defer own.Close()
	g := givers.Get().(*giver)
	for _, test := range []struct {
		name string
		c    *Carrier
		d    carrier.Datagram
		bare bool
		want bool
	}{
		{"connected", own, carrier.Datagram{Data: []byte("x")}, false, false},
		{"the system's choice", wild, carrier.Datagram{Peer: peer, Data: []byte("x")}, false, false},
		{"a source", wild, carrier.Datagram{Peer: peer, Local: peer.Addr(), Data: []byte("x")}, false, true},
		{"a source that was refused", wild, carrier.Datagram{Peer: peer, Local: peer.Addr(), Data: []byte("x")}, true, false},
	} {
		g.l, g.bare = test.c.link.(*socketLink), test.bare
		if errno := g.address(&test.d); errno != 0 {
			t.Fatal(errno)
		}
		if place, some := g.m.h.Control != nil, g.m.h.Controllen > 0; place != test.want || some != test.want {
			t.Errorf("%s: a place: %t, control messages: %t, want %t", test.name, place, some, test.want)
		}
	}
}

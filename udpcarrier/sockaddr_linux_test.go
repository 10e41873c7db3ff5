package udpcarrier

import (
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"example.com/culvert/internal/mmsg"
	"golang.org/x/sys/unix"
)

// What is written for the kernel is read again as the same peer, by a socket of
// either family.
func TestSockaddr(t *testing.T) {
	lo := must[*net.Interface](t)(net.InterfaceByName("lo"))
	for _, c := range []struct {
		peer, want string
		inet6      bool
		size       uint32
	}{
		{"192.0.2.7:4097", "192.0.2.7:4097", false, unix.SizeofSockaddrInet4},
		{"192.0.2.7:4097", "192.0.2.7:4097", true, unix.SizeofSockaddrInet6},
		{"[::ffff:192.0.2.7]:1", "192.0.2.7:1", false, unix.SizeofSockaddrInet4},
		{"[::ffff:192.0.2.7]:1", "192.0.2.7:1", true, unix.SizeofSockaddrInet6},
		{"[2001:db8::7]:65535", "[2001:db8::7]:65535", true, unix.SizeofSockaddrInet6},
		{"[2001:db8::7]:65535", "[2001:db8::7]:65535", false, unix.SizeofSockaddrInet6}, // for the kernel to refuse
		{"[fe80::7%lo]:80", "[fe80::7%lo]:80", true, unix.SizeofSockaddrInet6},
		{"[fe80::7%" + strconv.Itoa(lo.Index) + "]:80", "[fe80::7%lo]:80", true, unix.SizeofSockaddrInet6},
		{"[fe80::7%4000000000]:80", "[fe80::7%4000000000]:80", true, unix.SizeofSockaddrInet6},
		{"[fe80::7%nowhere]:80", "[fe80::7]:80", true, unix.SizeofSockaddrInet6},
	} {
		var s mmsg.Name
		peer, want := netip.MustParseAddrPort(c.peer), netip.MustParseAddrPort(c.want)
		n := setName(&s, peer, c.inet6)
		if got := ofName(&s, n); n != c.size || got != want {
			t.Errorf("%s, IPv6 %v: %d bytes, read as %v", c.peer, c.inet6, n, got)
		}
		for short := range n {
			if got := ofName(&s, short); got.IsValid() && short < unix.SizeofSockaddrInet4 {
				t.Errorf("%s: the first %d bytes are read as %v", c.peer, short, got)
			}
		}
		allocs := testing.AllocsPerRun(100, func() {
			if setName(&s, peer, c.inet6) != n || ofName(&s, n) != want {
				t.Error("another result")
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", c.peer, allocs)
		}
	}
	for _, s := range []mmsg.Name{{}, {Family: unix.AF_UNIX}, {Family: unix.AF_PACKET}} {
		if got := ofName(&s, unix.SizeofSockaddrInet6); got.IsValid() {
			t.Errorf("family %d is read as %v", s.Family, got)
		}
	}
}

// The kernel reads and writes it as package net does.
func TestSockaddrOfTheKernel(t *testing.T) {
	u := must[*net.UDPConn](t)(net.ListenUDP("udp4", udpAddr(at(loopback4, 0))))
	defer u.Close()
	c := must[*Carrier](t)(Listen("udp", netip.AddrPort{}, Options{}))
	defer c.Close()
	to := u.LocalAddr().(*net.UDPAddr).AddrPort()
	if _, err := u.WriteTo([]byte("there"), udpAddr(at(loopback4, c.LocalAddr().Port()))); err != nil {
		t.Fatal(err)
	}
	got, _ := hear(t, c, 1)
	if got[0].Peer != to {
		t.Fatalf("from %v, read as %v", to, got[0].Peer)
	}
	got[0].Data = []byte("back")
	send(t, c, got[0])
	b := make([]byte, 10)
	if n, from, err := u.ReadFromUDPAddrPort(b); err != nil || string(b[:n]) != "back" || from.Port() != c.LocalAddr().Port() {
		t.Fatalf("%q from %v, %v", b[:n], from, err)
	}
}

// The cache answers from memory, for a while, and is bounded.
func TestZoneCache(t *testing.T) {
	var c zoneCache
	lo := must[*net.Interface](t)(net.InterfaceByName("lo"))
	index := uint32(lo.Index)
	if c.name(index) != "lo" || c.id("lo") != index || c.id("") != 0 {
		t.Fatalf("lo is %q, %d", c.name(index), c.id("lo"))
	}
	c.names[index], c.ids["lo"] = "renamed", 77
	if c.name(index) != "renamed" || c.id("lo") != 77 {
		t.Error("asked again")
	}
	c.until = time.Now().Add(-time.Second)
	if c.name(index) != "lo" || c.id("lo") != index {
		t.Error("not asked again after its time")
	}
	for i := range uint32(maxZones + 10) {
		c.names[1<<20+i] = "x"
	}
	if c.name(index); len(c.names) > 1 {
		t.Errorf("%d names", len(c.names))
	}
}

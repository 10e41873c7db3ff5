package udpcarrier

import (
	"net/netip"
	"syscall"
	"testing"
	"time"
)

func TestMMS(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, c := range []struct {
		peer netip.Addr
		mtu  int
		want int
	}{
		{four, 1500, 1472},
		{six, 1500, 1452},
		{netip.MustParseAddr("::ffff:192.0.2.1"), 1500, 1472},
		{four, 65536, 65507},
		{four, 1 << 20, 65507},
		{six, 65536, 65488},
		{six, 1280, 1232},
		{four, 68, 548}, // no path of ours is that narrow: RFC 791 has every host take 576
	} {
		if got := mms(c.peer, c.mtu); got != c.want {
			t.Errorf("mms(%v, %d) = %d, want %d", c.peer, c.mtu, got, c.want)
		}
	}
}

func TestMMSOfOptions(t *testing.T) {
	c := must[*Carrier](t)(Listen("udp", netip.AddrPort{}, Options{MTU: 1400}))
	defer c.Close()
	if got := c.MMS(at(loopback4, 9)); got != 1372 {
		t.Errorf("MMS = %d with an MTU of 1400", got)
	}
	if got := c.MMS(netip.AddrPort{}); got <= 0 {
		t.Errorf("MMS of nobody = %d", got)
	}
}

func TestMTUCache(t *testing.T) {
	c := newMTUCache()
	peer := loopback4
	mtu := c.get(peer).mtu
	if mtu < 1500 {
		t.Fatalf("loopback's MTU is %d", mtu)
	}
	// It answers from memory, ...
	c.known[peer] = mtuEntry{mtu: 1234, until: time.Now().Add(time.Hour)}
	if got := c.get(peer).mtu; got != 1234 {
		t.Errorf("%d, want what is known", got)
	}
	// ... but not for ever, ...
	c.known[peer] = mtuEntry{mtu: 1234, until: time.Now().Add(-time.Second)}
	if got := c.get(peer).mtu; got != mtu {
		t.Errorf("%d, want what the system says after the entry's life, %d", got, mtu)
	}
	// ... nor after somebody found it wrong.
	c.known[peer] = mtuEntry{mtu: 1234, until: time.Now().Add(time.Hour)}
	c.forget(peer, syscall.ECONNREFUSED)
	if got := c.get(peer).mtu; got != 1234 {
		t.Error("forgotten because of an error about something else")
	}
	c.forget(peer, syscall.EMSGSIZE)
	if got := c.get(peer).mtu; got != mtu {
		t.Error("not forgotten after EMSGSIZE")
	}
}

// Peers come from the network: they must not make the cache grow without bound.
func TestMTUCacheIsBounded(t *testing.T) {
	c := newMTUCache()
	ip := netip.MustParseAddr("127.1.0.0")
	for range maxMTUs + 100 {
		ip = ip.Next()
		c.get(ip)
	}
	if len(c.known) != maxMTUs {
		t.Errorf("%d entries, want %d", len(c.known), maxMTUs)
	}
}

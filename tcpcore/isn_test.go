package tcpcore

import (
	"net/netip"
	"testing"
)

// The function depends on every part of the identity, on the secret and on what it
// is for, and on nothing else.
//
// Shows: MUST-9, SHLD-1.
func TestISNDependsOnIdentityAndSecret(t *testing.T) {
	var s, s2 [32]byte
	s2[31] = 1
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("[2001:db8::2]:2")
	c := netip.MustParseAddrPort("192.0.2.1:3")
	seen := make(map[uint32]string)
	for _, v := range []struct {
		name string
		isn  uint32
	}{
		{"plain", ISN(&s, a, b, 10, 20)},
		{"another secret", ISN(&s2, a, b, 10, 20)},
		{"another local address", ISN(&s, c, b, 10, 20)},
		{"another remote address", ISN(&s, a, c, 10, 20)},
		{"another zone", ISN(&s, a, netip.MustParseAddrPort("[2001:db8::2%eth0]:2"), 10, 20)},
		{"another local port", ISN(&s, a, b, 11, 20)},
		{"another remote port", ISN(&s, a, b, 10, 21)},
		{"the timestamp offset", TimestampOffset(&s, a, b, 10, 20)},
		{"the other direction", ISN(&s, b, a, 20, 10)},
	} {
		if other, ok := seen[v.isn]; ok {
			t.Errorf("%s gives the same as %s", v.name, other)
		}
		seen[v.isn] = v.name
	}
	if once, again := ISN(&s, a, b, 10, 20), ISN(&s, a, b, 10, 20); once != again {
		t.Error("the same identity gives two values")
	}
	if ISN(&s, netip.AddrPort{}, b, 1, 2) == 0 {
		t.Error("an unknown local address is not hashed")
	}
}

func BenchmarkISN(b *testing.B) {
	var secret [32]byte
	local, remote := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	b.ReportAllocs()
	for b.Loop() {
		ISN(&secret, local, remote, 10, 20)
	}
}

package interfaces

import (
	"net"
	"net/netip"
	"testing"
)

func TestMTU(t *testing.T) {
	loopback, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, i := range loopback {
		if i.Flags&net.FlagLoopback != 0 {
			want = max(want, i.MTU)
		}
	}
	for a, want := range map[string]int{"127.0.0.1": want, "::ffff:127.0.0.1": want, "0.0.0.0": 0, "::": 0, "192.0.2.1": 0} {
		if mtu := MTU(netip.MustParseAddr(a)); mtu != want {
			t.Errorf("MTU(%s) is %d, want %d", a, mtu, want)
		}
	}
	if mtu := MTU(netip.Addr{}); mtu != 0 {
		t.Errorf("MTU of no address is %d", mtu)
	}
}

//go:build interop && linux

package interop

import (
	"encoding/json"
	"testing"
)

// TestPathMTU: our segments become as large as the path takes, though the kernel's routes
// know less of it, or more, and whether routers tell or not (RFC 1191, RFC 4821).
func TestPathMTU(t *testing.T) {
	// The kernel's link takes 1200 octets, and ours is not the one that says so.
	narrow := func(l *lab) {
		l.ip("-n", l.middle, "link", "set", "mk", "mtu", "1200")
		l.ip("-n", l.kernel, "link", "set", "eth0", "mtu", "1200")
		l.ip("-n", l.kernel, "route", "change", "default", "via", "10.91.2.2", "advmss", "1460")
	}
	type info struct{ PathMTU, BlackHoles, TooBigReports, MTUProbes int }
	const header = 20 // of IPv4
	for _, c := range []struct {
		name        string
		prepare     func(l *lab)
		least, most int
		good        func(i info) bool
	}{
		{"a route that says less than is true", func(l *lab) {
			l.ip("-n", l.ours, "route", "change", "default", "via", "10.91.1.2", "mtu", "1300")
		}, 1500, 1500, func(i info) bool { return i.MTUProbes > 0 && i.TooBigReports+i.BlackHoles == 0 }},
		{"a router that tells", narrow, 1200, 1200,
			func(i info) bool { return i.TooBigReports > 0 && i.BlackHoles == 0 }},
		{"a router that is silent", func(l *lab) {
			narrow(l)
			l.nft("add chain ip lab out { type filter hook output priority 0; }; add rule ip lab out icmp type destination-unreachable drop")
		}, 1200 - 16, 1200, func(i info) bool { return i.TooBigReports == 0 && i.BlackHoles > 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.onTheWire()
			c.prepare(l)
			o, k := l.drive("ours"), l.drive("kernel")
			k.do("listen :7000")
			o.do("dial " + kernelIP + ":7000")
			k.do("accept")
			for range 10 {
				k.post("read 1000000")
				o.do("write 1000000")
				k.answered("read 1000000")
			}
			var i info
			if err := json.Unmarshal([]byte(o.do("info")), &i); err != nil {
				t.Fatal(err)
			}
			if at := i.PathMTU + header; at < c.least || at > c.most || !c.good(i) {
				t.Errorf("the path is taken to carry %d octets, want %d to %d: %+v", at, c.least, c.most, i)
			}
		})
	}
}

package transport

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/tcpcore/segment"
)

// A backlog full of forged SYNs lets others in after a while, and tells the forged nothing more.
func TestForgedSYNs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		forged := n.open("192.0.2.9:9")
		cfg := quick()
		cfg.Backlog = 3
		l, err := mustEndpoint(t, n.open("192.0.2.2:2222"), cfg).Listen(2222)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			syn := segment.Segment{SrcPort: uint16(i + 1), DstPort: 2222, Seq: 1, Flags: segment.SYN, Window: 1000}
			forged.WriteBatch([]carrier.Datagram{{Peer: netip.MustParseAddrPort("192.0.2.2:2222"), Data: syn.Append(nil)}})
		}
		synctest.Wait()
		at := time.Now()
		c, err := mustEndpoint(t, n.open("192.0.2.1:1111"), nil).Dial("tcp", "192.0.2.2:2222")
		if err != nil || time.Since(at) > 5*time.Second {
			t.Fatalf("%v after %v", err, time.Since(at))
		}
		if d, err := l.Accept(); err != nil || d.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("accepted %v, %v", d, err)
		}
		for _, s := range n.take() {
			if s.seg.Flags.Has(segment.RST) {
				t.Errorf("a reset to %v", s.to)
			}
		}
	})
}

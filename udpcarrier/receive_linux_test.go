package udpcarrier

import (
	"net/netip"
	"testing"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/mmsg"
)

// Wherever segments come from, batch upon batch, none is lost on the way up: a batch
// grows while it is full of small messages, and only then.
func TestBatchSizes(t *testing.T) {
	for _, c := range []struct {
		what       string
		n, size    int
		first, big int // messages of the first batch and of the greatest
	}{
		{"few", mmsg.Short - 1, 100, mmsg.Short - 1, mmsg.Short - 1},
		{"small", 100, 100, mmsg.Short, mmsg.Long},
		{"large", 40, mmsg.Small, mmsg.Short, mmsg.Short},
	} {
		b := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
		a := must[*Carrier](t)(Dial("udp", netip.AddrPort{}, b.LocalAddr(), Options{NoGSO: true}))
		defer a.Close()
		defer b.Close()
		send(t, a, carrier.Datagram{Data: numbered(0, c.n, c.size, c.size), SegmentSize: c.size})
		first, big := 0, 0
		for got := 0; got < c.n; {
			batch, err := b.ReadBatch()
			if err != nil {
				t.Fatal(err)
			}
			n := len(batch.Datagrams)
			for i := range batch.Datagrams {
				if num, whole := number(batch.Datagrams[i].Data); num != got+i || !whole {
					t.Fatalf("%s: segment %d is number %d", c.what, got+i, num)
				}
			}
			if got == 0 {
				first = n
			}
			got, big = got+n, max(big, n)
			batch.Release()
		}
		if first != c.first || big != c.big {
			t.Errorf("%s: batches of %d at first and %d at most, want %d and %d", c.what, first, big, c.first, c.big)
		}
	}
}

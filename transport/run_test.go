package transport

import (
	"bytes"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"

	"example.com/culvert/carrier"
)

// Segments of one connection that a batch brings one behind the other are processed in one go; what
// else comes between them, of another connection, of nobody or unreadable, gets where it belongs.
func TestRunsOfABatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, _, b, ea, eb := twoEnds(t, quick(), quick())
		one, two := mustDial(t, ea, "192.0.2.2:2222"), mustDial(t, ea, "192.0.2.2:2222")
		roundTrip(t, one, make([]byte, 10_000))
		roundTrip(t, two, make([]byte, 10_000))
		var held []carrier.Datagram
		n.mu.Lock()
		n.drop = func(from netip.AddrPort, d *carrier.Datagram) bool {
			if from.Port() != 1111 || len(d.Data) < 500 {
				return false
			}
			held = append(held, carrier.Datagram{Peer: from, Data: d.Data})
			return true
		}
		n.mu.Unlock()
		p, q := bytes.Repeat([]byte("one "), 1000), bytes.Repeat([]byte("two "), 1000)
		one.Write(p)
		two.Write(q)
		synctest.Wait()
		n.mu.Lock()
		n.drop = nil
		n.mu.Unlock()
		ours := len(held) / 2
		if ours < 3 {
			t.Fatalf("%d segments were sent", len(held))
		}
		peer := held[0].Peer
		strange := carrier.Datagram{Peer: peer, Data: bytes.Clone(held[0].Data)}
		strange.Data[2] ^= 0x7f // another port
		late := held[ours-1]
		for _, d := range append(append([]carrier.Datagram{}, held[:ours-1]...), carrier.Datagram{Peer: peer, Data: []byte("short")}, strange) {
			b.push(d)
		}
		for _, d := range append(held[ours:], late, carrier.Datagram{Peer: peer}) {
			b.push(d)
		}
		for c, want := range map[io.Reader][]byte{one: p, two: q} {
			got := make([]byte, len(want))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%.4q came back as %.4q, %v", want, got, err)
			}
		}
		if s := one.Info().Retransmits + two.Info().Retransmits; s > 0 {
			t.Errorf("%d segments were sent again", s)
		}
		if c := &eb.s.counts; c.malformed.Load() != 2 || c.refused.Load() != 1 {
			t.Errorf("%d malformed, %d refused, want 2 and 1", c.malformed.Load(), c.refused.Load())
		}
	})
}

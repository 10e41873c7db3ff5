package udpcarrier

import (
	"testing"

	"example.com/culvert/carrier"
)

// TestPortableBatch: what has arrived comes in batches without sendmmsg and recvmmsg, too, and a
// call that comes meanwhile is told behind them.
func TestPortableBatch(t *testing.T) {
	c := must[*Carrier](t)(Listen("udp4", at(loopback4, 0), Options{portable: true}))
	peer := must[*Carrier](t)(Listen("udp4", at(loopback4, 0), Options{portable: true}))
	defer c.Close()
	defer peer.Close()
	const all = socketBatchSize + 4
	send(t, peer, carrier.Datagram{Peer: c.LocalAddr(), Data: numbered(1, all, 100, 100), SegmentSize: 100})
	for _, want := range []int{socketBatchSize, all - socketBatchSize} {
		b, err := c.ReadBatch()
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Datagrams) != want {
			t.Errorf("a batch of %d datagrams, want %d", len(b.Datagrams), want)
		}
		for i := range b.Datagrams {
			if d := &b.Datagrams[i]; len(d.Data) != 100 || d.Peer != peer.LocalAddr() || d.Local != loopback4 {
				t.Errorf("datagram %d: %d bytes from %v to %v", i, len(d.Data), d.Peer, d.Local)
			}
		}
		b.Release()
	}
	c.Interrupt()
	if b, err := c.ReadBatch(); err != carrier.ErrInterrupted {
		t.Errorf("a call behind a batch is %v, %v", b, err)
	}
}

package rawcarrier

import (
	"testing"

	"example.com/culvert/carrier"
)

// TestAlloc: neither a segment that goes out nor one that comes in costs memory.
func TestAlloc(t *testing.T) {
	if raceEnabled || !privileged(t) {
		return // under the race detector sync.Pool drops what it is given
	}
	a := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
	defer a.Close()
	b := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
	defer b.Close()
	data := seg(a.LocalAddr(), b.LocalAddr(), 10*1000)
	d := carrier.Datagram{Peer: b.LocalAddr(), Data: data, SegmentSize: 1000, TrafficClass: carrier.ECT0}
	for one := range d.Segments {
		prepare(one, a.LocalAddr(), b.LocalAddr())
	}
	ds := []carrier.Datagram{d}
	if n := testing.AllocsPerRun(200, func() {
		if _, err := a.WriteBatch(ds); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < 10; {
			batch, err := b.ReadBatch()
			if err != nil {
				t.Fatal(err)
			}
			got += len(batch.Datagrams)
			batch.Release()
		}
	}); n > 0 {
		t.Errorf("10 segments out and in cost %v allocations", n)
	}
}

// BenchmarkSegments sends trains of 40 segments over loopback and receives them.
func BenchmarkSegments(b *testing.B) {
	x, err := Listen(at(loopback, 0), Options{})
	if err != nil {
		b.Logf("nothing to measure: %v", err)
		return
	}
	defer x.Close()
	y := must[*Carrier](b)(Listen(at(loopback, 0), Options{}))
	defer y.Close()
	d := carrier.Datagram{Peer: y.LocalAddr(), Data: make([]byte, 40*1460), SegmentSize: 1460}
	for one := range d.Segments {
		prepare(one, x.LocalAddr(), y.LocalAddr())
	}
	ds := []carrier.Datagram{d}
	b.SetBytes(int64(len(d.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.WriteBatch(ds); err != nil {
			b.Fatal(err)
		}
		for got := 0; got < 40; {
			batch, err := y.ReadBatch()
			if err != nil {
				b.Fatal(err)
			}
			got += len(batch.Datagrams)
			batch.Release()
		}
	}
}

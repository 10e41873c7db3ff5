package udpcarrier

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"

	"example.com/culvert/carrier"
)

// ways are the ways to move bytes, the best first.
var ways = []struct {
	name string
	o    Options
}{
	{"GSO+GRO", Options{}},
	{"GSO", Options{NoGRO: true}},
	{"GRO", Options{NoGSO: true}},
	{"batches", Options{NoGSO: true, NoGRO: true}},
	{"portable", Options{portable: true}},
}

// BenchmarkBulk moves segments of one size over loopback in trains, as fast as the
// receiver keeps up: no more than a window of bytes is on the way. B/s are those
// received, an operation is a segment.
func BenchmarkBulk(b *testing.B) {
	for _, size := range []int{1452, 8 << 10, 60000} {
		for _, way := range ways {
			b.Run(fmt.Sprintf("%d/%s", size, way.name), func(b *testing.B) { bulk(b, size, way.o) })
		}
	}
}

func bulk(b *testing.B, size int, o Options) {
	const window = 1 << 20
	to := must[*Carrier](b)(Listen("udp", at(loopback4, 0), o))
	from := must[*Carrier](b)(Dial("udp", netip.AddrPort{}, to.LocalAddr(), o))
	defer from.Close()
	credit := make(chan int, 1<<16)
	var got atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			batch, err := to.ReadBatch()
			if err != nil {
				return
			}
			n := 0
			for i := range batch.Datagrams {
				for range batch.Datagrams[i].Segments {
					n++
				}
			}
			batch.Release()
			got.Add(int64(n))
			credit <- n
		}
	}()
	// Trains of a size that the engine would make.
	per := max(1, min(44, 65507/size))
	train := []carrier.Datagram{{Peer: to.LocalAddr(), Data: make([]byte, per*size), SegmentSize: size}}
	room := max(window/size, per)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	sent := 0
	for sent < b.N {
		for room < per {
			room += <-credit
		}
		k := min(per, b.N-sent)
		train[0].Data = train[0].Data[:k*size]
		if _, err := from.WriteBatch(train); err != nil {
			b.Fatal(err)
		}
		sent, room = sent+k, room-k
	}
	for int(got.Load()) < b.N {
		<-credit
	}
	b.StopTimer()
	to.Close()
	<-done
}

// BenchmarkPing is a round trip of one small datagram between two goroutines.
func BenchmarkPing(b *testing.B) {
	to := must[*Carrier](b)(Listen("udp", at(loopback4, 0), Options{}))
	from := must[*Carrier](b)(Dial("udp", netip.AddrPort{}, to.LocalAddr(), Options{}))
	defer from.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			batch, err := to.ReadBatch()
			if err != nil {
				return
			}
			to.WriteBatch(batch.Datagrams)
			batch.Release()
		}
	}()
	ping := []carrier.Datagram{{Data: make([]byte, 100)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := from.WriteBatch(ping); err != nil {
			b.Fatal(err)
		}
		batch, err := from.ReadBatch()
		if err != nil {
			b.Fatal(err)
		}
		batch.Release()
	}
	to.Close()
	<-done
}

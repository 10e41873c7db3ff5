package udpcarrier

import (
	"net/netip"
	"testing"

	"example.com/culvert/carrier"
)

// BenchmarkTrain sends 44 segments of 1452 bytes and receives them, in one goroutine:
// what the system calls cost and what the carrier adds, without waiting. An operation
// is a segment. "raw" are the same calls with everything prepared and nothing parsed.
func BenchmarkTrain(b *testing.B) {
	const n, size = 44, 1452
	for _, way := range ways[:4] {
		open := func(b *testing.B) (to, from *Carrier, ds []carrier.Datagram) {
			to = must[*Carrier](b)(Listen("udp", at(loopback4, 0), way.o))
			from = must[*Carrier](b)(Dial("udp", netip.AddrPort{}, to.LocalAddr(), way.o))
			b.Cleanup(func() { to.Close(); from.Close() })
			b.SetBytes(size)
			b.ReportAllocs()
			return to, from, []carrier.Datagram{{Data: make([]byte, n*size), SegmentSize: size}}
		}
		b.Run(way.name, func(b *testing.B) {
			to, from, ds := open(b)
			b.ResetTimer()
			for i := 0; i < b.N; i += n {
				if _, err := from.WriteBatch(ds); err != nil {
					b.Fatal(err)
				}
				for got := 0; got < n*size; {
					batch, err := to.ReadBatch()
					if err != nil {
						b.Fatal(err)
					}
					for k := range batch.Datagrams {
						got += len(batch.Datagrams[k].Data)
					}
					batch.Release()
				}
			}
		})
		b.Run(way.name+"/raw", func(b *testing.B) {
			to, from, ds := open(b)
			w := writers.New().(*writer)
			var next position
			out, err := from.link.(*batchLink).load(w, ds, &next, -1)
			if err != nil {
				b.Fatal(err)
			}
			short, long := newReader(&shortReaders, shortBatch), newReader(&longReaders, longBatch)
			once := func() {
				sent := 0
				from.link.(*batchLink).raw.Control(func(fd uintptr) { sent, _ = kernel{}.sendmmsg(fd, w.ms[:out]) })
				got := 0
				to.link.(*batchLink).raw.Control(func(fd uintptr) {
					for r := short; got < n*size; r = long {
						k, errno := kernel{}.recvmmsg(fd, r.ms)
						if errno != 0 {
							b.Fatal(errno)
						}
						for i := range k {
							got += int(r.ms[i].Len)
							r.arm(i)
						}
					}
				})
				if sent != out {
					b.Fatalf("sent %d of %d messages", sent, out)
				}
			}
			b.ResetTimer()
			for i := 0; i < b.N; i += n {
				once()
			}
		})
	}
}

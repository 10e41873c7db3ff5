package udpcarrier

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/mmsg"
)

// A trainBench sends 44 segments of 1452 bytes and receives them, in one goroutine: what the
// system calls cost and what the carrier adds, without waiting.
type trainBench struct {
	b        *testing.B
	to, from *Carrier
	ds       []carrier.Datagram

	w           *writer
	out         int // messages
	short, long *mmsg.Reader
}

const (
	benchSegments = 44
	benchSize     = 1452
)

func newTrainBench(b *testing.B, o Options) *trainBench {
	t := &trainBench{b: b, to: must[*Carrier](b)(Listen("udp", at(loopback4, 0), o))}
	t.from = must[*Carrier](b)(Dial("udp", netip.AddrPort{}, t.to.LocalAddr(), o))
	b.Cleanup(func() { t.to.Close(); t.from.Close() })
	t.ds = []carrier.Datagram{{Data: make([]byte, benchSegments*benchSize), SegmentSize: benchSize}}
	t.w = writers.New().(*writer)
	var next position
	var err error
	if t.out, err = t.from.link.(*batchLink).load(t.w, t.ds, &next, -1); err != nil {
		b.Fatal(err)
	}
	t.short, t.long = mmsg.Get(false), mmsg.Get(true)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	return t
}

// carry sends and receives by the carrier.
func (t *trainBench) carry() {
	if _, err := t.from.WriteBatch(t.ds); err != nil {
		t.b.Fatal(err)
	}
	for got := 0; got < benchSegments*benchSize; {
		batch, err := t.to.ReadBatch()
		if err != nil {
			t.b.Fatal(err)
		}
		for k := range batch.Datagrams {
			got += len(batch.Datagrams[k].Data)
		}
		batch.Release()
	}
}

// raw makes the same calls with everything prepared and nothing parsed.
func (t *trainBench) raw() {
	sent := 0
	t.from.link.(*batchLink).raw.Control(func(fd uintptr) { sent, _ = kernel{}.sendmmsg(fd, t.w.ms[:t.out]) })
	if sent != t.out {
		t.b.Fatalf("sent %d of %d messages", sent, t.out)
	}
	got := 0
	t.to.link.(*batchLink).raw.Control(func(fd uintptr) {
		for r := t.short; got < benchSegments*benchSize; r = t.long {
			k, errno := kernel{}.recvmmsg(fd, r.Messages)
			if errno != 0 {
				t.b.Fatal(errno)
			}
			for i := range k {
				got += len(r.Data(i))
			}
		}
	})
}

// BenchmarkTrain is trainBench in each way to move bytes; an operation is a segment.
func BenchmarkTrain(b *testing.B) {
	for _, way := range ways[:4] {
		b.Run(way.name, func(b *testing.B) {
			t := newTrainBench(b, way.o)
			b.ResetTimer()
			for i := 0; i < b.N; i += benchSegments {
				t.carry()
			}
		})
		b.Run(way.name+"/raw", func(b *testing.B) {
			t := newTrainBench(b, way.o)
			b.ResetTimer()
			for i := 0; i < b.N; i += benchSegments {
				t.raw()
			}
		})
	}
}

// BenchmarkOfRaw tells how much of the throughput of the bare system calls the carrier has, as
// "of-raw", by the median train: both take turns, so that whatever else the machine does meets
// both. The bar is 0.9 without offloads ("batches"):
//
//	go test ./udpcarrier -run '^$' -bench OfRaw -benchtime 200000x
func BenchmarkOfRaw(b *testing.B) {
	for _, way := range ways[:4] {
		b.Run(way.name, func(b *testing.B) {
			t := newTrainBench(b, way.o)
			var carrier, raw []time.Duration
			b.ResetTimer()
			for i := 0; i < b.N; i += 2 * benchSegments {
				begin := time.Now()
				t.carry()
				turn := time.Now()
				t.raw()
				carrier, raw = append(carrier, turn.Sub(begin)), append(raw, time.Since(turn))
			}
			slices.Sort(carrier)
			slices.Sort(raw)
			b.ReportMetric(raw[len(raw)/2].Seconds()/carrier[len(carrier)/2].Seconds(), "of-raw")
		})
	}
}

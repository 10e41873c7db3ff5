package tcpcore

import (
	"fmt"
	"testing"

	"example.com/culvert/tcpcore/segment"
)

// BenchmarkRing is the way of a segment's bytes through a ring that is half full: in,
// and out to whoever reads.
func BenchmarkRing(b *testing.B) {
	for _, size := range []int{64, 1440, 65483} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var r ring
			p, out := make([]byte, size), make([]byte, size)
			for range 8 {
				r.append(p)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r.append(p)
				r.peek(0, out)
				r.drop(size)
			}
		})
	}
}

// BenchmarkScoreboard is the way of a record through the scoreboard: sent, found again
// and selectively acknowledged, taken for lost, found as such, and gone, with n others
// in flight.
func BenchmarkScoreboard(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var q sentQueue
			next := segment.Seq(1)
			push := func() {
				q.push(record{seq: next, size: 1440, times: 1})
				next = next.Add(1440)
			}
			for range n {
				push()
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				push()
				at := q.find(q.at(1 + i%(n-1)).seq)
				switch q.at(at).state {
				case inFlight:
					q.mark(at, sacked)
				case sacked:
					q.mark(at, lost)
					at = q.nextLost()
					q.mark(at, inFlight)
				}
				q.skipSacked(0)
				q.pop()
			}
		})
	}
}

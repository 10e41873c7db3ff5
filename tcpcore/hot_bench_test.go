package tcpcore

import (
	"fmt"
	"testing"
	"time"

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

// hotBatch is how many segments arrive or are acknowledged together in the two benchmarks
// below, and hotSize how much data each has.
const (
	hotBatch = 32
	hotSize  = 1420
)

// BenchmarkReceive is the cost of one full segment that arrives in order: parsing, all that
// RFC 9293 section 3.10.7.4 asks, the delivery, and its share of the acknowledgment. With "lent" its
// payload is copied once, to the reader who waits; with "buffered" twice, to the receive buffer
// and from there. "copy" is one such copy alone.
func BenchmarkReceive(b *testing.B) {
	for _, how := range []string{"copy", "lent", "buffered"} {
		b.Run(how, func(b *testing.B) {
			p := newBulkPair(b, Config{}, hotSize+32)
			e, user := p.b, make([]byte, hotBatch*hotSize)
			seg := segment.Segment{SrcPort: 1000, DstPort: 2000, Flags: ACK, Seq: e.rcv.nxt, Ack: e.snd.nxt, Window: 65535,
				Payload: make([]byte, hotSize)}
			seg.Options.HasTimestamps, seg.Options.TSVal = true, e.ts.recent
			seg.Window = uint16(e.snd.wnd >> e.snd.shift)
			wire := seg.Append(nil)
			b.SetBytes(hotSize)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				k := i % hotBatch
				if how == "copy" {
					copy(user[k*hotSize:][:hotSize], seg.Payload)
					continue
				}
				if k == 0 {
					p.now += Time(10 * time.Microsecond)
					if how == "lent" && !e.Lend(user) {
						b.Fatal("not taken")
					}
				}
				segment.PutSeq(wire, seg.Seq)
				if err := segment.Parse(&p.seg, wire); err != nil {
					b.Fatal(err)
				}
				e.Input(p.now, &p.seg)
				seg.Seq = seg.Seq.Add(hotSize)
				if k < hotBatch-1 {
					continue
				}
				n := 0
				if how == "lent" {
					n = e.TakeBack()
				} else {
					n, _ = e.Read(p.now, user)
				}
				if n != len(user) {
					b.Fatalf("%d of %d bytes arrived", n, len(user))
				}
				for e.Output(p.now, &p.t) {
				}
				e.Events()
			}
		})
	}
}

// BenchmarkSend is the cost of one full segment that is sent: its place in a train, header and
// all, its record, and its share of the acknowledgment. With "in place" the data lies in the send
// buffer and is copied once, into the train; "written" has the copy of Write as well; "gathered"
// leaves the data where it is, in segments as large as that asks for, so that no octet is copied.
// "copy" is one copy of the smaller segments alone.
//
// A batch is 32 segments, which an acknowledgment answers that takes all of them, so that nothing
// else is ever in flight. It is one train, or three with "gathered": what a train and an
// acknowledgment cost at all is in the figures by these shares. All memory is in the caches. What
// the carrier does with the trains, and the system, is not in them.
func BenchmarkSend(b *testing.B) {
	for _, how := range []string{"copy", "gathered", "in place", "written"} {
		b.Run(how, func(b *testing.B) {
			size := hotSize
			if how == "gathered" {
				size = gatherFrom
			}
			batch := hotBatch * size
			p := newBulkPair(b, Config{InitialWindow: 1000}, size+32)
			e := p.a
			e.p.Gather, e.snd.wnd = how == "gathered", 1<<20
			ack := segment.Segment{SrcPort: 2000, DstPort: 1000, Flags: ACK, Seq: e.rcv.nxt, Window: 65535}
			ack.Options.HasTimestamps, ack.Options.TSVal = true, e.ts.recent
			e.snd.buf.reserve(batch, 0)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			sent := e.Info().DataSegmentsSent
			n := 0
			for ; b.Loop(); n++ {
				if how == "copy" {
					k := n % hotBatch
					copy(p.r[k*(hotSize+32):][:hotSize], p.w[k*hotSize:])
					continue
				}
				if n%hotBatch != 0 {
					continue // the work of a batch is done at once
				}
				p.now += Time(10 * time.Microsecond)
				if how == "written" {
					if n, err := e.Write(p.now, p.w[:batch]); n != batch {
						b.Fatal(n, err)
					}
				} else {
					e.snd.buf.extend(batch)
				}
				for e.Output(p.now, &p.t) {
				}
				ack.Ack = e.snd.nxt
				in := ack
				e.Input(p.now, &in)
				e.Events()
			}
			if got := int(e.Info().DataSegmentsSent - sent); how != "copy" && got/hotBatch != (n+hotBatch-1)/hotBatch {
				b.Fatalf("%d segments were sent, not %d", got, n)
			}
		})
	}
}

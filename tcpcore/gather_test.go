package tcpcore

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// whole returns the segments of a train, put together.
func whole(t *Train) (segs [][]byte) {
	if t.HeadSize == 0 {
		for b := t.Buf; len(b) > 0; {
			n := min(t.SegmentSize, len(b))
			segs, b = append(segs, b[:n:n]), b[n:]
		}
		return segs
	}
	for h, d := t.Buf, t.Data; len(h) > 0; h = h[t.HeadSize:] {
		n := min(t.SegmentSize-t.HeadSize, len(d))
		segs = append(segs, append(bytes.Clone(h[:t.HeadSize]), d[:n]...))
		d = d[n:]
	}
	return segs
}

// TestGather sends a stream by trains that leave their data in the send buffer, past its
// end and over losses.
func TestGather(t *testing.T) {
	for _, mms := range []int{gatherFrom + 100, 9000, 30000, 65507} {
		r := rand.New(rand.NewPCG(1, uint64(mms)))
		p := newBulkPair(t, Config{SendBuffer: 300 << 10}, mms)
		p.a.p.Gather = true
		var in, out []byte
		apart, trains := 0, 0
		for i := 0; len(out) < 8<<20; i++ {
			if i > 100000 {
				t.Fatalf("it stands still after %d of %d bytes", len(out), len(in))
			}
			p.now += Time(time.Millisecond)
			for _, e := range []*Engine{p.a, p.b} {
				if e.Deadline() <= p.now {
					e.Advance(p.now)
				}
			}
			k := 1 + r.IntN(100<<10)
			for j := range p.w[:k] {
				p.w[j] = byte(r.Uint32())
			}
			k, _ = p.a.Write(p.now, p.w[:k])
			in = append(in, p.w[:k]...)
			for p.a.Output(p.now, &p.t) {
				if trains++; p.t.HeadSize > 0 {
					apart++
				}
				if n := len(p.t.Buf) + len(p.t.Data); n > MaxTrainBytes {
					t.Fatalf("a train of %d bytes", n)
				}
				segs := whole(&p.t)
				if len(segs) > MaxTrainSegments {
					t.Fatalf("a train of %d segments", len(segs))
				}
				for j, b := range segs {
					if len(b) > p.t.SegmentSize || len(b) < p.t.SegmentSize && j < len(segs)-1 {
						t.Fatalf("segment %d of %d has %d bytes, the train's %d", j, len(segs), len(b), p.t.SegmentSize)
					}
					if err := segment.Parse(&p.seg, b); err != nil {
						t.Fatal(err)
					}
					if r.IntN(100) > 0 {
						p.b.Input(p.now, &p.seg)
					}
				}
			}
			k, _ = p.b.Read(p.now, p.r)
			out = append(out, p.r[:k]...)
			p.move(p.b, p.a)
		}
		if !bytes.Equal(in[:len(out)], out) {
			t.Errorf("MMS %d: what arrived is not what was sent", mms)
		}
		if apart == 0 || apart == trains {
			t.Errorf("MMS %d: %d of %d trains left their data in the buffer", mms, apart, trains)
		}
	}
}

package tcpcore

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// TestSequenceWraps moves more than the sequence space holds, with losses far apart, so
// that whatever was noted at one loss is more than half of the space old at the next.
func TestSequenceWraps(t *testing.T) {
	p := newBulkPair(t, Config{SendBuffer: 4 << 20, ReceiveBuffer: 4 << 20}, 65507)
	want := streamAt(nil, 0, 0, 65521)
	want = append(want, want...) // any slice of up to a period, from any offset
	var wrote, read int64
	segments := 0
	lose := func() bool {
		segments++
		// A burst of losses every 2.5 GiB, and one segment now and then before.
		return wrote%(5<<29) < 8<<20 && segments%17 == 0
	}
	p.r = p.r[:65521]
	total := int64(wrapBytes)
	if testing.Short() {
		total = 64 << 20
	}
	for begin := p.now; read < total; {
		p.now += Time(5 * time.Millisecond)
		if p.now.Sub(begin) > 10*time.Hour {
			t.Fatalf("stuck after %d bytes: %+v", read, p.a.Info())
		}
		for _, e := range []*Engine{p.a, p.b} {
			if e.Deadline() <= p.now {
				e.Advance(p.now)
			}
		}
		for {
			off := wrote % 65521
			n, err := p.a.Write(p.now, want[off:off+65521])
			if wrote += int64(n); err != nil || n < 65521 {
				if err != nil && !errors.Is(err, ErrWouldBlock) {
					t.Fatal(err)
				}
				break
			}
		}
		for p.a.Output(p.now, &p.t) {
			for b := p.t.Buf; len(b) > 0; {
				k := min(p.t.SegmentSize, len(b))
				if err := segment.Parse(&p.seg, b[:k]); err != nil {
					t.Fatal(err)
				}
				if !lose() {
					p.b.Input(p.now, &p.seg)
				}
				b = b[k:]
			}
		}
		for {
			n, err := p.b.Read(p.now, p.r)
			if n == 0 {
				if !errors.Is(err, ErrWouldBlock) {
					t.Fatal(err)
				}
				break
			}
			off := read % 65521
			if !bytes.Equal(p.r[:n], want[off:off+int64(n)]) {
				t.Fatalf("the bytes at %d are not what was written", read)
			}
			read += int64(n)
		}
		p.move(p.b, p.a)
	}
	in := p.a.Info()
	t.Logf("%d recoveries, %d timeouts, %d retransmissions of %d segments", in.FastRecoveries, in.Timeouts, in.Retransmits, in.SegmentsSent)
	if in.FastRecoveries < 1 {
		t.Errorf("%d recoveries", in.FastRecoveries)
	}
	if in.Timeouts > 4 {
		t.Errorf("%d timeouts: fast recovery should have repaired the losses", in.Timeouts)
	}
}

package tcpcore

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"example.com/culvert/tcpcore/segment"
)

// TestRecordSize bounds what a segment in flight costs beside its bytes.
func TestRecordSize(t *testing.T) {
	if n := unsafe.Sizeof(record{}); n > 64 {
		t.Errorf("a record has %d bytes, over a cache line", n)
	}
	if n := unsafe.Sizeof(xmit{}); n > 8 {
		t.Errorf("a transmission has %d bytes", n)
	}
}

// TestSentQueue does everything to a scoreboard at random, and compares it with a
// list that is walked.
func TestSentQueue(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var q sentQueue
		var list []record
		next := segment.Seq(0xffffff00) // wraps soon
		for range 3000 {
			switch k := rng.IntN(10); {
			case k < 3 || len(list) == 0:
				r := record{seq: next, size: uint32(2 + rng.IntN(100)), times: 1}
				next = r.end()
				q.push(r)
				list = append(list, r)
			case k < 4:
				q.pop()
				list = list[1:]
			case k < 5:
				if n := rng.IntN(int(list[0].size)); n > 0 && list[0].size > 1 {
					q.trim(n)
					list[0].seq, list[0].size = list[0].seq.Add(n), list[0].size-uint32(n)
				}
			case k < 8:
				i, st := rng.IntN(len(list)), recState(rng.IntN(3))
				if list[i].state == sacked {
					break // for good, unless the peer reneges
				}
				q.mark(i, st)
				list[i].state = st
				if st == inFlight && rng.IntN(2) == 0 {
					q.at(i).times, list[i].times = 2, 2
				}
			case k < 9:
				i := rng.IntN(len(list))
				if list[i].state != lost || list[i].size < 2 {
					break
				}
				n := 1 + rng.IntN(int(list[i].size)-1)
				q.split(i, n)
				rest := list[i]
				rest.seq, rest.size = rest.seq.Add(n), rest.size-uint32(n)
				list[i].size = uint32(n)
				list = append(list[:i+1], append([]record{rest}, list[i+1:]...)...)
			default:
				if rng.IntN(10) > 0 {
					break
				}
				q.restore()
				for i := range list {
					if list[i].state == lost && list[i].times == 1 {
						list[i].state = inFlight
					}
				}
			}
			compareQueue(t, &q, list, rng)
		}
	}
}

// compareQueue fails unless q is list.
func compareQueue(t *testing.T, q *sentQueue, list []record, rng *rand.Rand) {
	t.Helper()
	if q.len() != len(list) {
		t.Fatalf("%d records, want %d", q.len(), len(list))
	}
	var bytes, count [3]int
	first := -1
	for i, r := range list {
		g := q.at(i)
		if g.seq != r.seq || g.size != r.size || g.state != r.state {
			t.Fatalf("record %d is %v+%d %d, want %v+%d %d", i, g.seq, g.size, g.state, r.seq, r.size, r.state)
		}
		bytes[r.state] += int(r.size)
		count[r.state]++
		if r.state == lost && first < 0 {
			first = i
		}
	}
	if q.bytes != bytes || q.count != count {
		t.Fatalf("%v bytes and %v records by state, want %v and %v", q.bytes, q.count, bytes, count)
	}
	if got := q.nextLost(); got != first {
		t.Fatalf("the first lost is %d, want %d", got, first)
	}
	if len(list) == 0 {
		return
	}
	i := rng.IntN(len(list))
	if got := q.find(list[i].seq); got != i {
		t.Fatalf("find gives %d, want %d", got, i)
	}
	want := i
	for want < len(list) && list[want].state == sacked {
		want++
	}
	if got := q.skipSacked(i); got != want {
		t.Fatalf("from %d the first not selectively acknowledged is %d, want %d", i, got, want)
	}
}

// TestXmitQueue keeps its order through growth and wrap.
func TestXmitQueue(t *testing.T) {
	var q xmitQueue
	rng := rand.New(rand.NewPCG(1, 4))
	in, out := uint32(0), uint32(0)
	for range 5000 {
		if rng.IntN(5) < 3 {
			q.push(xmit{order: in})
			in++
		} else if q.n > 0 {
			if got := q.front().order; got != out {
				t.Fatalf("the front is %d, want %d", got, out)
			}
			q.pop()
			out++
		}
		if q.n != int(in-out) {
			t.Fatalf("%d entries, want %d", q.n, in-out)
		}
	}
}

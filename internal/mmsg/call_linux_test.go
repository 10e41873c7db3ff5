package mmsg

import (
	"testing"

	"golang.org/x/sys/unix"
)

// What little says decides whether the scheduler hears of a call: it must not count a message's
// pieces, of which a header beside its data is one.
func TestLittle(t *testing.T) {
	for _, test := range []struct {
		name string
		ms   [][]int // the pieces' sizes
		want bool
	}{
		{"one piece", [][]int{{Small}}, true},
		{"header and data", [][]int{{32, Small - 32}}, true},
		{"empty", [][]int{{}}, true},
		{"large", [][]int{{Small + 1}}, false},
		{"header and large data", [][]int{{32, Small}}, false},
		{"a train in pieces", [][]int{{32, 64, 32, 64}}, false},
		{"two messages", [][]int{{64}, {64}}, false},
	} {
		ms := make([]unix.Mmsghdr, len(test.ms))
		for i, sizes := range test.ms {
			iovs := make([]unix.Iovec, len(sizes)+1)
			for k, n := range sizes {
				iovs[k].SetLen(n)
			}
			iovs[len(sizes)].SetLen(Small) // another message's
			ms[i].Hdr.Iov = &iovs[0]
			ms[i].Hdr.SetIovlen(len(sizes))
		}
		if got := little(ms); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

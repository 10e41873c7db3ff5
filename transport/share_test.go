package transport

import (
	"testing"

	"example.com/culvert/tcpcore"
)

// TestShareCounts: what each may have depends on how many receive much at the same time, not on
// how many there are.
func TestShareCounts(t *testing.T) {
	flows := make([]taking, 1000)
	q := &share{room: 32 << 20}
	now := tcpcore.Time(1e9)
	receive := func(heavy, light int) {
		for range 10 {
			now += shareEpoch / 5
			for i := range flows[:heavy] {
				q.took(now, &flows[i], 50_000)
			}
			for i := range flows[heavy:][:light] {
				q.took(now, &flows[heavy+i], 50)
			}
			q.settle()
		}
	}
	for _, c := range []struct {
		about              string
		heavy, light       int
		atLeast, atMost    int
		leastEach, uptoAll int
	}{
		{"one", 1, 0, 1, 1, shareWindow, shareWindow},
		{"one, and many that say little", 1, 999, 1, 2, shareWindow / 2, shareWindow},
		{"sixteen", 16, 0, 16, 16, shareWindow / 16, shareWindow},
		{"256", 256, 0, 256, 256, leastPart, q.room},
		{"one again", 1, 0, 1, 1, shareWindow, shareWindow},
	} {
		receive(c.heavy, c.light)
		if q.parts < c.atLeast || q.parts > c.atMost {
			t.Errorf("%s: %d parts", c.about, q.parts)
		}
		if n, _ := q.part(q.parts); n < c.leastEach || n*c.heavy > c.uptoAll {
			t.Errorf("%s: %d bytes each", c.about, n)
		}
	}
	now += 10 * shareEpoch
	q.took(now, &flows[0], 1000)
	q.settle()
	if q.last != 0 {
		t.Errorf("after a pause %d of before count", q.last)
	}
}

// TestShareUnknown: a carrier that does not tell of a queue bounds nothing.
func TestShareUnknown(t *testing.T) {
	r := &reader{}
	f := &flow{} // whose driver must not be called
	r.took(1, f, 1000)
	r.share.settle()
	r.tell(f)
}

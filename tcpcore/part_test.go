package tcpcore

import "testing"

// TestPartBound: a part bounds the window where the path is short, and its rate where it is long.
func TestPartBound(t *testing.T) {
	for _, c := range []struct {
		about    string
		p        part
		n, rttMS int
		want     int
	}{
		{"without a part", part{}, 1 << 25, 1, 1 << 25},
		{"less than the part", part{1 << 16, 1000}, 1000, 1, 1000},
		{"a short path", part{1 << 16, 1000}, 1 << 25, 1, 1 << 16},
		{"a long path", part{1 << 16, 1000}, 1 << 25, 200, 200_000},
		{"a long path with a small buffer", part{1 << 16, 1000}, 100_000, 200, 100_000},
	} {
		if got := c.p.bound(c.n, Time(c.rttMS).Sub(0)*1e6); got != c.want {
			t.Errorf("%s: the window is %d, want %d", c.about, got, c.want)
		}
	}
}

// TestPartGrows: of those that share a queue, whoever reads all that its buffer holds gets as
// much as its part, whatever round trip it measured, and no more; unless they are few.
func TestPartGrows(t *testing.T) {
	const limit, part = 16 << 20, 1 << 20
	r := rightSize{begun: pathEpoch}
	r.rtt.sample(pathEpoch, minTrip)
	size := func() int { return max(r.size, tunedReceive) }
	for i := range 10 {
		r.consumed(pathEpoch.Add(Time(i+1).Sub(0)*10e6), size()-1, limit, size(), part)
	}
	if r.size > tunedReceive {
		t.Errorf("a reader who left something has %d", r.size)
	}
	for i := range 10 {
		r.consumed(pathEpoch.Add(Time(i+11).Sub(0)*10e6), size(), limit, size(), part)
	}
	if r.size != part {
		t.Errorf("a fast reader has %d of %d", r.size, part)
	}
	alone := rightSize{begun: pathEpoch}
	alone.rtt.sample(pathEpoch, minTrip)
	for i := range 10 {
		n := max(alone.size, tunedReceive)
		alone.consumed(pathEpoch.Add(Time(i+1).Sub(0)*10e6), 2*n, limit, n, 4*part)
	}
	if alone.size > tunedReceive {
		t.Errorf("one of few has %d, and not what its rate wants", alone.size)
	}
}

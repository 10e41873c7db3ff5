package congestion

import "testing"

// TestRounds checks that a round trip lasts until what was in flight at its beginning is
// delivered.
func TestRounds(t *testing.T) {
	var r rounds
	for i, c := range []struct {
		delivered int64
		inFlight  int
		want      bool
	}{
		{1000, 9000, true}, // the first acknowledgment begins one
		{5000, 9000, false},
		{9999, 9000, false},
		{10000, 4000, true},
		{13000, 0, false},
		{14000, 0, true}, // nothing in flight: the next begins one again
		{15000, 3000, true},
		{15000, 3000, false},
		{20000, 3000, true},
	} {
		if got := r.began(&Ack{Delivered: c.delivered, InFlight: c.inFlight}); got != c.want {
			t.Errorf("%d: began is %v", i, got)
		}
	}
}

package congestion

import "testing"

// TestMaxFilter compares the filter with looking at everything anew.
func TestMaxFilter(t *testing.T) {
	type sample struct{ time, value int64 }
	r := random{7}
	for _, window := range []int64{1, 2, 10, 16} {
		var f maxFilter
		var all []sample
		now := int64(0)
		for range 5000 {
			now += r.below(3)
			v := r.below(1000)
			all = append(all, sample{now, v})
			want := int64(0)
			for _, s := range all {
				if s.time > now-window {
					want = max(want, s.value)
				}
			}
			if got := f.update(v, now, window); got != want {
				t.Fatalf("window %d: got %d, want %d", window, got, want)
			}
		}
	}
}

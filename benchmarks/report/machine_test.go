package report

import "testing"

// TestBusy: a machine is busy if a quarter of its processors is.
func TestBusy(t *testing.T) {
	for load, want := range map[string]bool{"0.40 9 9": false, "0.60 0 0": true, "": false, "much": false} {
		if got := (Machine{CPUs: 2, Load: load}).Busy(); got != want {
			t.Errorf("%q: %v", load, got)
		}
	}
}

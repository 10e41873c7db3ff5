package congestion

import "testing"

// TestRandom checks that the sequence is the seed's, keeps its bounds and is spread evenly.
func TestRandom(t *testing.T) {
	a, b, c := random{1}, random{1}, random{2}
	var count [10]int
	same := 0
	for range 10000 {
		x := a.below(10)
		if x != b.below(10) {
			t.Fatal("one seed, two sequences")
		}
		if x == c.below(10) {
			same++
		}
		count[x]++
	}
	if same > 1200 {
		t.Errorf("two seeds agree %d times in 10000", same)
	}
	for i, n := range count {
		if n < 900 || n > 1100 {
			t.Errorf("%d came %d times in 10000", i, n)
		}
	}
	if a.below(0) != 0 || a.below(1) != 0 {
		t.Error("below 1 there is only 0")
	}
}

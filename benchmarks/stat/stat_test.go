package stat

import "testing"

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := Median(c.xs); got != c.want {
			t.Errorf("the median of %v is %v", c.xs, got)
		}
	}
}

func TestJain(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want float64
	}{{nil, 0}, {[]float64{0, 0}, 0}, {[]float64{5, 5}, 1}, {[]float64{0, 0, 0, 9}, 0.25}, {[]float64{1, 3}, 0.8}} {
		if got := Jain(c.xs); got != c.want {
			t.Errorf("Jain's index of %v is %v", c.xs, got)
		}
	}
}

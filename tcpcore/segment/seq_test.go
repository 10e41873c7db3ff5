package segment

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSeqOrder checks comparisons across the wrap.
func TestSeqOrder(t *testing.T) {
	for _, c := range []struct {
		s, t Seq
		sub  int
	}{
		{0, 0, 0},
		{1, 0, 1},
		{0, math.MaxUint32, 1},
		{5, math.MaxUint32 - 4, 10},
		{1<<31 - 1, 0, 1<<31 - 1},
		{0x80000000 + 99, 100, 1<<31 - 1},
		{100, 100 + 1<<30, -1 << 30},
	} {
		if got := c.s.Sub(c.t); got != c.sub {
			t.Errorf("%d.Sub(%d) = %d, want %d", c.s, c.t, got, c.sub)
		}
		if got := c.t.Sub(c.s); got != -c.sub {
			t.Errorf("%d.Sub(%d) = %d, want %d", c.t, c.s, got, -c.sub)
		}
		if got := c.t.Add(c.sub); got != c.s {
			t.Errorf("%d.Add(%d) = %d, want %d", c.t, c.sub, got, c.s)
		}
		for _, o := range []struct {
			name      string
			got, want bool
		}{
			{"Less", c.s.Less(c.t), c.sub < 0},
			{"LessEq", c.s.LessEq(c.t), c.sub <= 0},
			{"Greater", c.s.Greater(c.t), c.sub > 0},
			{"GreaterEq", c.s.GreaterEq(c.t), c.sub >= 0},
			{"Max", c.s.Max(c.t) == c.s, c.sub >= 0},
			{"Min", c.s.Min(c.t) == c.s, c.sub <= 0},
		} {
			if o.got != o.want {
				t.Errorf("%s of %d and %d is %v, want %v", o.name, c.s, c.t, o.got, o.want)
			}
		}
	}
	// The one distance that has no direction.
	if !Seq(0).Less(1<<31) || !Seq(1<<31).Less(0) {
		t.Error("numbers 2^31 apart are not each Less than the other")
	}
}

// TestSeqIn checks ranges, the wrapping ones too.
func TestSeqIn(t *testing.T) {
	for _, c := range []struct {
		s, left Seq
		size    int
		want    bool
	}{
		{10, 10, 1, true},
		{11, 10, 1, false},
		{9, 10, 1, false},
		{10, 10, 0, false},
		{10, 10, -5, false},
		{5, 10, -5, false},
		{math.MaxUint32, math.MaxUint32 - 1, 4, true},
		{0, math.MaxUint32 - 1, 4, true},
		{1, math.MaxUint32 - 1, 4, true},
		{2, math.MaxUint32 - 1, 4, false},
		{1<<30 + 9, 10, 1 << 30, true},
		{1<<30 + 10, 10, 1 << 30, false},
	} {
		if got := c.s.In(c.left, c.size); got != c.want {
			t.Errorf("%d.In(%d, %d) = %v", c.s, c.left, c.size, got)
		}
	}
}

// TestSeqLaws checks what must hold at any place on the circle.
func TestSeqLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		s, n, size := Seq(r.Uint32()), int(r.Int32()), int(r.Int32())
		u := s.Add(n)
		switch {
		case u.Sub(s) != n, s.Sub(u) != -n, u.Add(-n) != s:
			t.Fatalf("%d and %d do not undo Add of %d", s, u, n)
		case s.Less(u) != (n > 0), u.Greater(s) != (n > 0), !s.LessEq(u), !u.GreaterEq(s):
			t.Fatalf("%d and %d = +%d are out of order", s, u, n)
		case u.In(s, size) != (n < size):
			t.Fatalf("%d.In(%d, %d) = %v, %d apart", u, s, size, u.In(s, size), n)
		case s.Max(u) != u, u.Max(s) != u, s.Min(u) != s, u.Min(s) != s:
			t.Fatalf("Max or Min of %d and %d = +%d", s, u, n)
		}
	}
}

package main

import "testing"

// TestEngineLines reads what go test prints, with medians of what ran more than once.
func TestEngineLines(t *testing.T) {
	s := &summary{Engine: engineLines(`goos: linux
BenchmarkReceive/lent-2   	 1000000	       50.0 ns/op	3507.28 MB/s	       0 B/op	       0 allocs/op
BenchmarkReceive/lent-2   	 1000000	       70.5 ns/op	3507.28 MB/s	       0 B/op	       0 allocs/op
BenchmarkReceive/lent-2   	 1000000	       55.0 ns/op	3507.28 MB/s	       0 B/op	       0 allocs/op
BenchmarkSend/in_place     	 1584385	       201.6 ns/op	7044.01 MB/s	      16 B/op	       1 allocs/op
BenchmarkACK/in_order/10-2         	  659469	       536.8 ns/op
PASS
`)}
	want := []engineLine{{"Receive/lent", 55, 0, 0}, {"Send/in_place", 201.6, 16, 1}, {"ACK/in_order/10", 536.8, 0, 0}}
	if len(s.Engine) != len(want) {
		t.Fatalf("%+v", s.Engine)
	}
	for i, l := range s.Engine {
		if l != want[i] {
			t.Errorf("%+v, want %+v", l, want[i])
		}
	}
	met := 0
	bars := s.judgeEngine()
	for _, b := range bars {
		if b.Met {
			met++
		}
	}
	if len(bars) != 4 || met != 2 {
		t.Errorf("%d of %d bars are met, want 2 of 4: %+v", met, len(bars), bars)
	}
	if rows := s.engineTable().Rows; len(rows) != 3 || rows[1][1] != "202" {
		t.Errorf("rows %q", rows)
	}
}

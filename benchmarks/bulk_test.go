package benchmarks

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/culvert/conn"
)

// open returns a connection of the stack to a sink in this process.
func open(tb testing.TB, s Stack) net.Conn {
	tb.Helper()
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(l) }()
	tb.Cleanup(func() {
		l.Close()
		if err := <-done; err != nil {
			tb.Errorf("%s: Serve: %v", s.Name, err)
		}
	})
	c, err := s.Dial(tb.Context(), l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		tb.Fatal(err)
	}
	return c
}

// reliable are the stacks that deliver what they were given.
func reliable() []Stack {
	return slices.DeleteFunc(Stacks(), func(s Stack) bool { return s.Limit })
}

// TestBulk: every stack moves sizes at the edges, one after another on one connection.
func TestBulk(t *testing.T) {
	for _, s := range reliable() {
		t.Run(s.Name, func(t *testing.T) {
			c := open(t, s)
			for _, size := range []int64{0, 1, WriteSize - 1, WriteSize, WriteSize + 1, 3 << 20} {
				if d, err := Bulk(c, size); err != nil || d <= 0 {
					t.Fatalf("%d bytes: %v, %v", size, d, err)
				}
			}
			if _, err := Bulk(c, -1); err == nil || !strings.Contains(err.Error(), "size") {
				t.Errorf("a negative size gave %v", err)
			}
		})
	}
}

// TestEthernetSegments: the stack that stands for an Ethernet sends segments of that size.
func TestEthernetSegments(t *testing.T) {
	c := open(t, culvertEthernetStack())
	if _, err := Bulk(c, 1<<20); err != nil {
		t.Fatal(err)
	}
	if got := c.(*conn.Conn).Info().SendMSS; got != 1440 {
		t.Errorf("full segments carry %d bytes, want 1440", got)
	}
}

// TestFind knows each stack by name and lists them otherwise.
func TestFind(t *testing.T) {
	for _, s := range Stacks() {
		if got, err := Find(s.Name); err != nil || got.Name != s.Name {
			t.Errorf("Find(%q): %q, %v", s.Name, got.Name, err)
		}
	}
	if _, err := Find("pigeon"); err == nil || !strings.Contains(err.Error(), "culvert") {
		t.Errorf("an unknown name gave %v", err)
	}
}

// BenchmarkBulk moves 1 MiB per operation over loopback, both ends in this process.
func BenchmarkBulk(b *testing.B) {
	for _, s := range reliable() {
		b.Run(s.Name, func(b *testing.B) {
			c := open(b, s)
			if _, err := Bulk(c, 8<<20); err != nil { // past slow start
				b.Fatal(err)
			}
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			b.ResetTimer()
			if _, err := Bulk(c, int64(b.N)<<20); err != nil {
				b.Fatal(err)
			}
			if n, ok := Retransmits(c); ok {
				b.ReportMetric(float64(n), "retransmits")
			}
		})
	}
}

package work

import (
	"strings"
	"testing"
	"time"

	"example.com/culvert/benchmarks"
)

// do runs both halves of a work in this process.
func do(t *testing.T, stack string, w Work) (server, client Report) {
	t.Helper()
	s, err := benchmarks.Find(stack)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	srv, err := NewServer(l, w)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(t.Context(), s, l.Addr().String(), w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, conn := range c.conns {
			conn.Close()
		}
	})
	from := time.Now().Add(20 * time.Millisecond)
	win := Window{From: from, To: from.Add(300 * time.Millisecond)}
	done := make(chan Report)
	go func() { done <- srv.Measure(win) }()
	client = c.Measure(t.Context(), win)
	server = <-done
	for _, r := range []Report{server, client} {
		if r.Failed != "" && !strings.Contains(r.Failed, "too busy") { // which is no fault of the code
			t.Fatalf("%s over %s: %s", w.Kind, stack, r.Failed)
		}
	}
	return server, client
}

// TestBulk counts what each connection carries.
func TestBulk(t *testing.T) {
	for _, stack := range []string{"culvert", "kernel-cubic", "culvert-tls"} {
		server, _ := do(t, stack, Work{Kind: Bulk, Conns: 3})
		if len(server.Bytes) != 3 {
			t.Fatalf("%s: %d connections", stack, len(server.Bytes))
		}
		for _, n := range server.Bytes {
			if n == 0 {
				t.Errorf("%s: a connection carried nothing: %v", stack, server.Bytes)
			}
		}
	}
}

// TestOperations: each kind of operation is done and timed.
func TestOperations(t *testing.T) {
	for _, w := range []Work{
		{Kind: Ping, Conns: 1, Size: 64},
		{Kind: Ping, Conns: 1, Size: 4096},
		{Kind: Rate, Conns: 2, Size: 64},
		{Kind: HTTP, Conns: 4},
	} {
		for _, stack := range []string{"culvert", "kernel-cubic", "quic-go"} {
			_, client := do(t, stack, w)
			q := client.Latency
			if client.Ops == 0 || q.P50 <= 0 || q.P99 < q.P50 || q.P999 < q.P99 || q.Max < q.P999 {
				t.Errorf("%s over %s: %+v", w.Kind, stack, client)
			}
		}
	}
}

// TestEveryStack: each carries a message there and back, and each but the limits a stream.
func TestEveryStack(t *testing.T) {
	for _, s := range benchmarks.Stacks() {
		t.Run(s.Name, func(t *testing.T) {
			if _, client := do(t, s.Name, Work{Kind: Ping, Conns: 1, Size: 4096}); client.Ops == 0 {
				t.Error("no round trip")
			}
			server, _ := do(t, s.Name, Work{Kind: Bulk, Conns: 1})
			if len(server.Bytes) != 1 || server.Bytes[0] == 0 {
				t.Errorf("nothing arrived: %v", server.Bytes)
			}
		})
	}
}

// TestMissedWindow: what a process slept through does not count.
func TestMissedWindow(t *testing.T) {
	now := time.Now()
	w := Window{From: now.Add(-2 * time.Second), To: now.Add(-time.Second)}
	if r := w.measure(func() []uint64 { return nil }); !strings.Contains(r.Failed, "too busy") {
		t.Errorf("a window of the past gave %+v", r)
	}
}

// TestCheck has each mistake answered with an error that names the field.
func TestCheck(t *testing.T) {
	for want, w := range map[string]Work{
		"Kind":  {Conns: 1},
		"Conns": {Kind: Bulk},
		"Size":  {Kind: Ping, Conns: 1},
	} {
		if err := w.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v gave %v", w, err)
		}
	}
}

// TestQuantiles of few and of many.
func TestQuantiles(t *testing.T) {
	if got := quantiles(nil); got != (Quantiles{}) {
		t.Errorf("of none: %+v", got)
	}
	if got := quantiles([]time.Duration{time.Second}); got != (Quantiles{1, 1, 1, 1, 1}) {
		t.Errorf("of one: %+v", got)
	}
	var ds []time.Duration
	for i := range 1000 {
		ds = append(ds, time.Duration(1000-i)*time.Second)
	}
	if got := quantiles(ds); got != (Quantiles{501, 901, 991, 1000, 1000}) {
		t.Errorf("of 1 to 1000: %+v", got)
	}
}

// TestWrkLatency reads wrk's table.
func TestWrkLatency(t *testing.T) {
	out := []byte("  Latency Distribution\n     50%   26.00us\n     75%   49.00us\n     90%  138.00us\n     99%    2.17ms\n  47284 requests in 1.00s\n")
	for q, want := range map[string]float64{" 50%": 26e-6, " 99%": 2.17e-3, " 42%": 0} {
		if got := wrkLatency(out, q); got < want*0.999 || got > want*1.001 {
			t.Errorf("%s: %v, want %v", q, got, want)
		}
	}
}

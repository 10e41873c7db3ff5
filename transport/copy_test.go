package transport_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net"
	"testing"
)

// io.Copy both ways at once, half-closed at the end: every byte arrives, in order.
func TestCopyBothWays(t *testing.T) {
	c1, c2, stop, err := pipe(dialer, config, "127.0.0.1:0")()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	type result struct {
		who       string
		sent, got []byte
		err       error
	}
	results := make(chan result, 4)
	for i, c := range []net.Conn{c1, c2} {
		go func() {
			h := sha256.New()
			n, err := io.Copy(c, io.TeeReader(io.LimitReader(newStream(i), copySize), h))
			if err == nil && n != copySize {
				err = io.ErrShortWrite
			}
			if err == nil {
				err = c.(interface{ CloseWrite() error }).CloseWrite()
			}
			results <- result{who: []string{"dialler", "listener"}[i], sent: h.Sum(nil), err: err}
		}()
		go func() {
			h := sha256.New()
			n, err := io.Copy(h, c)
			if err == nil && n != copySize {
				err = io.ErrUnexpectedEOF
			}
			results <- result{who: []string{"listener", "dialler"}[i], got: h.Sum(nil), err: err}
		}()
	}
	all := make(map[string]result)
	for range 4 {
		r := <-results
		if r.err != nil {
			t.Fatalf("from the %s: %v", r.who, r.err)
		}
		p := all[r.who]
		if r.sent != nil {
			p.sent = r.sent
		} else {
			p.got = r.got
		}
		all[r.who] = p
	}
	for who, r := range all {
		if !bytes.Equal(r.sent, r.got) {
			t.Errorf("the %s sent %x, and %x arrived", who, r.sent, r.got)
		}
	}
}

// Bulk one way at the default Config is fast enough to be used; the bar is far below
// what it does.
func TestBulkRate(t *testing.T) {
	if raceEnabled {
		return
	}
	r := testing.Benchmark(BenchmarkBulk)
	if rate := float64(r.Bytes) * float64(r.N) / r.T.Seconds() / 1e6; rate < 200 {
		t.Errorf("%.0f MB/s over loopback", rate)
	}
}

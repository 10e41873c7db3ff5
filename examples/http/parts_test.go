package main

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"example.com/culvert/transport"
)

// TestByteSize reads and writes sizes.
func TestByteSize(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1 B", "1B": "1 B", "1023": "1023 B", "1KiB": "1 KiB", "1.5 MiB": "1.5 MiB", "256MiB": "256 MiB", "0.5GiB": "512 MiB", "2TiB": "2 TiB",
	} {
		var b byteSize
		if err := b.Set(in); err != nil || b.String() != want {
			t.Errorf("%q: %q, %v, want %q", in, b.String(), err, want)
		}
	}
	for _, in := range []string{"", "MiB", "NaN", "Inf", "-1", "0", "1MB", "1025TiB", "0x"} {
		var b byteSize
		if err := b.Set(in); err == nil {
			t.Errorf("%q was taken for %s", in, &b)
		}
	}
}

// TestGenerated reads a generated file from everywhere and gets the same bytes.
func TestGenerated(t *testing.T) {
	const size = 10_007
	whole, err := io.ReadAll(newGenerated("a", size))
	if err != nil || len(whole) != size {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	if err := iotest.TestReader(newGenerated("a", size), whole); err != nil {
		t.Error(err)
	}
	other, _ := io.ReadAll(newGenerated("b", size))
	if bytes.Equal(whole, other) {
		t.Error("two names have the same content")
	}
	g := newGenerated("a", size)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		at := rng.IntN(size)
		buf := make([]byte, min(1+rng.IntN(50), size-at))
		if _, err := g.Seek(int64(at), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(g, buf); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(buf, whole[at:at+len(buf)]) {
			t.Fatalf("other bytes at %d after a Seek", at)
		}
	}
}

// TestProgressLine shows plain lines once a second, and nothing before the index is known.
func TestProgressLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var m meter
		p := startProgress(&out, &m, func() uint64 { return 3 })
		<-time.After(1500 * time.Millisecond)
		m.total.Store(100 << 20)
		m.moved.Store(25 << 20)
		m.active.Store(2)
		<-time.After(time.Second)
		p.stop()
		want := "  2.0s  25%  25 MiB of 100 MiB  13 MB/s  2 transfers  3 segments retransmitted\n"
		if out.String() != want {
			t.Errorf("shown: %q\nwant:  %q", out.String(), want)
		}
	})
}

// TestProgressTerminal rewrites one line and wipes it at the end.
func TestProgressTerminal(t *testing.T) {
	var out bytes.Buffer
	var m meter
	m.total.Store(1 << 20)
	now := time.Now()
	p := &progress{w: &out, m: &m, resent: func() uint64 { return 0 }, terminal: true, begin: now, lastAt: now, quit: make(chan struct{})}
	p.show(now.Add(time.Second))
	m.moved.Store(1 << 20)
	p.show(now.Add(2 * time.Second))
	p.stop()
	s := out.String()
	if strings.Contains(s, "\n") || strings.Count(s, "\r") != 4 || !strings.HasSuffix(s, " \r") {
		t.Errorf("not one line rewritten and wiped: %q", s)
	}
	if !strings.Contains(s, "["+strings.Repeat("=", 24)+"] 100%") {
		t.Errorf("no full bar at the end: %q", s)
	}
}

// TestHostileServer: what a server may answer instead of what it should is an
// error with a reason, in bounded time and memory.
func TestHostileServer(t *testing.T) {
	for _, c := range []struct {
		name, index string
		file        http.HandlerFunc
		want        string
	}{
		{"no index", "", nil, "404"},
		{"not JSON", "<html>", nil, "invalid character"},
		{"empty", `{"files":[]}`, nil, "does not list any file"},
		{"negative size", `{"files":[{"path":"files/a","size":-1}]}`, nil, "bad entry"},
		{"another host", `{"files":[{"path":"http://example.com/x","size":1}]}`, nil, "bad entry"},
		{"no such file", `{"files":[{"path":"files/a","size":1}]}`, http.NotFound, "404"},
		{"no ranges", `{"files":[{"path":"files/a","size":0,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},{"path":"files/b","size":10}]}`,
			func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "b") {
					io.WriteString(w, "0123456789")
				}
			}, "knows no Range"},
		{"another range", `{"files":[{"path":"files/a","size":0,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},{"path":"files/b","size":10}]}`,
			func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "b") {
					w.Header().Set("Content-Range", "bytes 1-4/10")
					w.WriteHeader(http.StatusPartialContent)
					io.WriteString(w, "1234")
				}
			}, "asked for bytes 0-3/10"},
		{"endless", `{"files":[{"path":"files/a","size":1}]}`, func(w http.ResponseWriter, r *http.Request) {
			for buf := make([]byte, 1<<16); ; {
				if _, err := w.Write(buf); err != nil {
					return
				}
			}
		}, "2 bytes arrived instead of 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mux := http.NewServeMux()
			if c.index != "" {
				mux.HandleFunc("/index.json", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, c.index) })
			}
			if c.file != nil {
				mux.HandleFunc("/files/", c.file)
			}
			mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
				// Answered by nobody, so that the other error is the one that shows.
				<-r.Context().Done()
			})
			status, _, errs := runHere(t, "-get", serveMux(t, mux), "-timeout", "20s")
			if status != 1 || !strings.Contains(errs, c.want) {
				t.Errorf("status %d, error %q, want it to say %q", status, errs, c.want)
			}
		})
	}
}

// TestHastyReceipt: a server that acknowledges an upload that it has not read is caught.
func TestHastyReceipt(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"size":67108864}`) })
	c, err := newClient(serveMux(t, mux), "", 1, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.http.CloseIdleConnections()
	if err := c.upload(t.Context(), 64<<20); err == nil || !strings.Contains(err.Error(), "uploading") {
		t.Errorf("upload gave %v", err)
	}
}

// TestUploadDamaged: a receipt with another hash is an error.
func TestUploadDamaged(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"size":1000,"sha256":"00"}`)
	})
	c, err := newClient(serveMux(t, mux), "", 1, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.http.CloseIdleConnections()
	if err := c.upload(t.Context(), 1000); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("upload gave %v", err)
	}
}

// serveMux serves h on culvert until the test ends and returns its URL.
func serveMux(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
	return "http://" + l.Addr().String() + "/"
}

// TestConnLogForgets: with onClose set, a closed connection is told once and let go.
func TestConnLogForgets(t *testing.T) {
	l, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var told []connReport
	log := &connLog{side: "server", onClose: func(r connReport) { told = append(told, r) }}
	wl := watchedListener{l, log}
	defer wl.Close()
	d := transport.Dialer{}
	c, err := d.DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := wl.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(log.reports()); n != 1 {
		t.Errorf("%d connections known, want 1", n)
	}
	s.Close()
	s.Close()
	if len(told) != 1 || len(log.reports()) != 0 {
		t.Errorf("told %d times, %d still known", len(told), len(log.reports()))
	}
	if told[0].peer != c.LocalAddr().String() {
		t.Errorf("told of %s, want %s", told[0].peer, c.LocalAddr())
	}
	// A connection of another kind passes through unchanged.
	a, b := net.Pipe()
	defer b.Close()
	defer a.Close()
	if log.watch(a) != a {
		t.Error("a foreign connection was wrapped")
	}
}

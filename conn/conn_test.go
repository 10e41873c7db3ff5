package conn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs f in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// wantOp checks an error's dress and what is in it.
func wantOp(t *testing.T, err error, op string, inner error) {
	t.Helper()
	var oe *net.OpError
	if !errors.As(err, &oe) {
		t.Fatalf("got %v (%T), want a *net.OpError around %v", err, err, inner)
	}
	if oe.Op != op || oe.Net != "tcp" || !errors.Is(err, inner) {
		t.Fatalf("got %v (op %q, net %q), want %q with %v", err, oe.Op, oe.Net, op, inner)
	}
	if _, ok := err.(net.Error); !ok {
		t.Fatalf("%T is no net.Error", err)
	}
}

func mustWrite(t *testing.T, w io.Writer, p []byte) {
	t.Helper()
	if n, err := w.Write(p); n != len(p) || err != nil {
		t.Fatalf("Write of %d bytes: %d, %v", len(p), n, err)
	}
}

func mustRead(t *testing.T, r io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

func TestStreamBothWays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		up, down := pattern(300000, 1), pattern(500000, 2)
		var wg sync.WaitGroup
		wg.Go(func() { mustWrite(t, a, up); a.CloseWrite() })
		wg.Go(func() { mustWrite(t, b, down); b.CloseWrite() })
		wg.Go(func() {
			if got, err := io.ReadAll(a); err != nil || !bytes.Equal(got, down) {
				t.Errorf("a read %d bytes, %v", len(got), err)
			}
		})
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, up) {
			t.Errorf("b read %d bytes, %v", len(got), err)
		}
		wg.Wait()
		if a.LocalAddr().String() != "192.0.2.1:1111" || a.RemoteAddr().String() != "192.0.2.2:2222" {
			t.Errorf("addresses %v, %v", a.LocalAddr(), a.RemoteAddr())
		}
		a.Close()
		b.Close()
	})
}

func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// Read and Write of nothing, as *net.TCPConn has them.
func TestZeroLength(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, _ := pair(t, config())
		a.SetDeadline(time.Unix(1, 0))
		if n, err := a.Read(nil); n != 0 || err != nil {
			t.Errorf("Read: %d, %v", n, err)
		}
		_, err := a.Write(nil)
		wantOp(t, err, "write", os.ErrDeadlineExceeded)
		a.SetDeadline(time.Time{})
		if n, err := a.Write(nil); n != 0 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	})
}

// Copies end where the stream does; both io.ReaderFrom and io.WriterTo are there.
func TestCopies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		data := pattern(400000, 7)
		go func() {
			if n, err := a.ReadFrom(bytes.NewReader(data)); n != int64(len(data)) || err != nil {
				t.Errorf("ReadFrom: %d, %v", n, err)
			}
			a.Close()
		}()
		var got bytes.Buffer
		if n, err := b.WriteTo(&got); n != int64(len(data)) || err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Fatalf("WriteTo: %d, %v", n, err)
		}
		_, err := b.ReadFrom(&failing{})
		wantOp(t, err, "readfrom", io.ErrNoProgress)
	})
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

// Peek tells what Read will return, and waits as Read does.
func TestPeek(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		go func() { <-time.After(time.Second); b.Write([]byte("hello")) }()
		p := make([]byte, 3)
		if n, err := a.Peek(p); n != 3 || err != nil || string(p) != "hel" {
			t.Fatalf("%d, %v, %q", n, err, p)
		}
		mustRead(t, a, []byte("hello"))
		b.Close()
		if _, err := a.Peek(p); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	})
}

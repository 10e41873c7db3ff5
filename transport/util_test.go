package transport_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"example.com/culvert/transport"
)

var ctx = context.Background()

// quick is a Config whose TIME-WAIT ends soon, so that tests leave nothing behind.
func quick() *transport.Config { return &transport.Config{MSL: 20 * time.Millisecond} }

var (
	dialer = &transport.Dialer{Config: quick(), Timeout: 30 * time.Second}
	config = &transport.ListenConfig{Config: quick()}
)

// listen listens on address until the test ends.
func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve hands each connection that l accepts to f, in a goroutine of its own, and
// closes it afterwards.
func serve(l net.Listener, f func(c net.Conn)) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
}

func echo(c net.Conn) { io.Copy(c, c) }

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := dialer.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exchange writes p to an echo server and reads it back.
func exchange(t testing.TB, c net.Conn, p string) {
	t.Helper()
	if _, err := c.Write([]byte(p)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(p))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != p {
		t.Fatalf("got %q, %v; want %q", got, err, p)
	}
}

// wantOp checks that err is package net's: an OpError of op around inner.
func wantOp(t testing.TB, err error, op string, inner error) {
	t.Helper()
	var oe *net.OpError
	if !errors.As(err, &oe) || oe.Op != op || !errors.Is(err, inner) {
		t.Fatalf("got %v (%T), want a *net.OpError of %q around %v", err, err, op, inner)
	}
	if _, ok := err.(net.Error); !ok {
		t.Fatalf("%T is no net.Error", err)
	}
}

// stream is an endless reader whose bytes depend on seed and position alone.
type stream struct{ x uint64 }

func newStream(seed int) *stream { return &stream{uint64(seed)*2654435761 + 88172645463325252} }

func (s *stream) Read(p []byte) (int, error) {
	for i := 0; i < len(p); i += 8 {
		s.x ^= s.x << 13
		s.x ^= s.x >> 7
		s.x ^= s.x << 17
		for j, v := i, s.x; j < min(i+8, len(p)); j, v = j+1, v>>8 {
			p[j] = byte(v)
		}
	}
	return len(p), nil
}

// content is n bytes that depend on seed.
func content(seed, n int) []byte {
	b := make([]byte, n)
	newStream(seed).Read(b)
	return b
}

func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

func sameBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, want %d; or they differ", what, len(got), len(want))
	}
}

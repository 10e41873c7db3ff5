package transport_test

import (
	"io"
	"net"
	"testing"

	"example.com/culvert/transport"
)

// source is memory that can only be read, as a file or another connection would be.
type source struct {
	mem  []byte
	off  int
	left int64
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), s.left)], s.mem[s.off:])
	s.off = (s.off + n) % len(s.mem)
	s.left -= int64(n)
	return n, nil
}

// BenchmarkCopyIn is io.Copy from memory into a connection (ReadFrom), whose other end reads
// into a buffer.
func BenchmarkCopyIn(b *testing.B) {
	for _, mss := range []int{0, 1452} {
		b.Run(name(mss), func(b *testing.B) {
			c1, c2 := benchPair(b, mss)
			copied(b, c1, func() error {
				buf := make([]byte, 256<<10)
				for {
					if _, err := c2.Read(buf); err != nil {
						return err
					}
				}
			})
		})
	}
}

// BenchmarkCopyOut is io.Copy from a connection into nothing (WriteTo).
func BenchmarkCopyOut(b *testing.B) {
	for _, mss := range []int{0, 1452} {
		b.Run(name(mss), func(b *testing.B) {
			c1, c2 := benchPair(b, mss)
			written(b, c1, func() error {
				_, err := io.Copy(touch{}, c2)
				return err
			})
		})
	}
}

// BenchmarkProxy is io.Copy from one connection into another.
func BenchmarkProxy(b *testing.B) {
	for _, mss := range []int{0, 1452} {
		b.Run(name(mss), func(b *testing.B) {
			c1, c2 := benchPair(b, mss)
			c3, c4 := benchPair(b, mss)
			go func() {
				io.Copy(c3, c2)
				c3.(interface{ CloseWrite() error }).CloseWrite()
			}()
			written(b, c1, func() error {
				buf := make([]byte, 256<<10)
				for {
					if _, err := c4.Read(buf); err != nil {
						return err
					}
				}
			})
		})
	}
}

// touch is a sink that looks at each cache line of what it is given.
type touch struct{}

var touched byte

func (touch) Write(p []byte) (int, error) {
	for i := 0; i < len(p); i += 64 {
		touched ^= p[i]
	}
	return len(p), nil
}

func name(mss int) string {
	if mss > 0 {
		return "ethernet"
	}
	return "loopback"
}

func benchPair(b *testing.B, mss int) (net.Conn, net.Conn) {
	cfg := quick()
	cfg.MSS = mss
	c1, c2, stop, err := pipe(&transport.Dialer{Config: cfg}, &transport.ListenConfig{Config: cfg}, "127.0.0.1:0")()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(stop)
	return c1, c2
}

// oneMB is what one iteration moves.
const oneMB = 1 << 20

// copied copies b.N times oneMB into c, while sink reads until io.EOF.
func copied(b *testing.B, c net.Conn, sink func() error) {
	sends(b, c, sink, func() error {
		s := &source{mem: make([]byte, 1<<20), left: int64(b.N) * oneMB}
		_, err := io.Copy(c, s)
		return err
	})
}

// written writes as much.
func written(b *testing.B, c net.Conn, sink func() error) {
	sends(b, c, sink, func() error {
		buf := make([]byte, 256<<10)
		for range b.N * oneMB / len(buf) {
			if _, err := c.Write(buf); err != nil {
				return err
			}
		}
		return nil
	})
}

func sends(b *testing.B, c net.Conn, sink, send func() error) {
	done := make(chan error, 1)
	go func() { done <- sink() }()
	b.SetBytes(oneMB)
	b.ReportAllocs()
	b.ResetTimer()
	if err := send(); err != nil {
		b.Fatal(err)
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
	if err := <-done; err != nil && err != io.EOF {
		b.Fatal(err)
	}
}

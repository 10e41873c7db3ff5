package transport_test

import (
	"io"
	"net"
	"testing"

	"example.com/culvert/transport"
)

// BenchmarkBulk sends one way over loopback.
func BenchmarkBulk(b *testing.B) { bulk(b, quick()) }

// BenchmarkBulkEthernet does so with segments as on an Ethernet.
func BenchmarkBulkEthernet(b *testing.B) {
	cfg := quick()
	cfg.MSS = 1452
	bulk(b, cfg)
}

func bulk(b *testing.B, cfg *transport.Config) {
	c1, c2, stop, err := pipe(&transport.Dialer{Config: cfg}, &transport.ListenConfig{Config: cfg}, "127.0.0.1:0")()
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, c2)
		done <- err
	}()
	buf := make([]byte, 256<<10)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c1.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
	c1.(interface{ CloseWrite() error }).CloseWrite()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPingPong sends 64 bytes there and back.
func BenchmarkPingPong(b *testing.B) {
	c1, c2, stop, err := pipe(&transport.Dialer{Config: quick()}, &transport.ListenConfig{Config: quick()}, "127.0.0.1:0")()
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	go io.Copy(net.Conn(c2), c2)
	buf := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c1.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c1, buf); err != nil {
			b.Fatal(err)
		}
	}
}

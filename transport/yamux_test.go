package transport_test

import (
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/hashicorp/yamux"
)

// yamux on top: many streams, opened by both ends, each with content of its own; and
// Close ends it, which needs a Read that Close unblocks.
func TestYamux(t *testing.T) {
	c1, c2, stop, err := pipe(dialer, config, "127.0.0.1:0")()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	mux := func() *yamux.Config {
		cfg := yamux.DefaultConfig()
		cfg.LogOutput = io.Discard
		cfg.AcceptBacklog = yamuxStreams
		return cfg
	}
	client, err := yamux.Client(c1, mux())
	if err != nil {
		t.Fatal(err)
	}
	server, err := yamux.Server(c2, mux())
	if err != nil {
		t.Fatal(err)
	}
	const size = 200000
	var wg sync.WaitGroup
	for _, pair := range [][2]*yamux.Session{{client, server}, {server, client}} {
		wg.Go(func() {
			for range yamuxStreams {
				s, err := pair[1].AcceptStream()
				if err != nil {
					t.Error(err)
					return
				}
				go func() {
					defer s.Close()
					io.CopyN(s, s, size)
				}()
			}
		})
		for i := range yamuxStreams {
			wg.Go(func() {
				s, err := pair[0].OpenStream()
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				data := content(i, size)
				go s.Write(data)
				got := make([]byte, size)
				if _, err := io.ReadFull(s, got); err != nil {
					t.Error(err)
				}
				sameBytes(t, fmt.Sprint("stream ", i), got, data)
			})
		}
	}
	wg.Wait()
	if err := client.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

package transport

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
)

// echoAll has n connections to an echo at address, and each send size bytes at once.
func echoAll(t *testing.T, dial func(network, address string) (net.Conn, error), address string, n, size int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			c, err := dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			want := bytes.Repeat([]byte{byte(i + 1), 2, 3}, size/3)
			go c.Write(want)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("connection %d: its %d bytes came back wrong, %v", i, len(want), err)
			}
		})
	}
	wg.Wait()
}

// echoOn answers on l, and keeps connections open until they are closed.
func echoOn(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

// TestSockets: the connections of many peers are spread over the sockets of one port.
func TestSockets(t *testing.T) {
	cfg := quick()
	cfg.Sockets = 4
	lc := ListenConfig{Config: cfg}
	dial := (&Dialer{Config: quick()}).Dial
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go echoOn(l)
	address := l.Addr().String()
	echoAll(t, dial, address, 32, 300_000)
	s := registry.get(mustAddress(t, address))
	if s == nil {
		t.Fatal("there is no shard")
	}
	if want := map[bool]int{true: 4, false: 1}[runtime.GOOS == "linux"]; len(s.readers) != want {
		t.Fatalf("%d sockets, want %d", len(s.readers), want)
	}
	// Which of them a peer has is a hash's choice; these stay open, until all have one.
	var open []net.Conn
	homes := make(map[*reader]bool)
	for len(open) < 200 && len(homes) < len(s.readers) {
		c, err := dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		roundTrip(t, c, []byte("hello"))
		s.mu.Lock()
		for _, f := range s.flows {
			if r := f.home.Load(); r != nil {
				homes[r] = true
			}
		}
		s.mu.Unlock()
	}
	if len(homes) != len(s.readers) {
		t.Errorf("%d connections are at %d of %d sockets", len(open), len(homes), len(s.readers))
	}
	for _, c := range open {
		roundTrip(t, c, []byte("again"))
		c.Close()
	}
}

// TestSocketsChange: a connection lives on when its segments come by other sockets than before, and
// by several at once, as when its peer's address or the group changes.
func TestSocketsChange(t *testing.T) {
	n := newMemNet()
	first := n.open("192.0.2.2:2222")
	s := newShard(first, first.another(), first.another())
	cfg := mustSettings(t, quick())
	e := newEndpoint(s, cfg)
	defer e.Close()
	l, err := e.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	go echoOn(l)
	client := mustEndpoint(t, n.open("192.0.2.1:1111"), quick())
	echoAll(t, client.Dial, "192.0.2.2:2222", 8, 600_000)
}

// TestSocketsClose: all sockets of a port close with it, so that it can be had again.
func TestSocketsClose(t *testing.T) {
	address := "127.0.0.1:0"
	for range 3 {
		lc := ListenConfig{Config: &Config{Sockets: 3}}
		l, err := lc.Listen(context.Background(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		address = l.Addr().String()
		s := registry.get(mustAddress(t, address))
		l.Close()
		<-s.gone
		u, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Fatalf("a socket is left: %v", err)
		}
		u.Close()
	}
}

// mustAddress is the registry's name of a UDP address.
func mustAddress(t *testing.T, s string) address {
	t.Helper()
	at, _ := newAddress(nil, "", netip.MustParseAddrPort(s))
	return at
}

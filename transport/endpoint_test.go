package transport_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/transport"
	"example.com/culvert/udpcarrier"
)

func endpoint(t *testing.T, address string) *transport.Endpoint {
	t.Helper()
	e, err := config.Endpoint(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// Two Endpoints carry many connections both ways over one socket each, dialled and
// accepted, on several inner ports.
func TestEndpointsShareASocket(t *testing.T) {
	a, b := endpoint(t, "127.0.0.1:0"), endpoint(t, "127.0.0.1:0")
	for _, e := range []*transport.Endpoint{a, b} {
		for _, port := range []uint16{0, 7, 2000} {
			l, err := e.Listen(port)
			if err != nil {
				t.Fatal(err)
			}
			serve(l, func(c net.Conn) { fmt.Fprintf(c, "%5d", port); echo(c) })
		}
	}
	var wg sync.WaitGroup
	for i := range 60 {
		from, to := a, b
		if i%2 == 1 {
			from, to = b, a
		}
		port := []uint16{0, 7, 2000}[i%3]
		wg.Go(func() {
			var c net.Conn
			var err error
			if port == 0 {
				c, err = from.Dial("tcp", to.LocalAddr().String())
			} else {
				c, err = from.DialPort(ctx, "tcp", to.LocalAddr().String(), port)
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			read := make([]byte, 5)
			if _, err := io.ReadFull(c, read); err != nil || string(read) != fmt.Sprintf("%5d", port) {
				t.Errorf("dialled port %d, reached %s, %v", port, read, err)
			}
			if c.LocalAddr().String() != from.LocalAddr().String() {
				t.Errorf("LocalAddr is %v, the Endpoint's is %v", c.LocalAddr(), from.LocalAddr())
			}
			exchange(t, c, strings.Repeat("hello", 1000))
		})
	}
	wg.Wait()
	if _, err := a.DialPort(ctx, "tcp", b.LocalAddr().String(), 9); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("an inner port where nobody listens: %v", err)
	}
	_, err := a.Listen(7)
	wantOp(t, err, "listen", syscall.EADDRINUSE)
}

// An Endpoint on a wildcard learns its local address from what the peer answers to.
//
// Shows: MUST-44, MUST-45.
func TestEndpointOnAWildcard(t *testing.T) {
	e := endpoint(t, ":0")
	l := listen(t, ":0")
	serve(l, echo)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := e.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		exchange(t, c, "hello")
		if ip := c.LocalAddr().(*net.TCPAddr).IP; !ip.IsLoopback() {
			t.Errorf("dialled %s, LocalAddr is %v", host, c.LocalAddr())
		}
		c.Close()
	}
}

// Close ends listeners and open connections, and lets those finish that were closed
// before; then nothing works any more.
func TestEndpointClose(t *testing.T) {
	a, b := endpoint(t, "127.0.0.1:0"), endpoint(t, "127.0.0.1:0")
	l, err := b.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 2)
	go func() {
		for range 2 {
			if c, err := l.Accept(); err == nil {
				accepted <- c
			}
		}
	}()
	open, err := a.Dial("tcp", b.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer1 := <-accepted
	closing, err := a.Dial("tcp", b.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer2 := <-accepted
	data := content(1, 150_000) // what is taken over with nobody reading
	if _, err := closing.Write(data); err != nil {
		t.Fatal(err)
	}
	closing.Close()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(peer2)
	if err != nil {
		t.Errorf("what was written before Close: %v", err)
	}
	sameBytes(t, "what was written before Close", got, data)
	_, err = peer1.Read(make([]byte, 1))
	wantOp(t, err, "read", syscall.ECONNRESET)
	_, err = open.Write([]byte("x"))
	wantOp(t, err, "write", net.ErrClosed)
	_, err = a.Dial("tcp", b.LocalAddr().String())
	wantOp(t, err, "dial", net.ErrClosed)
	_, err = a.Listen(0)
	wantOp(t, err, "listen", net.ErrClosed)
	wantOp(t, a.Close(), "close", net.ErrClosed)
	peer1.Close()
	peer2.Close()
	b.Close()
	_, err = l.Accept()
	wantOp(t, err, "accept", net.ErrClosed)
}

// An Endpoint has its address for itself, and gives it back.
func TestEndpointIsExclusive(t *testing.T) {
	e := endpoint(t, "127.0.0.1:0")
	address := e.LocalAddr().String()
	_, err := config.Listen(ctx, "tcp", address)
	wantOp(t, err, "listen", syscall.EADDRINUSE)
	_, err = config.Endpoint(ctx, "tcp", address)
	wantOp(t, err, "listen", syscall.EADDRINUSE)
	_, err = (&transport.Dialer{LocalAddr: e.LocalAddr()}).Dial("tcp", silent(t))
	wantOp(t, err, "dial", syscall.EADDRINUSE)
	e.Close()
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	defer l.Close()
	_, err = config.Endpoint(ctx, "tcp", address)
	wantOp(t, err, "listen", syscall.EADDRINUSE)
}

// NewEndpoint takes any carrier, and closes it.
func TestNewEndpoint(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	car, err := udpcarrier.FromPacketConn(pc, udpcarrier.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transport.NewEndpoint(nil, nil); err == nil {
		t.Error("a nil carrier")
	}
	if _, err := transport.NewEndpoint(car, &transport.Config{MSS: 1}); err == nil || !strings.Contains(err.Error(), "Config.MSS") {
		t.Errorf("a bad Config: %v", err)
	}
	e, err := transport.NewEndpoint(car, quick())
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, "127.0.0.1:0")
	serve(l, echo)
	c, err := e.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, c, "hello")
	c.Close()
	e.Close()
	if !eventually(10*time.Second, func() bool { _, err := car.WriteBatch(nil); return errors.Is(err, net.ErrClosed) }) {
		t.Error("the carrier is still open")
	}
}

// A carrier that dies takes everything with it, and everybody is told.
func TestCarrierDies(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	car, err := udpcarrier.FromPacketConn(pc, udpcarrier.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := transport.NewEndpoint(car, quick())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	l, err := e.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	there := listen(t, "127.0.0.1:0")
	c, err := e.Dial("tcp", there.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := there.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// Not every system tells it that nobody is there any more, and it would try for minutes.
	s.(*conn.Conn).SetLinger(0)
	defer s.Close()
	errs := make(chan error)
	go func() { _, err := l.Accept(); errs <- err }()
	go func() { _, err := c.Read(make([]byte, 1)); errs <- err }()
	go func() { _, err := e.Dial("tcp", silent(t)); errs <- err }()
	pc.Close()
	for range 3 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
}

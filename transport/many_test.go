package transport_test

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"example.com/culvert/transport"
)

// Many connections at once through one listener, each with its own content both ways.
func TestManyConnections(t *testing.T) {
	cfg := quick()
	cfg.SendBuffer, cfg.ReceiveBuffer = 128<<10, 128<<10
	// The listener has one socket, whose queue holds some MiB. Loopback would take
	// segments of 64 KiB, of which one per connection is more than that.
	cfg.MSS, cfg.InitialWindow = 8<<10, 2
	lc := &transport.ListenConfig{Config: cfg}
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e, err := lc.Endpoint(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()

	// Half of the clients have a socket each, half share one.
	conns := make([]net.Conn, manyConns)
	servers := make([]net.Conn, manyConns)
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range servers {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			servers[i] = c
		}
	})
	d := &transport.Dialer{Config: cfg}
	for i := range conns {
		wg.Go(func() {
			dial := d.Dial
			if i%2 == 1 {
				dial = e.Dial
			}
			c, err := dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			conns[i] = c
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	// One goroutine reads each socket; none belongs to a connection.
	sockets := manyConns / 2
	if !eventually(10*time.Second, func() bool { return runtime.NumGoroutine() <= before+sockets+5 }) {
		t.Errorf("%d goroutines with %d connections over %d sockets, %d before", runtime.NumGoroutine(), manyConns, sockets+2, before)
	}

	both := func(c net.Conn, send, want []byte) {
		wg.Go(func() {
			if _, err := c.Write(send); err != nil {
				t.Error("write:", err)
			}
			if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Error("CloseWrite:", err)
			}
		})
		wg.Go(func() {
			got := make([]byte, 0, len(want))
			buf := make([]byte, 16<<10)
			for {
				n, err := c.Read(buf)
				got = append(got, buf[:n]...)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Error("read:", err)
					break
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d bytes arrived, want %d; or they differ", len(got), len(want))
			}
		})
	}
	// Each connection has its own place in one long pattern, and says which.
	up, down := content(1, manyBytes+8*manyConns), content(2, manyBytes+8*manyConns)
	at := make(map[string]int)
	for i, c := range conns {
		key := c.LocalAddr().String()
		if i%2 == 1 {
			key = "shared"
		}
		at[key] = i
	}
	for i, c := range conns {
		n := 8 * i
		if i%2 == 1 {
			n = 0
		}
		both(c, up[n:n+manyBytes], down[n:n+manyBytes])
	}
	for _, c := range servers {
		n := 0
		if i, ok := at[c.RemoteAddr().String()]; ok {
			n = 8 * i
		}
		both(c, down[n:n+manyBytes], up[n:n+manyBytes])
	}
	wg.Wait()
	for i := range conns {
		conns[i].Close()
		servers[i].Close()
	}
}

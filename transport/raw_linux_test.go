package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rawAllowed reports whether the process may open raw sockets; if not, the error has
// been seen to say what is missing.
func rawAllowed(t *testing.T) bool {
	t.Helper()
	l, err := Listen(rawNetwork, "127.0.0.1:0")
	if err == nil {
		l.Close()
		return true
	}
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "cap_net_raw+ep") {
		t.Fatalf("Listen: %v", err)
	}
	return false
}

// swap has both ends send data, half-close, and check what they get.
func swap(t *testing.T, a, b net.Conn, size int) {
	t.Helper()
	data := pattern(size)
	errs := make(chan error, 4)
	for _, c := range []net.Conn{a, b} {
		c.SetDeadline(time.Now().Add(time.Minute))
		go func() {
			_, err := c.Write(data)
			errs <- errors.Join(err, c.(interface{ CloseWrite() error }).CloseWrite())
		}()
		go func() {
			got, err := io.ReadAll(c)
			if err == nil && !bytes.Equal(got, data) {
				err = errors.New("other octets than were sent")
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	a.Close()
	b.Close()
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> uint(i%11))
	}
	return b
}

// listenKernel is a listener of the kernel's.
func listenKernel(network, address string) (net.Listener, error) { return net.Listen(network, address) }

// TestRawKernel: over raw IPv4 the kernel's TCP is as good a peer as ours, whoever dials.
func TestRawKernel(t *testing.T) {
	if !rawAllowed(t) {
		return
	}
	var kernel net.Dialer
	ours := &Dialer{Config: &Config{MSL: time.Millisecond}}
	lc := &ListenConfig{Config: &Config{MSL: time.Millisecond}}
	listenOurs := func(_, a string) (net.Listener, error) { return lc.Listen(context.Background(), rawNetwork, a) }
	dialOurs := func(ctx context.Context, _, a string) (net.Conn, error) { return ours.DialContext(ctx, rawNetwork, a) }
	for name, c := range map[string]struct {
		listen func(network, address string) (net.Listener, error)
		dial   func(ctx context.Context, network, address string) (net.Conn, error)
	}{
		"the kernel dials":   {listenOurs, kernel.DialContext},
		"the kernel listens": {listenKernel, dialOurs},
		"both are ours":      {listenOurs, dialOurs},
	} {
		for _, host := range []string{"127.0.0.1:0", ":0"} {
			t.Run(name+" on "+host, func(t *testing.T) {
				l, err := c.listen("tcp4", host)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				_, port, _ := net.SplitHostPort(l.Addr().String())
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				a, err := c.dial(ctx, "tcp4", net.JoinHostPort("127.0.0.1", port))
				if err != nil {
					t.Fatal(err)
				}
				b, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				if a.LocalAddr().String() != b.RemoteAddr().String() || a.RemoteAddr().String() != b.LocalAddr().String() {
					t.Errorf("one end is %v to %v, the other %v to %v", a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr())
				}
				swap(t, a, b, 3<<20)
			})
		}
	}
}

// TestRawRefused: where nobody listens, the kernel says so at once.
func TestRawRefused(t *testing.T) {
	if !rawAllowed(t) {
		return
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if c, err := Dial(rawNetwork, l.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			c.Close()
		}
		t.Errorf("Dial: %v, want ECONNREFUSED", err)
	}
}

// TestRawPortInUse: a port that somebody has is nobody else's to listen on, one of the kernel's
// none to dial from either, and it is free again once its last user has closed.
func TestRawPortInUse(t *testing.T) {
	if !rawAllowed(t) {
		return
	}
	for name, listen := range map[string]func(network, address string) (net.Listener, error){
		"the kernel's": func(_, a string) (net.Listener, error) { return net.Listen("tcp4", a) },
		"ours":         Listen,
	} {
		first, err := listen(rawNetwork, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := first.Addr().String()
		local, _ := net.ResolveTCPAddr("tcp4", address)
		if l, err := Listen(rawNetwork, address); !errors.Is(err, syscall.EADDRINUSE) {
			if err == nil {
				l.Close()
			}
			t.Errorf("%s port, Listen: %v, want EADDRINUSE", name, err)
		}
		// From a port of our own listener a dial shares its socket.
		if c, err := (&Dialer{LocalAddr: local}).Dial(rawNetwork, "127.0.0.1:9"); name != "ours" && !errors.Is(err, syscall.EADDRINUSE) {
			if err == nil {
				c.Close()
			}
			t.Errorf("%s port, Dial from it: %v, want EADDRINUSE", name, err)
		}
		first.Close()
		again, err := Listen(rawNetwork, address)
		if err != nil {
			t.Errorf("%s port, closed: %v", name, err)
			continue
		}
		again.Close()
	}
}

// TestRawEndpoint: an Endpoint dials and listens on its one port, also on a wildcard.
func TestRawEndpoint(t *testing.T) {
	if !rawAllowed(t) {
		return
	}
	lc := &ListenConfig{Config: &Config{MSL: time.Millisecond}}
	e, err := lc.Endpoint(context.Background(), rawNetwork, ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	port := e.LocalAddr().(*net.TCPAddr).Port
	kernel, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	a, err := e.Dial(rawNetwork, kernel.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := kernel.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if got := b.RemoteAddr().(*net.TCPAddr).Port; got != port {
		t.Errorf("the Endpoint on port %d dials from %d", port, got)
	}
	if a.LocalAddr().String() != b.RemoteAddr().String() {
		t.Errorf("our end is %v, the kernel says %v", a.LocalAddr(), b.RemoteAddr())
	}
	swap(t, a, b, 100000)
	if l, err := e.Listen(uint16(port) ^ 1); err == nil || !strings.Contains(err.Error(), "alone") {
		if err == nil {
			l.Close()
		}
		t.Errorf("Listen on a port at which nothing arrives: %v", err)
	}
	l, err := e.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	if a, err = net.Dial("tcp4", net.JoinHostPort("127.0.0.1", l.Addr().String()[len("0.0.0.0:"):])); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	swap(t, a, b, 100000)
}

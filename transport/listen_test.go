package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/culvert/listener"
	"example.com/culvert/transport"
)

// A wildcard listener takes both families, and answers each peer from the address that
// it asked.
//
// Shows: MUST-45.
func TestWildcardAnswersFromTheAddressAsked(t *testing.T) {
	l := listen(t, ":0")
	accepted := make(chan net.Conn, 1)
	serve(l, func(c net.Conn) { accepted <- c; echo(c) })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "127.1.2.3", "::1"} {
		c := dial(t, net.JoinHostPort(host, port)) // a connected socket hears no other address
		exchange(t, c, "hello")
		if got := (<-accepted).LocalAddr().String(); got != net.JoinHostPort(host, port) {
			t.Errorf("asked at %v, LocalAddr is %v", host, got)
		}
	}
}

func TestListenNetworks(t *testing.T) {
	for _, v := range []struct {
		network, address string
		four, six        bool
	}{
		{"tcp4", ":0", true, false},
		{"tcp6", "[::]:0", false, true},
		{"tcp", ":0", true, true},
		{"tcp", "localhost:0", true, false},
	} {
		l, err := config.Listen(ctx, v.network, v.address)
		if err != nil {
			t.Fatal(err)
		}
		serve(l, echo)
		_, port, _ := net.SplitHostPort(l.Addr().String())
		for host, want := range map[string]bool{"127.0.0.1": v.four, "::1": v.six} {
			c, err := dialer.Dial("tcp", net.JoinHostPort(host, port))
			if (err == nil) != want {
				t.Errorf("Listen(%q, %q), then dialled at %s: %v", v.network, v.address, host, err)
			}
			if err == nil {
				exchange(t, c, "hello")
				c.Close()
			}
		}
		l.Close()
	}
}

// Bad arguments, and addresses that are in use, are package net's errors.
func TestListenErrors(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	foreign, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	for name, address := range map[string]string{"ours": l.Addr().String(), "somebody else's": foreign.LocalAddr().String()} {
		_, err := config.Listen(ctx, "tcp", address)
		wantOp(t, err, "listen", syscall.EADDRINUSE)
		var sys *os.SyscallError
		if !errors.As(err, &sys) || sys.Syscall != "bind" || !strings.Contains(err.Error(), "listen tcp "+address) {
			t.Errorf("%s: package net's text is another: %v", name, err)
		}
	}
	for _, v := range []struct{ network, address, want string }{
		{"udp", ":0", "unknown network"},
		{"ip4:tcp", "127.0.0.1", "ip4:tcp"},
		{"tcp", "nonsense", "missing port"},
		{"tcp", "224.0.0.1:0", "224.0.0.1"},
		{"tcp4", "[::1]:0", "::1"},
		{"tcp", "192.0.2.77:0", "192.0.2.77"},
	} {
		_, err := config.Listen(ctx, v.network, v.address)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "listen" || !strings.Contains(err.Error(), v.want) {
			t.Errorf("Listen(%q, %q): %v", v.network, v.address, err)
		}
	}
	for want, lc := range map[string]*transport.ListenConfig{
		"ListenConfig.Backlog": {Backlog: -1},
		"Config.Backlog":       {Config: &transport.Config{Backlog: -1}},
		"Config.HopLimit":      {Config: &transport.Config{HopLimit: 256}},
	} {
		if _, err := lc.Listen(ctx, "tcp", "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := config.Listen(over, "tcp", "no.such.host.invalid:0"); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
}

// After Close the port can be listened on again at once, though connections live on
// it: the old ones go on, new ones reach the new listener.
//
// Shows: MUST-41.
func TestListenAgain(t *testing.T) {
	first := listen(t, "127.0.0.1:0")
	serve(first, func(c net.Conn) { io.WriteString(c, "first "); echo(c) })
	address := first.Addr().String()
	old := dial(t, address)
	read(t, old, "first ")
	for range 3 {
		first.Close()
		if _, err := dialer.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("nobody listens, and Dial says %v", err)
		}
		second := listen(t, address)
		serve(second, func(c net.Conn) { io.WriteString(c, "second "); echo(c) })
		read(t, dial(t, address), "second ")
		exchange(t, old, "still here")
		first = second
	}
}

func read(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

// A port can be listened on while a connection from it is being opened, or open.
//
// Shows: MUST-42.
func TestListenOnADiallingPort(t *testing.T) {
	to := silent(t)
	c, cancel := context.WithCancel(ctx)
	var from net.Addr
	done := make(chan error, 1)
	begin := func() {
		free, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		from = free.LocalAddr()
		free.Close()
		go func(from net.Addr) {
			_, err := (&transport.Dialer{LocalAddr: from, Config: quick()}).DialContext(c, "tcp", to)
			done <- err
		}(from)
	}
	begin()
	// The SYN is on its way once the port answers: with a reset, since nobody listens.
	if !eventually(10*time.Second, func() bool {
		select {
		case err := <-done:
			if !errors.Is(err, syscall.EADDRINUSE) {
				t.Fatalf("the dial ended: %v", err)
			}
			begin() // somebody else has taken the port
		default:
		}
		_, err := (&transport.Dialer{Config: quick(), Timeout: time.Second}).Dial("tcp", from.String())
		return errors.Is(err, syscall.ECONNREFUSED) && len(done) == 0
	}) {
		t.Fatal("the dial does not begin")
	}
	var l net.Listener
	var err error
	eventually(10*time.Second, func() bool { l, err = config.Listen(ctx, "tcp", from.String()); return err == nil })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	serve(l, echo)
	exchange(t, dial(t, from.String()), "hello")
	select {
	case err := <-done:
		t.Fatalf("the dial ended: %v", err)
	default:
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the dial: %v", err)
	}
	exchange(t, dial(t, from.String()), "hello again")
}

// A listener leaves accepted connections alone when it closes, and resets the others.
func TestListenerClose(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	c1 := dial(t, l.Addr().String())
	s1, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s1.Close()
	go echo(s1)
	c2 := dial(t, l.Addr().String()) // established, not accepted
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	_, err = c2.Read(make([]byte, 1))
	wantOp(t, err, "read", syscall.ECONNRESET)
	exchange(t, c1, "hello")
}

func TestAcceptDeadline(t *testing.T) {
	l := listen(t, "127.0.0.1:0").(*listener.Listener)
	l.SetDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := l.Accept()
	wantOp(t, err, "accept", os.ErrDeadlineExceeded)
}

// A full backlog delays a connection, and does not refuse it.
func TestBacklogDelays(t *testing.T) {
	lc := &transport.ListenConfig{Config: &transport.Config{MSL: 20 * time.Millisecond}, Backlog: 2}
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := &transport.Dialer{Config: &transport.Config{MSL: 20 * time.Millisecond, InitialRTO: 20 * time.Millisecond}}
	const n = 6
	done := make(chan error, n)
	for range n {
		go func() {
			c, err := d.Dial("tcp", l.Addr().String())
			if err == nil {
				defer c.Close()
				_, err = io.WriteString(c, "x")
			}
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-done:
		t.Fatalf("a third connection with a backlog of 2: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	for range n {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	for range n - 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

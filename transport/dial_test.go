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

	"example.com/culvert/conn"
	"example.com/culvert/transport"
)

// What a program sees of a connection: package net's types, the address that was
// dialled, a port of its own at the server.
func TestDialAndAddresses(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	accepted := make(chan net.Conn, 2)
	serve(l, func(c net.Conn) { accepted <- c; echo(c) })
	c1, c2 := dial(t, l.Addr().String()), dial(t, l.Addr().String())
	exchange(t, c1, "hello")
	exchange(t, c2, "hello")
	if c1.RemoteAddr().String() != l.Addr().String() {
		t.Errorf("RemoteAddr is %v, dialled %v", c1.RemoteAddr(), l.Addr())
	}
	s1, s2 := <-accepted, <-accepted
	if s1.RemoteAddr().String() == s2.RemoteAddr().String() {
		t.Errorf("two connections have the remote address %v", s1.RemoteAddr())
	}
	for _, a := range []net.Addr{l.Addr(), c1.LocalAddr(), c1.RemoteAddr(), s1.LocalAddr(), s1.RemoteAddr()} {
		if tcp, ok := a.(*net.TCPAddr); !ok || tcp.IP == nil || tcp.Port == 0 || a.Network() != "tcp" {
			t.Errorf("%v is a %T", a, a)
		}
	}
	if got := c1.LocalAddr().String(); got != s1.RemoteAddr().String() && got != s2.RemoteAddr().String() {
		t.Errorf("LocalAddr is %v; the server sees %v and %v", got, s1.RemoteAddr(), s2.RemoteAddr())
	}
	if info := c1.(*conn.Conn).Info(); info.RTT <= 0 || info.BytesDelivered != 5 {
		t.Errorf("Info: %+v", info)
	}
}

// Dialling a closed port is refused at once.
//
// Shows: MUST-54, SHLD-26.
func TestRefused(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		pc, err := net.ListenPacket("udp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		address := pc.LocalAddr().String()
		pc.Close()
		begin := time.Now()
		_, err = dialer.Dial("tcp", address)
		wantOp(t, err, "dial", syscall.ECONNREFUSED)
		if d := time.Since(begin); d > time.Second {
			t.Errorf("it took %v", d)
		}
		if !strings.Contains(err.Error(), "dial tcp "+address) {
			t.Errorf("package net's text begins otherwise: %v", err)
		}
	}
}

// A port that speaks, but where nobody listens, refuses with a reset.
func TestRefusedByReset(t *testing.T) {
	e, err := config.Endpoint(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	_, err = dialer.Dial("tcp", e.LocalAddr().String())
	wantOp(t, err, "dial", syscall.ECONNREFUSED)
}

// silent is the address of a socket that never answers.
func silent(t *testing.T) string {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc.LocalAddr().String()
}

// Timeout, Deadline and the context's own deadline end a dial, and the error is
// package net's.
func TestDialTimeout(t *testing.T) {
	to := silent(t)
	const short = 20 * time.Millisecond
	ctx2, cancel := context.WithTimeout(ctx, short)
	defer cancel()
	for name, f := range map[string]func() (net.Conn, error){
		"Timeout":  func() (net.Conn, error) { return (&transport.Dialer{Timeout: short}).Dial("tcp", to) },
		"Deadline": func() (net.Conn, error) { return (&transport.Dialer{Deadline: time.Now().Add(short)}).Dial("tcp", to) },
		"context":  func() (net.Conn, error) { return new(transport.Dialer).DialContext(ctx2, "tcp", to) },
		"DialTimeout": func() (net.Conn, error) {
			return transport.DialTimeout("tcp", to, short)
		},
		"a Timeout that is over": func() (net.Conn, error) { return transport.DialTimeout("tcp", to, -time.Second) },
		"a context that is over": func() (net.Conn, error) {
			c, cancel := context.WithDeadline(ctx, time.Now().Add(-time.Hour))
			defer cancel()
			return new(transport.Dialer).DialContext(c, "tcp", to)
		},
	} {
		begin := time.Now()
		_, err := f()
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		wantOp(t, err, "dial", os.ErrDeadlineExceeded)
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("%s: it took %v", name, d)
		}
	}
}

// Cancelling the context ends a dial at once; after it, cancelling changes nothing.
func TestDialCancel(t *testing.T) {
	c, cancel := context.WithCancel(ctx)
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := dialer.DialContext(c, "tcp", silent(t))
	wantOp(t, err, "dial", context.Canceled)
	if !strings.Contains(err.Error(), "operation was canceled") {
		t.Errorf("text: %v", err)
	}
	_, err = dialer.DialContext(c, "tcp", silent(t))
	wantOp(t, err, "dial", context.Canceled)

	l := listen(t, "127.0.0.1:0")
	serve(l, echo)
	c, cancel = context.WithCancel(ctx)
	live, err := dialer.DialContext(c, "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	cancel()
	exchange(t, live, "still here")
}

// Bad arguments are errors that name them.
//
// Shows: MUST-46.
func TestDialArguments(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	for _, v := range []struct{ network, address, want string }{
		{"udp", "127.0.0.1:1", "unknown network udp"},
		{"tcp5", "127.0.0.1:1", "unknown network tcp5"},
		{"ip4:tcp", "127.0.0.1", "ip4:tcp"},
		{"tcp", "127.0.0.1", "missing port"},
		{"tcp", "224.0.0.1:80", "multicast and broadcast"},
		{"tcp", "255.255.255.255:80", "multicast and broadcast"},
		{"tcp", "[ff02::1]:80", "multicast and broadcast"},
		{"tcp4", "[::1]:80", "::1"},
		{"tcp6", "127.0.0.1:80", "127.0.0.1"},
		{"tcp", "127.0.0.1:0", "refused"},
		{"tcp", "127.0.0.1:65536", "65536"},
		{"tcp", "127.0.0.1:nosuchservice", "nosuchservice"},
		{"tcp", "no.such.host.invalid:80", "no.such.host.invalid"},
	} {
		_, err := (&transport.Dialer{Timeout: 10 * time.Second}).Dial(v.network, v.address)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || !strings.Contains(err.Error(), v.want) {
			t.Errorf("Dial(%q, %q): %v", v.network, v.address, err)
		}
	}
	for name, d := range map[string]*transport.Dialer{
		"Config.MSS":               {Config: &transport.Config{MSS: 3}},
		"Config.CongestionControl": {Config: &transport.Config{CongestionControl: "nosuch"}},
		"Dialer.LocalAddr":         {LocalAddr: &net.UnixAddr{}},
		"cannot be reached from":   {LocalAddr: &net.TCPAddr{IP: net.IPv6loopback}},
	} {
		if _, err := d.Dial("tcp", l.Addr().String()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var none context.Context
	if _, err := dialer.DialContext(none, "tcp", l.Addr().String()); err == nil || !strings.Contains(err.Error(), "ctx") {
		t.Errorf("nil context: %v", err)
	}
}

// No host, and an unspecified address, mean this system; names are looked up.
func TestDialThisSystem(t *testing.T) {
	l := listen(t, ":0")
	serve(l, echo)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, to := range []struct{ network, host string }{
		{"tcp", ""}, {"tcp4", ""}, {"tcp6", ""}, {"tcp", "0.0.0.0"}, {"tcp", "::"}, {"tcp", "localhost"}, {"tcp", "::ffff:127.0.0.1"},
	} {
		c, err := dialer.Dial(to.network, net.JoinHostPort(to.host, port))
		if err != nil {
			t.Errorf("Dial(%q, %q): %v", to.network, to.host, err)
			continue
		}
		exchange(t, c, "hello")
		c.Close()
	}
}

// The local address can be chosen, and is the system's choice otherwise.
//
// Shows: MUST-43, MUST-44.
func TestLocalAddr(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	serve(l, echo)
	for _, local := range []net.Addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 3)}, nil} {
		c, err := (&transport.Dialer{LocalAddr: local, Config: quick()}).Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		want := "127.0.0.3"
		if local == nil {
			want = "127.0.0.1"
		}
		if got := c.LocalAddr().(*net.TCPAddr).IP.String(); got != want {
			t.Errorf("LocalAddr is %v, want %v", got, want)
		}
		exchange(t, c, "hello")
		c.Close()
	}
}

// KeepAliveConfig of the Dialer is applied, and its errors are told.
func TestDialerKeepAlive(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	serve(l, echo)
	d := &transport.Dialer{Config: quick(), KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Millisecond, Interval: time.Hour, Count: 2}}
	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !eventually(5*time.Second, func() bool { return c.(*conn.Conn).Info().KeepAliveProbes > 0 }) {
		t.Error("no probe after the idle time")
	}
	d.KeepAliveConfig.Count = 1e9
	if _, err := d.Dial("tcp", l.Addr().String()); err == nil || !strings.Contains(err.Error(), "KeepAliveConfig.Count:") {
		t.Errorf("a bad count: %v", err)
	}
}

// Two hosts that dial each other's ports meet in the middle, whoever begins.
//
// Shows: MUST-10.
func TestDialEachOther(t *testing.T) {
	// Both sockets must be there before either SYN arrives, or the system refuses it.
	// Listeners that are gone keep theirs open while a connection lives on it.
	a, hold1 := held(t)
	b, hold2 := held(t)
	defer hold1.Close()
	defer hold2.Close()
	type result struct {
		c   net.Conn
		err error
	}
	results := make(chan result)
	for _, p := range [][2]net.Addr{{a, b}, {b, a}} {
		go func() {
			c, err := (&transport.Dialer{LocalAddr: p[0], Config: &transport.Config{MSL: 20 * time.Millisecond, InitialRTO: 50 * time.Millisecond}}).Dial("tcp", p[1].String())
			results <- result{c, err}
		}()
	}
	r1, r2 := <-results, <-results
	if r1.err != nil || r2.err != nil {
		// Who is first may find that the other does not dial yet, and is refused as
		// with any closed port; the other one then as well.
		if !errors.Is(r1.err, syscall.ECONNREFUSED) && !errors.Is(r2.err, syscall.ECONNREFUSED) {
			t.Fatal(r1.err, r2.err)
		}
		return
	}
	defer r1.c.Close()
	defer r2.c.Close()
	go io.Copy(r2.c, r2.c)
	exchange(t, r1.c, "from both ends")
}

// held is the address of a socket that is kept open by a connection alone.
func held(t *testing.T) (net.Addr, net.Conn) {
	l := listen(t, "127.0.0.1:0")
	serve(l, echo)
	c := dial(t, l.Addr().String())
	exchange(t, c, "x")
	l.Close()
	return l.Addr(), c
}

// A host with addresses of both families: the first one that answers wins, and the
// other family gets its chance after the delay, or as soon as the first has failed.
func TestHappyEyeballs(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	serve(l, echo)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	// Nothing listens at [::1]: refused at once, and IPv4 follows without the delay.
	r := fakeResolver(t, "::1", "127.0.0.1")
	begin := time.Now()
	d := &transport.Dialer{Config: quick(), Resolver: r, FallbackDelay: time.Minute, Timeout: 30 * time.Second}
	c, err := d.Dial("tcp", net.JoinHostPort("two.example", port))
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, c, "hello")
	c.Close()
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("the fallback took %v though the first family failed at once", d)
	}
	// [::1] keeps silent: IPv4 begins after the delay.
	mute, err := net.ListenPacket("udp", net.JoinHostPort("::1", port))
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	d.FallbackDelay = 30 * time.Millisecond
	c, err = d.Dial("tcp", net.JoinHostPort("two.example", port))
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, c, "hello")
	c.Close()
	// Without fallback the silent family has half of the time, and then the other.
	d.FallbackDelay, d.Timeout = -1, 4500*time.Millisecond
	if testing.Short() {
		return
	}
	c, err = d.Dial("tcp", net.JoinHostPort("two.example", port))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

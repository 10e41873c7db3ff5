package listener

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/tcpcore/segment"
)

var (
	here = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}
	peer = netip.MustParseAddrPort("192.0.2.2:4000")
)

// fakeConn is a connection by name.
type fakeConn struct {
	net.Conn
	name    string
	reset   bool
	dropped bool
}

func (c *fakeConn) Abort() { c.reset = true }
func (c *fakeConn) Drop()  { c.dropped = true }

// open takes a place as an endpoint would; nil if the verdict was not to.
func open(t *testing.T, in *Intake, c *fakeConn) *Place {
	t.Helper()
	v := in.Receive(&segment.Segment{SrcPort: 4000, DstPort: 80, Flags: segment.SYN}, peer, netip.Addr{}, nil)
	if v.Action != Open {
		return nil
	}
	if !v.Place.Bind(c, c) {
		t.Fatal("Bind failed")
	}
	return v.Place
}

// What LISTEN answers (RFC 9293 section 3.10.7.2); a SYN from or to an address that
// no connection can have is dropped without a word.
//
// Shows: MUST-57, MUST-63.
func TestVerdicts(t *testing.T) {
	_, in := New(here, 10, nil)
	for _, v := range []struct {
		name  string
		flags segment.Flags
		peer  string
		local string
		want  Action
	}{
		{"SYN", segment.SYN, "192.0.2.2:4000", "", Open},
		{"SYN to a known address", segment.SYN, "192.0.2.2:4000", "192.0.2.1", Open},
		{"SYN over IPv6", segment.SYN, "[2001:db8::2]:4000", "2001:db8::1", Open},
		{"RST", segment.RST, "192.0.2.2:4000", "", Drop},
		{"SYN with RST", segment.SYN | segment.RST, "192.0.2.2:4000", "", Drop},
		{"ACK", segment.ACK, "192.0.2.2:4000", "", Reply},
		{"SYN with ACK", segment.SYN | segment.ACK, "192.0.2.2:4000", "", Reply},
		{"RST with ACK", segment.RST | segment.ACK, "192.0.2.2:4000", "", Drop},
		{"nothing", 0, "192.0.2.2:4000", "", Drop},
		{"FIN", segment.FIN, "192.0.2.2:4000", "", Drop},
		{"SYN from a multicast address", segment.SYN, "224.0.0.1:4000", "", Drop},
		{"SYN from an IPv6 multicast address", segment.SYN, "[ff02::1]:4000", "", Drop},
		{"SYN from the broadcast address", segment.SYN, "255.255.255.255:4000", "", Drop},
		{"SYN from nowhere", segment.SYN, "0.0.0.0:4000", "", Drop},
		{"SYN from port 0", segment.SYN, "192.0.2.2:0", "", Drop},
		{"SYN to the broadcast address", segment.SYN, "192.0.2.2:4000", "255.255.255.255", Drop},
		{"SYN to a multicast address", segment.SYN, "192.0.2.2:4000", "239.1.2.3", Drop},
		{"SYN to an IPv6 multicast address", segment.SYN, "[2001:db8::2]:4000", "ff02::1", Drop},
	} {
		var local netip.Addr
		if v.local != "" {
			local = netip.MustParseAddr(v.local)
		}
		got := in.Receive(&segment.Segment{SrcPort: 4000, DstPort: 80, Ack: 77, Flags: v.flags}, netip.MustParseAddrPort(v.peer), local, nil)
		if got.Action != v.want {
			t.Errorf("%s: action %d, want %d", v.name, got.Action, v.want)
		}
		if got.Action == Reply {
			var s segment.Segment
			if err := segment.Parse(&s, got.Reply); err != nil || !s.Flags.Has(segment.RST) || s.Seq != 77 {
				t.Errorf("%s: the reply is %v (%v), want a reset with SEQ=SEG.ACK", v.name, &s, err)
			}
		}
		if got.Action == Open {
			got.Place.Release()
		}
	}
}

// The backlog bounds half-open and unaccepted connections together; a handshake that
// dies, and Accept, make room.
func TestBacklog(t *testing.T) {
	l, in := New(here, 3, nil)
	a, b, c := open(t, in, &fakeConn{name: "a"}), open(t, in, &fakeConn{name: "b"}), open(t, in, &fakeConn{name: "c"})
	if a == nil || b == nil || c == nil {
		t.Fatal("the backlog is not as large as it was said")
	}
	if open(t, in, &fakeConn{}) != nil {
		t.Fatal("a fourth handshake with a backlog of 3")
	}
	b.Ready()
	a.Ready()
	b.Release() // an established connection keeps its place in the queue
	if open(t, in, &fakeConn{}) != nil {
		t.Fatal("an unaccepted connection does not count")
	}
	c.Release()
	c.Release() // once is enough
	c.Ready()   // too late
	d := open(t, in, &fakeConn{name: "d"})
	if d == nil {
		t.Fatal("a handshake that died keeps its place")
	}
	if open(t, in, &fakeConn{}) != nil {
		t.Fatal("releasing twice made room twice")
	}
	for _, want := range []string{"b", "a"} {
		if got, err := l.Accept(); err != nil || got.(*fakeConn).name != want {
			t.Fatalf("accepted %v, %v; want %s: in the order of their handshakes", got, err, want)
		}
	}
	first, second, third := open(t, in, &fakeConn{}), open(t, in, &fakeConn{}), open(t, in, &fakeConn{})
	if first == nil || second == nil || third != nil {
		t.Fatal("two accepted connections leave two places")
	}
}

func TestDefaultBacklog(t *testing.T) {
	_, in := New(here, 0, nil)
	n := 0
	for open(t, in, &fakeConn{}) != nil {
		n++
	}
	if n != DefaultBacklog {
		t.Errorf("%d places", n)
	}
}

// Close resets what was not accepted, leaves the rest alone, unblocks Accept, and
// the errors are package net's.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := 0
		l, in := New(here, 10, func() { closed++ })
		errs := make(chan error)
		for range 2 {
			go func() {
				_, err := l.Accept()
				errs <- err
			}()
		}
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			err := <-errs
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "accept" || op.Net != "tcp" || !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept: %v", err)
			}
			if !strings.Contains(err.Error(), "use of closed network connection") {
				t.Errorf("programs compare the text: %v", err)
			}
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		if err := l.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SetDeadline: %v", err)
		}
		if closed != 1 {
			t.Errorf("onClose was called %d times", closed)
		}
		if open(t, in, &fakeConn{}) != nil {
			t.Error("a closed listener opens connections")
		}
	})
	l, in := New(here, 10, nil)
	half, ready, accepted := &fakeConn{name: "half"}, &fakeConn{name: "ready"}, &fakeConn{name: "accepted"}
	open(t, in, accepted).Ready()
	open(t, in, half)
	open(t, in, ready).Ready()
	l.Accept()
	v := in.Receive(&segment.Segment{Flags: segment.SYN}, peer, netip.Addr{}, nil)
	l.Close()
	if !half.reset || !ready.reset || accepted.reset {
		t.Errorf("reset: half-open %v, unaccepted %v, accepted %v", half.reset, ready.reset, accepted.reset)
	}
	if v.Place.Bind(&fakeConn{}, nil) {
		t.Error("a connection was bound to a closed listener")
	}
}

// A listener whose carrier died says so.
func TestFail(t *testing.T) {
	l, in := New(here, 10, nil)
	died := errors.New("the carrier died")
	in.Fail(died)
	if _, err := l.Accept(); !errors.Is(err, died) {
		t.Errorf("Accept: %v", err)
	}
}

// Accept's deadline, with and without somebody waiting, extended and taken back.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, in := New(here, 10, nil)
		defer l.Close()
		begin := time.Now()
		wait := func() time.Duration {
			_, err := l.Accept()
			if !errors.Is(err, os.ErrDeadlineExceeded) || !err.(net.Error).Timeout() {
				t.Errorf("Accept: %v", err)
			}
			return time.Since(begin)
		}
		l.SetDeadline(begin.Add(time.Second))
		if d := wait(); d != time.Second {
			t.Errorf("after %v", d)
		}
		l.SetDeadline(time.Time{})
		done := make(chan time.Duration)
		go func() { done <- wait() }()
		for _, s := range []int{20, 5, 10} {
			synctest.Wait()
			l.SetDeadline(begin.Add(time.Duration(s) * time.Second))
		}
		if d := <-done; d != 10*time.Second {
			t.Errorf("after %v, want 10s", d)
		}
		l.SetDeadline(time.Now().Add(time.Hour))
		open(t, in, &fakeConn{name: "x"}).Ready()
		if c, err := l.Accept(); err != nil || c.(*fakeConn).name != "x" {
			t.Errorf("Accept before the deadline: %v, %v", c, err)
		}
	})
}

// Everything at once, for the race detector.
func TestConcurrent(t *testing.T) {
	l, in := New(here, 50, nil)
	const n = 200
	opened := make(chan struct{})
	for i := range n {
		go func() {
			c := &fakeConn{name: fmt.Sprint(i)}
			for p := open(t, in, c); ; p = open(t, in, c) {
				if p != nil {
					p.Ready()
					p.Release()
					break
				}
			}
			opened <- struct{}{}
		}()
	}
	go func() {
		for range n {
			<-opened
		}
	}()
	for range n {
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
}

// A full backlog gives the place of the oldest handshake away once that had its chance, and
// never one of a connection that is established.
func TestOldestMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, in := New(here, 3, nil)
		defer l.Close()
		conns := make([]*fakeConn, 6)
		for i := range conns {
			conns[i] = &fakeConn{name: fmt.Sprint(i)}
		}
		open(t, in, conns[0]).Ready()
		<-time.After(time.Minute)
		open(t, in, conns[1])
		<-time.After(time.Second)
		open(t, in, conns[2])
		if open(t, in, conns[3]) != nil || conns[1].dropped {
			t.Error("a handshake of a second made room")
		}
		<-time.After(halfOpenGrace - time.Second)
		p := open(t, in, conns[3])
		if p == nil || !conns[1].dropped || conns[1].reset || conns[2].dropped || conns[0].dropped {
			t.Fatalf("after its time: %+v", conns)
		}
		if open(t, in, conns[4]) != nil {
			t.Error("the second oldest made room too soon")
		}
		p.Ready()
		<-time.After(time.Second)
		open(t, in, conns[4]).Ready() // for the last that was half open
		<-time.After(time.Minute)
		if open(t, in, conns[5]) != nil {
			t.Error("a connection that waits for Accept made room")
		}
		for _, i := range []int{0, 3, 4} {
			if c, err := l.Accept(); err != nil || c != conns[i] {
				t.Errorf("accepted %v, %v; want %d", c, err, i)
			}
		}
	})
}

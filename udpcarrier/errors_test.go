package udpcarrier

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"example.com/culvert/carrier"
)

// deadPort is an address on loopback at which nobody listens.
func deadPort(t *testing.T, ip netip.Addr) netip.AddrPort {
	c := must[*Carrier](t)(Listen("udp", at(ip, 0), Options{}))
	defer c.Close()
	return c.LocalAddr()
}

// next returns the only datagram of the next batch, in memory of its own.
func next(t *testing.T, c *Carrier) carrier.Datagram {
	t.Helper()
	b, err := c.ReadBatch()
	if err != nil {
		t.Fatalf("ReadBatch: %v", err)
	}
	defer b.Release()
	if len(b.Datagrams) != 1 {
		t.Fatalf("%d datagrams in a batch, want 1", len(b.Datagrams))
	}
	d := b.Datagrams[0]
	d.Data = append([]byte(nil), d.Data...)
	return d
}

func send(t *testing.T, c *Carrier, ds ...carrier.Datagram) {
	t.Helper()
	if n, err := c.WriteBatch(ds); n != len(ds) || err != nil {
		t.Fatalf("WriteBatch: %d of %d, %v", n, len(ds), err)
	}
}

// A closed port refuses a connected socket, on every system but Windows (whose
// runtime switches that report off).
func TestRefusedConnected(t *testing.T) {
	if runtime.GOOS == "windows" {
		return
	}
	for _, o := range []Options{{}, {portable: true}} {
		for _, ip := range []netip.Addr{loopback4, loopback6} {
			dead := deadPort(t, ip)
			c := must[*Carrier](t)(Dial("udp", netip.AddrPort{}, dead, o))
			defer c.Close()
			// Three times: the report that waits when the next segment is sent must
			// not cost that segment.
			for range 3 {
				send(t, c, carrier.Datagram{Data: []byte("a segment, by its beginning")})
			}
			b, err := c.ReadBatch()
			if err != nil {
				t.Fatal(err)
			}
			d := b.Datagrams[0]
			if !errors.Is(d.Err, syscall.ECONNREFUSED) || d.Peer != dead {
				t.Errorf("%v: report %v about %v, want ECONNREFUSED about %v", ip, d.Err, d.Peer, dead)
			}
		}
	}
}

// A report is not the end: the socket goes on when the port opens.
func TestRefusedThenOpened(t *testing.T) {
	dead := deadPort(t, loopback4)
	c := must[*Carrier](t)(Dial("udp", netip.AddrPort{}, dead, Options{}))
	defer c.Close()
	send(t, c, carrier.Datagram{Data: make([]byte, 20)})
	if d := next(t, c); d.Err == nil {
		t.Fatal("no report")
	}
	l := must[*Carrier](t)(Listen("udp", dead, Options{}))
	defer l.Close()
	send(t, c, carrier.Datagram{Data: make([]byte, 33)})
	if d := next(t, l); d.Err != nil || len(d.Data) != 33 {
		t.Fatalf("%d bytes, %v", len(d.Data), d.Err)
	}
}

func TestBadArguments(t *testing.T) {
	four, six := at(loopback4, 4000), at(loopback6, 4000)
	none := netip.AddrPort{}
	for _, c := range []struct {
		name string // must stand in the error
		call func() (*Carrier, error)
	}{
		{"network", func() (*Carrier, error) { return Listen("tcp", none, Options{}) }},
		{"network", func() (*Carrier, error) { return Dial("", none, four, Options{}) }},
		{"laddr", func() (*Carrier, error) { return Listen("udp4", six, Options{}) }},
		{"laddr", func() (*Carrier, error) { return Listen("udp6", four, Options{}) }},
		{"raddr", func() (*Carrier, error) { return Dial("udp6", none, four, Options{}) }},
		{"raddr", func() (*Carrier, error) { return Dial("udp", none, none, Options{}) }},
		{"raddr", func() (*Carrier, error) { return Dial("udp", none, at(loopback4, 0), Options{}) }},
		{"pc", func() (*Carrier, error) { return FromPacketConn(nil, Options{}) }},
		{"Options.MTU", func() (*Carrier, error) { return Listen("udp", none, Options{MTU: 575}) }},
		{"Options.MTU", func() (*Carrier, error) { return Listen("udp", none, Options{MTU: 65536}) }},
		{"Options.SendBuffer", func() (*Carrier, error) { return Listen("udp", none, Options{SendBuffer: -1}) }},
		{"Options.ReceiveBuffer", func() (*Carrier, error) { return Dial("udp", none, four, Options{ReceiveBuffer: 1<<30 + 1}) }},
		{"Options.Control", func() (*Carrier, error) {
			o := Options{Control: func(string, string, syscall.RawConn) error { return nil }}
			return FromPacketConn(plain{}, o)
		}},
	} {
		got, err := c.call()
		if err == nil {
			got.Close()
			t.Errorf("a bad %s is accepted", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.name+":") && !strings.Contains(err.Error(), c.name+" ") {
			t.Errorf("the error does not name %s: %v", c.name, err)
		}
	}
}

// An address in use is package net's error, as it is for every other socket.
func TestAddressInUse(t *testing.T) {
	c := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
	defer c.Close()
	_, err := Listen("udp", c.LocalAddr(), Options{})
	var op *net.OpError
	if !errors.As(err, &op) {
		t.Fatalf("%v is no *net.OpError", err)
	}
}

// A datagram without a peer is an error, not a panic, on every kind of socket.
func TestNoPeer(t *testing.T) {
	pc := must[net.PacketConn](t)(net.ListenPacket("udp", "127.0.0.1:0"))
	for _, c := range []*Carrier{
		must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{})),
		must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{portable: true})),
		must[*Carrier](t)(FromPacketConn(plain{pc}, Options{})),
	} {
		defer c.Close()
		n, err := c.WriteBatch([]carrier.Datagram{{Data: make([]byte, 20)}})
		if n != 0 || !errors.Is(err, syscall.EDESTADDRREQ) {
			t.Errorf("%d, %v, want EDESTADDRREQ", n, err)
		}
	}
}

// stubborn is a PacketConn whose reads fail in a row given, and then are closed.
type stubborn struct {
	net.PacketConn
	errs []error
}

func (s *stubborn) ReadFrom(b []byte) (int, net.Addr, error) {
	if len(s.errs) == 0 {
		return copy(b, "segment"), net.TCPAddrFromAddrPort(at(loopback4, 9)), nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return 0, net.UDPAddrFromAddrPort(at(loopback4, 9)), err
}
func (s *stubborn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(at(loopback4, 8)) }

// Errors that pass are passed over; one that stays is the carrier's end.
func TestPacketConnErrors(t *testing.T) {
	open := func(errs ...error) *Carrier {
		pc := must[net.PacketConn](t)(net.ListenPacket("udp", "127.0.0.1:0"))
		t.Cleanup(func() { pc.Close() })
		return must[*Carrier](t)(FromPacketConn(&stubborn{PacketConn: pc, errs: errs}, Options{}))
	}
	timeout := &net.OpError{Op: "read", Err: syscall.ETIMEDOUT}
	if d := next(t, open(timeout, syscall.ECONNREFUSED, timeout)); string(d.Data) != "segment" {
		t.Errorf("after passing errors: %q", d.Data)
	}
	broken := errors.New("broken")
	if _, err := open(broken).ReadBatch(); !errors.Is(err, broken) {
		t.Errorf("ReadBatch: %v, want the PacketConn's own error", err)
	}
	var many []error
	for range 10 * maxFailures {
		many = append(many, syscall.ECONNREFUSED)
	}
	if _, err := open(many...).ReadBatch(); err == nil {
		t.Error("a PacketConn that always fails is read for ever")
	}
}

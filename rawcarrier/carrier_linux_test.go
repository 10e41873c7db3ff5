package rawcarrier

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"example.com/culvert/carrier"
	"example.com/culvert/carrier/carriertest"
	"example.com/culvert/tcpcore/segment"
	"golang.org/x/sys/unix"
)

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func at(ip netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(ip, port) }

// privileged reports whether the process may open raw sockets. If it may not, the test
// has seen to it that the error says what is missing.
func privileged(t *testing.T) bool {
	t.Helper()
	c, err := Listen(at(loopback, 0), Options{})
	if err == nil {
		c.Close()
		return true
	}
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "cap_net_raw+ep ") {
		t.Fatalf("Listen: %v, want success or a permission and how to get it", err)
	}
	return false
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// prepare makes a segment of octets: ports, a header length, and a checksum.
func prepare(b []byte, from, to netip.AddrPort) {
	binary.BigEndian.PutUint16(b, from.Port())
	binary.BigEndian.PutUint16(b[2:], to.Port())
	b[12] = 5 << 4
	segment.SetChecksum(b, from.Addr(), to.Addr())
}

func seg(from, to netip.AddrPort, n int) []byte {
	b := make([]byte, n)
	prepare(b, from, to)
	return b
}

func TestContract(t *testing.T) {
	if !privileged(t) {
		return
	}
	t.Run("Listening", func(t *testing.T) {
		carriertest.Test(t, func(t *testing.T) carriertest.Pair {
			a := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
			b := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
			return carriertest.Pair{A: a, B: b, ToA: a.LocalAddr(), ToB: b.LocalAddr(), Prepare: prepare}
		})
	})
	t.Run("Dialled", func(t *testing.T) {
		carriertest.Test(t, func(t *testing.T) carriertest.Pair {
			b := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
			a := must[*Carrier](t)(Dial(netip.AddrPort{}, b.LocalAddr(), Options{}))
			return carriertest.Pair{A: a, B: b, ToA: a.LocalAddr(), ToB: b.LocalAddr(), Prepare: prepare}
		})
	})
	t.Run("Wildcard", func(t *testing.T) {
		carriertest.Test(t, func(t *testing.T) carriertest.Pair {
			b := must[*Carrier](t)(Listen(netip.AddrPort{}, Options{}))
			to := at(netip.AddrFrom4([4]byte{127, 0, 0, 9}), b.LocalAddr().Port())
			a := must[*Carrier](t)(Dial(at(loopback, 0), to, Options{}))
			return carriertest.Pair{A: a, B: b, ToA: a.LocalAddr(), ToB: to, Prepare: prepare}
		})
	})
}

// TestPortIsHeld: the kernel keeps a carrier's port from everybody, and gives it back
// with the carrier; a port that somebody has is none for a carrier.
func TestPortIsHeld(t *testing.T) {
	if !privileged(t) {
		return
	}
	c := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
	local := c.LocalAddr()
	if l, err := net.Listen("tcp4", local.String()); !errors.Is(err, syscall.EADDRINUSE) {
		if err == nil {
			l.Close()
		}
		t.Errorf("the kernel's TCP on a carrier's port: %v, want EADDRINUSE", err)
	}
	if d, err := Listen(local, Options{}); !errors.Is(err, syscall.EADDRINUSE) {
		if err == nil {
			d.Close()
		}
		t.Errorf("a second carrier on the port: %v, want EADDRINUSE", err)
	}
	c.Close()
	l, err := net.Listen("tcp4", local.String())
	if err != nil {
		t.Fatalf("the port after Close: %v", err)
	}
	defer l.Close()
	if d, err := Listen(local, Options{}); !errors.Is(err, syscall.EADDRINUSE) {
		if err == nil {
			d.Close()
		}
		t.Errorf("a carrier on a port of the kernel's TCP: %v, want EADDRINUSE", err)
	}
}

// next takes one datagram, with its bytes in memory of their own.
func next(t *testing.T, c *Carrier) carrier.Datagram {
	t.Helper()
	b, err := c.ReadBatch()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if len(b.Datagrams) != 1 {
		t.Fatalf("%d datagrams at once, want 1", len(b.Datagrams))
	}
	d := b.Datagrams[0]
	d.Data = append([]byte(nil), d.Data...)
	return d
}

// TestKernelIsQuiet: the kernel neither answers what is for a carrier's port, nor takes
// the connection; and what it sends itself is known to be whole, though its checksum is
// not there.
func TestKernelIsQuiet(t *testing.T) {
	if !privileged(t) {
		return
	}
	c := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
	defer c.Close()
	fd := must[int](t)(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0))
	defer unix.Close(fd)
	sa := &unix.SockaddrInet4{Addr: loopback.As4(), Port: int(c.LocalAddr().Port())}
	if err := unix.Connect(fd, sa); err != unix.EINPROGRESS {
		t.Fatalf("connect: %v, want EINPROGRESS", err)
	}
	d := next(t, c)
	var syn segment.Segment
	if err := segment.Parse(&syn, d.Data); err != nil || syn.Flags != segment.SYN {
		t.Fatalf("the first segment is no SYN: %v, flags %v", err, syn.Flags)
	}
	if d.Local != loopback || d.Peer.Addr() != loopback {
		t.Errorf("a SYN from %v to %v", d.Peer, d.Local)
	}
	if !d.Verified && !segment.VerifyChecksum(d.Data, d.Peer.Addr(), d.Local) {
		t.Error("the kernel's checksum is neither there nor left out")
	}
	// A reset would have come by now: on loopback the kernel answers within connect.
	if e, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); e != 0 || err != nil {
		t.Errorf("the kernel answered its own SYN: %v, %v", syscall.Errno(e), err)
	}
	// And the socket still connects if we are the ones who answer.
	answer := segment.Segment{
		SrcPort: c.LocalAddr().Port(), DstPort: d.Peer.Port(), Seq: 1000, Ack: syn.Seq + 1,
		Flags: segment.SYN | segment.ACK, Window: 1000,
	}
	b := answer.Append(nil)
	segment.SetChecksum(b, loopback, loopback)
	if _, err := c.WriteBatch([]carrier.Datagram{{Peer: d.Peer, Local: d.Local, Data: b}}); err != nil {
		t.Fatal(err)
	}
	var ack segment.Segment
	if d = next(t, c); segment.Parse(&ack, d.Data) != nil || ack.Flags != segment.ACK || ack.Ack != 1001 {
		t.Errorf("the kernel's answer to our SYN-ACK: flags %v, ack %d", ack.Flags, ack.Ack)
	}
}

// TestOnlyItsOwn: a carrier receives what is for its port, and a dialled one what is
// from its peer.
func TestOnlyItsOwn(t *testing.T) {
	if !privileged(t) {
		return
	}
	a := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
	defer a.Close()
	other := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
	defer other.Close()
	b := must[*Carrier](t)(Dial(netip.AddrPort{}, a.LocalAddr(), Options{}))
	defer b.Close()
	for _, from := range []*Carrier{other, a} {
		ds := []carrier.Datagram{{Peer: b.LocalAddr(), Data: seg(from.LocalAddr(), b.LocalAddr(), 40)}}
		if _, err := from.WriteBatch(ds); err != nil {
			t.Fatal(err)
		}
	}
	if d := next(t, b); d.Peer != a.LocalAddr() {
		t.Errorf("a carrier that is dialled to %v heard from %v", a.LocalAddr(), d.Peer)
	}
}

// TestMMS: a carrier knows what the interface takes, and keeps to what it was told.
func TestMMS(t *testing.T) {
	if !privileged(t) {
		return
	}
	mtu := must[*net.Interface](t)(net.InterfaceByName("lo")).MTU
	for _, c := range []struct {
		laddr     netip.AddrPort
		opts      Options
		mms, most int
	}{
		{at(loopback, 0), Options{}, min(mtu, maxDatagram) - ipv4Header, min(mtu, maxDatagram) - ipv4Header},
		{netip.AddrPort{}, Options{}, min(mtu, maxDatagram) - ipv4Header, min(mtu, maxDatagram) - ipv4Header},
		{at(loopback, 0), Options{MTU: 1400}, 1380, 1380},
	} {
		k := must[*Carrier](t)(Listen(c.laddr, c.opts))
		defer k.Close()
		if mms, most := k.MMS(at(loopback, 9)), k.MaxMMS(at(loopback, 9)); mms != c.mms || most != c.most {
			t.Errorf("on %v with %+v: MMS %d, at most %d, want %d and %d", c.laddr, c.opts, mms, most, c.mms, c.most)
		}
	}
}

// TestMarks: the traffic class goes out and comes in.
func TestMarks(t *testing.T) {
	if !privileged(t) {
		return
	}
	a := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
	defer a.Close()
	b := must[*Carrier](t)(Dial(netip.AddrPort{}, a.LocalAddr(), Options{}))
	defer b.Close()
	for _, class := range []uint8{0, carrier.ECT0, carrier.CE, 46<<2 | carrier.ECT1} {
		ds := []carrier.Datagram{{Data: seg(b.LocalAddr(), a.LocalAddr(), 40), TrafficClass: class, HopLimit: 9}}
		if _, err := b.WriteBatch(ds); err != nil {
			t.Fatal(err)
		}
		if d := next(t, a); d.TrafficClass != class {
			t.Errorf("traffic class %#x arrived as %#x", class, d.TrafficClass)
		}
	}
}

// TestReports: an ICMP error reaches the carrier that sent what it quotes, and no other.
func TestReports(t *testing.T) {
	if !privileged(t) {
		return
	}
	a := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
	defer a.Close()
	other := must[*Carrier](t)(Listen(at(loopback, 0), Options{}))
	defer other.Close()
	peer := at(netip.AddrFrom4([4]byte{127, 0, 0, 7}), 99)
	icmp := must[net.PacketConn](t)(net.ListenPacket("ip4:icmp", "127.0.0.1"))
	defer icmp.Close()
	send := func(from netip.AddrPort, kind, code byte, spoil bool) {
		t.Helper()
		quote := ipv4Datagram(from.Addr(), peer.Addr(), seg(from, peer, 60))[:20+8]
		if _, err := icmp.WriteTo(icmpMessage(kind, code, quote, spoil), &net.IPAddr{IP: loopback.AsSlice()}); err != nil {
			t.Fatal(err)
		}
	}
	send(other.LocalAddr(), icmpUnreachable, 3, false)
	send(a.LocalAddr(), icmpUnreachable, 3, true)
	send(a.LocalAddr(), 5, 1, false) // a redirect
	for code := range byte(len(unreachables)) {
		send(a.LocalAddr(), icmpUnreachable, code, false)
		d := next(t, a)
		if d.Err != unreachables[code] || d.Peer != peer || d.Local != loopback || len(d.Data) != 8 {
			t.Errorf("code %d: %v about %v from %v, %d octets", code, d.Err, d.Peer, d.Local, len(d.Data))
		}
	}
	// However many come that are useless, the one behind them is not left lying.
	for range 5 * maxReports {
		send(a.LocalAddr(), icmpUnreachable, 3, true)
	}
	send(a.LocalAddr(), icmpUnreachable, 1, false)
	if d := next(t, a); d.Err != unreachables[1] {
		t.Errorf("behind useless ones: %v", d.Err)
	}
	// They are no errors of the socket: what is sent next goes its way.
	if _, err := a.WriteBatch([]carrier.Datagram{{Peer: other.LocalAddr(), Data: seg(a.LocalAddr(), other.LocalAddr(), 40)}}); err != nil {
		t.Error(err)
	}
}

// TestBadArguments: each is named.
func TestBadArguments(t *testing.T) {
	here, v6 := at(loopback, 1), at(netip.IPv6Loopback(), 1)
	many := at(netip.AddrFrom4([4]byte{224, 0, 0, 1}), 1)
	for want, f := range map[string]func() (*Carrier, error){
		"Listen: laddr":         func() (*Carrier, error) { return Listen(v6, Options{}) },
		"Listen: laddr: 224":    func() (*Carrier, error) { return Listen(many, Options{}) },
		"Dial: laddr":           func() (*Carrier, error) { return Dial(v6, here, Options{}) },
		"Dial: raddr: [::1]":    func() (*Carrier, error) { return Dial(netip.AddrPort{}, v6, Options{}) },
		"Dial: raddr: 224":      func() (*Carrier, error) { return Dial(netip.AddrPort{}, many, Options{}) },
		"Dial: raddr: 127":      func() (*Carrier, error) { return Dial(netip.AddrPort{}, at(loopback, 0), Options{}) },
		"Options.MTU":           func() (*Carrier, error) { return Listen(here, Options{MTU: 575}) },
		"Options.ReceiveBuffer": func() (*Carrier, error) { return Dial(here, here, Options{ReceiveBuffer: -1}) },
		"Options.SendBuffer":    func() (*Carrier, error) { return Listen(here, Options{SendBuffer: maxBuffer + 1}) },
	} {
		c, err := f()
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error that names %q", err, want)
		}
	}
}

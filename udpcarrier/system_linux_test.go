package udpcarrier

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"

	"example.com/culvert/carrier"
	"example.com/culvert/carrier/carriertest"
	"example.com/culvert/internal/cmsg"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// On Linux all of 127/8 is loopback: a wildcard can be asked on an address that is
// not the one that the system would answer from, and the suite's connected side
// hears nobody else.
func TestSecondAddress(t *testing.T) {
	second := netip.MustParseAddr("127.0.0.2")
	t.Run("dual-stack", func(t *testing.T) { carriertest.Test(t, wildcard("udp", second, Options{})) })
	t.Run("IPv4", func(t *testing.T) { carriertest.Test(t, wildcard("udp4", second, Options{})) })
	t.Run("portable", func(t *testing.T) { carriertest.Test(t, wildcard("udp", second, Options{portable: true})) })
}

// Local is known on a wildcard, and on any other socket.
func TestLocal(t *testing.T) {
	for _, open := range []carriertest.Open{
		wildcard("udp", netip.MustParseAddr("127.0.0.3"), Options{}),
		wildcard("udp", loopback6, Options{}),
		unconnected(loopback4, Options{}),
	} {
		p := open(t)
		defer p.A.Close()
		defer p.B.Close()
		send(t, p.A.(*Carrier), carrier.Datagram{Peer: p.ToB, Data: make([]byte, 20)})
		if d := next(t, p.B.(*Carrier)); d.Local != p.ToB.Addr() {
			t.Errorf("asked on %v, Local is %v", p.ToB.Addr(), d.Local)
		}
	}
}

// The traffic class arrives as it was sent, datagram by datagram.
func TestTrafficClass(t *testing.T) {
	for name, open := range map[string]carriertest.Open{
		"unconnected4": unconnected(loopback4, Options{}),
		"connected6":   connected(loopback6, Options{}),
		"dual-stack4":  wildcard("udp", loopback4, Options{}),
		"dual-stack6":  wildcard("udp", loopback6, Options{}),
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			a, b := p.A.(*Carrier), p.B.(*Carrier)
			defer a.Close()
			defer b.Close()
			if !a.Caps().TrafficClass || !b.Caps().HopLimit {
				t.Fatalf("Caps are %+v, %+v", a.Caps(), b.Caps())
			}
			for _, class := range []uint8{0, carrier.ECT0, carrier.CE, 46<<2 | carrier.ECT1, 0xfc, 0} {
				send(t, a, carrier.Datagram{Peer: p.ToB, Data: make([]byte, 20), TrafficClass: class})
				d := next(t, b)
				if d.TrafficClass != class {
					t.Errorf("sent %#x, B receives %#x", class, d.TrafficClass)
				}
				send(t, b, carrier.Datagram{Peer: d.Peer, Local: d.Local, Data: make([]byte, 20), TrafficClass: class})
				if d := next(t, a); d.TrafficClass != class {
					t.Errorf("sent %#x, A receives %#x", class, d.TrafficClass)
				}
			}
		})
	}
}

// The hop limit is on the wire as asked, and the system's when not.
func TestHopLimit(t *testing.T) {
	check := func(t *testing.T, c *Carrier, u *net.UDPConn, read func([]byte) int) {
		defer c.Close()
		defer u.Close()
		to := unmap(u.LocalAddr().(*net.UDPAddr).AddrPort())
		b := make([]byte, 100)
		for _, hops := range []uint8{1, 77, 255, 0} {
			send(t, c, carrier.Datagram{Peer: to, Data: make([]byte, 20), HopLimit: hops})
			want := int(hops)
			if want == 0 {
				want = 64
			}
			if got := read(b); got != want {
				t.Errorf("asked for %d hops, the datagram has %d", hops, got)
			}
		}
	}
	t.Run("IPv4", func(t *testing.T) {
		u := must[*net.UDPConn](t)(net.ListenUDP("udp4", udpAddr(at(loopback4, 0))))
		pc := ipv4.NewPacketConn(u)
		pc.SetControlMessage(ipv4.FlagTTL, true)
		// A dual-stack socket, which must use IPv4's control message all the same.
		check(t, must[*Carrier](t)(Listen("udp", netip.AddrPort{}, Options{})), u, func(b []byte) int {
			_, cm, _, err := pc.ReadFrom(b)
			if err != nil {
				t.Fatal(err)
			}
			return cm.TTL
		})
	})
	t.Run("IPv6", func(t *testing.T) {
		u := must[*net.UDPConn](t)(net.ListenUDP("udp6", udpAddr(at(loopback6, 0))))
		pc := ipv6.NewPacketConn(u)
		pc.SetControlMessage(ipv6.FlagHopLimit, true)
		check(t, must[*Carrier](t)(Listen("udp6", netip.AddrPort{}, Options{})), u, func(b []byte) int {
			_, cm, _, err := pc.ReadFrom(b)
			if err != nil {
				t.Fatal(err)
			}
			return cm.HopLimit
		})
	})
}

// An unconnected socket is told which peer refused, and which segment.
func TestRefusedUnconnected(t *testing.T) {
	quoted := []byte("a segment that is known by its beginning")
	for _, c := range []struct {
		name    string
		ip      netip.Addr
		carrier *Carrier
	}{
		{"IPv4", loopback4, must[*Carrier](t)(Listen("udp4", netip.AddrPort{}, Options{}))},
		{"IPv6", loopback6, must[*Carrier](t)(Listen("udp6", netip.AddrPort{}, Options{}))},
		{"dual-stack/IPv4", loopback4, must[*Carrier](t)(Listen("udp", netip.AddrPort{}, Options{}))},
		{"dual-stack/IPv6", loopback6, must[*Carrier](t)(Listen("udp", netip.AddrPort{}, Options{}))},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer c.carrier.Close()
			dead := deadPort(t, c.ip)
			send(t, c.carrier, carrier.Datagram{Peer: dead, Data: quoted})
			d := next(t, c.carrier)
			if !errors.Is(d.Err, syscall.ECONNREFUSED) || d.Peer != dead {
				t.Errorf("report %v about %v, want ECONNREFUSED about %v", d.Err, d.Peer, dead)
			}
			if len(d.Data) == 0 || !bytes.HasPrefix(quoted, d.Data) {
				t.Errorf("the report quotes %q", d.Data)
			}
		})
	}
}

// Many dead peers cost a live one nothing: what a socket is told about one must not
// keep a segment from another.
func TestDeadPeersAmongLive(t *testing.T) {
	for _, ip := range []netip.Addr{loopback4, loopback6} {
		c := must[*Carrier](t)(Listen("udp", at(ip, 0), Options{}))
		live := must[*Carrier](t)(Listen("udp", at(ip, 0), Options{}))
		defer c.Close()
		defer live.Close()
		const rounds = 50
		var ds []carrier.Datagram
		for range rounds {
			ds = append(ds, carrier.Datagram{Peer: deadPort(t, ip), Data: make([]byte, 20)},
				carrier.Datagram{Peer: live.LocalAddr(), Data: make([]byte, 20)})
		}
		send(t, c, ds...)
		for got := 0; got < rounds; {
			b, err := live.ReadBatch()
			if err != nil {
				t.Fatal(err)
			}
			got += len(b.Datagrams)
			b.Release()
		}
		for got := 0; got < rounds; {
			b, err := c.ReadBatch()
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range b.Datagrams {
				if d.Err == nil {
					t.Error("a datagram from nowhere")
				}
			}
			got += len(b.Datagrams)
			b.Release()
		}
	}
}

// A segment that is too long leaves a note in the error queue that tells nobody
// anything new: it must neither be handed on nor keep the reader busy.
func TestLocalErrorsAreDrained(t *testing.T) {
	c := must[*Carrier](t)(Listen("udp", at(loopback6, 0), Options{}))
	peer := must[*Carrier](t)(Listen("udp", at(loopback6, 0), Options{}))
	defer c.Close()
	defer peer.Close()
	for range 3 * maxReports {
		_, err := c.WriteBatch([]carrier.Datagram{{Peer: peer.LocalAddr(), Data: make([]byte, 65500)}})
		if !errors.Is(err, syscall.EMSGSIZE) {
			t.Fatal(err)
		}
	}
	send(t, peer, carrier.Datagram{Peer: c.LocalAddr(), Data: make([]byte, 20)})
	if d := next(t, c); d.Err != nil {
		t.Errorf("a report: %v", d.Err)
	}
}

// unpollable says "not pollable" a few times, as the runtime does.
type unpollable struct {
	syscall.RawConn
	times int
}

func (u *unpollable) Read(f func(uintptr) bool) error {
	if u.times--; u.times >= 0 {
		return errors.New("not pollable")
	}
	return u.RawConn.Read(f)
}

func TestNotPollable(t *testing.T) {
	c := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
	peer := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
	defer c.Close()
	defer peer.Close()
	l := c.link.(*batchLink)
	l.raw = &unpollable{l.raw, 3}
	send(t, peer, carrier.Datagram{Peer: c.LocalAddr(), Data: make([]byte, 20)})
	if d := next(t, c); len(d.Data) != 20 {
		t.Errorf("%d bytes, %v", len(d.Data), d.Err)
	}
	l.raw.(*unpollable).times = 3
	send(t, c, carrier.Datagram{Peer: deadPort(t, loopback4), Data: make([]byte, 20)})
	if d := next(t, c); !errors.Is(d.Err, syscall.ECONNREFUSED) {
		t.Errorf("%d bytes, %v, want a report", len(d.Data), d.Err)
	}
}

// Nor is it the end of a socket that is read and written a datagram a call.
func TestPortableNotPollable(t *testing.T) {
	peer := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
	defer peer.Close()
	c := must[*Carrier](t)(Dial("udp", netip.AddrPort{}, peer.LocalAddr(), Options{portable: true}))
	defer c.Close()
	l := c.link.(*socketLink)
	raw := l.raw
	l.raw = &unpollable{raw, 3}
	send(t, peer, carrier.Datagram{Peer: c.LocalAddr(), Data: make([]byte, 20)})
	if d := next(t, c); len(d.Data) != 20 {
		t.Errorf("%d bytes, %v", len(d.Data), d.Err)
	}
	l.raw = &willing{&full{raw, 1}, 1}
	send(t, c, carrier.Datagram{Data: make([]byte, 30)})
	if d := next(t, peer); len(d.Data) != 30 {
		t.Errorf("%d bytes, %v", len(d.Data), d.Err)
	}
}

// full is a RawConn whose first calls find a socket without room.
type full struct {
	syscall.RawConn
	times int
}

func (f *full) Control(try func(uintptr)) error {
	if f.times--; f.times < 0 {
		return f.RawConn.Control(try)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	for err == nil {
		err = unix.Send(pair[0], make([]byte, 100), unix.MSG_DONTWAIT)
	}
	try(uintptr(pair[0]))
	return nil
}

// The system's MMS over loopback, whose MTU is 65536: asked of the socket, of the
// route, and by an IPv6 socket for an IPv4 peer.
func TestMMSOverLoopback(t *testing.T) {
	const want4, want6 = 65507, 65488
	for _, c := range []struct {
		name    string
		carrier *Carrier
		peer    netip.Addr
		want    int
	}{
		{"connected, IPv4", must[*Carrier](t)(Dial("udp", netip.AddrPort{}, at(loopback4, 9), Options{})), loopback4, want4},
		{"connected, IPv6", must[*Carrier](t)(Dial("udp", netip.AddrPort{}, at(loopback6, 9), Options{})), loopback6, want6},
		{"connected, dual-stack", must[*Carrier](t)(Dial("udp", at(netip.IPv6Unspecified(), 0), at(loopback4, 9), Options{})), loopback4, want4},
		{"unconnected, IPv4", must[*Carrier](t)(Listen("udp4", netip.AddrPort{}, Options{})), loopback4, want4},
		{"unconnected, IPv6", must[*Carrier](t)(Listen("udp6", netip.AddrPort{}, Options{})), loopback6, want6},
		{"unconnected, dual-stack", must[*Carrier](t)(Listen("udp", netip.AddrPort{}, Options{})), loopback4, want4},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer c.carrier.Close()
			if got := c.carrier.MMS(at(c.peer, 9)); got != c.want {
				t.Errorf("MMS = %d, want %d", got, c.want)
			}
		})
	}
}

// A socket that waits holds no buffer.
func TestWaitingIsCheap(t *testing.T) {
	const sockets = 200
	heap := func() uint64 {
		// Twice: what is in a sync.Pool survives one collection.
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for name, o := range map[string]Options{"batches": {}, "portable": {portable: true}} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			served := make(chan struct{})
			done := make(chan struct{})
			var cs []*Carrier
			for range sockets {
				c := must[*Carrier](t)(Listen("udp", at(loopback4, 0), o))
				cs = append(cs, c)
				go func() {
					defer func() { done <- struct{}{} }()
					for {
						b, err := c.ReadBatch()
						if err != nil {
							return
						}
						b.Release()
						served <- struct{}{}
					}
				}()
				// One datagram each, so that all have been through a read and wait again.
				send(t, c, carrier.Datagram{Peer: c.LocalAddr(), Data: make([]byte, 20)})
				<-served
			}
			if grown := int64(heap()) - int64(before); grown > sockets*8<<10 {
				t.Errorf("%d waiting sockets hold %d bytes", sockets, grown)
			}
			for _, c := range cs {
				c.Close()
			}
			for range sockets {
				<-done
			}
		})
	}
}

// Don't Fragment is on every socket, in both families' options, without the kernel's own belief
// in what the path takes.
//
// Shows: RFC7323-14, RFC8899-3.
func TestDontFragment(t *testing.T) {
	for _, c := range []*Carrier{
		must[*Carrier](t)(Listen("udp", netip.AddrPort{}, Options{})),
		must[*Carrier](t)(Listen("udp4", netip.AddrPort{}, Options{})),
		must[*Carrier](t)(Dial("udp", netip.AddrPort{}, at(loopback6, 9), Options{portable: true})),
	} {
		defer c.Close()
		raw, _ := c.pc.(*net.UDPConn).SyscallConn()
		raw.Control(func(fd uintptr) {
			if v, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER); v != unix.IP_PMTUDISC_PROBE || err != nil {
				t.Errorf("%v: IP_MTU_DISCOVER is %d, %v", c.LocalAddr(), v, err)
			}
			if !isInet6(fd, c.local.Addr()) {
				return
			}
			if v, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER); v != unix.IPV6_PMTUDISC_PROBE || err != nil {
				t.Errorf("%v: IPV6_MTU_DISCOVER is %d, %v", c.LocalAddr(), v, err)
			}
		})
	}
}

func TestBuffers(t *testing.T) {
	c := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{ReceiveBuffer: 100_000, SendBuffer: 50_000}))
	defer c.Close()
	// Linux doubles what is asked for, for its own overhead.
	if r, s := c.Buffers(); r != 200_000 || s != 100_000 {
		t.Errorf("Buffers = %d, %d", r, s)
	}
}

// A process that may have more than net.core.rmem_max and wmem_max gets it, any other as much as
// they say.
func TestBuffersBeyondTheLimit(t *testing.T) {
	u := must[*net.UDPConn](t)(net.ListenUDP("udp4", udpAddr(at(loopback4, 0))))
	defer u.Close()
	raw := must[syscall.RawConn](t)(u.SyscallConn())
	// Linux doubles what it grants.
	var recv, send int
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, maxBuffer)
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, maxBuffer)
		recv, send = buffers(fd)
	})
	check := func(times int, who string) {
		c, err := Listen("udp", at(loopback4, 0), Options{ReceiveBuffer: recv, SendBuffer: send})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if r, s := c.Buffers(); r != times*recv || s != times*send {
			t.Errorf("%s: Buffers = %d, %d, want %d, %d", who, r, s, times*recv, times*send)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with what it lacks
		may := false
		raw.Control(func(fd uintptr) {
			may = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, recv) == nil
		})
		if may {
			check(2, "who may")
		}
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var caps [2]unix.CapUserData
		err := unix.Capget(&header, &caps[0])
		caps[0].Effective &^= 1 << unix.CAP_NET_ADMIN
		if err == nil {
			err = unix.Capset(&header, &caps[0])
		}
		if err != nil {
			t.Error(err)
		}
		check(1, "who may not")
	}()
	<-done
}

// What the receive buffer has no room for is counted.
func TestOverflows(t *testing.T) {
	to := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{ReceiveBuffer: 10_000}))
	from := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
	defer to.Close()
	defer from.Close()
	if got := to.Stats(); got != (Stats{}) {
		t.Fatalf("a new carrier's Stats are %+v", got)
	}
	for range 100 {
		send(t, from, carrier.Datagram{Peer: to.LocalAddr(), Data: make([]byte, 1000)})
	}
	if got := to.Stats().Overflows; got == 0 || got > 100 {
		t.Errorf("%d overflows", got)
	}
}

// parse and build are each other's inverse where the kernel has the same format in
// both directions, and never panic on what is cut short.
func TestControlMessages(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")
	for _, k := range []controlKey{
		{},
		{v4: true, source: four},
		{v4: false, source: six},
		{v4: true, trafficClass: 0xb9},
		{v4: false, trafficClass: 0xb9},
		{v4: true, source: four, trafficClass: 2, hopLimit: 9},
		{v4: false, source: six, trafficClass: 2, hopLimit: 9},
	} {
		b := appendControl(nil, k)
		if len(b) > oobSize {
			t.Errorf("%+v takes %d bytes", k, len(b))
		}
		if m := parseControl(b); m.local != k.source || m.trafficClass != k.trafficClass {
			t.Errorf("%+v is parsed as %+v", k, m)
		}
		for n := range b {
			parseControl(b[:n])
			parseReport(b[:n])
		}
	}
	// A source of the other family is no source.
	if b := appendControl(nil, controlKey{v4: true, source: six}); len(b) != 0 {
		t.Errorf("an IPv6 source for an IPv4 datagram: %x", b)
	}
	// A room that is there is used: no allocation per datagram.
	var room [oobSize]byte
	key := controlKey{v4: true, source: four, trafficClass: 2, hopLimit: 9}
	if n := testing.AllocsPerRun(100, func() { appendControl(room[:0], key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzControlMessages(f *testing.F) {
	f.Add(appendControl(nil, controlKey{v4: true, source: loopback4, trafficClass: 1, hopLimit: 1}))
	f.Add(appendControl(nil, controlKey{source: loopback6, trafficClass: 1, hopLimit: 1}))
	f.Add(cmsg.Append(nil, unix.IPPROTO_IP, unix.IP_RECVERR, make([]byte, 16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseControl(b)
		parseReport(b)
	})
}

package udpcarrier

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"example.com/culvert/carrier"
	"example.com/culvert/carrier/carriertest"
	"example.com/culvert/internal/cmsg"
	"golang.org/x/sys/unix"
)

// offloads are GSO and GRO, on and off.
var offloads = map[string]Options{
	"GSO+GRO": {}, "GSO": {NoGRO: true}, "GRO": {NoGSO: true}, "neither": {NoGSO: true, NoGRO: true},
}

// sockets are the kinds of pairs of sockets.
func sockets(o Options) map[string]carriertest.Open {
	return map[string]carriertest.Open{
		"unconnected4": unconnected(loopback4, o), "unconnected6": unconnected(loopback6, o),
		"connected4": connected(loopback4, o), "connected6": connected(loopback6, o),
		"dual-stack4": wildcard("udp", loopback4, o), "dual-stack6": wildcard("udp", loopback6, o),
	}
}

func TestOffloads(t *testing.T) {
	for name, o := range offloads {
		for kind, open := range sockets(o) {
			t.Run(name+"/"+kind, func(t *testing.T) { carriertest.Test(t, open) })
		}
	}
}

// What the socket can do is what Caps say, and what options and environment allow.
func TestSwitches(t *testing.T) {
	open := func(o Options) *socket {
		c := must[*Carrier](t)(Listen("udp", at(loopback4, 0), o))
		t.Cleanup(func() { c.Close() })
		s := c.link.(*batchLink).socket
		if c.Caps().Trains != s.gso {
			t.Errorf("Caps.Trains is %v, GSO %v", c.Caps().Trains, s.gso)
		}
		return s
	}
	has := open(Options{})
	if !has.gso || !has.gro {
		t.Errorf("GSO %v, GRO %v: Linux has both since 5.0", has.gso, has.gro)
	}
	for name, o := range offloads {
		if s := open(o); s.gso != !o.NoGSO || s.gro != !o.NoGRO {
			t.Errorf("%s: GSO %v, GRO %v", name, s.gso, s.gro)
		}
	}
	for value, off := range map[string]bool{"1": true, "true": true, "please": true, "": false, "0": false, "false": false} {
		t.Setenv("CULVERT_NO_GSO", value)
		t.Setenv("CULVERT_NO_GRO", "")
		if s := open(Options{}); s.gso == off || !s.gro {
			t.Errorf("CULVERT_NO_GSO=%s: GSO %v, GRO %v", value, s.gso, s.gro)
		}
		t.Setenv("CULVERT_NO_GSO", "")
		t.Setenv("CULVERT_NO_GRO", value)
		if s := open(Options{}); s.gro == off || !s.gso {
			t.Errorf("CULVERT_NO_GRO=%s: GSO %v, GRO %v", value, s.gso, s.gro)
		}
		t.Setenv("CULVERT_NO_GRO", "")
		t.Setenv("CULVERT_NO_BATCH", value)
		c := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
		if _, batches := c.link.(*batchLink); batches == off {
			t.Errorf("CULVERT_NO_BATCH=%s: batches %v", value, batches)
		}
		c.Close()
		t.Setenv("CULVERT_NO_BATCH", "")
	}
}

// What its former owner had switched on does not change what a socket does for us.
func TestInheritedOptions(t *testing.T) {
	for name, o := range map[string]Options{"batches": {NoGSO: true, NoGRO: true}, "portable": {portable: true}} {
		t.Run(name, func(t *testing.T) {
			u := must[*net.UDPConn](t)(net.ListenUDP("udp4", udpAddr(at(loopback4, 0))))
			raw := must[interface{ Control(func(uintptr)) error }](t)(u.SyscallConn())
			raw.Control(func(fd uintptr) {
				unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, 10)
				unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1)
			})
			c := must[*Carrier](t)(FromPacketConn(u, o))
			peer := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
			defer c.Close()
			defer peer.Close()
			send(t, c, carrier.Datagram{Peer: peer.LocalAddr(), Data: numbered(1, 1, 0, 100)})
			if got, _ := hear(t, peer, 1); len(got[0].Data) != 100 {
				t.Errorf("a segment of 100 bytes was cut to %d", len(got[0].Data))
			}
			send(t, peer, carrier.Datagram{Peer: c.LocalAddr(), Data: numbered(1, 3, 100, 50), SegmentSize: 100})
			got, _ := hear(t, c, 3)
			for i, size := range []int{100, 100, 50} {
				if len(got[i].Data) != size {
					t.Errorf("segment %d has %d bytes, want %d", i, len(got[i].Data), size)
				}
			}
		})
	}
}

// shapes are trains: number of segments, size, length of the last.
var shapes = []struct{ n, size, tail int }{
	{44, 1452, 1452}, {44, 1452, 7}, {2, 1000, 2}, {64, 900, 900}, {64, 900, 899},
	{65, 900, 900}, {150, 300, 41}, {3, 30000, 30000}, {2, 40000, 20000}, {1, 500, 500}, {200, 20, 20},
}

// Segments arrive whole, each of its own length, in the order of sending: loopback
// changes none.
func TestTrainsInOrder(t *testing.T) {
	for name, o := range offloads {
		for kind, open := range sockets(o) {
			t.Run(name+"/"+kind, func(t *testing.T) {
				p := open(t)
				a, b := p.A.(*Carrier), p.B.(*Carrier)
				defer a.Close()
				defer b.Close()
				for _, s := range shapes {
					// Alone, and between single segments in one batch.
					single := func(i int) carrier.Datagram {
						return carrier.Datagram{Peer: p.ToB, Data: numbered(i, 1, 0, 60)}
					}
					send(t, a, single(0),
						carrier.Datagram{Peer: p.ToB, Data: numbered(1, s.n, s.size, s.tail), SegmentSize: s.size, TrafficClass: carrier.ECT0},
						single(s.n+1))
					got, _ := hear(t, b, s.n+2)
					for i, d := range got {
						want, class := s.size, uint8(carrier.ECT0)
						switch i {
						case 0, s.n + 1:
							want, class = 60, 0
						case s.n:
							want = s.tail
						}
						if n, whole := number(d.Data); n != i || !whole || len(d.Data) != want {
							t.Fatalf("%+v: segment %d is number %d with %d bytes, want %d", s, i, n, len(d.Data), want)
						}
						if d.Peer != p.ToA || d.TrafficClass != class || d.Local != p.ToB.Addr() {
							t.Fatalf("%+v: segment %d is from %v to %v with class %d", s, i, d.Peer, d.Local, d.TrafficClass)
						}
					}
				}
			})
		}
	}
}

// A train is one message out, and one in: what all of this is for.
func TestTrainIsOneMessage(t *testing.T) {
	for kind, open := range sockets(Options{}) {
		t.Run(kind, func(t *testing.T) {
			p := open(t)
			a, b := p.A.(*Carrier), p.B.(*Carrier)
			defer a.Close()
			defer b.Close()
			f := through(a, new(fake))
			for _, s := range shapes {
				most := min(maxTrainSegments, maxDatagram/s.size)
				send(t, a, carrier.Datagram{Peer: p.ToB, Data: numbered(1, s.n, s.size, s.tail), SegmentSize: s.size})
				want := (s.n + most - 1) / most
				got := f.taken()
				if len(got) != want {
					t.Errorf("%+v: %d messages, want %d: %v", s, len(got), want, got)
				}
				for _, m := range got {
					if (m.size > s.size) != (m.segment > 0) {
						t.Errorf("%+v: of %d bytes, to be divided by %d", s, m.size, m.segment)
					}
				}
				if _, pieces := hear(t, b, s.n); pieces != want {
					t.Errorf("%+v: received in %d pieces, want %d", s, pieces, want)
				}
			}
		})
	}
}

// One batch may go to many peers, in trains and singly, more than one call takes.
func TestTrainsToManyPeers(t *testing.T) {
	for name, o := range offloads {
		t.Run(name, func(t *testing.T) {
			from := must[*Carrier](t)(Listen("udp", netip.AddrPort{}, o))
			defer from.Close()
			var to [5]*Carrier
			for i := range to {
				to[i] = must[*Carrier](t)(Listen("udp", at([]netip.Addr{loopback4, loopback6}[i%2], 0), o))
				defer to[i].Close()
			}
			const rounds, n, size = 8, 30, 400
			var ds []carrier.Datagram
			for r := range rounds {
				for i, c := range to {
					first := r*(n+1) + i*1000
					ds = append(ds,
						carrier.Datagram{Peer: c.LocalAddr(), Data: numbered(first, n, size, size-i), SegmentSize: size, TrafficClass: uint8(i) << 2},
						carrier.Datagram{Peer: c.LocalAddr(), Data: numbered(first+n, 1, 0, 10+i)})
				}
			}
			send(t, from, ds...)
			for i, c := range to {
				got, _ := hear(t, c, rounds*(n+1))
				for k, d := range got {
					if num, whole := number(d.Data); num != i*1000+k || !whole {
						t.Fatalf("peer %d: segment %d is number %d", i, k, num)
					}
					if class := uint8(i) << 2; k%(n+1) < n && d.TrafficClass != class {
						t.Fatalf("peer %d: segment %d has the class %d, want %d", i, k, d.TrafficClass, class)
					}
				}
			}
		})
	}
}

// What the kernel says about boundaries is believed only as far as it can be true.
func TestHostileSegmentSizes(t *testing.T) {
	int32s := func(v int32) []byte {
		return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
	}
	const size = 1000
	for _, c := range []struct {
		what string
		oob  []byte
		flag int32
		want int // segments; 0: none is handed on
	}{
		{"nothing", nil, 0, 1},
		{"zero", cmsg.Append(nil, unix.SOL_UDP, unix.UDP_GRO, int32s(0)), 0, 1},
		{"negative", cmsg.Append(nil, unix.SOL_UDP, unix.UDP_GRO, int32s(-1)), 0, 1},
		{"the least", cmsg.Append(nil, unix.SOL_UDP, unix.UDP_GRO, int32s(-1<<31)), 0, 1},
		{"the greatest", cmsg.Append(nil, unix.SOL_UDP, unix.UDP_GRO, int32s(1<<31-1)), 0, 1},
		{"all", cmsg.Append(nil, unix.SOL_UDP, unix.UDP_GRO, int32s(size)), 0, 1},
		{"more than all", cmsg.Append(nil, unix.SOL_UDP, unix.UDP_GRO, int32s(size+1)), 0, 1},
		{"one", cmsg.Append(nil, unix.SOL_UDP, unix.UDP_GRO, int32s(1)), 0, size},
		{"one less", cmsg.Append(nil, unix.SOL_UDP, unix.UDP_GRO, int32s(size-1)), 0, 2},
		{"too short", cmsg.Append(nil, unix.SOL_UDP, unix.UDP_GRO, []byte{1, 0}), 0, 1},
		{"another level", cmsg.Append(nil, unix.SOL_SOCKET, unix.UDP_GRO, int32s(10)), 0, 1},
		{"cut off", nil, unix.MSG_CTRUNC, 0},
		{"cut off later", cmsg.Append(nil, unix.SOL_UDP, unix.UDP_GRO, int32s(500)), unix.MSG_CTRUNC, 2},
		{"data cut off", nil, unix.MSG_TRUNC, 0},
	} {
		b := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
		a := must[*Carrier](t)(Dial("udp", netip.AddrPort{}, b.LocalAddr(), Options{}))
		defer a.Close()
		defer b.Close()
		forged := false
		through(b, &fake{receive: func(ms []unix.Mmsghdr) {
			for i := range ms {
				if forged {
					return
				}
				forged = true
				h := &ms[i].Hdr
				copy(unsafe.Slice(h.Control, h.Controllen), c.oob)
				h.SetControllen(len(c.oob))
				h.Flags |= c.flag
			}
		}})
		data := numbered(5, 1, 0, size)
		send(t, a, carrier.Datagram{Data: data}, carrier.Datagram{Data: []byte("the end")})
		var got []byte
		n := 0
		for done := false; !done; {
			batch, err := b.ReadBatch()
			if err != nil {
				t.Fatal(err)
			}
			for i := range batch.Datagrams {
				d := &batch.Datagrams[i]
				if done = string(d.Data) == "the end"; done {
					break
				}
				if d.SegmentSize < 0 || d.SegmentSize >= len(d.Data) {
					t.Errorf("%s: a segment size of %d in %d bytes", c.what, d.SegmentSize, len(d.Data))
				}
				for seg := range d.Segments {
					n++
					got = append(got, seg...)
				}
			}
			batch.Release()
		}
		if n != c.want || n > 0 && string(got) != string(data) {
			t.Errorf("%s: %d segments of %d bytes in all, want %d", c.what, n, len(got), c.want)
		}
		if dropped := b.Stats().Truncated; (dropped == 1) != (c.want == 0) {
			t.Errorf("%s: %d counted as truncated", c.what, dropped)
		}
	}
}

// Sending and receiving cost no memory, whatever the socket.
func TestNoAllocations(t *testing.T) {
	for name, o := range map[string]Options{
		"GSO+GRO": {}, "GSO": {NoGRO: true}, "GRO": {NoGSO: true}, "neither": {NoGSO: true, NoGRO: true}, "portable": {portable: true},
	} {
		for kind, open := range sockets(o) {
			t.Run(name+"/"+kind, func(t *testing.T) {
				p := open(t)
				defer p.A.Close()
				defer p.B.Close()
				// Fewer segments than a short batch, so that one call receives them.
				there := []carrier.Datagram{
					{Peer: p.ToB, Data: make([]byte, 5000), SegmentSize: 1000, TrafficClass: carrier.ECT0},
					{Peer: p.ToB, Data: make([]byte, 100)},
				}
				back := []carrier.Datagram{{Peer: p.ToA, Local: p.ToB.Addr(), Data: make([]byte, 40), HopLimit: 9}}
				round := func() {
					pass(t, p.A, p.B, there, 6)
					pass(t, p.B, p.A, back, 1)
				}
				if n := testing.AllocsPerRun(200, round); n != 0 && !poolsForget {
					t.Errorf("%v allocations a round", n)
				}
			})
		}
	}
}

// pass sends ds, which are n segments, and reads them.
func pass(t *testing.T, from, to carrier.Carrier, ds []carrier.Datagram, n int) {
	if _, err := from.WriteBatch(ds); err != nil {
		t.Fatal(err)
	}
	for n > 0 {
		b, err := to.ReadBatch()
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Datagrams {
			for range b.Datagrams[i].Segments {
				n--
			}
		}
		b.Release()
	}
}

// A path is news once, is forgotten after a while, and does not come alone for ever.
func TestTrainBook(t *testing.T) {
	var b trainBook
	now := time.Now()
	if b.distrusted(loopback4) {
		t.Error("an empty book lists a path")
	}
	if !b.distrust(loopback4, now) || b.distrust(loopback4, now) {
		t.Error("a path is not news, or twice")
	}
	if !b.distrusted(loopback4) || !b.distrusted(netip.MustParseAddr("::ffff:127.0.0.1")) || b.distrusted(loopback6) {
		t.Error("not the path that was listed")
	}
	if b.distrust(loopback4, now.Add(-trainLife)); b.distrusted(loopback4) {
		t.Error("a path is listed after its time")
	}
	if b.distrust(loopback4, now) {
		t.Error("a path that comes again is news")
	}
	if b.distrust(netip.MustParseAddr("::ffff:10.9.9.9"), now); !b.distrusted(netip.MustParseAddr("10.9.9.9")) {
		t.Error("a mapped address is another path")
	}
	ip := netip.MustParseAddr("10.0.0.0")
	for range maxTrainPaths + 100 {
		ip = ip.Next()
		b.distrust(ip, now)
	}
	if len(b.until) != maxTrainPaths || !b.distrusted(ip) {
		t.Errorf("%d paths, want %d, the last among them", len(b.until), maxTrainPaths)
	}
}

// A message, as errors print it.
func (m message) String() string {
	if m.segment > 0 {
		return fmt.Sprintf("%d/%d", m.size, m.segment)
	}
	return fmt.Sprint(m.size)
}

package udpcarrier

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"example.com/culvert/carrier"
	"golang.org/x/sys/unix"
)

// trio is a socket, and two peers of it on different paths.
func trio(t *testing.T, o Options) (c, one, two *Carrier) {
	c = must[*Carrier](t)(Listen("udp", netip.AddrPort{}, o))
	one = must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
	two = must[*Carrier](t)(Listen("udp", at(loopback6, 0), Options{}))
	t.Cleanup(func() { c.Close(); one.Close(); two.Close() })
	return c, one, two
}

// inOrder fails the test unless c hears the segments from first to first+n-1.
func inOrder(t *testing.T, c *Carrier, first, n int) {
	t.Helper()
	got, _ := hear(t, c, n)
	for i, d := range got {
		if num, whole := number(d.Data); num != first+i || !whole {
			t.Fatalf("segment %d is number %d, want %d", i, num, first+i)
		}
	}
}

// A train that the kernel refuses goes at once as single segments, and the path is
// remembered, said once, counted, and tried again after a while.
func TestRefusedTrains(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EIO, unix.EINVAL, unix.EMSGSIZE} {
		t.Run(errno.Error(), func(t *testing.T) {
			var said log
			c, one, two := trio(t, Options{Logger: said.logger()})
			f := through(c, refuse(errno, func(m message) bool { return m.segment > 0 && m.peer == one.LocalAddr() }))
			train := func(to *Carrier, first int) carrier.Datagram {
				return carrier.Datagram{Peer: to.LocalAddr(), Data: numbered(first, 20, 300, 299), SegmentSize: 300}
			}
			single := func(to *Carrier, first int) carrier.Datagram {
				return carrier.Datagram{Peer: to.LocalAddr(), Data: numbered(first, 1, 0, 50)}
			}
			messages := func() (trains, singles int) {
				for _, m := range f.taken() {
					if m.segment > 0 {
						trains++
					} else {
						singles++
					}
				}
				return trains, singles
			}
			send(t, c, single(one, 0), train(two, 0), train(one, 1), train(one, 21), train(two, 20), single(one, 41))
			inOrder(t, one, 0, 42)
			inOrder(t, two, 0, 40)
			if trains, singles := messages(); trains != 2 || singles != 42 {
				t.Errorf("%d trains and %d single segments, want 2 and 42", trains, singles)
			}
			send(t, c, train(one, 0))
			inOrder(t, one, 0, 20)
			want := Stats{Refused: 1, Trainless: 1}
			if got := c.Stats(); got != want {
				t.Errorf("Stats are %+v, want %+v", got, want)
			}
			if n := said.lines(t, "127.0.0.1"); n != 1 {
				t.Errorf("%d lines in the log, want 1", n)
			}

			// Its time is over, and the kernel has not changed.
			c.trains.until[loopback4] = time.Now().Add(-time.Second)
			send(t, c, train(one, 0))
			inOrder(t, one, 0, 20)
			if want.Refused = 2; c.Stats() != want || said.lines(t, "127.0.0.1") != 1 {
				t.Errorf("after a while: %+v, %d lines in the log", c.Stats(), said.lines(t, "127.0.0.1"))
			}

			// And now it has.
			c.trains.until[loopback4] = time.Now().Add(-time.Second)
			f.send = nil
			f.taken()
			send(t, c, train(one, 0))
			inOrder(t, one, 0, 20)
			if got := f.taken(); len(got) != 1 || c.Stats() != want {
				t.Errorf("messages %v, %+v", got, c.Stats())
			}
		})
	}
}

// A train of more segments than fit into one message goes on where it was refused.
func TestRefusedInTheMiddle(t *testing.T) {
	c, one, _ := trio(t, Options{Logger: new(log).logger()})
	trains := 0
	through(c, &fake{send: func(ms []message) (int, syscall.Errno) {
		for i, m := range ms {
			if m.segment == 0 {
				continue
			}
			if trains++; trains > 1 {
				return i, unix.EIO
			}
		}
		return len(ms), 0
	}})
	send(t, c, carrier.Datagram{Peer: one.LocalAddr(), Data: numbered(0, 200, 100, 9), SegmentSize: 100})
	inOrder(t, one, 0, 200)
	if got := c.Stats(); got != (Stats{Refused: 1, Trainless: 1}) {
		t.Errorf("Stats are %+v", got)
	}
}

// What fails for another reason than being a train is reported as it was, and says
// nothing about trains.
func TestRefusedSegments(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.EINVAL, unix.EMSGSIZE, unix.EIO} {
		var said log
		c, one, two := trio(t, Options{Logger: said.logger()})
		through(c, refuse(errno, func(m message) bool { return m.size > 1000 || m.segment > 1000 }))
		ds := []carrier.Datagram{
			{Peer: one.LocalAddr(), Data: numbered(0, 5, 500, 500), SegmentSize: 100},
			{Peer: two.LocalAddr(), Data: numbered(0, 5, 1200, 1200), SegmentSize: 1200},
			{Peer: two.LocalAddr(), Data: numbered(0, 1, 0, 100)},
		}
		ds[0].Data = numbered(0, 9, 100, 100)
		n, err := c.WriteBatch(ds)
		if n != 1 || !errors.Is(err, errno) {
			t.Errorf("WriteBatch: %d, %v, want 1 and %v", n, err, errno)
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Addr == nil || op.Addr.String() != two.LocalAddr().String() {
			t.Errorf("%#v is no *net.OpError about the peer", err)
		}
		send(t, c, ds[2])
		inOrder(t, one, 0, 9)
		inOrder(t, two, 0, 1)
		if got := c.Stats(); got != (Stats{}) || said.lines(t, "") != 0 {
			t.Errorf("Stats are %+v, %d lines in the log", got, said.lines(t, ""))
		}
	}
}

// The kernel's own EMSGSIZE for a train of segments that are too long. Only an IPv6
// socket can be given an MTU of its own, below that of loopback.
func TestTooLongTrain(t *testing.T) {
	c := must[*Carrier](t)(Listen("udp", at(loopback6, 0), Options{}))
	peer := must[*Carrier](t)(Listen("udp", at(loopback6, 0), Options{}))
	defer c.Close()
	defer peer.Close()
	c.link.(*batchLink).raw.Control(func(fd uintptr) {
		if err := unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU, 1500); err != nil {
			t.Fatal(err)
		}
	})
	fits := mms(loopback6, 1500)
	for range 2 {
		n, err := c.WriteBatch([]carrier.Datagram{{Peer: peer.LocalAddr(), Data: numbered(0, 3, fits+1, fits+1), SegmentSize: fits + 1}})
		if n != 0 || !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("%d, %v, want EMSGSIZE", n, err)
		}
		f := through(c, new(fake))
		send(t, c, carrier.Datagram{Peer: peer.LocalAddr(), Data: numbered(0, 3, fits, fits), SegmentSize: fits})
		inOrder(t, peer, 0, 3)
		if got := f.taken(); len(got) != 1 {
			t.Errorf("messages %v, want one train", got)
		}
	}
	if got := c.Stats(); got != (Stats{}) {
		t.Errorf("Stats are %+v", got)
	}
}

// DistrustTrains switches off what its caller finds spoilt.
func TestDistrustTrains(t *testing.T) {
	var said log
	c, one, two := trio(t, Options{Logger: said.logger()})
	f := through(c, new(fake))
	c.DistrustTrains(one.LocalAddr())
	c.DistrustTrains(one.LocalAddr())
	c.DistrustTrains(netip.AddrPort{})
	train := carrier.Datagram{Data: numbered(0, 5, 100, 100), SegmentSize: 100}
	for to, want := range map[*Carrier]int{one: 5, two: 1} {
		train.Peer = to.LocalAddr()
		send(t, c, train)
		if got := f.taken(); len(got) != want {
			t.Errorf("to %v: %d messages, want %d", to.LocalAddr(), len(got), want)
		}
		inOrder(t, to, 0, 5)
	}
	if got := c.Stats(); got != (Stats{Trainless: 1}) || said.lines(t, "127.0.0.1") != 1 {
		t.Errorf("Stats are %+v, %d lines in the log", got, said.lines(t, "127.0.0.1"))
	}
	// A connected one knows its peer, whoever is named.
	d := must[*Carrier](t)(Dial("udp", netip.AddrPort{}, one.LocalAddr(), Options{Logger: said.logger()}))
	defer d.Close()
	f = through(d, new(fake))
	d.DistrustTrains(two.LocalAddr())
	send(t, d, train)
	if got := f.taken(); len(got) != 5 {
		t.Errorf("connected: %d messages, want 5", len(got))
	}
	// Without trains there is nothing to distrust.
	e := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{NoGSO: true}))
	defer e.Close()
	if e.DistrustTrains(one.LocalAddr()); e.Stats() != (Stats{}) {
		t.Errorf("without trains: %+v", e.Stats())
	}
}

// What one carrier finds out about a path, all know, and it is said once: who dials has a socket
// for each connection.
func TestDistrustIsShared(t *testing.T) {
	ip := netip.MustParseAddr("127.77.0.1")
	forget := func() {
		trainless.mu.Lock()
		defer trainless.mu.Unlock()
		delete(trainless.until, ip)
		trainless.listed.Store(int32(len(trainless.until)))
	}
	defer forget()
	var said log
	peer := must[*Carrier](t)(Listen("udp", at(ip, 0), Options{}))
	defer peer.Close()
	for i := range 3 {
		c := must[*Carrier](t)(Dial("udp", netip.AddrPort{}, peer.LocalAddr(), Options{Logger: said.logger()}))
		defer c.Close()
		book := c.trains
		f := through(c, new(fake))
		c.trains = book
		send(t, c, carrier.Datagram{Data: numbered(0, 5, 100, 100), SegmentSize: 100})
		inOrder(t, peer, 0, 5)
		want := 5
		if i == 0 {
			want = 1
		}
		if got := f.taken(); len(got) != want {
			t.Errorf("carrier %d: %d messages, want %d", i, len(got), want)
		}
		c.DistrustTrains(peer.LocalAddr())
	}
	if n := said.lines(t, ip.String()); n != 1 {
		t.Errorf("%d lines in the log, want 1", n)
	}
}

// willing is a RawConn that is writable whenever it is asked, after it has been
// "not pollable" a few times.
type willing struct {
	syscall.RawConn
	times int
}

func (w *willing) Write(f func(uintptr) bool) error {
	if w.times--; w.times >= 0 {
		return errors.New("not pollable")
	}
	return w.RawConn.Control(func(fd uintptr) {
		for !f(fd) {
		}
	})
}

// A call that is interrupted, finds no room or stops early loses and repeats nothing.
func TestSendGoesOn(t *testing.T) {
	c, one, _ := trio(t, Options{})
	l := c.link.(*batchLink)
	l.raw = &willing{l.raw, 2}
	const few = syscall.Errno(0) // three messages go through
	script := []syscall.Errno{
		unix.EAGAIN, unix.EAGAIN, few, unix.ECONNREFUSED, few, unix.EHOSTUNREACH, unix.EMSGSIZE, few,
		unix.EAGAIN, unix.EAGAIN, unix.EAGAIN, unix.EAGAIN, unix.EAGAIN, unix.ENETUNREACH, few,
	}
	through(c, &fake{send: func(ms []message) (int, syscall.Errno) {
		if len(script) == 0 {
			return len(ms), 0
		}
		errno := script[0]
		script = script[1:]
		if errno != few {
			return 0, errno
		}
		return min(3, len(ms)), 0
	}})
	var ds []carrier.Datagram
	for i := range 100 {
		ds = append(ds, carrier.Datagram{Peer: one.LocalAddr(), Data: numbered(3*i, 3, 90, 80), SegmentSize: 90})
	}
	send(t, c, ds...)
	inOrder(t, one, 0, 300)
	if len(script) != 0 {
		t.Errorf("%d answers were not asked for", len(script))
	}
	if got := c.Stats(); got != (Stats{}) {
		t.Errorf("Stats are %+v", got)
	}
}

// A report whose error a send met with, before anybody read, is in the error queue
// and nowhere else: whoever reads next must be told all the same.
func TestReportMetBySender(t *testing.T) {
	for _, ip := range []netip.Addr{loopback4, loopback6} {
		c := must[*Carrier](t)(Listen("udp", at(ip, 0), Options{}))
		live := must[*Carrier](t)(Listen("udp", at(ip, 0), Options{}))
		defer c.Close()
		defer live.Close()
		dead := deadPort(t, ip)
		to := func(p netip.AddrPort) carrier.Datagram { return carrier.Datagram{Peer: p, Data: make([]byte, 20)} }
		// One call each, and all in one: the kernel keeps the reason to itself then. A
		// collection makes the runtime look at what happened, so that it is old news.
		for range 2 {
			send(t, c, to(dead))
			send(t, c, to(live.LocalAddr()))
			runtime.GC()
			if d := next(t, c); !errors.Is(d.Err, syscall.ECONNREFUSED) || d.Peer != dead {
				t.Errorf("%v about %v, want ECONNREFUSED about %v", d.Err, d.Peer, dead)
			}
			send(t, c, to(dead), to(live.LocalAddr()))
			runtime.GC()
			if d := next(t, c); !errors.Is(d.Err, syscall.ECONNREFUSED) || d.Peer != dead {
				t.Errorf("%v about %v, want ECONNREFUSED about %v", d.Err, d.Peer, dead)
			}
			hear(t, live, 2)
		}
		// Nor does a call of the reader swallow it, which comes at the same time.
		send(t, c, to(dead))
		send(t, c, to(live.LocalAddr()))
		runtime.GC()
		c.Interrupt()
		if d := next(t, c); !errors.Is(d.Err, syscall.ECONNREFUSED) || d.Peer != dead {
			t.Errorf("%v about %v, want ECONNREFUSED about %v", d.Err, d.Peer, dead)
		}
		if b, err := c.ReadBatch(); err != carrier.ErrInterrupted {
			t.Errorf("ReadBatch: %v, %v, want ErrInterrupted", b, err)
		}
		hear(t, live, 1)
		// Nor does one who does not wait.
		send(t, c, to(dead))
		send(t, c, to(live.LocalAddr()))
		runtime.GC()
		if b, err := c.Poll(nil); err != nil || b == nil {
			t.Errorf("Poll: %v, %v, want ECONNREFUSED", b, err)
		} else if d := b.Datagrams[0]; !errors.Is(d.Err, syscall.ECONNREFUSED) || d.Peer != dead {
			t.Errorf("%v about %v, want ECONNREFUSED about %v", d.Err, d.Peer, dead)
		}
		hear(t, live, 1)
		// And no deadline stays behind.
		send(t, live, to(c.LocalAddr()))
		if d := next(t, c); d.Err != nil {
			t.Errorf("a report: %v", d.Err)
		}
	}
}

// On a wildcard a report tells the address of ours that it is about, by which its connection
// is known.
func TestReportOnWildcard(t *testing.T) {
	for _, network := range []string{"udp", "udp4", "udp6"} {
		c := must[*Carrier](t)(Listen(network, netip.AddrPort{}, Options{}))
		defer c.Close()
		for _, ip := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 9}), loopback6} {
			if network == "udp4" && ip.Is6() || network == "udp6" && ip.Is4() {
				continue
			}
			dead := deadPort(t, ip)
			for _, local := range []netip.Addr{{}, ip} {
				want := local
				if !local.IsValid() {
					want = map[bool]netip.Addr{true: loopback4, false: loopback6}[ip.Is4()]
				}
				send(t, c, carrier.Datagram{Peer: dead, Local: local, Data: make([]byte, 20)})
				if d := next(t, c); d.Err == nil || d.Peer != dead || d.Local != want {
					t.Errorf("%s: %v about %v from %v, want from %v", network, d.Err, d.Peer, d.Local, want)
				}
			}
		}
	}
}

// An IPv6 peer of an IPv4 socket is an error, not a panic.
func TestOtherFamily(t *testing.T) {
	c := must[*Carrier](t)(Listen("udp4", at(loopback4, 0), Options{}))
	defer c.Close()
	n, err := c.WriteBatch([]carrier.Datagram{{Peer: at(loopback6, 9), Data: make([]byte, 20)}})
	if n != 0 || !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("%d, %v, want EAFNOSUPPORT", n, err)
	}
}

// What was lent is let go of, and the memory that stays for the next batch holds
// nobody's bytes.
func TestWriterLetsGo(t *testing.T) {
	c, one, _ := trio(t, Options{})
	f := through(c, new(fake))
	send(t, c, carrier.Datagram{Peer: one.LocalAddr(), Data: make([]byte, 100*3), SegmentSize: 100},
		carrier.Datagram{Peer: one.LocalAddr(), Data: make([]byte, 50)})
	if len(f.lent) != 2 || slices.ContainsFunc(f.lent, func(m unix.Mmsghdr) bool { return m.Hdr.Iov.Base != nil }) {
		t.Errorf("%d messages, with bytes of somebody's", len(f.lent))
	}
}

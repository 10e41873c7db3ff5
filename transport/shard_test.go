package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/conn"
	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

var background = context.Background()

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// twoEnds are two Endpoints on one network; b echoes.
func twoEnds(t *testing.T, cfgA, cfgB *Config) (n *memNet, a, b *memCarrier, ea, eb *Endpoint) {
	t.Helper()
	n = newMemNet()
	a, b = n.open("192.0.2.1:1111"), n.open("192.0.2.2:2222")
	ea, eb = mustEndpoint(t, a, cfgA), mustEndpoint(t, b, cfgB)
	serveEcho(t, eb)
	return n, a, b, ea, eb
}

func mustDial(t *testing.T, e *Endpoint, to string) *conn.Conn {
	t.Helper()
	c, err := e.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*conn.Conn)
}

func roundTrip(t *testing.T, c net.Conn, p []byte) {
	t.Helper()
	go c.Write(p)
	got := make([]byte, len(p))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, p) {
		t.Fatalf("%d bytes came back wrong, %v", len(p), err)
	}
}

// What is no segment is counted and dropped without a reply, and so is one that nobody
// may answer; others for which there is no connection are answered with a reset that
// is not larger than they are.
//
// Shows: MUST-57, MUST-63.
func TestStrangers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, _, b, _, eb := twoEnds(t, quick(), quick())
		for _, raw := range [][]byte{nil, {1}, make([]byte, 19), make([]byte, 20), bytes.Repeat([]byte{0xff}, 40)} {
			b.push(carrier.Datagram{Peer: netip.MustParseAddrPort("192.0.2.9:9"), Data: raw})
		}
		for _, peer := range []string{"224.0.0.1:9", "255.255.255.255:9", "0.0.0.0:9", "[ff02::1]:9", "192.0.2.9:0"} {
			b.forge(peer, &segment.Segment{SrcPort: 9, DstPort: 2222, Flags: segment.SYN})
		}
		b.forge("192.0.2.9:9", &segment.Segment{SrcPort: 9, DstPort: 77, Flags: segment.RST})
		b.forge("192.0.2.9:9", &segment.Segment{SrcPort: 9, DstPort: 2222, Flags: segment.FIN})
		synctest.Wait()
		if s := n.take(); len(s) > 0 {
			t.Errorf("%d replies, the first %v to %v", len(s), &s[0].seg, s[0].to)
		}
		if got := eb.s.counts.malformed.Load(); got != 5 {
			t.Errorf("%d malformed datagrams are counted", got)
		}
		for _, v := range []struct {
			name string
			s    segment.Segment
			want segment.Flags
		}{
			{"SYN to a closed port", segment.Segment{DstPort: 77, Seq: 5, Flags: segment.SYN}, segment.RST | segment.ACK},
			{"ACK to a closed port", segment.Segment{DstPort: 77, Ack: 6, Flags: segment.ACK}, segment.RST},
			{"ACK to a listener", segment.Segment{DstPort: 2222, Ack: 6, Flags: segment.ACK}, segment.RST},
			{"data to a closed port", segment.Segment{DstPort: 77, Ack: 6, Flags: segment.ACK, Payload: []byte("data")}, segment.RST},
		} {
			v.s.SrcPort = 9
			b.forge("192.0.2.9:99", &v.s)
			synctest.Wait()
			s := n.take()
			if len(s) != 1 || s[0].seg.Flags != v.want || len(s[0].Data) > len(v.s.Append(nil)) ||
				s[0].to.String() != "192.0.2.9:99" || s[0].seg.DstPort != 9 || s[0].seg.SrcPort != v.s.DstPort {
				t.Errorf("%s: answered with %+v", v.name, s)
			}
		}
	})
}

// Strangers cannot make a shard send without bound.
func TestRepliesAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, _, b, _, _ := twoEnds(t, quick(), quick())
		flood := func() int {
			for range 100 {
				for range 50 {
					b.forge("192.0.2.9:9", &segment.Segment{SrcPort: 9, DstPort: 77, Flags: segment.ACK})
				}
				synctest.Wait()
			}
			return len(n.take())
		}
		if got := flood(); got != replyBurst {
			t.Errorf("%d replies to a flood, want %d", got, replyBurst)
		}
		<-time.After(100 * time.Millisecond)
		if got := flood(); got != 100 {
			t.Errorf("%d replies 100 ms later, want 100", got)
		}
	})
}

// The traffic class and the hop limit are on every datagram from the first SYN on, both
// ways, and the class can be changed.
//
// Shows: MUST-48, MUST-49, SHLD-21, SHLD-22.
func TestTrafficClassAndHopLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := func(tc uint8, hop int) *Config { c := quick(); c.TrafficClass, c.HopLimit = tc, hop; return c }
		n, _, _, ea, _ := twoEnds(t, cfg(0xb8, 7), cfg(0x20, 9))
		c := mustDial(t, ea, "192.0.2.2:2222")
		roundTrip(t, c, make([]byte, 10000))
		check := func(tc, ours uint8) {
			t.Helper()
			all := n.take()
			if len(all) == 0 {
				t.Error("nothing was sent")
			}
			for _, s := range all {
				want, hop := tc, ours
				if s.from.Port() == 2222 {
					want, hop = 0x20, 9
				}
				if s.TrafficClass&^3 != want || s.HopLimit != hop {
					t.Fatalf("%v went with class %#x and hop limit %d", &s.seg, s.TrafficClass, s.HopLimit)
				}
			}
		}
		<-time.After(time.Second) // a delayed acknowledgment may be on its way
		check(0xb8, 7)
		c.SetTrafficClass(0x48)
		if err := c.SetHopLimit(3); err != nil || c.SetHopLimit(256) == nil || c.SetHopLimit(-1) == nil {
			t.Errorf("SetHopLimit: %v, and no error for what is none", err)
		}
		roundTrip(t, c, make([]byte, 10000))
		check(0x48, 3)
		c.Close()
	})
}

// A path that takes less from now on: what was refused as too long is sent in pieces
// that fit, and the stream goes on.
func TestPathShrinks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, a, _, ea, _ := twoEnds(t, quick(), quick())
		c := mustDial(t, ea, "192.0.2.2:2222")
		roundTrip(t, c, make([]byte, 10000))
		a.limit(600, func(d *carrier.Datagram) error {
			if size := max(d.SegmentSize, 0); size > 600 || size == 0 && len(d.Data) > 600 {
				return syscall.EMSGSIZE
			}
			return nil
		})
		n.take()
		roundTrip(t, c, make([]byte, 20000))
		for _, s := range n.take() {
			if s.from.Port() == 1111 && len(s.Data) > 600 {
				t.Errorf("a segment of %d bytes", len(s.Data))
			}
		}
		c.Close()
	})
}

// Errors of sending that pass are losses or soft errors, not the connection's end.
//
// Shows: MUST-56, SHLD-25.
func TestSendErrorsPass(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, a, _, ea, _ := twoEnds(t, quick(), quick())
		c := mustDial(t, ea, "192.0.2.2:2222")
		told := make(chan tcpcore.Event, 1)
		c.Notify(told, tcpcore.EvSoftError)
		for _, err := range []error{syscall.ENOBUFS, syscall.ENETUNREACH, syscall.EHOSTUNREACH} {
			left := 3
			a.limit(1472, func(*carrier.Datagram) error {
				if left--; left >= 0 {
					return err
				}
				return nil
			})
			roundTrip(t, c, make([]byte, 10000))
			want := 1
			if err == syscall.ENOBUFS {
				want = 0
			}
			if len(told) != want {
				t.Errorf("%v: told %d times", err, len(told))
			}
			if want == 1 {
				<-told
				if info := c.Info(); !errors.Is(info.LastSoftError, err) {
					t.Errorf("%v: Info says %v", err, info.LastSoftError)
				}
			}
		}
		c.Close()
	})
}

// Reports of the network reach the connection whose segment they quote, and no other:
// hard ones end a dial at once, soft ones and unknown ones do not.
//
// Shows: MUST-54, MUST-55, MUST-56, SHLD-25, SHLD-26.
func TestNetworkReports(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a := n.open("192.0.2.1:1111")
		ea := mustEndpoint(t, a, quick())
		type result struct {
			port uint16
			err  error
		}
		results := make(chan result, 2)
		quotes := make(map[uint16][]byte)
		for _, port := range []uint16{80, 81} {
			go func() {
				_, err := ea.DialPort(background, "tcp", "192.0.2.2:2222", port) // nobody is there
				results <- result{port, err}
			}()
			synctest.Wait()
			quotes[port] = n.take()[0].Data[:8]
		}
		for _, err := range []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ETIMEDOUT, errors.New("source quench")} {
			a.report("192.0.2.2:2222", quotes[80], err)
		}
		a.report("192.0.2.2:2222", nil, syscall.ECONNREFUSED)                         // quotes nothing
		a.report("192.0.2.2:2222", []byte{1, 2, 3, 4, 5, 6, 7}, syscall.ECONNREFUSED) // quotes nothing of ours
		a.report("192.0.2.3:2222", quotes[80], syscall.ECONNREFUSED)                  // another peer
		synctest.Wait()
		if len(results) > 0 {
			t.Fatalf("a dial ended: %+v", <-results)
		}
		at := time.Now()
		a.report("192.0.2.2:2222", quotes[81], syscall.ECONNREFUSED)
		if r := <-results; r.port != 81 || !isOp(r.err, "dial", syscall.ECONNREFUSED) || !time.Now().Equal(at) {
			t.Errorf("%+v after %v", r, time.Since(at))
		}
		synctest.Wait()
		if len(results) > 0 {
			t.Errorf("the other dial ended, too: %v", <-results)
		}
		// It ends for lack of an answer, and the error tells what the network said.
		if r := <-results; r.port != 80 || !isOp(r.err, "dial", syscall.ETIMEDOUT) && !isOp(r.err, "dial", syscall.EHOSTUNREACH) && !isOp(r.err, "dial", syscall.ENETUNREACH) {
			t.Errorf("%+v", r)
		}
	})
}

// A SYN is tried for three minutes at least.
//
// Shows: MUST-22, MUST-23.
func TestDialGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		ea := mustEndpoint(t, n.open("192.0.2.1:1111"), nil)
		at := time.Now()
		_, err := ea.Dial("tcp", "192.0.2.2:2222")
		if !isOp(err, "dial", syscall.ETIMEDOUT) || !err.(net.Error).Timeout() {
			t.Errorf("got %v", err)
		}
		if d := time.Since(at); d < 3*time.Minute || d > 10*time.Minute {
			t.Errorf("after %v", d)
		}
	})
}

// A dial whose context ends leaves nothing behind: no flow, no timer, no segment.
func TestCancelledDialLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		ea := mustEndpoint(t, n.open("192.0.2.1:1111"), quick())
		ctx, cancel := context.WithCancel(background)
		time.AfterFunc(time.Second/2, cancel)
		at := time.Now()
		_, err := ea.DialContext(ctx, "tcp", "192.0.2.2:2222")
		if !isOp(err, "dial", context.Canceled) || time.Since(at) != time.Second/2 {
			t.Errorf("%v after %v", err, time.Since(at))
		}
		n.take()
		ea.s.mu.Lock()
		flows := len(ea.s.flows)
		ea.s.mu.Unlock()
		<-time.After(time.Hour)
		if flows != 0 || len(n.take()) != 0 {
			t.Errorf("%d flows are left", flows)
		}
	})
}

// A wildcard carrier tells connections apart by the address that the peer sent to, and
// answers from it.
//
// Shows: MUST-45.
func TestWildcardTellsAddressesApart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		w := n.open("192.0.2.1:80", "192.0.2.7:80")
		ew := mustEndpoint(t, w, quick())
		serveEcho(t, ew)
		for _, local := range []string{"192.0.2.1", "192.0.2.7"} {
			w.push(carrier.Datagram{
				Peer: netip.MustParseAddrPort("192.0.2.9:5000"), Local: netip.MustParseAddr(local),
				Data: (&segment.Segment{SrcPort: 5000, DstPort: 80, Seq: 100, Flags: segment.SYN}).Append(nil),
			})
		}
		synctest.Wait()
		answered := make(map[string]bool)
		for _, s := range n.take() {
			if s.seg.Flags == segment.SYN|segment.ACK {
				answered[s.from.String()] = true
			}
		}
		if len(answered) != 2 || len(ew.s.flows) != 2 {
			t.Errorf("SYN-ACKs from %v, %d flows", answered, len(ew.s.flows))
		}
	})
}

// Noting where a segment arrived costs nothing, whoever chose the local address.
func TestSeenAllocatesNothing(t *testing.T) {
	for _, learn := range []bool{false, true} {
		f := &flow{learn: learn}
		at := netip.MustParseAddr("192.0.2.1")
		if n := testing.AllocsPerRun(100, func() { f.seen(at) }); n > 0 {
			t.Errorf("learn %v: %v allocations", learn, n)
		}
	}
}

// slow is a carrier that takes its time to tell the largest segment, which is the last
// that a dial asks before it enters its connection.
type slow struct {
	*memCarrier
	hold chan struct{}
}

func (c *slow) MMS(to netip.AddrPort) int {
	<-c.hold
	return c.memCarrier.MMS(to)
}

// A dial that was going on when its Endpoint closed comes to nothing.
func TestDialWhileEndpointCloses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		serveEcho(t, mustEndpoint(t, n.open("192.0.2.2:80"), quick()))
		c := &slow{n.open("192.0.2.1:5000"), make(chan struct{})}
		e := mustEndpoint(t, c, quick())
		done := make(chan error)
		go func() {
			_, err := e.Dial("tcp", "192.0.2.2:80")
			done <- err
		}()
		synctest.Wait()
		e.Close()
		close(c.hold)
		if err := <-done; !isOp(err, "dial", net.ErrClosed) {
			t.Errorf("Dial: %v", err)
		}
		synctest.Wait()
		if !c.closed() {
			t.Error("the carrier is open")
		}
	})
}

// A SYN flood takes the backlog and no more, and the places come back.
func TestSYNFlood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := quick()
		cfg.Backlog, cfg.SYNRetries = 20, 2
		n, _, b, ea, eb := twoEnds(t, quick(), cfg)
		for i := range 500 {
			b.forge("192.0.2.9:9", &segment.Segment{SrcPort: uint16(1000 + i), DstPort: 2222, Seq: segment.Seq(i), Flags: segment.SYN})
		}
		synctest.Wait()
		eb.s.mu.Lock()
		flows := len(eb.s.flows)
		eb.s.mu.Unlock()
		if flows != 20 {
			t.Errorf("%d connections of a flood of 500 with a backlog of 20", flows)
		}
		c := mustDial(t, ea, "192.0.2.2:2222") // when the embryos have died
		roundTrip(t, c, []byte("hello"))
		c.Close()
		n.take()
	})
}

// A peer that resets its SYN gives the place back at once.
func TestResetEmbryo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := quick()
		cfg.Backlog = 1
		_, _, b, ea, _ := twoEnds(t, quick(), cfg)
		b.forge("192.0.2.9:9", &segment.Segment{SrcPort: 9, DstPort: 2222, Seq: 100, Flags: segment.SYN})
		synctest.Wait()
		b.forge("192.0.2.9:9", &segment.Segment{SrcPort: 9, DstPort: 2222, Seq: 101, Flags: segment.RST})
		synctest.Wait()
		at := time.Now()
		c := mustDial(t, ea, "192.0.2.2:2222")
		if time.Since(at) > time.Second/2 {
			t.Error("the place was not free")
		}
		c.Close()
	})
}

// The checksum is computed and verified for a carrier that does not protect segments.
//
// Shows: MUST-2, MUST-3.
func TestChecksum(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a, b := n.open("192.0.2.1:1111"), n.open("192.0.2.2:2222")
		a.caps.Checksum, b.caps.Checksum = true, true
		ea, eb := mustEndpoint(t, a, quick()), mustEndpoint(t, b, quick())
		serveEcho(t, eb)
		lost := 0
		n.drop = func(from netip.AddrPort, d *carrier.Datagram) bool {
			if !segment.VerifyChecksum(d.Data, from.Addr(), d.Peer.Addr()) {
				t.Error("a segment without its checksum")
			}
			if len(d.Data) > 500 && lost < 3 {
				lost++
				d.Data[100] ^= 1 // damaged on the way
				n.ends[d.Peer].push(carrier.Datagram{Peer: from, Data: d.Data})
				return true
			}
			return false
		}
		c := mustDial(t, ea, "192.0.2.2:2222")
		roundTrip(t, c, bytes.Repeat([]byte("culvert"), 2000))
		if got := eb.s.counts.malformed.Load() + ea.s.counts.malformed.Load(); got != 3 {
			t.Errorf("%d damaged segments were dropped, want 3", got)
		}
		c.Close()
	})
}

// Inner ports are from the dynamic range and unique; when there is none left, Dial
// says so.
func TestEphemeralPorts(t *testing.T) {
	free := make(map[uint16]bool)
	for i := firstEphemeral; i <= lastEphemeral; i++ {
		free[uint16(i)] = true
	}
	first := ephemeral(allPorts, func(p uint16) bool { return free[p] })
	different := false
	for range 20 {
		different = different || ephemeral(allPorts, func(p uint16) bool { return free[p] }) != first
	}
	if !different {
		t.Error("the choice is not random")
	}
	for range lastEphemeral - firstEphemeral + 1 {
		p := ephemeral(allPorts, func(p uint16) bool { return free[p] })
		if !free[p] {
			t.Fatalf("port %d is not free", p)
		}
		delete(free, p)
	}
	if p := ephemeral(allPorts, func(p uint16) bool { return free[p] }); p != 0 {
		t.Errorf("port %d out of none", p)
	}
}

// All clocks of the process tell the same time.
func TestClock(t *testing.T) {
	first := newClock()
	for first.now() < tcpcore.Time(time.Millisecond) {
	}
	before := first.now()
	if now := newClock().now(); now < before || now > before.Add(time.Minute) {
		t.Errorf("a new clock tells %v, an old one told %v", now, before)
	}
}

// Connections with the same addresses and ports, one after the other, begin with
// growing sequence numbers, whatever socket they use.
//
// Shows: MUST-8, SHLD-1.
func TestSequenceNumbersGrow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		var before segment.Seq
		for i := range 4 {
			a := n.open("192.0.2.1:1111")
			s := newShard(a)
			ctx, cancel := context.WithCancel(background)
			go s.dial(ctx, netip.MustParseAddrPort("192.0.2.2:2222"), 5000, 80, mustSettings(t, quick()))
			synctest.Wait()
			iss := n.take()[0].seg.Seq
			if d := iss.Sub(before); i > 0 && d != 250000 { // of 4 microseconds in a second
				t.Errorf("the next initial sequence number is %d further after a second", d)
			}
			before = iss
			cancel()
			synctest.Wait()
			s.leave()
			<-time.After(time.Second)
			n.take()
		}
	})
}

// An Endpoint on a wildcard chooses no port for a dial that an open connection to the
// same peer has, nor one in TIME-WAIT: of so many, chosen at random, some would meet.
func TestWildcardDialsDoNotMeet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a := mustEndpoint(t, n.open("192.0.2.1:1111", "192.0.2.3:1111"), nil)
		b := mustEndpoint(t, n.open("192.0.2.2:2222"), nil)
		serveEcho(t, b)
		for i := range 800 {
			ctx, cancel := context.WithTimeout(background, 10*time.Second)
			c, err := a.DialContext(ctx, "tcp", "192.0.2.2:2222")
			cancel()
			if err != nil {
				t.Fatalf("dial %d: %v", i, err)
			}
			if i%2 == 0 {
				c.Close() // and into TIME-WAIT, since the other end follows
			}
		}
	})
}

// On a wildcard, too, a dial from a port that the caller named finds at once that a connection between
// these ports is there, open or in TIME-WAIT, although that one knows its local address by now.
func TestWildcardNamedPortInUse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a := newShard(n.open("192.0.2.1:1111", "192.0.2.3:1111"))
		eb := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
		serveEcho(t, eb)
		dial := func() (*conn.Conn, error) {
			return a.dial(background, eb.s.local, 5000, 2222, mustSettings(t, quick()))
		}
		c, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, c, []byte("hello"))
		begin := time.Now()
		if _, err := dial(); err != errInUse || time.Since(begin) != 0 {
			t.Errorf("with the connection open: %v after %v", err, time.Since(begin))
		}
		c.Close()
		synctest.Wait()
		begin = time.Now()
		if _, err := dial(); err != errInUse || time.Since(begin) != 0 {
			t.Errorf("in TIME-WAIT: %v after %v", err, time.Since(begin))
		}
		a.leave()
		<-a.gone
	})
}

package transport

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/carrier"
)

// The sockets that only TIME-WAIT keeps open are bounded in the whole process.
func TestLingeringIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		const more = 10
		shards := crowd(t, n, echoRoute(t, n), maxLingering+more)
		for i, s := range shards {
			if closed := s.car.(*memCarrier).closed(); closed != (i < more) {
				t.Errorf("socket %d of %d: closed %v", i, len(shards), closed)
				break
			}
		}
	})
}

// echoRoute is the route to a listener that echoes.
func echoRoute(t *testing.T, n *memNet) route {
	t.Helper()
	e := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
	serveEcho(t, e)
	return route{network: "udp", to: e.s.local}
}

// visit opens a connection on a shard for one peer, and closes it and the shard: it lingers.
func visit(t *testing.T, s *shard, to netip.AddrPort) {
	t.Helper()
	c, err := s.dial(background, to, 0, to.Port(), mustSettings(t, &Config{MSL: time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	s.leave()
	synctest.Wait()
}

// crowd has sockets linger, each for a connection to the same listener, as dials of route r do.
func crowd(t *testing.T, n *memNet, r route, count int) (shards []*shard) {
	t.Helper()
	for i := range count {
		s := newShard(n.open(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1).String()))
		s.route = r
		visit(t, s, r.to)
		shards = append(shards, s)
	}
	t.Cleanup(func() {
		for _, s := range shards {
			s.hurry()
		}
	})
	return shards
}

// Once many sockets linger, a dial to the same peer takes the oldest of them, from another port
// of the TCP header, and what was in TIME-WAIT there stays so.
func TestLingeringIsUsedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		r := echoRoute(t, n)
		shards := crowd(t, n, r, manyLinger)
		other := r
		other.to = netip.MustParseAddrPort("192.0.2.3:2222")
		if lingering.again(other) != nil {
			t.Error("a dial to somebody else is given a socket of this peer")
		}
		d := Dialer{Config: &Config{MSL: time.Hour}}
		c, err := d.Dial("tcp", r.to.String())
		if err != nil {
			t.Fatal(err)
		}
		first := shards[0]
		if got, want := c.LocalAddr().String(), first.local.String(); got != want {
			t.Errorf("the dial is from %s, the oldest socket is %s", got, want)
		}
		roundTrip(t, c, []byte("hello"))
		if lingering.again(r) != nil {
			t.Error("a socket is given away although few linger")
		}
		if first.reuse() {
			t.Error("a socket with a connection is given away")
		}
		c.Close()
		synctest.Wait()
		if n := first.waits.len(); n != 2 {
			t.Errorf("%d records in TIME-WAIT after two connections", n)
		}
		// It is the last in the order now, and the next dial takes the second one; unless
		// that has been there for too long.
		if s := lingering.again(r); s != shards[1] {
			t.Error("the second dial is not given the second socket")
		} else {
			s.leave()
		}
		<-time.After(fresh)
		if lingering.again(r) != nil {
			t.Error("a socket is given away that has lingered for long")
		}
	})
}

// A socket on which a dial has failed is not used again, though records keep it open: its source
// address may be gone, or its ports lead to a host that is.
func TestLingeringAfterFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		r := echoRoute(t, n)
		first := crowd(t, n, r, manyLinger)[0]
		n.mu.Lock()
		n.drop = func(netip.AddrPort, *carrier.Datagram) bool { return true }
		n.mu.Unlock()
		d := Dialer{Config: &Config{MSL: time.Hour}, Timeout: time.Millisecond}
		if _, err := d.Dial("tcp", r.to.String()); err == nil {
			t.Fatal("a dial that nobody hears succeeds")
		}
		synctest.Wait()
		lingering.mu.Lock()
		last := lingering.last
		lingering.mu.Unlock()
		if last != first {
			t.Error("the dial was not on the oldest socket")
		}
		if last.route == r {
			t.Error("the socket is offered to the next dial")
		}
	})
}

// What is in TIME-WAIT on a socket that is used again and again is bounded.
func TestLingeringRecordsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		r := echoRoute(t, n)
		s := crowd(t, n, r, 1)[0]
		for range 2 * maxKept {
			if !s.reuse() {
				t.Fatal("the socket cannot be used again")
			}
			visit(t, s, r.to)
			if n := s.waits.len(); n > maxKept {
				t.Fatalf("%d records", n)
			}
		}
		s.hurry()
		if s.reuse() {
			t.Error("a socket that has closed is used again")
		}
	})
}

// Where there are too many open files, the oldest socket that only TIME-WAIT keeps open makes
// room for another one.
func TestTooManyOpenFiles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		old := n.open("192.0.2.1:1111")
		visit(t, newShard(old), echoRoute(t, n).to)
		if old.closed() {
			t.Fatal("nothing is in TIME-WAIT")
		}
		calls := 0
		open := func() (carrier.Carrier, error) {
			if calls++; !old.closed() || calls > 2 {
				return nil, &net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
			}
			return n.open("192.0.2.1:1112"), nil
		}
		car, err := spare(open)
		if err != nil || calls != 2 {
			t.Fatalf("%v after %d calls", err, calls)
		}
		car.Close()
		// And where none is left, the error is the caller's.
		if _, err := spare(open); !errors.Is(err, syscall.EMFILE) || calls != 3 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

// A peer that missed a reset gets it again when it sends, though the socket had nothing
// else to do; then the socket closes.
func TestResetIsRepeated(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		carA := n.open("192.0.2.1:1111")
		eb := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
		l, err := eb.Listen(0)
		if err != nil {
			t.Fatal(err)
		}
		a := newShard(carA)
		c, err := a.dial(background, eb.s.local, 0, 2222, mustSettings(t, quick()))
		if err != nil {
			t.Fatal(err)
		}
		a.leave()
		peer, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		n.mu.Lock()
		n.drop = func(netip.AddrPort, *carrier.Datagram) bool { return true }
		n.mu.Unlock()
		c.SetLinger(0)
		c.Close()
		n.mu.Lock()
		n.drop = nil
		n.mu.Unlock()
		if carA.closed() {
			t.Fatal("the socket was closed with the connection")
		}
		peer.Write([]byte("are you there?"))
		if _, err := peer.Read(make([]byte, 1)); !isOp(err, "read", syscall.ECONNRESET) {
			t.Errorf("the peer reads %v", err)
		}
		<-time.After(41 * time.Millisecond)
		if !carA.closed() {
			t.Error("after 2 MSL the socket is still open")
		}
	})
}

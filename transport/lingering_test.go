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
		cfg := mustSettings(t, &Config{MSL: time.Hour})
		eb := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
		serveEcho(t, eb)
		const more = 10
		var cars []*memCarrier
		var shards []*shard
		for i := range maxLingering + more {
			car := n.open(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1).String())
			s := newShard(car)
			c, err := s.dial(background, eb.s.local, 0, 2222, cfg)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			s.leave()
			synctest.Wait()
			cars, shards = append(cars, car), append(shards, s)
		}
		for i, c := range cars {
			if c.closed() != (i < more) {
				t.Errorf("socket %d of %d: closed %v", i, len(cars), c.closed())
				break
			}
		}
		for _, s := range shards {
			s.hurry()
		}
	})
}

// Where there are too many open files, the oldest socket that only TIME-WAIT keeps open makes
// room for another one.
func TestTooManyOpenFiles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		eb := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
		serveEcho(t, eb)
		old := n.open("192.0.2.1:1111")
		s := newShard(old)
		c, err := s.dial(background, eb.s.local, 0, 2222, mustSettings(t, &Config{MSL: time.Hour}))
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		s.leave()
		synctest.Wait()
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

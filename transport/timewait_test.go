package transport

import (
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"example.com/culvert/carrier"
	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// closeFirst opens a connection from a to b's listener over shards of their own, and
// has a close first. It returns the segments that went over the network.
func closeFirst(t *testing.T, n *memNet, a *shard, b *Endpoint, from uint16) []sent {
	t.Helper()
	n.take()
	c, err := a.dial(background, b.s.local, from, b.s.local.Port(), mustSettings(t, quick()))
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, c, []byte("hello"))
	c.Close()
	synctest.Wait()
	return n.take()
}

// Who closes first is in TIME-WAIT for 2 MSL: a record, which keeps the socket open and
// acknowledges the peer's FIN again, and a reset does not end it. Then all is gone.
//
// Shows: MUST-13.
func TestTimeWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		carA := n.open("192.0.2.1:1111")
		eb := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
		serveEcho(t, eb)
		a := newShard(carA)
		var fin *sent
		all := closeFirst(t, n, a, eb, 5000)
		a.leave()
		for i, s := range all {
			if s.from.Port() == 2222 && s.seg.Flags.Has(segment.FIN) {
				fin = &all[i]
			}
		}
		if len(a.flows) != 0 || a.waits.len() != 1 || carA.closed() {
			t.Fatalf("%d flows, %d records, closed %v", len(a.flows), a.waits.len(), carA.closed())
		}
		again := func() int {
			carA.push(carrier.Datagram{Peer: fin.from, Data: append([]byte(nil), fin.Data...)})
			synctest.Wait()
			replies := 0
			for _, s := range n.take() {
				if s.from.Port() == 2222 {
					continue // the peer's end is gone: it resets what comes, and that is ignored
				}
				replies++
				if s.seg.Flags != segment.ACK || s.seg.Ack != fin.seg.Seq.Add(fin.seg.Len()) {
					t.Errorf("the FIN that came again is answered with %v", &s.seg)
				}
			}
			return replies
		}
		if again() != 1 {
			t.Error("the FIN that came again is not acknowledged")
		}
		<-time.After(30 * time.Millisecond) // of 40
		carA.forge("192.0.2.2:2222", &segment.Segment{SrcPort: 2222, DstPort: 5000, Seq: fin.seg.Seq.Add(1), Flags: segment.RST})
		if again() != 1 { // and the time begins anew
			t.Error("a reset ended TIME-WAIT")
		}
		<-time.After(30 * time.Millisecond)
		if carA.closed() {
			t.Error("the time did not begin anew with the second FIN")
		}
		<-time.After(11 * time.Millisecond)
		if !carA.closed() || a.waits.len() != 0 {
			t.Error("after 2 MSL the socket is still open")
		}
	})
}

// A record whose time begins anew does not keep those that came after it.
func TestTimeWaitOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		carA := n.open("192.0.2.1:1111")
		eb := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
		serveEcho(t, eb)
		a := newShard(carA)
		var fin sent
		for _, s := range closeFirst(t, n, a, eb, 5000) {
			if s.from.Port() == 2222 && s.seg.Flags.Has(segment.FIN) {
				fin = s
			}
		}
		closeFirst(t, n, a, eb, 5001)
		a.leave()
		left := func() int {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.waits.len()
		}
		<-time.After(30 * time.Millisecond) // of 40
		if left() != 2 {
			t.Fatalf("%d records, want 2", left())
		}
		carA.push(carrier.Datagram{Peer: fin.from, Data: fin.Data})
		<-time.After(11 * time.Millisecond)
		if left() != 1 {
			t.Errorf("%d records, want the one whose time began anew", left())
		}
		<-time.After(30 * time.Millisecond)
		if !carA.closed() {
			t.Error("the socket is still open")
		}
	})
}

// A SYN that continues the sequence opens a new connection out of TIME-WAIT; an old
// duplicate does not.
//
// Shows: MAY-2, SHLD-4.
func TestTimeWaitReopens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		eb := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
		l, err := eb.Listen(0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			car := n.open("192.0.2.1:1111")
			a := newShard(car)
			done := make(chan error, 1)
			go func() {
				c, err := a.dial(background, eb.s.local, 5000, 2222, mustSettings(t, quick()))
				if err == nil {
					_, err = c.Read(make([]byte, 1)) // until the other end closes
					c.Close()
				}
				done <- err
			}()
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close() // the listener's end has the TIME-WAIT
			<-done
			a.leave()
			synctest.Wait()
			if !car.closed() {
				t.Fatalf("round %d: the client's socket is still open", i)
			}
			eb.s.mu.Lock()
			if len(eb.s.flows) != 0 || eb.s.waits.len() != 1 {
				t.Errorf("round %d: %d flows, %d records", i, len(eb.s.flows), eb.s.waits.len())
			}
			eb.s.mu.Unlock()
			<-time.After(time.Millisecond)
		}
	})
}

// The records of a shard are bounded: the oldest goes first. They expire in order,
// also when their times are not.
func TestTimeWaitsAreBounded(t *testing.T) {
	var w timeWaits
	k := func(i int) key { return key{localPort: uint16(i), remotePort: uint16(i >> 16)} }
	for i := range maxTimeWaits + 10 {
		w.add(k(i), tcpcore.TimeWaitRecord{})
	}
	if w.len() != maxTimeWaits || len(w.byKey) != maxTimeWaits {
		t.Errorf("%d records", w.len())
	}
	for i := range 20 {
		if w.has(k(i)) != (i >= 10) {
			t.Errorf("record %d: %v", i, w.has(k(i)))
		}
	}
	w.add(k(15), tcpcore.TimeWaitRecord{})
	if w.len() != maxTimeWaits {
		t.Errorf("%d records after one came again", w.len())
	}
	// The order is whole in both directions.
	n := 0
	var before *timeWait
	for e := w.first; e != nil; before, e = e, e.next {
		if n++; e.prev != before {
			t.Fatalf("record %d does not know the one before", n)
		}
	}
	if n != maxTimeWaits || w.last != before {
		t.Errorf("%d records in order", n)
	}
	w.expire(1)
	if w.len() != 0 || w.first != nil || w.last != nil {
		t.Errorf("%d records are left", w.len())
	}
}

// A record is small, and so is what finds it.
func TestTimeWaitSize(t *testing.T) {
	if n := unsafe.Sizeof(timeWait{}); n > 128 {
		t.Errorf("a record takes %d bytes", n)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var w timeWaits
	for i := range maxTimeWaits {
		w.add(key{localPort: uint16(i)}, tcpcore.TimeWaitRecord{})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := int64(after.HeapAlloc-before.HeapAlloc) / maxTimeWaits
	t.Logf("%d bytes each with the table", per)
	if per > 300 {
		t.Errorf("%d bytes each with the table", per)
	}
	runtime.KeepAlive(&w)
}

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

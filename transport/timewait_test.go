package transport

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"example.com/culvert/carrier"
	"example.com/culvert/conn"
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
			begun := time.Now()
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
			if d := time.Since(begun); d > 0 {
				t.Errorf("round %d: connecting took %v", i, d)
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

// A SYN that could open a new connection out of TIME-WAIT leaves the record where it is if
// nobody listens, or has no room.
func TestTimeWaitStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		cfg := quick()
		cfg.Backlog = 1
		carB := n.open("192.0.2.2:2222")
		eb := mustEndpoint(t, carB, cfg)
		l, err := eb.Listen(0)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if c, err := l.Accept(); err == nil {
				c.Close()
			}
		}()
		a := newShard(n.open("192.0.2.1:1111"))
		c, err := a.dial(background, eb.s.local, 5000, 2222, mustSettings(t, quick()))
		if err != nil {
			t.Fatal(err)
		}
		c.Read(make([]byte, 1)) // until the other end closes
		c.Close()
		a.leave()
		synctest.Wait()
		var next segment.Seq
		for _, s := range n.take() {
			if s.from.Port() == 1111 && s.seg.Flags.Has(segment.FIN) {
				next = s.seg.Seq.Add(1000)
			}
		}
		n.open("192.0.2.1:1111")
		n.open("192.0.2.3:3333")
		k := key{peer: netip.MustParseAddrPort("192.0.2.1:1111"), localPort: 2222, remotePort: 5000}
		syn := func(peer string, from uint16) (replies []sent) {
			n.take()
			carB.forge(peer, &segment.Segment{SrcPort: from, DstPort: 2222, Seq: next, Flags: segment.SYN, Window: 1000})
			synctest.Wait()
			return n.take()
		}
		has := func() bool {
			eb.s.mu.Lock()
			defer eb.s.mu.Unlock()
			return eb.s.waits.has(k)
		}
		syn("192.0.2.3:3333", 5000) // takes the only place
		if got := syn("192.0.2.1:1111", 5000); len(got) != 0 || !has() {
			t.Errorf("without room: %d replies, the record is there: %v", len(got), has())
		}
		l.Close()
		got := syn("192.0.2.1:1111", 5000)
		if len(got) != 1 || !got[0].seg.Flags.Has(segment.RST) || !has() {
			t.Errorf("without a listener: %d replies, the record is there: %v", len(got), has())
		}
		if l, err = eb.Listen(0); err != nil {
			t.Fatal(err)
		}
		got = syn("192.0.2.1:1111", 5000)
		if len(got) == 0 || got[0].seg.Flags != segment.SYN|segment.ACK || has() {
			t.Errorf("with room: %d replies, the record is there: %v", len(got), has())
		}
	})
}

// A dial that finds no port free takes one whose connection was in TIME-WAIT for a second, if
// timestamps tell the two apart.
func TestTimeWaitIsReused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		cfg := &Config{MSL: 30 * time.Second}
		a := newShard(n.open("192.0.2.1:1111"))
		eb := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
		serveEcho(t, eb)
		dial := func(from uint16) (*conn.Conn, error) {
			return a.dial(background, eb.s.local, from, 2222, mustSettings(t, cfg))
		}
		// One connection that ended as most do, one without timestamps, and no other port.
		const ours, plain = 50000, 50001
		for _, from := range []uint16{ours, plain} {
			cfg.NoTimestamps = from == plain
			c, err := dial(from)
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, c, []byte("hello"))
			c.Close()
			synctest.Wait()
		}
		cfg.NoTimestamps = false
		a.mu.Lock()
		for p := range allPorts {
			k := key{peer: eb.s.local, localPort: firstEphemeral + uint16(p), remotePort: 2222}
			if !a.waits.has(k) {
				a.waits.add(k, tcpcore.TimeWaitRecord{})
			}
		}
		a.mu.Unlock()
		if _, err := dial(0); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("at once: %v", err)
		}
		<-time.After(time.Second)
		c, err := dial(0)
		if err != nil {
			t.Fatalf("after a second: %v", err)
		}
		roundTrip(t, c, []byte("hello again"))
		a.mu.Lock()
		if a.waits.len() != allPorts-1 || a.waits.has(key{peer: eb.s.local, localPort: ours, remotePort: 2222}) {
			t.Errorf("%d records", a.waits.len())
		}
		a.mu.Unlock()
		if _, err := dial(0); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("without timestamps: %v", err)
		}
		c.SetLinger(0)
		c.Close()
		a.mu.Lock()
		a.waits.clear()
		a.mu.Unlock()
		a.leave()
		<-a.gone
	})
}

// Of two dials that choose the same port in TIME-WAIT one gets it, and whoever does begins behind the
// numbers of the connection before. A dial that comes to nothing leaves the record where it was.
func TestTimeWaitIsReusedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a := newShard(n.open("192.0.2.1:1111"))
		eb := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
		serveEcho(t, eb)
		cfg := mustSettings(t, &Config{MSL: 30 * time.Second})
		const ours = 50000
		c, err := a.dial(background, eb.s.local, ours, 2222, cfg)
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, c, []byte("hello"))
		c.Close()
		synctest.Wait()
		k := key{peer: eb.s.local, remotePort: 2222}
		a.mu.Lock()
		for p := range allPorts {
			k.localPort = firstEphemeral + uint16(p)
			if !a.waits.has(k) {
				a.waits.add(k, tcpcore.TimeWaitRecord{})
			}
		}
		a.mu.Unlock()
		<-time.After(time.Second)
		k.localPort = 0
		won := 0
		var befores []*predecessor
		for range 2 {
			port, before := a.choose(k)
			if port != ours || before == nil {
				t.Fatalf("port %d is chosen, in the place of %v", port, before)
			}
			befores = append(befores, before)
		}
		if !a.waits.has(befores[0].key) {
			t.Error("the record is gone before there is a connection")
		}
		for _, before := range befores {
			f := &flow{s: a, peer: k.peer, key: before.key, cfg: cfg, anyPort: true}
			engine := cfg.engine()
			if err := engine.OpenActive(f.Now(), a.params(f.key)); err != nil {
				t.Fatal(err)
			}
			if _, err := a.newFlow(f, engine, before); err == nil {
				won++
				defer f.driver.Abort()
			} else if err != errInUse {
				t.Error(err)
			}
		}
		if won != 1 || a.waits.has(befores[0].key) {
			t.Errorf("%d dials have the port", won)
		}
		a.mu.Lock()
		a.waits.clear()
		a.mu.Unlock()
		a.leave()
	})
}

// A port that a dial chose is looked at again when the connection is entered: on a wildcard another
// one may have had it meanwhile, and have ended, under a key with the local address.
func TestChosenPortStaysFree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newShard(newMemNet().open("192.0.2.1:1111"))
		s.wild = true
		k := key{peer: netip.MustParseAddrPort("192.0.2.2:2222"), localPort: 50000, remotePort: 2222}
		known := k
		known.local = netip.MustParseAddr("192.0.2.1")
		s.learn(k.peer.Addr(), known.local)
		s.waits.add(known, tcpcore.TimeWaitRecord{})
		cfg := mustSettings(t, quick())
		f := &flow{s: s, peer: k.peer, key: k, cfg: cfg, learn: true, anyPort: true}
		engine := cfg.engine()
		if err := engine.OpenActive(f.Now(), s.params(k)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.newFlow(f, engine, nil); err != errInUse {
			t.Errorf("the port of a connection in TIME-WAIT: %v", err)
		}
		s.waits.clear()
		if _, err := s.newFlow(f, engine, nil); err != nil {
			t.Errorf("a free port: %v", err)
		}
		f.driver.Abort()
		s.leave()
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
	if w.len() != maxTimeWaits {
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
	var before waitNumber
	for e := w.first; e != 0; before, e = e, w.at(e).next {
		if n++; w.at(e).prev != before {
			t.Fatalf("record %d does not know the one before", n)
		}
	}
	if n != maxTimeWaits || w.last != before {
		t.Errorf("%d records in order", n)
	}
	w.expire(1)
	if w.len() != 0 || w.first != 0 || w.last != 0 || w.blocks != nil {
		t.Errorf("%d records are left", w.len())
	}
}

// A record that lives for a shorter time than those before it goes in time, too: a dial may want
// its port.
func TestTimeWaitsOfTwoTimes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		a := newShard(n.open("192.0.2.1:1111"))
		eb := mustEndpoint(t, n.open("192.0.2.2:2222"), quick())
		serveEcho(t, eb)
		for i, msl := range []time.Duration{time.Hour, time.Second} {
			c, err := a.dial(background, eb.s.local, 50000+uint16(i), 2222, mustSettings(t, &Config{MSL: msl}))
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, c, []byte("hello"))
			c.Close()
			synctest.Wait()
		}
		for _, left := range []struct {
			after time.Duration
			n     int
		}{{0, 2}, {3 * time.Second, 1}, {2 * time.Hour, 0}} {
			<-time.After(left.after)
			a.mu.Lock()
			if a.waits.len() != left.n {
				t.Errorf("%v later there are %d records, not %d", left.after, a.waits.len(), left.n)
			}
			a.mu.Unlock()
		}
		a.leave()
	})
}

// A record is small, and so is what finds it.
func TestTimeWaitSize(t *testing.T) {
	if n := unsafe.Sizeof(timeWait{}); n > 112 {
		t.Errorf("a record takes %d bytes", n)
	}
	one := testing.AllocsPerRun(100, func() {
		var w timeWaits
		w.add(key{localPort: 1}, tcpcore.TimeWaitRecord{})
	})
	if one > 3 {
		t.Errorf("a socket's only record costs %v allocations", one)
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
	if per > 128 {
		t.Errorf("%d bytes each with the table", per)
	}
	runtime.KeepAlive(&w)
}

// TestTimeWaitTable compares the table with a map, through growth, deletion and reuse.
func TestTimeWaitTable(t *testing.T) {
	var w timeWaits
	rnd := rand.New(rand.NewPCG(1, 2))
	want := make(map[key]bool)
	for i := range 200_000 {
		k := key{peer: netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(rnd.IntN(2))), localPort: uint16(rnd.IntN(1500))}
		switch op := rnd.IntN(4); {
		case op == 0 || op == 1 && i/10_000%2 == 1: // now it fills, now it empties
			w.drop(k)
			delete(want, k)
		default:
			w.add(k, tcpcore.TimeWaitRecord{})
			want[k] = true
		}
		if w.has(k) != want[k] || w.len() != len(want) {
			t.Fatalf("step %d: %v, want %v; %d records, want %d", i, w.has(k), want[k], w.len(), len(want))
		}
		if i%10_000 == 0 {
			for k := range want {
				if !w.has(k) || w.get(k).key() != k {
					t.Fatalf("step %d: %v is lost", i, k)
				}
			}
		}
	}
	for k := range want {
		w.drop(k)
	}
	if w.len() != 0 || w.table != nil {
		t.Errorf("%d records are left, and a table of %d", w.len(), len(w.table))
	}
}

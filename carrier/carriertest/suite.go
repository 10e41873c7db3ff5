package carriertest

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"example.com/culvert/carrier"
)

// tests are the clauses of the contract.
var tests = []struct {
	name string
	run  func(*testing.T, Pair)
}{
	{"Bytes", testBytes},
	{"Batch", testBatch},
	{"Trains", testTrains},
	{"LongTrain", testLongTrain},
	{"Gather", testGather},
	{"Borrowed", testBorrowed},
	{"Addresses", testAddresses},
	{"Largest", testLargest},
	{"TooLarge", testTooLarge},
	{"Release", testRelease},
	{"Concurrent", testConcurrent},
	{"CloseUnblocks", testCloseUnblocks},
	{"Interrupt", testInterrupt},
	{"Poll", testPoll},
	{"CloseWhileWriting", testCloseWhileWriting},
	{"Closed", testClosed},
}

// Test runs the suite, each test on a pair of its own.
func Test(t *testing.T, open Open) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// TestVirtual runs the suite with each test in a bubble of testing/synctest, for
// carriers that only block on what the bubble sees. The pair is opened in it.
func TestVirtual(t *testing.T, open Open) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test.run(t, open(t)) })
		})
	}
}

// testBytes: a segment arrives as it was sent, one a datagram, both ways.
func testBytes(t *testing.T, p Pair) {
	a, b := read(t, p.A), read(t, p.B)
	for i, size := range []int{20, 21, 60, 536, 1000, 1200, 1400} {
		there, back := p.there(2*i, size, 0), p.back(2*i+1, size, 0)
		send(t, p.A, carrier.Datagram{Peer: p.ToB, Data: there})
		if got := b.next(); !bytes.Equal(got.segment, there) {
			t.Fatalf("%d bytes from A to B arrived as %d, or altered", size, len(got.segment))
		}
		send(t, p.B, carrier.Datagram{Peer: p.ToA, Local: p.ToB.Addr(), Data: back})
		if got := a.next(); !bytes.Equal(got.segment, back) {
			t.Fatalf("%d bytes from B to A arrived as %d, or altered", size, len(got.segment))
		}
	}
}

// expect takes len(want) segments from the inbox and checks that they are those of
// want, in any order: a carrier may reorder.
func expect(t *testing.T, in *inbox, want [][]byte) {
	t.Helper()
	missing := make(map[string]int)
	for _, w := range want {
		missing[string(w)]++
	}
	for range want {
		got := in.next()
		if missing[string(got.segment)] == 0 {
			t.Fatalf("a segment of %d bytes that nobody sent, or once too often", len(got.segment))
		}
		missing[string(got.segment)]--
	}
}

// testBatch: all datagrams of a batch arrive, however many.
func testBatch(t *testing.T, p Pair) {
	b := read(t, p.B)
	for _, n := range []int{1, 2, 63, 64, 65, 130} {
		var ds []carrier.Datagram
		var want [][]byte
		for i := range n {
			data := p.there(1000*n+i, 100+i, 0)
			ds, want = append(ds, carrier.Datagram{Peer: p.ToB, Data: data}), append(want, data)
		}
		send(t, p.A, ds...)
		expect(t, b, want)
	}
	if n, err := p.A.WriteBatch(nil); n != 0 || err != nil {
		t.Fatalf("WriteBatch(nil) = %d, %v", n, err)
	}
}

// testTrains: a train arrives as its segments, alone and among other datagrams.
func testTrains(t *testing.T, p Pair) {
	b := read(t, p.B)
	for _, c := range []struct{ total, size int }{
		{1000, 100}, {1001, 100}, {99, 100}, {100, 100}, {20 * 64, 20}, {20*65 + 1, 20}, {8000, 1200},
		{14 * 1400, 1400}, {13*1400 + 1, 1400}, {64 * 300, 300},
	} {
		var ds []carrier.Datagram
		var want [][]byte
		for i := range 3 {
			d := carrier.Datagram{Peer: p.ToB, Data: p.there(c.total+c.size+i, c.total, c.size), SegmentSize: c.size}
			if i == 1 {
				d.Data, d.SegmentSize = p.there(c.total+c.size+i, min(c.total, 1400), 0), 0
			}
			ds = append(ds, d)
			for seg := range d.Segments {
				want = append(want, seg)
			}
		}
		send(t, p.A, ds...)
		expect(t, b, want)
	}
}

// testGather: where the carrier puts headers and data together, the segments are the same.
func testGather(t *testing.T, p Pair) {
	b := read(t, p.B)
	if !p.A.Caps().Gather {
		return
	}
	const head = 20
	for _, c := range []struct{ total, size int }{
		{1000, 100}, {1021, 100}, {99, 100}, {100, 100}, {64 * 300, 300}, {64*300 + 20, 300}, {100 * 60, 60}, {1020, 1000}, {14 * 1400, 1400},
	} {
		var ds []carrier.Datagram
		var want [][]byte
		for i := range 4 {
			d := carrier.Datagram{Peer: p.ToB, SegmentSize: c.size, HeadSize: head}
			all := carrier.Datagram{Data: p.there(c.total+c.size+i, c.total, c.size), SegmentSize: c.size}
			if i == 1 {
				all.Data, all.SegmentSize, d.SegmentSize = p.there(c.total+c.size+i, min(c.total, 1400), 0), 0, 0
			}
			for seg := range all.Segments {
				d.Heads = append(d.Heads, seg[:head]...)
				d.Data = append(d.Data, seg[head:]...)
				want = append(want, seg)
			}
			ds = append(ds, d, carrier.Datagram{Peer: p.ToB, Data: all.Data, SegmentSize: all.SegmentSize})
			for seg := range all.Segments {
				want = append(want, seg)
			}
		}
		send(t, p.A, ds...)
		expect(t, b, want)
	}
}

// testLongTrain: nor does it matter how long a train is.
func testLongTrain(t *testing.T, p Pair) {
	a, b := read(t, p.A), read(t, p.B)
	for _, c := range []struct{ total, size int }{{44 * 1400, 1400}, {43*1400 + 1, 1400}, {64 * 1000, 1000}, {63*1000 + 999, 1000}} {
		for _, way := range []struct {
			from carrier.Carrier
			to   netip.AddrPort
			in   *inbox
			data []byte
		}{{p.A, p.ToB, b, p.there(c.total, c.total, c.size)}, {p.B, p.ToA, a, p.back(c.total, c.total, c.size)}} {
			d := carrier.Datagram{Peer: way.to, Data: way.data, SegmentSize: c.size}
			if way.to == p.ToA {
				d.Local = p.ToB.Addr()
			}
			var want [][]byte
			for seg := range d.Segments {
				want = append(want, seg)
			}
			send(t, way.from, d)
			expect(t, way.in, want)
		}
	}
}

// testBorrowed: WriteBatch has no interest in the bytes once it has returned.
func testBorrowed(t *testing.T, p Pair) {
	b := read(t, p.B)
	data := make([]byte, 1200)
	ds := make([]carrier.Datagram, 1)
	for i := range 16 {
		want := p.there(i, len(data), 0)
		copy(data, want)
		ds[0] = carrier.Datagram{Peer: p.ToB, Data: data}
		send(t, p.A, ds...)
		clear(data)
		ds[0] = carrier.Datagram{}
		if got := b.next(); !bytes.Equal(got.segment, want) {
			t.Fatalf("segment %d was read after WriteBatch returned", i)
		}
	}
}

// testAddresses: Peer is whom to answer, and Local is where the peer sent to, so
// that an answer from there to there arrives.
func testAddresses(t *testing.T, p Pair) {
	a, b := read(t, p.A), read(t, p.B)
	if got := p.B.LocalAddr().Port(); got != p.ToB.Port() {
		t.Errorf("B's LocalAddr has port %d, and is reached at %d", got, p.ToB.Port())
	}
	send(t, p.A, carrier.Datagram{Peer: p.ToB, Data: p.there(1, 100, 0)})
	asked := b.next()
	if asked.Peer != p.ToA {
		t.Errorf("B hears of peer %v, want %v", asked.Peer, p.ToA)
	}
	if asked.Peer.Addr().Is4In6() {
		t.Errorf("the peer's address is an IPv4-mapped one: %v", asked.Peer)
	}
	if asked.Local.IsValid() && asked.Local != p.ToB.Addr() {
		t.Errorf("B was asked on %v, and says %v", p.ToB.Addr(), asked.Local)
	}
	send(t, p.B, carrier.Datagram{Peer: asked.Peer, Local: asked.Local, Data: p.back(2, 100, 0)})
	if got := a.next(); got.Peer != p.ToB {
		t.Errorf("A sent to %v, and is answered by %v", p.ToB, got.Peer)
	}
	for name, c := range map[string]struct {
		carrier carrier.Carrier
		peer    netip.AddrPort
	}{"A": {p.A, p.ToB}, "B": {p.B, p.ToA}} {
		if only := c.carrier.Caps().Connected; only.IsValid() && only != c.peer {
			t.Errorf("%s is connected to %v, want %v", name, only, c.peer)
		}
		if n := c.carrier.Caps().Network; n == "" {
			t.Errorf("%s has no network", name)
		}
	}
}

// testLargest: a segment of MMS bytes passes, both ways, also as part of a train.
func testLargest(t *testing.T, p Pair) {
	a, b := read(t, p.A), read(t, p.B)
	there, back := p.there(1, p.A.MMS(p.ToB), 0), p.back(2, p.B.MMS(p.ToA), 0)
	if len(there) < 500 || len(there) > 65535 {
		t.Fatalf("MMS is %d", len(there))
	}
	send(t, p.A, carrier.Datagram{Peer: p.ToB, Data: there})
	if got := b.next(); !bytes.Equal(got.segment, there) {
		t.Fatalf("a segment of MMS bytes, %d, arrived as %d", len(there), len(got.segment))
	}
	send(t, p.B, carrier.Datagram{Peer: p.ToA, Local: p.ToB.Addr(), Data: back})
	if got := a.next(); !bytes.Equal(got.segment, back) {
		t.Fatalf("a segment of MMS bytes, %d, arrived as %d", len(back), len(got.segment))
	}
	if p.A.Caps().Connected.IsValid() && p.A.MMS(netip.AddrPort{}) != len(there) {
		t.Errorf("a connected carrier's MMS depends on the peer it is asked for")
	}
}

// testTooLarge: a longer one is refused with EMSGSIZE, without harm to the others.
func testTooLarge(t *testing.T, p Pair) {
	b := read(t, p.B)
	good := [][]byte{p.there(1, 100, 0), p.there(2, 100, 0), p.there(3, 100, 0)}
	ds := []carrier.Datagram{
		{Peer: p.ToB, Data: good[0]},
		{Peer: p.ToB, Data: good[1]},
		{Peer: p.ToB, Data: make([]byte, p.A.MMS(p.ToB)+1)},
		{Peer: p.ToB, Data: good[2]},
	}
	n, err := p.A.WriteBatch(ds)
	if n != 2 || !errors.Is(err, syscall.EMSGSIZE) {
		t.Fatalf("WriteBatch = %d, %v, want 2 and EMSGSIZE", n, err)
	}
	n, err = p.A.WriteBatch(ds[2:])
	if n != 0 || !errors.Is(err, syscall.EMSGSIZE) {
		t.Fatalf("WriteBatch = %d, %v, want 0 and EMSGSIZE", n, err)
	}
	send(t, p.A, ds[3:]...)
	expect(t, b, good)

	// What is counted are datagrams, however many segments they had.
	train := carrier.Datagram{Peer: p.ToB, Data: p.there(4, 100*20, 20), SegmentSize: 20}
	n, err = p.A.WriteBatch([]carrier.Datagram{train, ds[0], ds[2], ds[1]})
	if n != 2 || !errors.Is(err, syscall.EMSGSIZE) {
		t.Fatalf("WriteBatch of a train, a datagram and a long one = %d, %v, want 2 and EMSGSIZE", n, err)
	}
	good = good[:1]
	for seg := range train.Segments {
		good = append(good, seg)
	}
	expect(t, b, good)
}

// testRelease: a batch stays as it is until Release, whatever else arrives.
func testRelease(t *testing.T, p Pair) {
	t.Cleanup(func() { p.A.Close(); p.B.Close() })
	var held []*carrier.Batch
	var want [][]byte
	for i := range 8 {
		data := p.there(i, 1000, 0)
		send(t, p.A, carrier.Datagram{Peer: p.ToB, Data: data})
		batch, err := p.B.ReadBatch()
		if err != nil || len(batch.Datagrams) != 1 {
			t.Fatalf("ReadBatch: %v", err)
		}
		held, want = append(held, batch), append(want, data)
	}
	for i, batch := range held {
		if !bytes.Equal(batch.Datagrams[0].Data, want[i]) {
			t.Fatalf("batch %d changed before its release", i)
		}
		batch.Release()
	}
	// What was released serves again, and shows nothing of the past.
	data := p.there(100, 40, 0)
	send(t, p.A, carrier.Datagram{Peer: p.ToB, Data: data})
	batch, err := p.B.ReadBatch()
	if err != nil || len(batch.Datagrams) != 1 || !bytes.Equal(batch.Datagrams[0].Data, data) {
		t.Fatalf("after Release: %v", err)
	}
	batch.Release()
}

// testConcurrent: any number may write at once, and ask for everything else.
func testConcurrent(t *testing.T, p Pair) {
	const writers, each = 4, 40
	a, b := read(t, p.A), read(t, p.B)
	var wg sync.WaitGroup
	want := make([][]byte, 0, writers*each)
	for w := range writers {
		var ds []carrier.Datagram
		for i := range each {
			data := p.there(w*each+i, 100+w, 0)
			want = append(want, data)
			ds = append(ds, carrier.Datagram{Peer: p.ToB, Data: data})
		}
		wg.Go(func() {
			for len(ds) > 0 {
				k := min(3, len(ds))
				if n, err := p.A.WriteBatch(ds[:k]); n != k || err != nil {
					t.Errorf("WriteBatch: %d of %d, %v", n, k, err)
					return
				}
				ds = ds[k:]
				if p.A.MMS(p.ToB) < 500 || !p.A.LocalAddr().IsValid() {
					t.Error("MMS or LocalAddr is bad")
				}
			}
		})
	}
	// The other direction at the same time.
	back := p.back(-1, 50, 0)
	send(t, p.B, carrier.Datagram{Peer: p.ToA, Local: p.ToB.Addr(), Data: back})
	wg.Wait()
	expect(t, b, want)
	expect(t, a, [][]byte{back})
}

// testCloseUnblocks: Close ends a ReadBatch that waits, with net.ErrClosed.
func testCloseUnblocks(t *testing.T, p Pair) {
	t.Cleanup(func() { p.A.Close(); p.B.Close() })
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		close(started)
		b, err := p.B.ReadBatch()
		if err == nil {
			b.Release()
		}
		ended <- err
	}()
	<-started
	if err := p.B.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReadBatch while closing: %v, want net.ErrClosed", err)
	}
}

// testInterrupt: a carrier that says so lets its reader be called back, any number of
// times, from before and during ReadBatch, and loses nothing by it.
func testInterrupt(t *testing.T, p Pair) {
	t.Cleanup(func() { p.A.Close(); p.B.Close() })
	b, ok := p.B.(carrier.Interrupter)
	if !p.B.Caps().Interrupt {
		return
	}
	if !ok {
		t.Fatal("Caps.Interrupt without the method")
	}
	type read struct {
		batch *carrier.Batch
		err   error
	}
	started, ended := make(chan struct{}), make(chan read)
	go func() {
		for range started {
			batch, err := b.ReadBatch()
			ended <- read{batch, err}
		}
	}()
	defer close(started)
	for i := range 50 {
		if i%2 == 0 {
			b.Interrupt() // before there is anybody to call back
		}
		started <- struct{}{}
		if i%2 == 1 {
			b.Interrupt()
		}
		if r := <-ended; r.err != carrier.ErrInterrupted {
			t.Fatalf("ReadBatch: %v, want ErrInterrupted", r.err)
		}
	}
	// What is called back too often reads on.
	b.Interrupt()
	b.Interrupt()
	want := p.there(1, 100, 0)
	send(t, p.A, carrier.Datagram{Peer: p.ToB, Data: want})
	for {
		started <- struct{}{}
		r := <-ended
		if r.err == carrier.ErrInterrupted {
			continue
		}
		if r.err != nil {
			t.Fatal(r.err)
		}
		if got := r.batch.Datagrams[0].Data; !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrived, or altered", len(got))
		}
		r.batch.Release()
		return
	}
}

// testPoll: a carrier that says so can be asked without waiting, which loses nothing, notices a
// call, and knows when it is closed.
func testPoll(t *testing.T, p Pair) {
	t.Cleanup(func() { p.A.Close(); p.B.Close() })
	b, ok := p.B.(carrier.Poller)
	if !p.B.Caps().Poll {
		return
	}
	if !ok {
		t.Fatal("Caps.Poll without the method")
	}
	if batch, err := b.Poll(nil); batch != nil || err != nil {
		t.Fatalf("of nothing: %v, %v", batch, err)
	}
	const all = 10
	for i := range all {
		want := p.there(i, 100, 0)
		send(t, p.A, carrier.Datagram{Peer: p.ToB, Data: want})
		var batch *carrier.Batch
		var err error
		if i%2 == 0 {
			for batch == nil && err == nil {
				batch, err = b.Poll(make([]byte, 1000))
			}
		} else {
			batch, err = b.ReadBatch()
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := batch.Datagrams[0].Data; !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrived, or altered", len(got))
		}
		batch.Release()
	}
	if i, ok := p.B.(carrier.Interrupter); ok && p.B.Caps().Interrupt {
		i.Interrupt()
		if batch, err := b.Poll(nil); err != carrier.ErrInterrupted {
			t.Errorf("after Interrupt: %v, %v", batch, err)
		}
		if batch, err := b.Poll(nil); batch != nil || err != nil {
			t.Errorf("a call is noticed again: %v, %v", batch, err)
		}
	}
	p.B.Close()
	if _, err := b.Poll(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v, want net.ErrClosed", err)
	}
}

// testCloseWhileWriting: Close among writers ends each with net.ErrClosed.
func testCloseWhileWriting(t *testing.T, p Pair) {
	in := read(t, p.B)
	var wg sync.WaitGroup
	began := make(chan struct{}, 1)
	for range 3 {
		wg.Go(func() {
			for {
				n, err := p.A.WriteBatch([]carrier.Datagram{{Peer: p.ToB, Data: p.there(1, 50, 0)}})
				if errors.Is(err, net.ErrClosed) && n == 0 {
					return
				}
				if err != nil || n != 1 {
					t.Errorf("WriteBatch while closing: %d, %v", n, err)
					return
				}
				select {
				case began <- struct{}{}:
				default:
				}
			}
		})
	}
	<-began
	if err := p.A.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
	in.next()
}

// testClosed: a closed carrier says so, again and again.
func testClosed(t *testing.T, p Pair) {
	t.Cleanup(func() { p.B.Close() })
	// What has arrived and was not read is no reason to go on.
	send(t, p.B, carrier.Datagram{Peer: p.ToA, Local: p.ToB.Addr(), Data: p.back(1, 100, 0)})
	before := p.A.LocalAddr()
	for range 2 {
		if err := p.A.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if _, err := p.A.ReadBatch(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("ReadBatch after Close: %v, want net.ErrClosed", err)
		}
		n, err := p.A.WriteBatch([]carrier.Datagram{{Peer: p.ToB, Data: pattern(1, 100)}})
		if n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteBatch after Close: %d, %v, want net.ErrClosed", n, err)
		}
	}
	if p.A.LocalAddr() != before {
		t.Errorf("LocalAddr after Close: %v, before %v", p.A.LocalAddr(), before)
	}
	if p.A.MMS(p.ToB) <= 0 {
		t.Error("MMS after Close is not positive")
	}
}

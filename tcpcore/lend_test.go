package tcpcore

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// TestLend moves a stream to a reader who lends a buffer now and then, over a path that
// loses segments: nothing is lost, doubled or out of order, and the window stays open.
func TestLend(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := newBulkPair(t, Config{ReceiveBuffer: 64 << 10}, 1480)
	var in, out []byte
	direct := 0
	for i := 0; len(out) < 4<<20; i++ {
		if i > 100000 {
			t.Fatalf("it stands still after %d of %d bytes", len(out), len(in))
		}
		p.now += Time(time.Millisecond)
		for _, e := range []*Engine{p.a, p.b} {
			if e.Deadline() <= p.now {
				e.Advance(p.now)
			}
		}
		for k := range p.w[:8<<10] {
			p.w[k] = byte(r.Uint32())
		}
		n, _ := p.a.Write(p.now, p.w[:8<<10])
		in = append(in, p.w[:n]...)
		k, _ := p.b.Read(p.now, p.r)
		out = append(out, p.r[:k]...)
		lent := p.r[:1+r.IntN(20000)]
		if i%3 > 0 {
			if !p.b.Lend(lent) || p.b.Lend(lent) {
				t.Fatal("not one reader can lend")
			}
		}
		if i%50 != 49 {
			p.move(p.a, p.b)
		} else {
			for p.a.Output(p.now, &p.t) { // and the train is lost
			}
		}
		n = p.b.TakeBack()
		direct += n
		out = append(out, lent[:n]...)
		p.move(p.b, p.a)
	}
	if !bytes.Equal(in[:len(out)], out) {
		t.Error("what arrived is not what was sent")
	}
	if direct < len(out)/3 || direct == len(out) {
		t.Errorf("%d of %d bytes went straight to the reader", direct, len(out))
	}
	if got := p.b.Info().BytesDelivered; got != uint64(len(out)) {
		t.Errorf("%d bytes were read, %d are counted", len(out), got)
	}
}

// TestLendKeepsOrder: while anything waits to be read, or the user has shut reading, a lent
// buffer stays empty.
func TestLendKeepsOrder(t *testing.T) {
	p := newBulkPair(t, Config{}, 1480)
	lent := make([]byte, 100)
	p.a.Write(p.now, []byte("one"))
	p.move(p.a, p.b)
	p.b.Lend(lent)
	p.a.SetNoDelay(true)
	p.a.Write(p.now, []byte("two"))
	p.move(p.a, p.b)
	if n := p.b.TakeBack(); n != 0 {
		t.Errorf("%q passed what came before", lent[:n])
	}
	n, _ := p.b.Read(p.now, p.r)
	if string(p.r[:n]) != "onetwo" {
		t.Errorf("read %q", p.r[:n])
	}
	p.b.CloseRead(p.now)
	p.b.Lend(lent)
	p.a.Write(p.now, []byte("three"))
	p.move(p.a, p.b)
	if n := p.b.TakeBack(); n != 0 {
		t.Errorf("%q was delivered after CloseRead", lent[:n])
	}
}

// TestLendPart: what a lent buffer has no room for goes to the receive buffer.
func TestLendPart(t *testing.T) {
	p := newBulkPair(t, Config{}, 1480)
	lent := make([]byte, 5)
	p.b.Lend(lent)
	p.a.Write(p.now, []byte("hello, world"))
	p.move(p.a, p.b)
	n := p.b.TakeBack()
	k, _ := p.b.Read(p.now, p.r)
	if got := string(lent[:n]) + string(p.r[:k]); n != 5 || got != "hello, world" {
		t.Errorf("%d bytes, %q in all", n, got)
	}
}

// TestLendOnePiece: a reader who lends gets one piece of the stream, also when another takes
// what came after the beginning of it.
func TestLendOnePiece(t *testing.T) {
	p := newBulkPair(t, Config{}, 1480)
	p.a.SetNoDelay(true)
	lent := make([]byte, 100)
	p.b.Lend(lent)
	send := func(s string) {
		p.a.Write(p.now, []byte(s))
		for p.a.Output(p.now, &p.t) {
			if err := segment.Parse(&p.seg, p.t.Buf); err != nil {
				t.Fatal(err)
			}
			p.b.Input(p.now, &p.seg)
		}
	}
	send("one")
	p.a.Write(p.now, []byte("two"))
	p.a.Output(p.now, &p.t)
	late := bytes.Clone(p.t.Buf)
	send("three") // lies beyond a hole
	if err := segment.Parse(&p.seg, late); err != nil {
		t.Fatal(err)
	}
	p.b.Input(p.now, &p.seg)
	n, _ := p.b.Read(p.now, p.r)
	if string(p.r[:n]) != "twothree" {
		t.Fatalf("another reader got %q", p.r[:n])
	}
	send("four")
	if n := p.b.TakeBack(); string(lent[:n]) != "one" {
		t.Errorf("the reader who lent got %q", lent[:n])
	}
	if n, _ := p.b.Read(p.now, p.r); string(p.r[:n]) != "four" {
		t.Errorf("what came last is %q", p.r[:n])
	}
}

// TestLendInPlace: data that a carrier has put where it is wanted stays there, also if it lies
// farther on than the stream has come, or is partly old.
func TestLendInPlace(t *testing.T) {
	p := newBulkPair(t, Config{}, 1480)
	p.a.SetNoDelay(true)
	room := make([]byte, 100)
	p.b.Lend(room)
	at := func(where int, s string) {
		p.a.Write(p.now, []byte(s))
		if !p.a.Output(p.now, &p.t) || segment.Parse(&p.seg, p.t.Buf) != nil {
			t.Fatalf("%q is not sent", s)
		}
		p.seg.Payload = room[where:][:copy(room[where:], p.seg.Payload)]
		p.b.Input(p.now, &p.seg)
	}
	at(0, "in place")
	if got := p.b.Lent(); &got[0] != &room[8] || len(got) != 92 {
		t.Fatalf("%d bytes are lent beyond what is in place", len(got))
	}
	at(12, ", farther on")
	at(20, ", next")
	p.b.Input(p.now, &p.seg) // once more
	p.seg.Seq, p.seg.Payload = p.seg.Seq.Add(-2), room[40:][:copy(room[40:], "on, next, straddling")]
	p.b.Input(p.now, &p.seg)
	n := p.b.TakeBack()
	if got := string(room[:n]); got != "in place, farther on, next, straddling" {
		t.Errorf("read %q", got)
	}
}

// TestLent: nothing is wanted in place while something waits to be read, or nobody wants it.
func TestLent(t *testing.T) {
	p := newBulkPair(t, Config{}, 1480)
	room := make([]byte, 100)
	if p.b.Lent() != nil {
		t.Error("what nobody lent")
	}
	p.a.Write(p.now, []byte("one"))
	p.move(p.a, p.b)
	p.b.Lend(room)
	if p.b.Lent() != nil {
		t.Error("it would pass what waits")
	}
	p.b.Read(p.now, p.r)
	if got := p.b.Lent(); len(got) != len(room) {
		t.Errorf("%d bytes are lent", len(got))
	}
	p.b.CloseRead(p.now)
	if p.b.Lent() != nil {
		t.Error("of what will be discarded")
	}
}

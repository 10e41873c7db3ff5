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

// TestLendBesideReader: once another reader took what is behind the bytes in a lent buffer,
// no more goes there: what one reader gets is one piece of the stream.
func TestLendBesideReader(t *testing.T) {
	p := newBulkPair(t, Config{}, 1480)
	p.a.SetNoDelay(true)
	write := func(text string) []byte {
		p.a.Write(p.now, []byte(text))
		if !p.a.Output(p.now, &p.t) {
			t.Fatalf("%q is not sent", text)
		}
		return append([]byte(nil), p.t.Buf...)
	}
	arrive := func(b []byte) {
		var s segment.Segment
		if err := segment.Parse(&s, b); err != nil {
			t.Fatal(err)
		}
		p.b.Input(p.now, &s)
	}
	lent := make([]byte, 100)
	p.b.Lend(lent)
	one, two, three, four := write("one"), write("two"), write("three"), write("four")
	arrive(one)
	arrive(three)
	arrive(two)
	k, _ := p.b.Read(p.now, p.r)
	if got := string(p.r[:k]); got != "twothree" {
		t.Errorf("the other reader got %q", got)
	}
	arrive(four)
	if n := p.b.TakeBack(); string(lent[:n]) != "one" {
		t.Errorf("who lent got %q, and the other reader what is in the middle", lent[:n])
	}
	if k, _ := p.b.Read(p.now, p.r); string(p.r[:k]) != "four" {
		t.Errorf("then came %q", p.r[:k])
	}
}

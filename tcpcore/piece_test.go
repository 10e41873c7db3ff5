package tcpcore

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// lossy moves what p.a has to send, but for one train in some, and the answers.
func (p *bulkPair) lossy(r *rand.Rand) {
	p.now += Time(time.Millisecond)
	for _, e := range []*Engine{p.a, p.b} {
		if e.Deadline() <= p.now {
			e.Advance(p.now)
		}
	}
	if r.IntN(30) == 0 {
		p.a.Output(p.now, &p.t) // and the train is lost
	}
	p.move(p.a, p.b)
	p.move(p.b, p.a)
}

// TestPieces moves a stream that is made in the send buffer and used in the receive buffer, while
// others write and read, pieces are given back late or filled by half, and buffers change: what
// arrives is what was written, and a piece stays as it is for whoever has it.
func TestPieces(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(1, seed))
		p := newBulkPair(t, Config{}, []int{1480, 30000}[seed%2])
		var in, out []byte
		var lent, shown, was []byte
		var at uint64
		fill := func(b []byte) {
			for i := range b {
				b[i] = byte(r.Uint32())
			}
		}
		write := func(b []byte) {
			before := bytes.Clone(b)
			n, err := p.a.Write(p.now, b)
			if err != nil && err != ErrWouldBlock {
				t.Fatal(err)
			}
			in = append(in, before[:n]...)
		}
		inPlace, broken, taken := 0, 0, 0
		for i, same := 0, 0; len(out) < 16<<20; i++ {
			if i > 1000000 {
				t.Fatalf("seed %d: it stands still after %d of %d bytes", seed, len(out), len(in))
			}
			switch k := r.IntN(12); {
			case k < 4 && lent == nil:
				b, err := p.a.Reserve(p.now, 200, 8<<10+r.IntN(8<<10))
				if err != nil && err != ErrWouldBlock {
					t.Fatal(err)
				}
				if lent = b; b != nil && cap(b) != len(b) {
					t.Fatal("a piece has more behind it")
				}
			case k < 6 && lent != nil:
				fill(lent)
				if p.a.snd.buf.endsAt(lent) {
					inPlace++
				} else {
					broken++
				}
				write(lent[:1+r.IntN(len(lent))])
				lent = nil
			case k < 7 && lent != nil:
				p.a.Unreserve(p.now, lent)
				lent = nil
			case k < 8:
				write(p.w[:1+r.IntN(2<<10)])
				fill(lent) // which nobody else may have begun to use
			case k < 9 && r.IntN(10) == 0:
				p.a.SetBuffers(64<<10+r.IntN(1<<20), 64<<10+r.IntN(1<<20))
			case k < 9 && r.IntN(50) == 0:
				for range 1500 { // the buffers are given back
					p.lossy(r)
				}
			}
			p.lossy(r)
			switch k := r.IntN(10); {
			case k < 3 && shown == nil:
				var err error
				if shown, at, err = p.b.Look(p.now, 1+r.IntN(20<<10)); err != nil && err != ErrWouldBlock {
					t.Fatal(err)
				}
				was = bytes.Clone(shown)
			case k < 5 && shown != nil:
				if !bytes.Equal(shown, was) {
					t.Fatalf("seed %d: what is shown changed", seed)
				}
				if p.b.rcv.shown > 0 {
					n := r.IntN(len(shown) + 1)
					p.b.Consume(p.now, at, n)
					out = append(out, shown[:n]...)
				} else {
					taken++
				}
				p.b.Consume(p.now, at, len(shown)) // once more, and too late
				shown = nil
			case k < 7:
				if p.b.rcv.shown > 0 {
					out = append(out, was...)
				}
				n, _ := p.b.Read(p.now, p.r[:1+r.IntN(8<<10)])
				out = append(out, p.r[:n]...)
			}
			if len(out) > len(in) || !bytes.Equal(in[same:len(out)], out[same:]) {
				t.Fatalf("seed %d, step %d: what arrived is not what was written", seed, i)
			}
			same = len(out)
		}
		if shown == nil && p.b.Info().BytesDelivered != uint64(len(out)) {
			t.Errorf("%d bytes were read, %d are counted", len(out), p.b.Info().BytesDelivered)
		}
		if inPlace < 100 || broken < 20 || taken < 50 {
			t.Errorf("seed %d: %d pieces in place, %d not, %d taken by others", seed, inPlace, broken, taken)
		}
	}
}

// TestPieceIsTheBuffer: what is lent is the send buffer, and what is written there is not copied;
// what is shown is the receive buffer.
func TestPieceIsTheBuffer(t *testing.T) {
	p := newBulkPair(t, Config{}, 1480)
	b, err := p.a.Reserve(p.now, 1000, 4000)
	if err != nil || len(b) != 4000 || &b[0] != &p.a.snd.buf.buf[0] {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if again, err := p.a.Reserve(p.now, 1, 1); again != nil || err != nil {
		t.Error("the same room is lent twice")
	}
	copy(b, "made in place")
	p.a.Write(p.now, b[:13])
	b[0] = 'f' // a writer must not; but it shows where the data lies
	p.move(p.a, p.b)
	got, at, err := p.b.Look(p.now, 100)
	if string(got) != "fade in place" || err != nil || &got[0] != &p.b.rcv.buf.buf[p.b.rcv.buf.head] {
		t.Errorf("%q, %v", got, err)
	}
	if n := p.b.Info().ReceiveQueue; n != 13 {
		t.Errorf("%d bytes wait while they are looked at", n)
	}
	p.b.Consume(p.now, at, 5)
	if n, _ := p.b.Read(p.now, p.r); string(p.r[:n]) != "in place" {
		t.Errorf("the rest is %q", p.r[:n])
	}
	if _, _, err := p.b.Look(p.now, 100); err != ErrWouldBlock {
		t.Error(err)
	}
	p.b.CloseRead(p.now)
	if _, _, err := p.b.Look(p.now, 100); err != io.EOF {
		t.Error(err)
	}
}

// TestReserveWaits: too little room for a piece is none while more is sure to come, and a
// writer who is refused is told when there is.
func TestReserveWaits(t *testing.T) {
	p := newBulkPair(t, Config{SendBuffer: 30000, NoDelay: true}, 1480)
	p.a.Write(p.now, p.w[:25000])
	b, err := p.a.Reserve(p.now, 500, 1000)
	if b == nil || err != nil {
		t.Fatalf("while nothing is on its way: %d bytes, %v", len(b), err)
	}
	p.a.Unreserve(p.now, b)
	p.move(p.a, p.b) // and no answer yet
	if b, err := p.a.Reserve(p.now, 500, 1000); err != ErrWouldBlock {
		t.Errorf("while something is: %d bytes, %v", len(b), err)
	}
	for p.b.Output(p.now, &p.t) {
		if err := segment.Parse(&p.seg, p.t.Buf); err != nil {
			t.Fatal(err)
		}
		p.a.Input(p.now, &p.seg)
	}
	if p.a.Events()&EvWritable == 0 {
		t.Error("nobody is told of room")
	}
	if b, err := p.a.Reserve(p.now, 500, 1000); b == nil || err != nil {
		t.Errorf("after that: %d bytes, %v", len(b), err)
	}

	p = newBulkPair(t, Config{SendBuffer: 1 << 20, NotSentLowWater: 30000, NoDelay: true}, 1480)
	p.a.Write(p.now, p.w[:29000])
	p.a.Output(p.now, &p.t)
	if b, err := p.a.Reserve(p.now, 500, 1000); b == nil || err != nil {
		t.Errorf("half of what may wait is free: %d bytes, %v", len(b), err)
	}
}

// TestReserveRefuses: no piece where it would have to be smaller than asked for, or would keep
// far more memory than it is.
func TestReserveRefuses(t *testing.T) {
	p := newBulkPair(t, Config{SendBuffer: 4 << 20}, 1480)
	if b, err := p.a.Reserve(p.now, 5<<20, 6<<20); b != nil || err != nil {
		t.Errorf("more than the buffer may hold: %d bytes, %v", len(b), err)
	}
	p.a.Write(p.now, make([]byte, 3<<20))
	if b, err := p.a.Reserve(p.now, 100, 1000); b != nil || err != nil {
		t.Errorf("%d bytes of a large ring, %v", len(b), err)
	}
	if b, err := p.a.Reserve(p.now, 100, 100_000); len(b) != 100_000 || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestPiecesAtTheEnd: whatever ends a connection, who has a piece of it may go on with that.
func TestPiecesAtTheEnd(t *testing.T) {
	for name, end := range map[string]func(e *Engine, now Time){
		"Abort":      func(e *Engine, now Time) { e.Abort(now) },
		"Close":      func(e *Engine, now Time) { e.Close(now) },
		"CloseRead":  func(e *Engine, now Time) { e.CloseRead(now) },
		"CloseWrite": func(e *Engine, now Time) { e.CloseWrite(now) },
	} {
		p := newBulkPair(t, Config{NoDelay: true}, 1480)
		p.b.Write(p.now, []byte("shown"))
		p.move(p.b, p.a)
		shown, at, _ := p.a.Look(p.now, 100)
		lent, err := p.a.Reserve(p.now, 100, 100)
		if len(shown) != 5 || len(lent) != 100 || err != nil {
			t.Fatalf("%q, %d bytes, %v", shown, len(lent), err)
		}
		end(p.a, p.now)
		p.move(p.a, p.b)
		if name == "Close" && (p.a.Err() != nil || p.b.State() != CloseWait) {
			t.Errorf("who looks at all there is and closes resets: %v", p.a.Err())
		}
		p.b.Write(p.now, bytes.Repeat([]byte("X"), minRing-2)) // goes round the ring
		p.move(p.b, p.a)
		copy(lent, "too late")
		if n, err := p.a.Write(p.now, lent[:8]); name != "CloseRead" && (n != 0 || err == nil) {
			t.Errorf("%s: a Write took %d bytes, %v", name, n, err)
		}
		if string(shown) != "shown" {
			t.Errorf("%s: what was shown became %q", name, shown)
		}
		p.a.Consume(p.now, at, 5)
		if n := p.a.rcv.buf.len(); n != 0 && name != "CloseWrite" {
			t.Errorf("%s: %d bytes are left to be read", name, n)
		}
	}
}

// TestPiecesAllocateNothing moves data in the steady state, whose wrapped ends are written as usual.
func TestPiecesAllocateNothing(t *testing.T) {
	p := newBulkPair(t, Config{}, 1480)
	pieces := 0
	round := func() {
		p.now += Time(time.Millisecond)
		for {
			b, err := p.a.Reserve(p.now, 32<<10, 64<<10)
			if err != nil {
				break
			}
			if b != nil {
				pieces++
			} else {
				b = p.w[:32<<10]
			}
			if n, _ := p.a.Write(p.now, b); n < len(b) {
				break
			}
		}
		p.move(p.a, p.b)
		for {
			b, at, err := p.b.Look(p.now, 64<<10)
			if err != nil {
				break
			}
			p.b.Consume(p.now, at, len(b))
		}
		p.move(p.b, p.a)
	}
	for range 200 {
		round()
	}
	pieces = 0
	before := p.a.Info().BytesAcked
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
	if moved := int(p.a.Info().BytesAcked-before) / (64 << 10); pieces < moved/2 {
		t.Errorf("%d pieces for %d times 64 KiB", pieces, moved)
	}
}

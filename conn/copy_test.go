package conn_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/tcpcore"
)

// reads is a source by a function.
type reads func(p []byte) (int, error)

func (f reads) Read(p []byte) (int, error) { return f(p) }

// writes is a sink by a function.
type writes func(p []byte) (int, error)

func (f writes) Write(p []byte) (int, error) { return f(p) }

// gate is a source whose Read is handed what it shall return, or a sink whose Write is.
type gate struct {
	inside chan []byte // what it was given, once it is called
	answer chan result
}

type result struct {
	n   int
	err error
}

func newGate() *gate { return &gate{make(chan []byte), make(chan result)} }

func (g *gate) Read(p []byte) (int, error) {
	g.inside <- p
	r := <-g.answer
	return r.n, r.err
}

func (g *gate) Write(p []byte) (int, error) { return g.Read(p) }

// copying runs f, and returns a channel with its result.
func copying(f func() (int64, error)) chan result {
	done := make(chan result, 1)
	go func() {
		n, err := f()
		done <- result{int(n), err}
	}()
	return done
}

// While a source blocks, what it returned before is delivered, other Writes go between, and its
// piece of the send buffer is its own.
func TestReadFromWhileTheSourceBlocks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		src := newGate()
		done := copying(func() (int64, error) { return a.ReadFrom(src) })
		p := <-src.inside
		src.answer <- result{copy(p, "first "), nil}
		p = <-src.inside
		mustRead(t, b, []byte("first "))
		b.setDeaf(true)
		mustWrite(t, a, []byte("between "))
		<-time.After(2 * delay)
		b.setDeaf(false) // and it is sent once more
		for i := range p {
			p[i] = '!'
		}
		mustWrite(t, a, []byte("them "))
		mustRead(t, b, []byte("between them "))
		<-time.After(time.Minute) // buffers are given back
		src.answer <- result{copy(p, "last"), io.EOF}
		mustRead(t, b, []byte("last"))
		if r := <-done; r.n != 10 || r.err != nil {
			t.Errorf("%d, %v", r.n, r.err)
		}
	})
}

// A source that blocks holds up neither a deadline nor Close nor a reset; and when it returns,
// ReadFrom says what became of the connection.
func TestReadFromEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(a, b *end)
		want error
	}{
		{"deadline", func(a, b *end) { a.SetWriteDeadline(time.Now().Add(-time.Second)) }, os.ErrDeadlineExceeded},
		{"Close", func(a, b *end) { a.Close() }, net.ErrClosed},
		{"CloseWrite", func(a, b *end) { a.CloseWrite() }, syscall.EPIPE},
		{"abort", func(a, b *end) { a.SetLinger(0); a.Close() }, net.ErrClosed},
		{"reset", func(a, b *end) { b.SetLinger(0); b.Close() }, syscall.ECONNRESET},
		{"failure", func(a, b *end) { a.driver.Fail(errStopped) }, errStopped},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, b := pair(t, config())
				src := newGate()
				done := copying(func() (int64, error) { return a.ReadFrom(src) })
				p := <-src.inside
				src.answer <- result{copy(p, "in time"), nil}
				p = <-src.inside
				mustRead(t, b, []byte("in time"))
				c.end(a, b)
				<-time.After(time.Minute)
				src.answer <- result{copy(p, "too late"), nil}
				r := <-done
				wantOp(t, r.err, "readfrom", c.want)
				if r.n != 7 {
					t.Errorf("%d bytes are counted", r.n)
				}
				// Nothing is asked of a source for a connection that takes nothing.
				_, err := a.ReadFrom(reads(func([]byte) (int, error) { t.Error("the source was read"); return 0, io.EOF }))
				if err == nil {
					t.Error("a second ReadFrom succeeded")
				}
			})
		})
	}
}

// A deadline ends a ReadFrom that waits for room, also if the source never does.
func TestReadFromDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := config()
		cfg.SendBuffer, cfg.ReceiveBuffer = 100_000, 10_000
		a, b := pair(t, cfg)
		a.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := a.ReadFrom(reads(func(p []byte) (int, error) { return len(p), nil }))
		wantOp(t, err, "readfrom", os.ErrDeadlineExceeded)
		a.CloseWrite()
		if got, err := io.Copy(writes(func(p []byte) (int, error) { return len(p), nil }), b); got != n || err != nil {
			t.Errorf("%d bytes were taken, %d arrived, %v", n, got, err)
		}
	})
}

// Sources that do what io.Reader forbids, or nearly.
func TestReadFromStrangeSources(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		odd := errors.New("odd")
		calls := 0
		for _, c := range []struct {
			read reads
			n    int64
			want error // nil is the source's
		}{
			{func(p []byte) (int, error) { return copy(p, "x"), odd }, 1, odd},
			{func(p []byte) (int, error) { return copy(p, "y"), io.EOF }, 1, nil},
			{func(p []byte) (int, error) { return 0, nil }, 0, io.ErrNoProgress},
			{func(p []byte) (int, error) {
				if calls++; calls > 99 {
					return copy(p, "z"), io.EOF
				}
				return 0, nil
			}, 1, nil},
		} {
			n, err := a.ReadFrom(c.read)
			if n != c.n || !errors.Is(err, c.want) {
				t.Errorf("%d, %v; want %d, %v", n, err, c.n, c.want)
			}
		}
		for _, m := range []int{-1, 1 << 30} {
			if n, err := a.ReadFrom(reads(func([]byte) (int, error) { return m, nil })); n != 0 || err == nil {
				t.Errorf("a source that returns %d: %d, %v", m, n, err)
			}
		}
		func() {
			defer func() { recover() }()
			a.ReadFrom(reads(func([]byte) (int, error) { panic(odd) }))
		}()
		mustWrite(t, a, []byte("!"))
		mustRead(t, b, []byte("xyz!"))
	})
}

// A source is offered no less than io.Copy would offer, wherever the buffer begins and however
// small it is; a limited one no more than its limit, and none of it twice.
func TestReadFromOffers(t *testing.T) {
	for _, size := range []int{2000, 40_000, 100_000, 1 << 20, 0} {
		bubble(t, func(t *testing.T) {
			cfg := config()
			cfg.SendBuffer = size
			a, b := pair(t, cfg)
			go io.Copy(io.Discard, b)
			r := rand.New(rand.NewPCG(1, 2))
			calls, limit := 0, int64(0)
			src := reads(func(p []byte) (int, error) {
				if int64(len(p)) < min(32<<10, limit) || int64(len(p)) > limit {
					t.Errorf("%d bytes are offered, %d are left", len(p), limit)
				}
				if calls++; calls > 500 {
					return 0, io.EOF
				}
				n := min(r.IntN(1+r.IntN(2*len(p))), len(p))
				limit -= int64(n)
				return n, nil
			})
			for calls < 500 {
				whole := int64(r.IntN(1 << 20))
				limit = whole
				l := &io.LimitedReader{R: src, N: whole}
				if n, err := a.ReadFrom(l); n != whole-limit || l.N != limit || err != nil {
					t.Fatalf("%d, %v; %d were read", n, err, whole-limit)
				}
				limit = 1 << 40
				end := calls + 20
				a.ReadFrom(reads(func(p []byte) (int, error) {
					if calls >= end {
						return 0, io.EOF
					}
					return src(p)
				}))
			}
		})
	}
}

// Two copies and Writes at once share the connection: what each of them sends arrives in its order,
// whatever the buffers' sizes.
func TestReadFromAmongOthers(t *testing.T) {
	for _, size := range []int{10_000, 100_000, 0} {
		bubble(t, func(t *testing.T) {
			cfg := config()
			cfg.SendBuffer = size
			a, b := pair(t, cfg)
			const each = 1 << 20
			var wg sync.WaitGroup
			for who := range byte(3) {
				r := rand.New(rand.NewPCG(1, uint64(who)))
				sent := 0
				next := func(p []byte) int {
					n := min(r.IntN(len(p)+1), each-sent)
					for i := range p[:n] {
						p[i] = who<<6 | byte((sent+i)%61)
					}
					sent += n
					return n
				}
				wg.Go(func() {
					if who == 0 {
						for p := make([]byte, 5000); sent < each; {
							a.Write(p[:next(p)])
							<-time.After(time.Duration(r.IntN(5)) * time.Millisecond)
						}
						return
					}
					n, err := a.ReadFrom(reads(func(p []byte) (int, error) {
						if sent == each {
							return 0, io.EOF
						}
						n := next(p[:min(len(p), 1+r.IntN(60_000))])
						if r.IntN(3) == 0 {
							<-time.After(time.Millisecond)
						}
						return n, nil
					}))
					if n != each || err != nil {
						t.Errorf("%d, %v", n, err)
					}
				})
			}
			go func() { wg.Wait(); a.CloseWrite() }()
			var got [3]int
			_, err := b.WriteTo(writes(func(p []byte) (int, error) {
				for _, x := range p {
					who := x >> 6
					if x&63 != byte(got[who]%61) {
						return 0, errors.New("out of order")
					}
					got[who]++
				}
				return len(p), nil
			}))
			if err != nil || got != [3]int{each, each, each} {
				t.Errorf("%v arrived, %v", got, err)
			}
			wg.Wait()
		})
	}
}

// While a sink blocks, the window closes, a Read takes what follows, and what the sink has does not
// change.
func TestWriteToWhileTheSinkBlocks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := config()
		cfg.ReceiveBuffer = 20_000
		a, b := pair(t, cfg)
		data := pattern(100_000, 3)
		go a.Write(data)
		<-time.After(time.Second)
		sink := newGate()
		done := copying(func() (int64, error) { return b.WriteTo(sink) })
		p := <-sink.inside
		<-time.After(time.Minute)
		if q := b.Info().ReceiveQueue; q < 19_000 || len(p) > q {
			t.Errorf("%d bytes wait in a buffer of 20000, of which the sink has %d", q, len(p))
		}
		at := len(p)
		had := p
		for range 3 {
			mustRead(t, b, data[at:at+15_000])
			at += 15_000
			<-time.After(time.Second / 2)
		}
		if !bytes.Equal(had, data[:len(had)]) {
			t.Error("what the sink has was overwritten")
		}
		sink.answer <- result{len(p), nil}
		for at < len(data) {
			p := <-sink.inside
			if !bytes.Equal(p, data[at:at+len(p)]) {
				t.Fatalf("at %d the sink gets something else", at)
			}
			at += len(p)
			sink.answer <- result{len(p), nil}
			<-time.After(time.Second)
			if at == len(data) {
				a.CloseWrite()
			}
		}
		if r := <-done; r.n != len(data)-45_000 || r.err != nil {
			t.Errorf("%d, %v", r.n, r.err)
		}
	})
}

// A sink that blocks holds up neither a deadline nor Close nor a reset, and Close is orderly if it
// has all there is.
func TestWriteToEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(a, b *end)
		want error
	}{
		{"deadline", func(a, b *end) { b.SetReadDeadline(time.Now().Add(-time.Second)) }, os.ErrDeadlineExceeded},
		{"Close", func(a, b *end) { b.Close() }, net.ErrClosed},
		{"CloseRead", func(a, b *end) { b.CloseRead() }, nil},
		{"abort", func(a, b *end) { b.SetLinger(0); b.Close() }, net.ErrClosed},
		{"reset", func(a, b *end) { a.SetLinger(0); a.Close() }, syscall.ECONNRESET},
		{"end", func(a, b *end) { a.Close() }, nil},
		{"failure", func(a, b *end) { b.driver.Fail(errStopped) }, errStopped},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, b := pair(t, config())
				mustWrite(t, a, []byte("hello"))
				<-time.After(time.Second)
				sink := newGate()
				done := copying(func() (int64, error) { return b.WriteTo(sink) })
				p := <-sink.inside
				c.end(a, b)
				<-time.After(time.Second)
				if _, err := a.Write([]byte("more")); err == nil && c.name == "CloseRead" {
					<-time.After(time.Second)
				}
				if c.name == "Close" {
					if _, err := a.Read(make([]byte, 1)); err != io.EOF {
						t.Errorf("the peer hears of it by %v", err)
					}
				}
				if string(p) != "hello" {
					t.Errorf("the sink has %q", p)
				}
				sink.answer <- result{len(p), nil}
				r := <-done
				if r.n != 5 {
					t.Errorf("%d bytes are counted", r.n)
				}
				if c.want == nil && r.err != nil {
					t.Error(r.err)
				} else if c.want != nil {
					wantOp(t, r.err, "writeto", c.want)
				}
			})
		})
	}
}

// What a sink does not take may be read.
func TestWriteToStrangeSinks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		odd := errors.New("odd")
		mustWrite(t, a, []byte("hello, world"))
		<-time.After(time.Second)
		for _, c := range []struct {
			result
			n    int64
			want error
		}{
			{result{2, odd}, 2, odd},
			{result{3, nil}, 3, io.ErrShortWrite},
			{result{0, nil}, 0, io.ErrShortWrite},
			{result{-1, nil}, 0, nil},
			{result{1 << 30, nil}, 0, nil},
		} {
			n, err := b.WriteTo(writes(func(p []byte) (int, error) {
				if cap(p) != len(p) {
					t.Error("a piece has more behind it")
				}
				return c.result.n, c.err
			}))
			if n != c.n || err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%+v: %d, %v", c.result, n, err)
			}
		}
		mustRead(t, b, []byte(", world"))
	})
}

// From one connection into another, and back into the same, nothing is lost.
func TestCopyBetweenConnections(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		c, d := pair(t, tcpcore.Config{MSL: time.Second})
		data := pattern(1<<20, 9)
		go func() { a.Write(data); a.CloseWrite() }()
		done := copying(func() (int64, error) {
			n, err := io.Copy(c.Conn, b.Conn)
			c.CloseWrite()
			return n, err
		})
		go func() { io.Copy(d.Conn, d.Conn); d.CloseWrite() }()
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if r := <-done; r.n != len(data) || r.err != nil {
			t.Errorf("%d, %v", r.n, r.err)
		}
		c.Close()
		synctest.Wait()
		_, err := io.Copy(c.Conn, b.Conn)
		wantOp(t, err, "writeto", net.ErrClosed)
	})
}

// Who takes what a WriteTo is busy with makes room, and the peer hears of it at once, though there
// is nothing to be read yet.
func TestReadBehindWriteToTellsOfTheRoom(t *testing.T) {
	for _, c := range []struct {
		name string
		read func(b *end, got chan<- []byte)
	}{
		{"Read", func(b *end, got chan<- []byte) {
			p := make([]byte, 100)
			n, _ := b.Read(p)
			got <- p[:n]
		}},
		{"WriteTo", func(b *end, got chan<- []byte) {
			b.WriteTo(writes(func(p []byte) (int, error) { got <- p; return 0, io.ErrClosedPipe }))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := config()
				cfg.ReceiveBuffer = 10 * 1440 // full segments
				a, b := pair(t, cfg)
				data := pattern(20_000, 1)
				mustWrite(t, a, data)
				<-time.After(time.Minute) // the window is full
				sink := newGate()
				done := copying(func() (int64, error) { return b.WriteTo(sink) })
				p := <-sink.inside
				<-time.After(10 * time.Minute) // the peer seldom asks for the window now
				began, got := time.Now(), make(chan []byte, 1)
				go c.read(b, got)
				if q := <-got; len(q) == 0 || q[0] != data[len(p)] {
					t.Errorf("%d bytes came, not those behind %d", len(q), len(p))
				}
				if d := time.Since(began); d > 3*delay {
					t.Errorf("%v passed before the peer sent more", d)
				}
				sink.answer <- result{0, io.ErrClosedPipe}
				<-done
			})
		})
	}
}

// A copy of what fits into the send buffer ends, as a Write of it would, whatever the peer reads.
func TestReadFromOfWhatFitsEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := config()
		cfg.SendBuffer, cfg.ReceiveBuffer = 100_000, 10_000
		a, b := pair(t, cfg)
		data := pattern(95_000, 7)
		done := copying(func() (int64, error) { return a.ReadFrom(struct{ io.Reader }{bytes.NewReader(data)}) })
		select {
		case r := <-done:
			if r.n != len(data) || r.err != nil {
				t.Errorf("%d, %v", r.n, r.err)
			}
		case <-time.After(time.Minute):
			t.Error("it waits for room that it does not need")
			a.Close()
			<-done
			return
		}
		a.CloseWrite()
		mustRead(t, b, data)
	})
}

// The same if there is something behind it, and the second sink blocks as well.
func TestWriteToBehindWriteToTellsOfTheRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := config()
		cfg.ReceiveBuffer = 10 * 1440
		a, b := pair(t, cfg)
		mustWrite(t, a, make([]byte, 5*1440))
		<-time.After(time.Second)
		var sinks [2]*gate
		var done [2]chan result
		var lens [2]int
		for i := range sinks {
			sinks[i] = newGate()
			done[i] = copying(func() (int64, error) { return b.WriteTo(sinks[i]) })
			lens[i] = len(<-sinks[i].inside)
			if i == 0 {
				mustWrite(t, a, make([]byte, 20*1440))
				<-time.After(10 * time.Minute)
			}
		}
		<-time.After(3 * delay)
		if q := b.Info().ReceiveQueue; lens[0]+lens[1] != cfg.ReceiveBuffer || q <= lens[1] {
			t.Errorf("the sinks have %d and %d bytes, and nothing came behind: %d wait", lens[0], lens[1], q)
		}
		for i, s := range sinks {
			s.answer <- result{0, io.ErrClosedPipe}
			<-done[i]
		}
	})
}

package conn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// bubble runs f in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// wantOp checks an error's dress and what is in it.
func wantOp(t *testing.T, err error, op string, inner error) {
	t.Helper()
	var oe *net.OpError
	if !errors.As(err, &oe) {
		t.Fatalf("got %v (%T), want a *net.OpError around %v", err, err, inner)
	}
	if oe.Op != op || oe.Net != "tcp" || !errors.Is(err, inner) {
		t.Fatalf("got %v (op %q, net %q), want %q with %v", err, oe.Op, oe.Net, op, inner)
	}
	if _, ok := err.(net.Error); !ok {
		t.Fatalf("%T is no net.Error", err)
	}
}

func mustWrite(t *testing.T, w io.Writer, p []byte) {
	t.Helper()
	if n, err := w.Write(p); n != len(p) || err != nil {
		t.Fatalf("Write of %d bytes: %d, %v", len(p), n, err)
	}
}

func mustRead(t *testing.T, r io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

func TestStreamBothWays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		up, down := pattern(300000, 1), pattern(500000, 2)
		var wg sync.WaitGroup
		wg.Go(func() { mustWrite(t, a, up); a.CloseWrite() })
		wg.Go(func() { mustWrite(t, b, down); b.CloseWrite() })
		wg.Go(func() {
			if got, err := io.ReadAll(a); err != nil || !bytes.Equal(got, down) {
				t.Errorf("a read %d bytes, %v", len(got), err)
			}
		})
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, up) {
			t.Errorf("b read %d bytes, %v", len(got), err)
		}
		wg.Wait()
		if a.LocalAddr().String() != "192.0.2.1:1111" || a.RemoteAddr().String() != "192.0.2.2:2222" {
			t.Errorf("addresses %v, %v", a.LocalAddr(), a.RemoteAddr())
		}
		a.Close()
		b.Close()
	})
}

func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// A deadline in the past interrupts a Read that is blocked already, whoever sets it;
// it can be taken back, and no byte is lost.
func TestDeadlineInterruptsAndLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		got := make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 10))
			got <- err
		}()
		synctest.Wait()
		at := time.Now()
		a.SetReadDeadline(time.Unix(1, 0))
		wantOp(t, <-got, "read", os.ErrDeadlineExceeded)
		if !time.Now().Equal(at) {
			t.Error("it took time")
		}
		mustWrite(t, b, []byte("late"))
		<-time.After(time.Second)
		if _, err := a.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("data at hand goes before the deadline: %v", err)
		}
		a.SetReadDeadline(time.Time{})
		mustRead(t, a, []byte("late"))
	})
}

// A deadline ends a Read when it comes, also one that was moved while Read was
// blocked, and not before.
func TestDeadlineMoves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, _ := pair(t, config())
		begin := time.Now()
		a.SetDeadline(begin.Add(time.Hour))
		got := make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 10))
			got <- err
		}()
		for _, d := range []time.Duration{time.Second, 3 * time.Second, 2 * time.Second} {
			synctest.Wait()
			a.SetReadDeadline(begin.Add(d))
		}
		wantOp(t, <-got, "read", os.ErrDeadlineExceeded)
		if d := time.Since(begin); d != 2*time.Second {
			t.Errorf("it ended after %v, want 2s", d)
		}
		a.SetReadDeadline(begin.Add(5 * time.Second))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != 5*time.Second {
			t.Errorf("the next deadline: %v after %v", err, time.Since(begin))
		}
		a.SetReadDeadline(time.Unix(1<<40, 0)) // beyond what can be counted
		go func() { <-time.After(time.Second); a.Close() }()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a deadline at the end of time: %v", err)
		}
	})
}

// A Write that a deadline interrupts tells how much it took, and just that arrives.
func TestWriteDeadlineReportsWhatWasTaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := config()
		cfg.SendBuffer, cfg.ReceiveBuffer = 10000, 10000
		a, b := pair(t, cfg)
		data := pattern(100000, 3)
		a.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := a.Write(data)
		wantOp(t, err, "write", os.ErrDeadlineExceeded)
		if n < 10000 || n > 20000 {
			t.Fatalf("took %d bytes with buffers of 10000", n)
		}
		a.CloseWrite()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, data[:n]) {
			t.Fatalf("%d bytes arrived (%v), %d were taken", len(got), err, n)
		}
	})
}

// Setting a deadline that nobody waits for arms no timer.
func TestDeadlineIsCheap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, _ := pair(t, config())
		when := time.Now().Add(time.Hour)
		if n := testing.AllocsPerRun(100, func() { a.SetDeadline(when) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// Close unblocks readers and writers of all goroutines; from then on every method
// answers net.ErrClosed, Close too.
func TestCloseUnblocksEverybody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := config()
		cfg.SendBuffer, cfg.ReceiveBuffer = 1000, 1000
		a, _ := pair(t, cfg)
		errs := make(chan error)
		for range 3 {
			go func() {
				_, err := a.Read(make([]byte, 10))
				errs <- err
			}()
			go func() {
				_, err := a.Write(make([]byte, 1e6))
				errs <- err
			}()
		}
		synctest.Wait()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			if err := <-errs; !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
		_, rerr := a.Read(nil)
		_, werr := a.Write(nil)
		wantOp(t, rerr, "read", net.ErrClosed)
		wantOp(t, werr, "write", net.ErrClosed)
		wantOp(t, a.Close(), "close", net.ErrClosed)
		wantOp(t, a.CloseRead(), "close", net.ErrClosed)
		wantOp(t, a.CloseWrite(), "close", net.ErrClosed)
		for name, err := range map[string]error{
			"SetDeadline": a.SetDeadline(time.Time{}), "SetNoDelay": a.SetNoDelay(true), "SetLinger": a.SetLinger(1),
			"SetKeepAlive": a.SetKeepAlive(true), "SetReadBuffer": a.SetReadBuffer(5), "SetTrafficClass": a.SetTrafficClass(0),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Close returns at once, and what was written is delivered in the background, even
// if the first attempt is lost.
func TestCloseDeliversInTheBackground(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		data := pattern(200000, 4)
		mustWrite(t, a, data)
		b.setDeaf(true)
		at := time.Now()
		a.Close()
		if !time.Now().Equal(at) {
			t.Error("Close took time")
		}
		<-time.After(100 * time.Millisecond)
		b.setDeaf(false)
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes arrived, %v", len(got), err)
		}
		b.Close()
		<-a.over
		<-b.over
		if !a.how.TimeWait || b.how.TimeWait {
			t.Errorf("TIME-WAIT belongs to who closed first: a %v, b %v", a.how.TimeWait, b.how.TimeWait)
		}
	})
}

// The peer can tell a normal close from an abort, and unread data at Close is an
// abort.
//
// Shows: MUST-12, SHLD-3.
func TestCloseOrAbort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		a.Close()
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a normal close reads as %v", err)
		}
	})
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		a.SetLinger(0)
		a.Close()
		_, err := b.Read(make([]byte, 1))
		wantOp(t, err, "read", syscall.ECONNRESET)
		var sys *os.SyscallError
		if !errors.As(err, &sys) || sys.Syscall != "read" {
			t.Errorf("%v does not name the system call", err)
		}
	})
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		mustWrite(t, b, []byte("nobody reads this"))
		<-time.After(time.Second)
		a.Close()
		_, err := b.Read(make([]byte, 1))
		wantOp(t, err, "read", syscall.ECONNRESET)
	})
}

// After a reset every Read tells; Write tells once and is a broken pipe then.
func TestAfterReset(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		mustWrite(t, a, []byte("last words"))
		<-time.After(time.Second)
		a.SetLinger(0)
		a.Close()
		<-time.After(time.Second)
		_, err := b.Write([]byte("x"))
		wantOp(t, err, "write", syscall.ECONNRESET)
		_, err = b.Write([]byte("x"))
		wantOp(t, err, "write", syscall.EPIPE)
		mustRead(t, b, []byte("last words")) // as the kernel: what arrived may be read
		for range 2 {
			_, err = b.Read(make([]byte, 1))
			wantOp(t, err, "read", syscall.ECONNRESET)
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close of a broken connection: %v", err)
		}
	})
}

// Half-close: each direction ends for itself.
func TestHalfClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		mustWrite(t, a, []byte("question"))
		if err := a.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		_, err := a.Write([]byte("x"))
		wantOp(t, err, "write", syscall.EPIPE)
		_, err = a.Write(nil)
		wantOp(t, err, "write", syscall.EPIPE)
		if q, err := io.ReadAll(b); string(q) != "question" || err != nil {
			t.Fatalf("b read %q, %v", q, err)
		}
		mustWrite(t, b, []byte("answer"))
		b.Close()
		if q, err := io.ReadAll(a); string(q) != "answer" || err != nil {
			t.Fatalf("a read %q, %v", q, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		<-a.over
		<-b.over
	})
}

func TestCloseRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		got := make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 1))
			got <- err
		}()
		synctest.Wait()
		a.CloseRead()
		if err := <-got; err != io.EOF {
			t.Errorf("the blocked Read: %v", err)
		}
		data := pattern(3<<20, 5) // more than all buffers: it is taken and thrown away
		mustWrite(t, b, data)
		mustWrite(t, a, []byte("still writing"))
		mustRead(t, b, []byte("still writing"))
	})
}

// SetLinger above zero: Close waits for the acknowledgment, but not for ever.
func TestLinger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		a.SetLinger(10)
		mustWrite(t, a, []byte("x"))
		at := time.Now()
		a.Close()
		if d := time.Since(at); d < 2*delay || d > time.Second {
			t.Errorf("Close took %v; a round trip is %v", d, 2*delay)
		}
		mustRead(t, b, []byte("x"))
	})
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		a.SetLinger(3)
		b.setDeaf(true)
		mustWrite(t, a, []byte("x"))
		at := time.Now()
		a.Close()
		if d := time.Since(at); d != 3*time.Second {
			t.Errorf("Close took %v, want 3s", d)
		}
		b.setDeaf(false)
		mustRead(t, b, []byte("x")) // it goes on in the background
	})
}

// Read and Write of nothing, as *net.TCPConn has them.
func TestZeroLength(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, _ := pair(t, config())
		a.SetDeadline(time.Unix(1, 0))
		if n, err := a.Read(nil); n != 0 || err != nil {
			t.Errorf("Read: %d, %v", n, err)
		}
		_, err := a.Write(nil)
		wantOp(t, err, "write", os.ErrDeadlineExceeded)
		a.SetDeadline(time.Time{})
		if n, err := a.Write(nil); n != 0 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	})
}

// A timeout of the connection is a timeout for package net, too; the network's own
// words go before it.
//
// Shows: MUST-21, SHLD-25.
func TestTimeout(t *testing.T) {
	for _, soft := range []error{nil, syscall.EHOSTUNREACH} {
		bubble(t, func(t *testing.T) {
			cfg := config()
			cfg.Retries1, cfg.Retries2 = 2, 3
			a, b := pair(t, cfg)
			b.setDeaf(true)
			mustWrite(t, a, []byte("x"))
			want := error(syscall.ETIMEDOUT)
			if soft != nil {
				a.driver.SoftError(soft)
				want = soft
			}
			_, err := a.Read(make([]byte, 1))
			wantOp(t, err, "read", want)
			if !err.(net.Error).Timeout() && soft == nil {
				t.Error("not a Timeout()")
			}
			_, err = a.Write([]byte("x"))
			wantOp(t, err, "write", syscall.EPIPE)
		})
	}
}

// What the network said before the peer was last heard does not explain a timeout.
func TestTimeoutLongAfterSoftError(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := config()
		cfg.Retries1, cfg.Retries2 = 2, 3
		a, b := pair(t, cfg)
		a.driver.SoftError(syscall.EHOSTUNREACH)
		mustWrite(t, a, []byte("x"))
		mustRead(t, b, []byte("x"))
		time.Sleep(time.Second)
		b.setDeaf(true)
		mustWrite(t, a, []byte("x"))
		_, err := a.Read(make([]byte, 1))
		wantOp(t, err, "read", syscall.ETIMEDOUT)
	})
}

// A network that refuses is not believed at once; when it goes on to refuse, the peer
// is gone. What arrives in between begins the count anew.
//
// Shows: SHLD-26.
func TestRefusedWhenEstablished(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		refuse := func(d time.Duration) {
			for range 5 {
				a.driver.HardError(syscall.ECONNREFUSED)
				<-time.After(d / 5)
			}
		}
		refuse(500 * time.Millisecond)
		mustWrite(t, b, []byte("x"))
		mustRead(t, a, []byte("x"))
		refuse(900 * time.Millisecond)
		mustWrite(t, b, []byte("y"))
		mustRead(t, a, []byte("y"))
		if st := a.Info().State; st != tcpcore.Established {
			t.Fatalf("it is in %v after refusals that passed", st)
		}
		refuse(1300 * time.Millisecond)
		_, err := a.Read(make([]byte, 1))
		wantOp(t, err, "read", syscall.ECONNRESET)
		<-a.over
	})
}

// Data that arrives after Close resets the peer, with numbers that it accepts, though
// more segments came in the same batch.
//
// Shows: SHLD-3.
func TestDataAfterClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		mustWrite(t, a, []byte("data"))
		a.CloseWrite()
		b.Close() // its FIN crosses them
		_, err := a.Read(make([]byte, 1))
		<-time.After(time.Second)
		if err != io.EOF {
			wantOp(t, err, "read", syscall.ECONNRESET)
		}
		if _, err = a.Read(make([]byte, 1)); err != io.EOF {
			wantOp(t, err, "read", syscall.ECONNRESET)
		}
		if st := a.Info().State; st != tcpcore.Closed {
			t.Errorf("the peer is in %v, it did not accept the reset", st)
		}
		<-b.over
		var fin, rst *segment.Segment
		for _, s := range b.take() {
			switch {
			case s.Flags.Has(segment.RST) && rst == nil:
				rst = &s
			case s.Flags.Has(segment.FIN):
				fin = &s
			}
		}
		if rst == nil || rst.Seq != fin.Seq.Add(1) {
			t.Errorf("the FIN is %v, the first reset %v, want it behind the FIN", fin, rst)
		}
		if !b.how.Reset || b.how.TimeWait {
			t.Errorf("the host of the closer hears %+v", b.how)
		}
	})
}

// The carrier's end is everybody's.
func TestFail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, _ := pair(t, config())
		got := make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 1))
			got <- err
		}()
		synctest.Wait()
		a.take()
		a.driver.Fail(errStopped)
		wantOp(t, <-got, "read", errStopped)
		_, err := a.Write([]byte("x"))
		wantOp(t, err, "write", errStopped)
		if len(a.take()) > 0 {
			t.Error("it sends to a dead carrier")
		}
		<-a.over
	})
}

// All segments at hand are processed before anything is acknowledged, and then once.
//
// Shows: MUST-58, MUST-59.
func TestBatchIsAcknowledgedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := config()
		cfg.MSS = 100
		a, b := pair(t, cfg)
		mustWrite(t, a, pattern(1000, 6))
		<-time.After(delay + time.Millisecond)
		acks := 0
		for _, s := range b.take() {
			if len(s.Payload) == 0 {
				acks++
			}
		}
		if acks != 1 {
			t.Errorf("%d acknowledgments of 10 segments that arrived together", acks)
		}
	})
}

// WriteBuffers is one write: segments are full, and other writers do not come between.
func TestWriteBuffersCoalesces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		var bufs [][]byte
		var all []byte
		for i := range 50 {
			bufs = append(bufs, pattern(20, byte(i)))
			all = append(all, bufs[i]...)
		}
		n, err := a.WriteBuffers(bufs)
		if n != 1000 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		synctest.Wait()
		if sent := a.take(); len(sent) != 1 || len(sent[0].Payload) != 1000 {
			t.Errorf("50 buffers of 20 bytes became %d segments", len(sent))
		}
		mustRead(t, b, all)
		if len(bufs) != 50 || len(bufs[0]) != 20 {
			t.Error("the argument was changed")
		}
	})
}

// While one goroutine transmits, the others only add to the engine; the one that
// holds the token sends it all, in order.
func TestSendToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		hold := make(chan struct{})
		a.mu.Lock()
		a.hold, a.calls = hold, 0
		a.mu.Unlock()
		go a.Write([]byte("first "))
		synctest.Wait()
		mustWrite(t, a, []byte("second ")) // would block if it waited for the token
		mustWrite(t, a, []byte("third"))
		a.mu.Lock()
		a.hold = nil
		calls := a.calls
		a.mu.Unlock()
		if calls != 1 {
			t.Errorf("%d goroutines transmit", calls)
		}
		close(hold)
		mustRead(t, b, []byte("first second third"))
		if sent := a.take(); len(sent) != 2 {
			t.Errorf("%d segments, want one and one for the two small writes that waited", len(sent))
		}
	})
}

// Concurrent Writes larger than the buffer do not interleave.
func TestWritesDoNotInterleave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := config()
		cfg.SendBuffer = 500
		a, b := pair(t, cfg)
		const each = 3000
		for i := range 4 {
			go a.Write(bytes.Repeat([]byte{byte('a' + i)}, each))
		}
		got := make([]byte, 4*each)
		if _, err := io.ReadFull(b, got); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(got); i += each {
			if !bytes.Equal(got[i:i+each], bytes.Repeat(got[i:i+1], each)) {
				t.Fatalf("the Write at %d is not in one piece", i)
			}
		}
	})
}

// An idle connection holds no timer: nothing happens in an hour, and nothing waits
// for one.
func TestIdleHoldsNoTimer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		mustWrite(t, a, []byte("x"))
		mustRead(t, b, []byte("x"))
		<-time.After(time.Minute)
		a.take()
		<-time.After(time.Hour)
		if s := a.take(); len(s) > 0 {
			t.Errorf("an idle connection sent %v", s)
		}
		if d := a.driver.Armed(); d {
			t.Error("a timer is armed")
		}
	})
}

// Copies end where the stream does; both io.ReaderFrom and io.WriterTo are there.
func TestCopies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		data := pattern(400000, 7)
		go func() {
			if n, err := a.ReadFrom(bytes.NewReader(data)); n != int64(len(data)) || err != nil {
				t.Errorf("ReadFrom: %d, %v", n, err)
			}
			a.Close()
		}()
		var got bytes.Buffer
		if n, err := b.WriteTo(&got); n != int64(len(data)) || err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Fatalf("WriteTo: %d, %v", n, err)
		}
		_, err := b.ReadFrom(&failing{})
		wantOp(t, err, "readfrom", io.ErrNoProgress)
	})
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

// Urgent data: the reader is told asynchronously, and learns how much is left.
//
// Shows: MUST-32, MUST-33.
func TestUrgent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		told := make(chan tcpcore.Event, 1)
		b.Notify(told, tcpcore.EvUrgent)
		if n, err := a.WriteUrgent([]byte("urgent")); n != 6 || err != nil {
			t.Fatal(n, err)
		}
		if ev := <-told; ev != tcpcore.EvUrgent {
			t.Fatalf("told of %b", ev)
		}
		if s := a.take(); len(s) != 1 || !s[0].Flags.Has(segment.URG) {
			t.Errorf("sent %v", s)
		}
		for left := 6; left > 0; left-- {
			if got := b.Info().UrgentQueue; got != left {
				t.Fatalf("%d urgent bytes are left, want %d", got, left)
			}
			b.Read(make([]byte, 1))
		}
		if got := b.Info().UrgentQueue; got != 0 {
			t.Errorf("%d urgent bytes are left at the end", got)
		}
	})
}

// Soft errors and an unresponsive peer are told to who wants to know, and to nobody
// else; they do not end the connection.
//
// Shows: MUST-47, SHLD-20, SHLD-9, MUST-56.
func TestNotify(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		told := make(chan tcpcore.Event, 1)
		a.driver.SoftError(syscall.EHOSTUNREACH) // before anybody asked
		a.Notify(told, tcpcore.EvSoftError|tcpcore.EvSuspect)
		for range 3 { // never blocks
			a.driver.SoftError(syscall.EHOSTUNREACH)
		}
		if ev := <-told; ev != tcpcore.EvSoftError || len(told) != 0 {
			t.Fatalf("told of %b and %d more", ev, len(told))
		}
		if info := a.Info(); info.SoftErrors != 4 || info.LastSoftError != syscall.EHOSTUNREACH || info.State != tcpcore.Established {
			t.Errorf("%d soft errors, last %v, in %v", info.SoftErrors, info.LastSoftError, info.State)
		}
		b.setDeaf(true)
		mustWrite(t, a, []byte("x"))
		if ev := <-told; ev != tcpcore.EvSuspect {
			t.Fatalf("told of %b", ev)
		}
		b.setDeaf(false)
		mustRead(t, b, []byte("x")) // it is not over
		a.Notify(nil, tcpcore.EvSoftError)
		a.driver.SoftError(syscall.EHOSTUNREACH)
		if len(told) != 0 {
			t.Error("told after it was switched off")
		}
	})
}

// The tunables of a live connection reach the wire, and bad values are errors.
//
// Shows: MUST-17, MUST-24, MUST-27, MUST-48, SHLD-21, SHLD-22.
func TestOptions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		// Nagle holds the second small segment back.
		a.SetNoDelay(false)
		mustWrite(t, a, []byte("1"))
		mustWrite(t, a, []byte("2"))
		synctest.Wait()
		if n := len(a.take()); n != 1 {
			t.Errorf("%d segments with Nagle", n)
		}
		<-time.After(time.Second)
		a.take()
		a.SetNoDelay(true)
		mustWrite(t, a, []byte("3"))
		mustWrite(t, a, []byte("4"))
		synctest.Wait()
		if n := len(a.take()); n != 2 {
			t.Errorf("%d segments without Nagle", n)
		}
		mustRead(t, b, []byte("1234"))

		// Keep-alive: the idle time counts from what arrived last.
		<-time.After(time.Minute)
		mustWrite(t, b, []byte("5"))
		mustRead(t, a, []byte("5"))
		a.take()
		a.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3})
		<-time.After(1500 * time.Millisecond)
		if n := len(a.take()); n != 2 { // the acknowledgment of the data, and a probe
			t.Errorf("%d segments in an idle second, want an acknowledgment and a probe", n)
		}
		a.SetKeepAlive(false)
		<-time.After(time.Minute)
		if n := len(a.take()); n != 0 {
			t.Errorf("%d probes after keep-alive was switched off", n)
		}

		for name, err := range map[string]error{
			"TrafficClass": a.SetTrafficClass(3), "SetReadBuffer": a.SetReadBuffer(0), "SetWriteBuffer": a.SetWriteBuffer(-1),
			"UserTimeout": a.SetUserTimeout(-1), "SetKeepAlivePeriod": a.SetKeepAlivePeriod(0),
			"KeepAliveCount": a.SetKeepAliveConfig(net.KeepAliveConfig{Count: 100000}),
		} {
			if err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
				t.Errorf("the error does not name %s: %v", name, err)
			}
		}
	})
}

// Peek tells what Read will return, and waits as Read does.
func TestPeek(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		go func() { <-time.After(time.Second); b.Write([]byte("hello")) }()
		p := make([]byte, 3)
		if n, err := a.Peek(p); n != 3 || err != nil || string(p) != "hel" {
			t.Fatalf("%d, %v, %q", n, err, p)
		}
		mustRead(t, a, []byte("hello"))
		b.Close()
		if _, err := a.Peek(p); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	})
}

// Cork, acknowledgments at once, a bound on what waits to be sent, and a clamp on the
// window reach the engine.
func TestMoreOptions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		a.SetCork(true)
		mustWrite(t, a, []byte("header "))
		mustWrite(t, a, []byte("body"))
		synctest.Wait()
		if n := len(a.take()); n != 0 {
			t.Errorf("%d segments with the cork in", n)
		}
		a.SetCork(false)
		synctest.Wait()
		if s := a.take(); len(s) != 1 || string(s[0].Payload) != "header body" {
			t.Errorf("the cork was taken away, and it sent %v", s)
		}
		mustRead(t, b, []byte("header body"))

		<-time.After(time.Second)
		b.take()
		b.SetDelayedACK(-1)
		mustWrite(t, a, []byte("x"))
		<-time.After(2 * delay)
		if n := len(b.take()); n != 1 {
			t.Errorf("%d acknowledgments at once", n)
		}

		b.setDeaf(true)
		a.SetNotSentLowWater(1000)
		a.SetWriteDeadline(time.Now().Add(time.Minute))
		n, _ := a.Write(make([]byte, 1<<20))
		if n > 100000 {
			t.Errorf("took %d bytes that cannot be sent", n)
		}
		for name, err := range map[string]error{
			"DelayedACK": a.SetDelayedACK(time.Second), "NotSentLowWater": a.SetNotSentLowWater(-1), "WindowClamp": a.SetWindowClamp(-1),
		} {
			if err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
				t.Errorf("the error does not name %s: %v", name, err)
			}
		}
	})
}

// SetUserTimeout ends a connection whose data is not acknowledged in time.
func TestUserTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		a.SetUserTimeout(5 * time.Second)
		b.setDeaf(true)
		mustWrite(t, a, []byte("x"))
		at := time.Now()
		_, err := a.Read(make([]byte, 1))
		wantOp(t, err, "read", syscall.ETIMEDOUT)
		if d := time.Since(at); d < 5*time.Second || d > 7*time.Second {
			t.Errorf("after %v", d)
		}
	})
}

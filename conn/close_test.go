package conn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

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
		<-time.After(time.Second)
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

package conn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

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

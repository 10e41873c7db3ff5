package conn_test

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

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

package conn_test

import (
	"bytes"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

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
			"SetTrafficClass: 0x3": a.SetTrafficClass(3), "SetReadBuffer: 0": a.SetReadBuffer(0), "SetWriteBuffer: -1": a.SetWriteBuffer(-1),
			"SetReadBuffer: 2000000000 is outside of 1..1073741824": a.SetReadBuffer(2e9),
			"SetUserTimeout: -1ns":                                 a.SetUserTimeout(-1),
			"SetKeepAlivePeriod: 0":                                a.SetKeepAlivePeriod(0),
			"SetKeepAlivePeriod: 1ns is outside of 1ms..8760h0m0s": a.SetKeepAlivePeriod(1),
			"KeepAliveConfig.Count: 100000 is outside of 1..1000":  a.SetKeepAliveConfig(net.KeepAliveConfig{Count: 100000}),
		} {
			if err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
				t.Errorf("the error does not name %s: %v", name, err)
			}
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

		b.SetDelayedACK(time.Second / 2)
		b.SetQuickACK(true)
		mustWrite(t, a, []byte("x"))
		<-time.After(2 * delay)
		if n := len(b.take()); n != 1 {
			t.Errorf("%d quick acknowledgments", n)
		}
		b.SetQuickACK(false)
		a.take()

		a.SetCork(true)
		mustWrite(t, a, []byte("one"))
		a.EndRecord()
		mustWrite(t, a, []byte("two"))
		synctest.Wait()
		if s := a.take(); len(s) != 1 || string(s[0].Payload) != "one" {
			t.Errorf("a record that has ended and one that has not: sent %v", s)
		}
		a.SetCork(false)

		b.setDeaf(true)
		a.SetNotSentLowWater(1000)
		a.SetWriteDeadline(time.Now().Add(time.Minute))
		n, _ := a.Write(make([]byte, 1<<20))
		if n > 100000 {
			t.Errorf("took %d bytes that cannot be sent", n)
		}
		for name, err := range map[string]error{
			"SetDelayedACK: 1s is over 500ms": a.SetDelayedACK(time.Second), "SetNotSentLowWater: -1": a.SetNotSentLowWater(-1),
			"SetMaxSegment: 63 is outside of 64..65487 (0 is no bound)": a.SetMaxSegment(63), "SetWindowClamp: -1 is outside of 1..1073741824 (0 is no bound)": a.SetWindowClamp(-1),
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

// The congestion control changes while the connection runs.
func TestSetCongestion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		mustWrite(t, a, []byte("x"))
		mustRead(t, b, []byte("x"))
		before := a.Info().CongestionWindow
		if err := a.SetCongestion("bbr"); err != nil {
			t.Fatal(err)
		}
		if i := a.Info(); i.CongestionControl != "bbr" || i.CongestionWindow != before {
			t.Errorf("%s with a window of %d, after %d", i.CongestionControl, i.CongestionWindow, before)
		}
		if err := a.SetController(congestion.NewReno); err != nil || a.Info().CongestionControl != "reno" {
			t.Errorf("%s: %v", a.Info().CongestionControl, err)
		}
		for what, err := range map[string]error{"nosuch": a.SetCongestion("nosuch"), "SetController": a.SetController(nil),
			"SetController: make returns": a.SetController(func() tcpcore.Controller { return nil })} {
			if err == nil || !bytes.Contains([]byte(err.Error()), []byte(what)) {
				t.Errorf("%s: %v", what, err)
			}
		}
		mustWrite(t, a, []byte("y"))
		mustRead(t, b, []byte("y"))
	})
}

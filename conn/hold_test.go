package conn_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// plain is a pure ACK's flags.
const plain = segment.ACK

// wantSent checks the flags of all that e transmitted since the last look.
func wantSent(t *testing.T, when string, e *end, want ...segment.Flags) {
	t.Helper()
	synctest.Wait()
	got := e.take()
	ok := len(got) == len(want)
	for i := range got {
		ok = ok && got[i].Flags == want[i]
	}
	if !ok {
		t.Errorf("%s: sent %v, want flags %v", when, got, want)
	}
}

// The acknowledgment of the peer's SYN travels with what the user writes at once.
func TestHandshakeACKRides(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := strangers(t, config())
		a.driver.Finish()
		<-a.up
		mustWrite(t, a, []byte("hello"))
		wantSent(t, "after a write", a, segment.SYN, plain|segment.PSH)
		<-b.up
		mustRead(t, b, []byte("hello"))
		<-time.After(20 * time.Millisecond)
		wantSent(t, "later", a)
	})
}

// It goes alone, and at once, if the user waits for the peer to speak first; or else soon.
func TestHandshakeACKAlone(t *testing.T) {
	quick := config()
	quick.QuickACKs = 4
	hasty := config()
	hasty.DelayedACK = -1
	for name, c := range map[string]struct {
		cfg  tcpcore.Config
		read bool
		late time.Duration
	}{
		"the user reads":        {cfg: config(), read: true},
		"the user does nothing": {cfg: config(), late: time.Millisecond},
		"quick ACKs":            {cfg: quick},
		"no delayed ACKs":       {cfg: hasty},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, _ := strangers(t, c.cfg)
				a.driver.Finish()
				<-a.up
				if c.read {
					go a.Read(make([]byte, 1))
				}
				if c.late == 0 {
					wantSent(t, "at once", a, segment.SYN, plain)
					return
				}
				wantSent(t, "at once", a, segment.SYN)
				<-time.After(c.late)
				wantSent(t, "soon", a, plain)
			})
		})
	}
}

// The acknowledgment of the peer's FIN travels with ours, if a reader who waited closes.
func TestFINACKRides(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		go func() {
			if _, err := b.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the end reads as %v", err)
			}
			b.Close()
		}()
		a.Close()
		<-a.over
		<-b.over
		wantSent(t, "the first to close", a, plain|segment.FIN, plain)
		wantSent(t, "the second", b, plain|segment.FIN)
	})
}

// It goes alone if nobody waited to hear of it, and soon if who heard of it does nothing.
func TestFINACKAlone(t *testing.T) {
	for name, read := range map[string]bool{"nobody reads": false, "the reader does nothing": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a, b := pair(t, config())
				if read {
					go b.Read(make([]byte, 1))
					synctest.Wait()
				}
				a.CloseWrite()
				<-time.After(delay)
				if read {
					wantSent(t, "at once", b)
					<-time.After(time.Millisecond)
				}
				wantSent(t, "then", b, plain)
			})
		})
	}
}

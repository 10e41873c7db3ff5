package conn_test

import (
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// The rest of a Write that waits for the next Write does not wait any more when its user turns to
// Read, who has nothing more to say.
func TestReadSendsRest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const mss = 40_000 - 12 // less timestamps
		cfg := config()
		cfg.MSS, cfg.NoDelay, cfg.Congestion = 40_000, true, congestion.NewReno // which does not pace
		a, b := pair(t, cfg)
		mustWrite(t, a, make([]byte, 12*mss)) // opens the windows
		mustRead(t, b, make([]byte, 12*mss))
		<-time.After(10 * delay) // the acknowledgment may be delayed
		a.take()
		mustWrite(t, a, make([]byte, 2*mss+10))
		if s := a.take(); len(s) != 2 || len(s[1].Payload) != mss {
			t.Errorf("%d segments are sent of two and a rest", len(s))
		}
		go a.Read(make([]byte, 1))
		synctest.Wait()
		if s := a.take(); len(s) != 1 || len(s[0].Payload) != 10 {
			t.Errorf("Read waits, and %d segments are sent", len(s))
		}
	})
}

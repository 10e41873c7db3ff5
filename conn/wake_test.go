package conn_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// finishes delivers to e what from sends, in batches, and returns how many of them woke
// somebody.
func finishes(e, from *end) (woke int) {
	for _, s := range from.take() {
		e.driver.Receive(e.Now(), &s)
		if e.driver.Finish() {
			woke++
		}
	}
	return woke
}

// TestWakesWhoWaits: what arrives wakes somebody only if somebody waits for it.
func TestWakesWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		b.setDeaf(true) // segments are handed over below
		a.setDeaf(true)

		mustWrite(t, a, []byte("nobody reads"))
		synctest.Wait()
		if n := finishes(b, a); n != 0 {
			t.Errorf("data that nobody waits for woke somebody %d times", n)
		}
		got := make([]byte, 100)
		if n, err := b.Read(got); err != nil || n != 12 {
			t.Fatal(n, err)
		}

		go b.Read(got)
		synctest.Wait()
		mustWrite(t, a, []byte("somebody reads"))
		synctest.Wait()
		if n := finishes(b, a); n != 1 {
			t.Errorf("data that a Read waits for woke somebody %d times", n)
		}

		// An acknowledgment is nothing to a reader, nor to a writer who has room.
		go a.Read(make([]byte, 100))
		<-time.After(time.Second)
		if n := finishes(a, b); n != 0 {
			t.Errorf("an acknowledgment woke somebody %d times", n)
		}
	})
}

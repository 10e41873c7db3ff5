package conn_test

import (
	"testing"
	"testing/synctest"
)

// TestReadIsGivenItsData: what arrives in order for a Read that waits goes right to its buffer, not
// by way of the connection's.
func TestReadIsGivenItsData(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := pair(t, config())
		b.setDeaf(true) // segments are handed over below
		if b.driver.Lent() != nil {
			t.Error("a buffer is lent, and nobody reads")
		}
		p, read := make([]byte, 100), make(chan int)
		go func() {
			n, _ := b.Read(p)
			read <- n
		}()
		synctest.Wait()
		if lent := b.driver.Lent(); len(lent) != len(p) || &lent[0] != &p[0] {
			t.Errorf("%d bytes are lent by a Read of %d that waits", len(lent), len(p))
		}
		mustWrite(t, a, []byte("straight"))
		synctest.Wait()
		for _, s := range a.take() {
			b.driver.Receive(b.Now(), &s)
		}
		if string(p[:8]) != "straight" || b.Info().ReceiveQueue != 0 {
			t.Errorf("before anybody is woken the buffer holds %q, and %d bytes wait elsewhere", p[:8], b.Info().ReceiveQueue)
		}
		b.driver.Finish()
		if n := <-read; n != 8 {
			t.Errorf("Read returned %d", n)
		}
	})
}

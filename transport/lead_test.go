package transport

import (
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"example.com/culvert/carrier"
	"example.com/culvert/conn"
	"example.com/culvert/tcpcore"
)

// leading is a connection whose readers lead by now, on an Endpoint of its own, to an
// echo.
func leading(t *testing.T) (n *memNet, e *Endpoint, c *conn.Conn) {
	t.Helper()
	n = newMemNet()
	e = mustEndpoint(t, n.open("192.0.2.1:1111").interruptible(), quick())
	serveEcho(t, mustEndpoint(t, n.open("192.0.2.2:2222"), quick()))
	c = mustDial(t, e, "192.0.2.2:2222")
	settle(t, e, c)
	return n, e, c
}

// settle exchanges until the background stands back; a reader that came late has not
// been woken by it.
func settle(t *testing.T, e *Endpoint, c *conn.Conn) {
	t.Helper()
	for range 100 {
		roundTrip(t, c, []byte("hello"))
		synctest.Wait()
		if !e.s.turn.taken.Load() {
			return
		}
	}
	t.Fatal("the background goes on reading")
}

// Who waits for a connection that has the carrier to itself reads by itself; while nobody
// does for a while, the background reads, without a timer.
func TestReaderLeads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, e, c := leading(t)
		turn := &e.s.turn
		before := turn.left.Load()
		for range 10 {
			roundTrip(t, c, []byte("hello"))
		}
		if n := turn.left.Load() - before; n < 10 {
			t.Errorf("a reader led %d times in 10 round trips", n)
		}
		<-time.After(3 * absence)
		synctest.Wait()
		if !turn.taken.Load() {
			t.Error("nobody reads")
		}
		if turn.armed.Load() {
			t.Error("the timer is armed while the background reads")
		}
		c.Close()
	})
}

// A leader can be called back by whatever ends a Read.
func TestLeaderIsCalledBack(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(e *Endpoint, c *conn.Conn)
		want error
	}{
		"deadline": {func(_ *Endpoint, c *conn.Conn) { c.SetReadDeadline(time.Now().Add(time.Second)) }, os.ErrDeadlineExceeded},
		"past":     {func(_ *Endpoint, c *conn.Conn) { c.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"Close":    {func(_ *Endpoint, c *conn.Conn) { c.Close() }, net.ErrClosed},
		"Endpoint": {func(e *Endpoint, _ *conn.Conn) { e.Close() }, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				_, e, c := leading(t)
				ended := make(chan error, 1)
				go func() {
					_, err := c.Read(make([]byte, 1))
					ended <- err
				}()
				synctest.Wait()
				if !e.s.turn.inside.Load() {
					t.Fatal("the reader does not lead")
				}
				test.do(e, c)
				if err := <-ended; !isOp(err, "read", test.want) {
					t.Errorf("Read: %v, want %v", err, test.want)
				}
				c.Close()
			})
		})
	}
}

// A deadline that a leader reached loses nothing of what comes later.
func TestDeadlineOfLeader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, _, c := leading(t)
		for range 5 {
			c.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := c.Read(make([]byte, 1)); !isOp(err, "read", os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Time{})
			roundTrip(t, c, []byte("hello"))
		}
		c.Close()
	})
}

// When a leader leaves, the next one who waits takes over at once.
func TestNextWaiterLeads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, e, c := leading(t)
		begin := time.Now()
		done := make(chan error)
		for range 3 {
			go func() {
				_, err := c.Read(make([]byte, 1))
				done <- err
			}()
		}
		for range 3 {
			synctest.Wait()
			if !e.s.turn.inside.Load() {
				t.Error("nobody leads")
			}
			c.Write([]byte("x"))
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(begin); d > 0 {
			t.Errorf("it took %v", d)
		}
		c.Close()
	})
}

// accepted dials from an Endpoint whose readers may lead to one that does nothing by itself.
func accepted(t *testing.T) (e *Endpoint, c *conn.Conn, peer net.Conn) {
	t.Helper()
	n := newMemNet()
	e = mustEndpoint(t, n.open("192.0.2.1:1111").interruptible(), quick())
	l, err := mustEndpoint(t, n.open("192.0.2.2:2222"), quick()).Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	c = mustDial(t, e, "192.0.2.2:2222")
	if peer, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return e, c, peer
}

// A writer that waits takes over from a reader that got what it waited for.
func TestWriterFollows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, c, peer := accepted(t)
		const size = 8 << 20
		wrote := make(chan error, 1)
		got := make(chan error)
		read := func() {
			_, err := c.Read(make([]byte, 1))
			got <- err
		}
		go read()
		synctest.Wait()
		go func() {
			_, err := c.Write(make([]byte, size))
			wrote <- err
		}()
		// Until a reader leads while the writer waits for a peer that does not read.
		for i := 0; !e.s.turn.inside.Load(); i++ {
			peer.Write([]byte("x"))
			if err := <-got; err != nil {
				t.Fatal(err)
			}
			go read()
			synctest.Wait()
			if i == 100 {
				t.Fatal("the background goes on reading")
			}
		}
		begin := time.Now()
		peer.Write([]byte("x"))
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !e.s.turn.inside.Load() || time.Since(begin) > 0 {
			t.Error("the writer does not lead")
		}
		if _, err := io.CopyN(io.Discard, peer, size); err != nil {
			t.Fatal(err)
		}
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
		c.Close()
		peer.Close()
	})
}

// A writer that waits for room leads as well.
func TestWriterLeads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, c, peer := accepted(t)
		go func() {
			io.Copy(io.Discard, peer)
			peer.Close()
		}()
		if _, err := c.Write(make([]byte, 32<<20)); err != nil {
			t.Fatal(err)
		}
		if n := e.s.turn.left.Load(); n < 2 {
			t.Errorf("a writer led %d times", n)
		}
		c.Close()
	})
}

// Whoever needs the carrier read does not wait for a leader who may not come back: a
// second connection, and one that its user closed.
func TestBackgroundIsCalled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, e, c := leading(t)
		begin := time.Now()
		d := mustDial(t, e, "192.0.2.2:2222")
		for range 2 * settled {
			roundTrip(t, c, []byte("hello"))
			roundTrip(t, d, []byte("hello"))
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("a second connection took %v", took)
		}
		d.Close()
		<-time.After(time.Second) // d's TIME-WAIT is over, and it is one again
		settle(t, e, c)
		begin = time.Now()
		c.Close()
		synctest.Wait()
		if st := c.Info().State; st == tcpcore.FinWait1 {
			t.Errorf("%v after Close the peer's answer has not been read", time.Since(begin))
		}
	})
}

// placer is a Placer that puts nothing anywhere, and says what it was given.
type placer struct {
	*memCarrier
	into chan []byte // of each ReadInto
}

func (placer) Reads(carrier.Carrier) bool { return true }

func (p placer) ReadInto(b []byte) (*carrier.Batch, error) {
	p.into <- b
	return p.ReadBatch()
}

// What a Read that leads waits for can go right to its buffer; who leads for a Write has no
// buffer to give, though a Read waits beside it that could leave at any moment.
func TestLeaderGivesItsOwnBuffer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := newMemNet()
		car := placer{n.open("192.0.2.1:1111").interruptible(), make(chan []byte, 1000)}
		e := mustEndpoint(t, car, quick())
		serveEcho(t, mustEndpoint(t, n.open("192.0.2.2:2222"), quick()))
		c := mustDial(t, e, "192.0.2.2:2222")
		settle(t, e, c)
		given := func() (last []byte, n int) {
			for ; len(car.into) > 0; n++ {
				last = <-car.into
			}
			return last, n
		}
		read := func(b []byte) {
			c.Read(b)
		}
		given()
		b := make([]byte, 100)
		go read(b)
		synctest.Wait()
		if got, n := given(); n != 1 || len(got) != len(b) || &got[0] != &b[0] {
			t.Errorf("a Read gave %d bytes, %d times", len(got), n)
		}
		c.SetReadDeadline(time.Unix(1, 0))
		synctest.Wait()
		c.SetReadDeadline(time.Time{})
		n.mu.Lock()
		n.drop = func(netip.AddrPort, *carrier.Datagram) bool { return true }
		n.mu.Unlock()
		go c.Write(make([]byte, 1<<20))
		synctest.Wait()
		if !e.s.turn.inside.Load() {
			t.Fatal("the writer does not lead")
		}
		go read(b)
		synctest.Wait()
		if _, n := given(); n != 0 {
			t.Error("a Write gave what is a Read's")
		}
		c.SetLinger(0)
		c.Close()
	})
}

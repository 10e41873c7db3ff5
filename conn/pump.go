package conn

import (
	"sync"
	"time"

	"example.com/culvert/tcpcore"
)

// maxGather is how many trains one call of Host.Transmit carries at most: enough
// to spare system calls, little enough to start sending soon.
const maxGather = 4

// trainPool lends the buffers that segments are built in, so that an idle
// connection holds none.
var trainPool = sync.Pool{New: func() any {
	return &tcpcore.Train{Buf: make([]byte, 0, tcpcore.MaxTrainBytes)}
}}

// holdACK is for how long the acknowledgment of the peer's SYN or FIN waits for what the user, who
// is told of it, does next: a segment of two, and a wake-up of the peer, are spared. Who waits to
// read instead sends it; see receive. The runtime's timers are no finer.
const holdACK = time.Millisecond

// pump does all that follows from a change of the engine: it wakes who waits for
// it, sends what is due, arms the timer and lets go of a connection that is over.
// It is called with the lock held, and lets go of it while it transmits.
func (c *core) pump() {
	c.observe()
	if c.sending {
		return // the holder of the token asks Output again before it lets go
	}
	c.sending = true
	for {
		if c.spoiled {
			c.spoiled = false
			c.tellSpoiled()
		}
		n := c.gather()
		if n == 0 {
			break
		}
		c.mu.Unlock()
		c.host.Transmit(c.trains[:n])
		for i, t := range c.trains[:n] {
			t.Data = nil // which is the engine's
			trainPool.Put(t)
			c.trains[i] = nil
		}
		c.mu.Lock()
	}
	c.sending = false
	c.observe()
	c.arm()
	c.part()
}

// tellSpoiled passes on what the engine found out about trains. It is called with the lock held,
// and lets go of it.
func (c *core) tellSpoiled() {
	if h, ok := c.host.(TrainSender); ok {
		c.mu.Unlock()
		h.TrainsSpoiled()
		c.mu.Lock()
	}
}

// gather fills c.trains, which belongs to the holder of the send token.
func (c *core) gather() (n int) {
	if c.failure != nil {
		return 0 // nothing carries it any more
	}
	now := c.now()
	for n < maxGather {
		t := trainPool.Get().(*tcpcore.Train)
		if !c.engine.Output(now, t) {
			trainPool.Put(t)
			break
		}
		c.trains[n] = t
		n++
	}
	return n
}

// observe takes the engine's events and wakes who waits for them.
func (c *core) observe() {
	ev := c.engine.Events()
	if ev == 0 {
		return
	}
	if ev&(tcpcore.EvReadable|tcpcore.EvClosed|tcpcore.EvTimeWait) != 0 {
		if c.rd.waiting > 0 && c.engine.State() == tcpcore.CloseWait {
			c.engine.HoldACK(c.now(), holdACK) // who reads of the end mostly closes
		}
		c.rd.wake()
	}
	if ev&(tcpcore.EvWritable|tcpcore.EvClosed|tcpcore.EvTimeWait|tcpcore.EvEstablished) != 0 {
		c.wr.wake()
	}
	if ev&(tcpcore.EvAcked|tcpcore.EvClosed|tcpcore.EvTimeWait) != 0 {
		c.bye.wake()
	}
	if ev&tcpcore.EvEstablished != 0 && !c.told {
		c.told = true
		c.engine.HoldACK(c.now(), holdACK) // who dials mostly writes
		c.host.Established()
	}
	c.spoiled = c.spoiled || ev&tcpcore.EvTrainsSpoiled != 0
	c.watch.tell(ev)
}

// arm makes sure that the timer fires at the engine's deadline or before. A
// deadline that moves later, or away, is noticed when the old one fires: moving
// the timer at each acknowledgment would cost more.
func (c *core) arm() {
	d := c.engine.Deadline()
	if c.over || d == tcpcore.Never || c.due <= d {
		return
	}
	c.due = d
	after := max(d.Sub(c.now()), 0)
	if c.timer == nil {
		c.timer = time.AfterFunc(after, c.tick)
		return
	}
	c.timer.Reset(after)
}

func (c *core) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = tcpcore.Never
	if c.over {
		return
	}
	now := c.now()
	if d := c.engine.Deadline(); d == tcpcore.Never {
		c.timer = nil // an idle connection has none
		return
	} else if d > now {
		c.arm()
		return
	}
	c.engine.Advance(now)
	c.pump()
}

// part lets the host forget a connection that needs it no more. It is called with
// the lock held, and lets go of it to tell the host.
func (c *core) part() {
	if c.over || c.sending {
		return
	}
	var end End
	switch st := c.engine.State(); {
	case st == tcpcore.Closed, st == tcpcore.Listen:
		// LISTEN is an embryo whose handshake came to nothing: the listener itself is
		// still there for the peer's next SYN.
		switch c.engine.Err() {
		case tcpcore.ErrAborted, tcpcore.ErrTimeout:
			end.Reset = c.told
		}
	case st == tcpcore.TimeWait && c.closed:
		if end.Record, end.TimeWait = c.engine.Retire(); !end.TimeWait {
			return
		}
	default:
		return
	}
	c.over = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.due = tcpcore.Never
	// Whoever still waits has nothing to wait for.
	c.rd.wake()
	c.wr.wake()
	c.bye.wake()
	c.mu.Unlock()
	c.host.Done(end)
	c.mu.Lock()
}

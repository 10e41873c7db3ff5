package listener

import (
	"net"
	"os"
	"sync"
	"time"
)

// DefaultBacklog is the backlog where none is given.
const DefaultBacklog = 1024

// core is one listener; Listener and Intake are its faces.
type core struct {
	addr    net.Addr
	onClose func()
	backlog int

	mu       sync.Mutex
	cond     sync.Cond // somebody may accept, or must stop waiting
	waiting  int
	closed   bool
	failure  error  // the carrier's end
	half     places // handshakes going on
	queue    places // established and not yet accepted
	deadline time.Time
	timer    *time.Timer // wakes Accept at the deadline; only while somebody waits
}

// Listener is a net.Listener. All methods may be called by any number of
// goroutines at once.
type Listener struct{ c *core }

// Intake is the endpoint's side of a Listener. All methods may be called by any
// number of goroutines at once.
type Intake struct{ c *core }

// New returns a Listener whose Addr is addr, and its Intake. The backlog bounds the
// connections that are half open or not yet accepted, together; 0 means
// DefaultBacklog. When the listener closes, it calls onClose once, without its lock.
func New(addr net.Addr, backlog int, onClose func()) (*Listener, *Intake) {
	if backlog <= 0 {
		backlog = DefaultBacklog
	}
	c := &core{addr: addr, backlog: backlog, onClose: onClose}
	c.cond.L = &c.mu
	return &Listener{c}, &Intake{c}
}

// Addr returns the address of the listener, a *net.TCPAddr with the carrier's port.
func (l *Listener) Addr() net.Addr { return l.c.addr }

// Accept waits for the next connection and returns it, or an error: after Close
// one for which errors.Is(err, net.ErrClosed) holds, after the deadline one around
// os.ErrDeadlineExceeded. A connection that the peer reset after the handshake is
// returned all the same; its Read tells.
func (l *Listener) Accept() (net.Conn, error) {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.failure != nil {
			return nil, c.opError("accept", c.failure)
		}
		if c.closed {
			return nil, c.opError("accept", net.ErrClosed)
		}
		if c.expired() {
			return nil, c.opError("accept", os.ErrDeadlineExceeded)
		}
		if p := c.queue.first; p != nil {
			c.queue.remove(p)
			p.state = gone
			return p.conn, nil
		}
		c.arm()
		c.waiting++
		c.cond.Wait()
		c.waiting--
	}
}

// SetDeadline sets the time after which Accept fails with os.ErrDeadlineExceeded,
// calls that wait already included; the zero time means none.
func (l *Listener) SetDeadline(t time.Time) error {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	c.deadline = t
	if c.waiting > 0 {
		// Whoever waits looks at the new deadline, and arms the timer for it.
		c.cond.Broadcast()
	}
	return nil
}

// Close stops listening: Accept fails, connections that are half open or not yet
// accepted are reset, accepted ones stay as they are.
func (l *Listener) Close() error {
	if !l.c.close() {
		return l.c.opError("close", net.ErrClosed)
	}
	return nil
}

// close reports false if the listener was closed before.
func (c *core) close() bool {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false
	}
	c.closed = true
	var doomed []*Place
	for _, l := range []*places{&c.half, &c.queue} {
		for p := l.first; p != nil; p = l.first {
			l.remove(p)
			p.state = gone
			doomed = append(doomed, p)
		}
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.cond.Broadcast()
	c.mu.Unlock()
	if c.onClose != nil {
		c.onClose()
	}
	for _, p := range doomed {
		if p.reins != nil {
			p.reins.Abort()
		}
	}
	return true
}

func (c *core) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: c.addr, Err: err}
}

func (c *core) expired() bool { return !c.deadline.IsZero() && !time.Now().Before(c.deadline) }

// arm makes sure that whoever is about to wait is woken at the deadline.
func (c *core) arm() {
	if c.deadline.IsZero() {
		return
	}
	d := time.Until(c.deadline)
	if c.timer == nil {
		c.timer = time.AfterFunc(d, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.cond.Broadcast()
		})
		return
	}
	c.timer.Reset(d)
}

package packetdrill

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/listener"
	"example.com/culvert/tcpcore"
	"example.com/culvert/transport"
)

// defaultPort is where bind(3, ..., ...) binds.
const defaultPort = 8080

// file is a file descriptor of the script.
type file struct {
	r        *runner
	fd       int64
	kind     fileKind
	nonblock bool
	flags    int64
	ipv6     bool

	conf    transport.Config // what options have made of it, until it is used
	port    uint16           // bound to; 0 if not
	keep    net.KeepAliveConfig
	keepSet bool
	options map[[2]int64]int64 // as they were set, to be read back
	cc      string

	l    *listener.Listener
	tap  *tap
	c    *conn.Conn
	flow *flow

	stash   []*conn.Conn // accepted from the stack and not yet by the script
	dial    *dialing
	connErr error // of connect, which SO_ERROR tells
	stirred bool  // something has happened to a connection since epoll looked

	shutRd, shutWr bool
	begun          bool                     // connect has returned EINPROGRESS, and not its end
	late           []func(*conn.Conn) error // options that were set while connect goes on

	rcvLowAt               int // SO_RCVLOWAT
	rcvTimeout, sndTimeout time.Duration
	connTimeout            time.Duration // bounds connect; 0 is none
	more                   bool          // the last write said MSG_MORE
	before                 tcpcore.State // of the connection, when the last packet came
	readErr                error         // how the connection broke, found by looking and not yet told
	asked                  bool          // Read has told it
	readSeq                uint32        // octets read so far
	epoll                  *epollSet
	piped                  *int // octets in the pipe
}

type fileKind uint8

const (
	kindSocket fileKind = iota
	kindEpoll
	kindZero // a file without end
	kindPipe
)

// dialing is a connect that goes on.
type dialing struct {
	cancel context.CancelFunc
	done   chan struct{}
	c      *conn.Conn
	err    error
}

func (d *dialing) finished() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// newEndpoint makes the stack's side of a tap.
func (r *runner) newEndpoint(t *tap, c *transport.Config) (*transport.Endpoint, error) {
	e, err := transport.NewEndpoint(t, c)
	if err == nil {
		r.ends = append(r.ends, e)
	}
	return e, err
}

// listen is listen(2).
func (f *file) listen(backlog int) error {
	if f.c != nil || f.dial != nil {
		return syscall.EINVAL
	}
	if f.l != nil {
		return nil // only the backlog would change
	}
	if f.port == 0 {
		f.port = f.r.freePort()
	}
	c := f.conf
	c.Backlog = max(backlog, 1)
	f.tap = f.r.w.newTap(f.port)
	e, err := f.r.newEndpoint(f.tap, f.r.conf.used(c))
	if err != nil {
		return err
	}
	l, err := e.Listen(f.port)
	if err != nil {
		return err
	}
	f.l = l.(*listener.Listener)
	f.r.listener = f
	f.r.sut = nil // the next connection is one that comes
	return nil
}

// connect begins a connection. It does not wait.
func (f *file) connect() error {
	r := f.r
	switch {
	case f.l != nil:
		return syscall.EOPNOTSUPP
	case f.dial != nil && !f.dial.finished():
		return syscall.EALREADY
	case f.c != nil:
		return syscall.EISCONN
	}
	port := f.port
	if port == 0 {
		port = r.freePort()
	}
	f.tap = r.w.newTap(port)
	e, err := r.newEndpoint(f.tap, r.conf.used(f.conf))
	if err != nil {
		return err
	}
	to := net.JoinHostPort(r.w.remote.String(), "8080")
	peer := uint16(defaultPort)
	udpPort := peer
	if r.w.udp {
		udpPort = r.conf.peerUDPPort()
		to = net.JoinHostPort(r.w.remote.String(), itoa(int64(udpPort)))
	}
	f.flow = &flow{tap: f.tap, remote: peer, udpPort: udpPort, known: true}
	r.flows = append(r.flows, f.flow)
	r.sut = f.flow
	ctx, cancel := context.WithCancel(context.Background())
	if f.connTimeout > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, f.connTimeout, syscall.ETIMEDOUT)
	}
	d := &dialing{cancel: cancel, done: make(chan struct{})}
	f.dial = d
	go func() {
		defer func() {
			close(d.done)
			select {
			case r.stir <- struct{}{}:
			default:
			}
		}()
		c, err := e.DialPort(ctx, "tcp", to, peer)
		if err != nil {
			if errors.Is(context.Cause(ctx), syscall.ETIMEDOUT) {
				err = syscall.ETIMEDOUT
			}
			d.err = err
			return
		}
		d.c = c.(*conn.Conn)
	}()
	return nil
}

// poke takes note of what has happened meanwhile to a connect.
func (f *file) poke() {
	if f.dial == nil || !f.dial.finished() {
		return
	}
	d := f.dial
	f.dial = nil
	d.cancel()
	if d.err != nil {
		f.connErr = d.err
		return
	}
	f.attach(d.c)
}

// attach gives the file its connection, with the options that were set meanwhile.
func (f *file) attach(c *conn.Conn) {
	f.c = c
	c.Notify(f.r.events, ^tcpcore.Event(0))
	if f.flow != nil {
		f.flow.c, f.flow.known = c, true
	}
	// Errors of these would mean that the connection is over, which the script sees.
	_ = c.SetNoDelay(!f.conf.Nagle)
	if f.keepSet {
		_ = c.SetKeepAliveConfig(f.keepConfig())
	}
	if f.conf.UserTimeout > 0 {
		_ = c.SetUserTimeout(f.conf.UserTimeout)
	}
	for _, set := range f.late {
		_ = set(c)
	}
	f.late = nil
}

// accepted makes the file of a connection that the listener f gave.
func (f *file) accepted(c *conn.Conn) *file {
	g := &file{r: f.r, conf: f.conf, keep: f.keep, keepSet: f.keepSet, port: f.port, ipv6: f.ipv6, cc: f.cc,
		rcvLowAt: f.rcvLowAt, rcvTimeout: f.rcvTimeout, sndTimeout: f.sndTimeout}
	g.options = make(map[[2]int64]int64)
	for k, v := range f.options {
		g.options[k] = v
	}
	g.tap = f.tap
	g.flow = f.r.flowOfConn(f.tap, c)
	g.attach(c)
	return g
}

// flowOfConn finds the flow of an accepted connection: by the peer's port or, where all
// peers share one UDP port, the first that is not taken.
func (r *runner) flowOfConn(t *tap, c *conn.Conn) *flow {
	port := c.RemoteAddr().(*net.TCPAddr).Port
	for _, f := range r.flows {
		if f.tap != t || f.c != nil && f.c != c {
			continue
		}
		if !r.w.udp && int(f.remote) == port || r.w.udp && f.hasISN {
			return f
		}
	}
	return nil
}

// fill takes a connection that is ready out of the listener, if there is one.
func (f *file) fill() {
	if f.l == nil || len(f.stash) > 0 {
		return
	}
	if c, err := f.tryAccept(); err == nil {
		f.stash = append(f.stash, c)
		if fl := f.r.flowOfConn(f.tap, c); fl != nil {
			fl.c = c
		}
	}
}

// tryAccept is Accept that does not wait.
func (f *file) tryAccept() (*conn.Conn, error) {
	v, err := f.r.nowait(func() (any, error) { return f.l.Accept() },
		func() { _ = f.l.SetDeadline(past) }, func() { _ = f.l.SetDeadline(time.Time{}) })
	if err != nil {
		return nil, err
	}
	return v.(*conn.Conn), nil
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// nowait runs a call that may block, and takes it back if it does.
func (r *runner) nowait(call func() (any, error), stop, undo func()) (any, error) {
	type result struct {
		v   any
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := call()
		done <- result{v, err}
	}()
	r.settle()
	select {
	case res := <-done:
		return res.v, res.err
	default:
	}
	stop()
	res := <-done
	undo()
	if res.err != nil && isTimeout(res.err) {
		res.err = syscall.EAGAIN
	}
	return res.v, res.err
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// closeFile is close(2).
func (f *file) closeFile() error {
	f.poke()
	switch {
	case f.kind != kindSocket:
		return nil
	case f.l != nil:
		for _, c := range f.stash {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
		f.stash = nil
		if f.r.listener == f {
			f.r.listener = nil
		}
		return f.l.Close()
	case f.dial != nil:
		f.dial.cancel()
		<-f.dial.done
		f.dial = nil
	case f.c != nil:
		return f.c.Close()
	}
	return nil
}

// abandon ends everything, at the end of the script.
func (f *file) abandon() {
	if f.dial != nil {
		f.dial.cancel()
	}
	if f.c != nil {
		_ = f.c.SetLinger(0)
		_ = f.c.Close()
	}
	if f.l != nil {
		_ = f.l.Close()
	}
}

// pending is a call that blocks while the script goes on.
type pending struct {
	call   *Call
	end    time.Duration // when it must return
	bounds bool          // end was written
	stop   func()
	poll   func() (outcome, bool)
	until  time.Duration
	after  func(*outcome)
	done   chan struct{}
	once   sync.Once
	at     time.Duration // when it did
	res    outcome
}

func (p *pending) cancel() {
	if p.stop != nil {
		p.once.Do(p.stop)
	}
}

func (p *pending) finished() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

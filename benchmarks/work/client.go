package work

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"example.com/culvert/benchmarks"
)

// A Client is the half that connects.
type Client struct {
	work  Work
	stack benchmarks.Stack
	addr  string
	conns []net.Conn
	half  baseline

	failures atomic.Uint64
	failure  atomic.Pointer[error]
	over     atomic.Bool
}

// dialers is how many connections are opened at once.
const dialers = 32

// NewClient opens the connections that the work has open all the time.
func NewClient(ctx context.Context, s benchmarks.Stack, addr string, w Work) (*Client, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	c := &Client{work: w, stack: s, addr: addr}
	var err error
	switch w.Kind {
	case Bulk, Ping:
		err = c.dial(ctx, w.Conns, greet)
	case Idle:
		if err = c.dial(ctx, w.Conns, greet); err == nil {
			time.Sleep(quiet)
			c.half.take()
			err = c.dial(ctx, w.Conns, greet)
		}
	case HTTP:
		err = c.dial(ctx, w.Conns, func(conn net.Conn) error { return request(conn)() })
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// dial opens n more connections, some at a time.
func (c *Client) dial(ctx context.Context, n int, begin func(net.Conn) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(n))
	for range min(n, dialers) {
		wg.Go(func() {
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				conn, err := c.stack.Dial(ctx, c.addr)
				if err == nil {
					err = begin(conn)
				}
				if err != nil {
					cancel(fmt.Errorf("connecting: %w", err))
					return
				}
				mu.Lock()
				c.conns = append(c.conns, conn)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// Measure works until the window is over.
func (c *Client) Measure(ctx context.Context, w Window) Report {
	w = w.local()
	var r Report
	switch c.work.Kind {
	case Bulk:
		for _, conn := range c.conns {
			go c.fill(conn)
		}
		r = w.measure(func() []uint64 { return nil })
		r.Retransmits = c.retransmits()
	case Ping:
		r = c.operate(w, func() func() error {
			return c.pingPong(c.conns[0])
		})
	case Rate:
		r = c.operate(w, func() func() error { return c.exchange(ctx) })
	case HTTP:
		var next atomic.Int64
		r = c.operate(w, func() func() error {
			return request(c.conns[next.Add(1)-1])
		})
	case Wrk:
		r = c.wrk(ctx, w)
	case Idle:
		r = w.measure(func() []uint64 { return nil })
		c.half.since(&r, c.work.Conns)
	}
	c.over.Store(true)
	r.Errors = c.failures.Load()
	// A stack may refuse an operation now and then; that is no reason to know nothing
	// of the others.
	if e := c.failure.Load(); e != nil && (c.work.Kind != Rate || r.Errors*100 > r.Ops) {
		r.Failed = (*e).Error()
	}
	return r
}

// fail counts a failed operation, unless the end of the work is the cause.
func (c *Client) fail(err error) {
	if c.over.Load() {
		return
	}
	c.failures.Add(1)
	c.failure.CompareAndSwap(nil, &err)
}

// fill writes until the work is over.
func (c *Client) fill(conn net.Conn) {
	buf := c.work.buffer()
	for i := range buf {
		buf[i] = byte(i * 7)
	}
	for !c.over.Load() {
		if _, err := conn.Write(buf); err != nil {
			c.fail(fmt.Errorf("writing: %w", err))
			return
		}
	}
}

func (c *Client) retransmits() (all uint64) {
	for _, conn := range c.conns {
		n, _ := benchmarks.Retransmits(conn)
		all += n
	}
	return all
}

// operate repeats operations, each by a worker of its own that start makes, and takes the
// time of those that begin and end in the window.
func (c *Client) operate(w Window, start func() func() error) Report {
	took := make([][]time.Duration, c.work.Conns)
	var wg sync.WaitGroup
	for i := range took {
		do := start()
		wg.Go(func() {
			for errs := 0; errs < 10; {
				began := time.Now()
				if !began.Before(w.To) {
					return
				}
				if err := do(); err != nil {
					c.fail(err)
					errs++
					continue
				}
				if now := time.Now(); !began.Before(w.From) && !now.After(w.To) {
					took[i] = append(took[i], now.Sub(began))
				}
			}
		})
	}
	r := w.measure(func() []uint64 { return nil })
	wg.Wait()
	var all []time.Duration
	for _, t := range took {
		all = append(all, t...)
	}
	if len(all) == 0 {
		c.fail(errors.New("nothing was done in time"))
	}
	r.Ops, r.Latency = uint64(len(all)), quantiles(all)
	return r
}

// pingPong returns the operation of Ping.
func (c *Client) pingPong(conn net.Conn) func() error {
	out, in := make([]byte, c.work.Size), make([]byte, c.work.Size)
	return func() error {
		if _, err := conn.Write(out); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, in)
		return err
	}
}

// exchange returns the operation of Rate.
func (c *Client) exchange(ctx context.Context) func() error {
	out, in := make([]byte, c.work.Size), make([]byte, c.work.Size)
	return func() error {
		conn, err := c.stack.Dial(ctx, c.addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		if _, err := conn.Write(out); err != nil {
			return err
		}
		_, err = io.ReadFull(conn, in)
		return err
	}
}

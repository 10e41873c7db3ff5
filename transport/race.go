package transport

import (
	"context"
	"net/netip"
	"time"

	"example.com/culvert/conn"
)

// defaultFallbackDelay is the Connection Attempt Delay between families (RFC 8305
// section 5), as package net has it.
const defaultFallbackDelay = 300 * time.Millisecond

// dialFunc dials one address.
type dialFunc func(ctx context.Context, to netip.AddrPort) (*conn.Conn, error)

// race dials the addresses of one name (RFC 8305, as package net does it): the family
// of the first address begins, the other one follows after the delay, or as soon as the
// first has failed; within a family one after the other. The first connection wins.
func race(ctx context.Context, addrs []netip.AddrPort, delay time.Duration, dial dialFunc) (*conn.Conn, error) {
	var first, second []netip.AddrPort
	for _, a := range addrs {
		if a.Addr().Is4() == addrs[0].Addr().Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	if len(second) == 0 || delay < 0 {
		return series(ctx, addrs, dial)
	}
	if delay == 0 {
		delay = defaultFallbackDelay
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the loser
	type result struct {
		c   *conn.Conn
		err error
		two bool
	}
	results := make(chan result)
	over := make(chan struct{})
	defer close(over)
	run := func(addrs []netip.AddrPort, two bool) {
		c, err := series(ctx, addrs, dial)
		select {
		case results <- result{c, err, two}:
		case <-over:
			if c != nil {
				c.SetLinger(0)
				c.Close()
			}
		}
	}
	go run(first, false)
	running := 1
	timer := time.NewTimer(delay)
	defer timer.Stop()
	started := false
	fallback := func() {
		if !started {
			started = true
			running++
			go run(second, true)
		}
	}
	var failure error // of the first family, if it failed
	for {
		select {
		case <-timer.C:
			fallback()
		case r := <-results:
			if r.err == nil {
				return r.c, nil
			}
			if running--; !r.two {
				failure = r.err
				fallback()
			}
			if running == 0 {
				return nil, failure
			}
		}
	}
}

// series dials one address after the other, and shares out what is left of the time
// so that the last one has its chance, too. It returns the first error.
func series(ctx context.Context, addrs []netip.AddrPort, dial dialFunc) (*conn.Conn, error) {
	var failure error
	for i, a := range addrs {
		c, err := one(ctx, a, len(addrs)-i, dial)
		if err == nil {
			return c, nil
		}
		if failure == nil {
			failure = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failure
}

// leastShare is what an address gets at least, if there is as much.
const leastShare = 2 * time.Second

func one(ctx context.Context, a netip.AddrPort, left int, dial dialFunc) (*conn.Conn, error) {
	if end, ok := ctx.Deadline(); ok && left > 1 {
		now := time.Now()
		rest := end.Sub(now)
		share := min(max(rest/time.Duration(left), leastShare), rest)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, now.Add(share))
		defer cancel()
	}
	return dial(ctx, a)
}

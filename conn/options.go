package conn

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"example.com/culvert/tcpcore"
)

// change runs f under the lock and does what follows from it, unless the
// connection is closed.
func (c *core) change(f func(now tcpcore.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.setError(net.ErrClosed)
	}
	if err := f(c.now()); err != nil {
		return c.setError(err)
	}
	c.pump()
	return nil
}

// check is c.Check, whose error names the setter instead of the field.
func check(setter string, c tcpcore.Config) error {
	err := c.Check()
	if bad := (*tcpcore.FieldError)(nil); errors.As(err, &bad) {
		return fmt.Errorf("%s: %s", setter, bad.Problem)
	}
	return err
}

// checkBound is check for a bound, which 0 takes away.
func checkBound(setter string, c tcpcore.Config) error {
	if err := check(setter, c); err != nil {
		return fmt.Errorf("%w (0 is no bound)", err)
	}
	return nil
}

// SetNoDelay switches the Nagle algorithm (RFC 9293 section 3.7.4) off or on. Off,
// that is true, is the default, as with package net.
func (x *Conn) SetNoDelay(noDelay bool) error {
	return x.c.change(func(tcpcore.Time) error {
		x.c.engine.SetNoDelay(noDelay)
		return nil
	})
}

// SetKeepAlive switches keep-alive probes on or off; the default is off
// (RFC 9293 MUST-25).
func (x *Conn) SetKeepAlive(keepalive bool) error {
	return x.c.setKeepAlive(&keepalive, -1, -1, -1)
}

// SetKeepAlivePeriod sets how long nothing must arrive before the first keep-alive
// probe; the default is 2 hours. Values from 1 ms to a year are accepted.
func (x *Conn) SetKeepAlivePeriod(d time.Duration) error {
	err := check("SetKeepAlivePeriod", tcpcore.Config{KeepAliveIdle: d})
	if d == 0 {
		err = errors.New("SetKeepAlivePeriod: 0 is not positive")
	}
	if err != nil {
		return x.c.change(func(tcpcore.Time) error { return err })
	}
	return x.c.setKeepAlive(nil, d, -1, -1)
}

// The meaning of zero in net.KeepAliveConfig, as package net documents it.
const (
	netKeepAliveTime  = 15 * time.Second
	netKeepAliveCount = 9
)

// SetKeepAliveConfig sets all of keep-alive at once. As package net documents, a
// zero Idle or Interval means 15 s and a zero Count 9 probes; negative ones leave
// what is set.
func (x *Conn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	if config.Idle == 0 {
		config.Idle = netKeepAliveTime
	}
	if config.Interval == 0 {
		config.Interval = netKeepAliveTime
	}
	if config.Count == 0 {
		config.Count = netKeepAliveCount
	}
	return x.c.setKeepAlive(&config.Enable, config.Idle, config.Interval, config.Count)
}

// setKeepAlive hands the settings to the engine; a nil on and negative values leave
// what is set.
func (c *core) setKeepAlive(on *bool, idle, interval time.Duration, count int) error {
	return c.change(func(now tcpcore.Time) error {
		check := tcpcore.Config{
			KeepAliveIdle: max(idle, 0), KeepAliveInterval: max(interval, 0), KeepAliveCount: max(count, 0),
		}
		err := check.Check()
		if bad := (*tcpcore.FieldError)(nil); errors.As(err, &bad) {
			return fmt.Errorf("KeepAliveConfig.%s: %s", strings.TrimPrefix(bad.Field, "KeepAlive"), bad.Problem)
		}
		if on != nil {
			c.keepAlive = *on
		}
		c.engine.SetKeepAlive(now, c.keepAlive, idle, interval, count)
		return nil
	})
}

// SetUserTimeout ends the connection with ETIMEDOUT when data stays unacknowledged
// for so long (RFC 5482); 0, the default, leaves it to the limit on
// retransmissions. Values from 1 ms to a year are accepted.
func (x *Conn) SetUserTimeout(d time.Duration) error {
	return x.c.change(func(now tcpcore.Time) error {
		if err := checkBound("SetUserTimeout", tcpcore.Config{UserTimeout: d}); err != nil {
			return err
		}
		x.c.engine.SetUserTimeout(now, d)
		return nil
	})
}

// SetTrafficClass sets the octet of IPv4's TOS or IPv6's traffic class to send with
// from now on: the DSCP is its upper six bits, and the lower two, ECN, must be zero.
// The default is 0. Where the carrier cannot send it, it has no effect.
func (x *Conn) SetTrafficClass(tc uint8) error {
	return x.c.change(func(tcpcore.Time) error {
		if err := check("SetTrafficClass", tcpcore.Config{TrafficClass: tc}); err != nil {
			return err
		}
		x.c.engine.SetTrafficClass(tc)
		return nil
	})
}

// SetHopLimit sets the TTL or hop limit to send with from now on, 1 to 255; 0 is the
// system's. Where the carrier cannot set it, it has no effect.
func (x *Conn) SetHopLimit(n int) error {
	return x.c.change(func(tcpcore.Time) error {
		h, ok := x.c.host.(interface{ SetHopLimit(uint8) })
		switch {
		case n < 0 || n > 255:
			return fmt.Errorf("SetHopLimit: %d is outside of 0..255", n)
		case !ok:
			return errors.ErrUnsupported
		}
		h.SetHopLimit(uint8(n))
		return nil
	})
}

// SetMaxSegment bounds the data of the segments that are sent from now on, 64 to 65487
// bytes, timestamps included, below what the path and the peer allow; 0 is no further bound.
func (x *Conn) SetMaxSegment(bytes int) error {
	return x.c.change(func(tcpcore.Time) error {
		if err := checkBound("SetMaxSegment", tcpcore.Config{MSS: bytes}); err != nil {
			return err
		}
		x.c.engine.SetMSS(bytes)
		return nil
	})
}

// SetCork holds back segments that are not full, up to 200 ms, until it is switched
// off again: for a header and a body that are written one by one. The default is off.
func (x *Conn) SetCork(cork bool) error {
	return x.c.change(func(tcpcore.Time) error {
		x.c.engine.SetCork(cork)
		return nil
	})
}

// SetDelayedACK sets how long an acknowledgment may wait for company, up to 500 ms
// (RFC 9293 MUST-40); negative acknowledges at once, 0 is the default of 40 ms.
func (x *Conn) SetDelayedACK(d time.Duration) error {
	return x.c.change(func(tcpcore.Time) error {
		if err := check("SetDelayedACK", tcpcore.Config{DelayedACK: d}); err != nil {
			return err
		}
		x.c.engine.SetDelayedACK(d)
		return nil
	})
}

// SetCongestion changes the congestion control to one of congestion.Names, which goes
// on with the window and the slow start threshold of the one before.
func (x *Conn) SetCongestion(name string) error {
	return x.c.change(func(now tcpcore.Time) error { return x.c.engine.SetCongestion(now, name) })
}

// SetController is SetCongestion with a controller that make makes, a func() of
// congestion.Controller. make is called with the connection locked: it must not
// call it.
func (x *Conn) SetController(make func() tcpcore.Controller) error {
	return x.c.change(func(now tcpcore.Time) error {
		if make == nil {
			return errors.New("SetController: make is nil")
		}
		if make() == nil {
			return errors.New("SetController: make returns nil")
		}
		x.c.engine.SetController(now, make)
		return nil
	})
}

// SetQuickACK has what waits and the next segments, 16 unless Config.QuickACKs says
// otherwise, acknowledged at once; false delays acknowledgments from now on, until a
// pause or a loss. Neither is for good: SetDelayedACK is.
func (x *Conn) SetQuickACK(on bool) error {
	return x.c.change(func(now tcpcore.Time) error {
		x.c.engine.SetQuickACK(now, on)
		return nil
	})
}

// SetNotSentLowWater bounds the bytes that Write took over and that were not sent
// once, so that what is written next does not queue behind a full send buffer; 0,
// the default, is no bound but SetWriteBuffer's.
func (x *Conn) SetNotSentLowWater(bytes int) error {
	return x.c.change(func(tcpcore.Time) error {
		if err := checkBound("SetNotSentLowWater", tcpcore.Config{NotSentLowWater: bytes}); err != nil {
			return err
		}
		x.c.engine.SetNotSentLowWater(bytes)
		return nil
	})
}

// SetWindowClamp bounds the window that is offered to the peer, in bytes; 0, the
// default, is no bound but SetReadBuffer's. What was offered is not taken back.
func (x *Conn) SetWindowClamp(bytes int) error {
	return x.c.change(func(tcpcore.Time) error {
		if err := checkBound("SetWindowClamp", tcpcore.Config{WindowClamp: bytes}); err != nil {
			return err
		}
		x.c.engine.SetWindowClamp(bytes)
		return nil
	})
}

// SetReadBuffer bounds the bytes that arrived and were not read, and so the window
// offered to the peer: 1 byte to 1 GiB. The default tunes itself, which a call of
// SetReadBuffer ends. What was offered is not taken back.
func (x *Conn) SetReadBuffer(bytes int) error { return x.c.setBuffers("SetReadBuffer", 0, bytes) }

// SetWriteBuffer bounds the bytes that Write took over and the peer has not
// acknowledged: 1 byte to 1 GiB. The default tunes itself, which a call of
// SetWriteBuffer ends.
func (x *Conn) SetWriteBuffer(bytes int) error { return x.c.setBuffers("SetWriteBuffer", bytes, 0) }

func (c *core) setBuffers(who string, send, receive int) error {
	return c.change(func(tcpcore.Time) error {
		if send+receive <= 0 {
			return fmt.Errorf("%s: %d bytes is not positive", who, send+receive)
		}
		if err := check(who, tcpcore.Config{SendBuffer: send, ReceiveBuffer: receive}); err != nil {
			return err
		}
		c.engine.SetBuffers(send, receive)
		return nil
	})
}

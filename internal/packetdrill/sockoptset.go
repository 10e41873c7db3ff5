package packetdrill

import (
	"net"
	"syscall"
	"time"

	"example.com/culvert/conn"
)

// The options whose values are not a number.

// timeval reads a struct timeval; zero is no bound.
func timeval(x Expr, d *time.Duration) (*op, error) {
	if a, ok := x.(Array); ok && len(a.Items) == 1 {
		x = a.Items[0]
	}
	s, ok := x.(Struct)
	if !ok || len(s.Fields) != 2 {
		return nil, unsupported("a timeval that is %s", describe(x))
	}
	sec, err := eval(s.Fields[0].Value)
	if err != nil {
		return nil, err
	}
	usec, err := eval(s.Fields[1].Value)
	if err != nil {
		return nil, err
	}
	if sec < 0 || sec > int64(maxTime/time.Second) || usec < 0 || usec >= 1e6 {
		return bad(syscall.EDOM)
	}
	*d = time.Duration(sec)*time.Second + time.Duration(usec)*time.Microsecond
	return nil, nil
}

func (f *file) setCongestion(x Expr) (*op, error) {
	s, ok := x.(String)
	if a, is := x.(Array); is && len(a.Items) == 1 {
		s, ok = a.Items[0].(String)
	}
	if !ok {
		return nil, unsupported("TCP_CONGESTION with %s", describe(x))
	}
	name, err := ccName(s.Value)
	if err != nil {
		return nil, err
	}
	if f.c != nil {
		if f.c.Info().CongestionControl == name {
			return nil, nil
		}
		if err := f.changeController(name); err != nil {
			return bad(err)
		}
		f.cc = s.Value
		return nil, nil
	}
	f.conf.CongestionControl, f.cc = name, s.Value
	return nil, nil
}

// changeController gives an open connection another congestion control.
func (f *file) changeController(name string) error {
	if make := f.r.conf.controller(name); make != nil {
		return f.c.SetController(make)
	}
	return f.c.SetCongestion(name)
}

// liveTTL changes the hop limit of an open connection.
func liveTTL(_ *file, c *conn.Conn, v int64) error {
	if v < 1 || v > 255 {
		return syscall.EINVAL
	}
	return c.SetHopLimit(int(v))
}

// liveMSS changes the largest segment of an open connection.
func liveMSS(_ *file, c *conn.Conn, v int64) error {
	if v < 64 || v > 32767 {
		return syscall.EINVAL
	}
	return c.SetMaxSegment(int(v))
}

// setLinger takes {onoff, seconds}, with names or without.
func (f *file) setLinger(x Expr) (*op, error) {
	if a, ok := x.(Array); ok && len(a.Items) == 1 {
		x = a.Items[0]
	}
	s, ok := x.(Struct)
	if !ok || len(s.Fields) != 2 {
		return nil, unsupported("SO_LINGER with %s", describe(x))
	}
	on, err := eval(s.Fields[0].Value)
	if err != nil {
		return nil, err
	}
	sec, err := eval(s.Fields[1].Value)
	if err != nil {
		return nil, err
	}
	linger := int(sec)
	if on == 0 {
		linger = -1
	}
	if f.c != nil {
		if err := f.c.SetLinger(linger); err != nil {
			return bad(err)
		}
		return nil, nil
	}
	switch { // Config counts otherwise than SetLinger
	case linger < 0:
		f.conf.Linger = 0
	case linger == 0:
		f.conf.Linger = -1
	default:
		f.conf.Linger = linger
	}
	return nil, nil
}

// setFunctionBlock chooses one of FreeBSD's stacks, whose names stand in a struct.
func (f *file) setFunctionBlock(x Expr) (*op, error) {
	if a, ok := x.(Array); ok && len(a.Items) == 1 {
		x = a.Items[0]
	}
	st, _ := x.(Struct)
	name, ok := st.field("function_set_name").(String)
	if !ok {
		return nil, unsupported("TCP_FUNCTION_BLK with %s", describe(x))
	}
	c := config{c: f.conf}
	if err := functionBlock(&c, name.Value); err != nil {
		return nil, err
	}
	f.conf.NoTailLossProbe, f.conf.NoRACK = c.c.NoTailLossProbe, c.c.NoRACK
	return nil, nil
}

func (f *file) setKeepAlive(k [2]int64, v int64) (*op, error) {
	if k != key("SOL_SOCKET", "SO_KEEPALIVE") && (v < 1 || v > 32767) {
		return bad(syscall.EINVAL)
	}
	d := time.Duration(v) * time.Second
	switch k {
	case key("SOL_SOCKET", "SO_KEEPALIVE"):
		f.keep.Enable = v != 0
	case key("SOL_TCP", "TCP_KEEPIDLE"):
		f.keep.Idle, f.conf.KeepAliveIdle = d, d
	case key("SOL_TCP", "TCP_KEEPINTVL"):
		f.keep.Interval, f.conf.KeepAliveInterval = d, d
	case key("SOL_TCP", "TCP_KEEPCNT"):
		f.keep.Count, f.conf.KeepAliveCount = int(v), int(v)
	}
	f.options[k], f.keepSet = v, true
	f.conf.KeepAlive = f.keep.Enable
	if f.c == nil {
		return nil, nil
	}
	if err := f.c.SetKeepAliveConfig(f.keepConfig()); err != nil {
		return bad(err)
	}
	return nil, nil
}

// keepConfig says "as it is" where the script has said nothing: a zero would mean
// package net's defaults.
func (f *file) keepConfig() net.KeepAliveConfig {
	k := f.keep
	if k.Idle == 0 {
		k.Idle = -1
	}
	if k.Interval == 0 {
		k.Interval = -1
	}
	if k.Count == 0 {
		k.Count = -1
	}
	return k
}

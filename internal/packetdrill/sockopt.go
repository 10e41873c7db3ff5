package packetdrill

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/transport"
)

// option is what one socket option does here.
type option struct {
	// conf changes the Config of a connection that is still to come.
	conf func(c *transport.Config, v int64) error
	// live changes a connection; nil if that cannot be done any more.
	live func(f *file, c *conn.Conn, v int64) error
	// get reads the value; nil returns what was set, or def.
	get func(f *file) (int64, error)
	def int64
	// bool: any value but 0 reads back as 1.
	bool bool
	// lacks names the feature that any value but those of harmless would need.
	lacks    string
	harmless []int64
	// none: the option is taken and has no effect that a script could see.
	none bool
}

// millis is a time in milliseconds.
func millis(v int64) time.Duration { return time.Duration(v) * time.Millisecond }

// key names an option by its level and number.
func key(level, name string) [2]int64 { return [2]int64{constants[level], constants[name]} }

var sockopts = map[[2]int64]option{
	key("SOL_TCP", "TCP_NODELAY"): {bool: true,
		conf: func(c *transport.Config, v int64) error { c.Nagle = v == 0; return nil },
		live: func(f *file, c *conn.Conn, v int64) error { return c.SetNoDelay(v != 0) }},
	key("SOL_TCP", "TCP_MAXSEG"): {
		conf: func(c *transport.Config, v int64) error {
			if v < 64 || v > 32767 {
				return syscall.EINVAL
			}
			c.MSS = int(v)
			return nil
		},
		live: liveMSS,
		get: func(f *file) (int64, error) {
			switch {
			case f.c != nil:
				return int64(f.c.Info().SendMSS), nil
			case f.conf.MSS != 0:
				return int64(f.conf.MSS), nil
			}
			return 536, nil
		}},
	key("SOL_TCP", "TCP_USER_TIMEOUT"): {
		conf: func(c *transport.Config, v int64) error {
			if v < 0 {
				return syscall.EINVAL
			}
			c.UserTimeout = millis(v)
			return nil
		},
		live: func(f *file, c *conn.Conn, v int64) error {
			if v < 0 {
				return syscall.EINVAL
			}
			return c.SetUserTimeout(millis(v))
		}},
	key("SOL_TCP", "TCP_SYNCNT"): {def: 6,
		conf: func(c *transport.Config, v int64) error {
			if v < 1 || v > 127 {
				return syscall.EINVAL
			}
			c.SYNRetries = int(v)
			return nil
		}},
	key("SOL_TCP", "TCP_LINGER2"): {def: 60,
		conf: func(c *transport.Config, v int64) error {
			if v > 0 {
				c.OrphanTimeout = time.Duration(v) * time.Second
			}
			return nil
		}},
	key("SOL_TCP", "TCP_CORK"): {bool: true,
		conf: func(c *transport.Config, v int64) error { c.Cork = v != 0; return nil },
		live: func(f *file, c *conn.Conn, v int64) error { return c.SetCork(v != 0) }},
	key("SOL_TCP", "TCP_QUICKACK"): {bool: true, def: 1,
		conf: func(c *transport.Config, v int64) error {
			c.QuickACKs = 0
			if v != 0 {
				c.QuickACKs = 16
			}
			return nil
		},
		live: func(f *file, c *conn.Conn, v int64) error { return c.SetQuickACK(v != 0) }},
	key("SOL_TCP", "TCP_NOTSENT_LOWAT"): {
		conf: func(c *transport.Config, v int64) error { c.NotSentLowWater = bound(v); return nil },
		live: func(f *file, c *conn.Conn, v int64) error { return c.SetNotSentLowWater(bound(v)) }},
	key("SOL_TCP", "TCP_WINDOW_CLAMP"): {
		conf: func(c *transport.Config, v int64) error { c.WindowClamp = bound(v); return nil },
		live: func(f *file, c *conn.Conn, v int64) error { return c.SetWindowClamp(bound(v)) }},
	key("SOL_TCP", "TCP_DEFER_ACCEPT"): {lacks: "TCP_DEFER_ACCEPT", harmless: []int64{0}},
	key("SOL_TCP", "TCP_FASTOPEN"):     {lacks: "TCP_FASTOPEN", harmless: []int64{0}},
	key("SOL_TCP", "TCP_MD5SIG"):       {lacks: "TCP_MD5SIG"},
	key("SOL_TCP", "TCP_REPAIR"):       {lacks: "TCP_REPAIR", harmless: []int64{0}},
	key("SOL_TCP", "TCP_INQ"):          {none: true, bool: true}, // recvmsg tells whoever asks
	key("SOL_TCP", "TCP_NOOPT"): {bool: true,
		conf: func(c *transport.Config, v int64) error {
			c.NoSACK, c.NoTimestamps, c.NoWindowScale = v != 0, v != 0, v != 0
			return nil
		}},
	key("SOL_TCP", "TCP_KEEPINIT"): {none: true, def: 75},
	key("SOL_TCP", "TCP_MAXUNACKTIME"): {
		conf: func(c *transport.Config, v int64) error { c.UserTimeout = time.Duration(v) * time.Second; return nil },
		live: func(f *file, c *conn.Conn, v int64) error { return c.SetUserTimeout(time.Duration(v) * time.Second) }},
	key("SOL_TCP", "TCP_DELACK"): {bool: true, def: 1,
		conf: func(c *transport.Config, v int64) error { c.DelayedACK = delayed(v); return nil },
		live: func(f *file, c *conn.Conn, v int64) error { return c.SetDelayedACK(delayed(v)) }},
	key("SOL_TCP", "TCP_RTO_MAX_MS"): {def: 120000,
		conf: func(c *transport.Config, v int64) error {
			if v != 0 && (v < 1000 || v > 120000) {
				return syscall.EINVAL
			}
			c.MaxRTO = millis(v)
			return nil
		}},
	key("SOL_TCP", "TCP_RTO_MIN_US"): {def: 200000,
		conf: func(c *transport.Config, v int64) error {
			if v < 1 || v > 200000 {
				return syscall.EINVAL
			}
			c.MinRTO = max(time.Duration(v)*time.Microsecond, time.Millisecond)
			c.RTOGranularity = c.MinRTO
			return nil
		}},
	key("SOL_TCP", "TCP_DELACK_MAX_US"): {def: 200000,
		conf: func(c *transport.Config, v int64) error {
			if v < 1 || v > 200000 {
				return syscall.EINVAL
			}
			c.DelayedACK = min(max(time.Duration(v)*time.Microsecond, time.Millisecond), 40*time.Millisecond)
			return nil
		}},
	key("SOL_TCP", "TCP_THIN_LINEAR_TIMEOUTS"): {lacks: "TCP_THIN_LINEAR_TIMEOUTS", harmless: []int64{0}, bool: true},
	key("SOL_TCP", "TCP_THIN_DUPACK"):          {none: true, bool: true}, // Linux ignores it, too
	key("SOL_TCP", "TCP_FASTOPEN_CONNECT"):     {lacks: "TCP_FASTOPEN_CONNECT", harmless: []int64{0}, bool: true},
	key("SOL_TCP", "TCP_FASTOPEN_NO_COOKIE"):   {lacks: "TCP_FASTOPEN_NO_COOKIE", harmless: []int64{0}, bool: true},
	key("SOL_TCP", "TCP_SAVE_SYN"):             {lacks: "TCP_SAVE_SYN", harmless: []int64{0}},
	key("SOL_TCP", "TCP_TX_DELAY"):             {lacks: "TCP_TX_DELAY", harmless: []int64{0}},
	key("SOL_TCP", "TCP_REMOTE_UDP_ENCAPS_PORT"): {
		conf: func(c *transport.Config, v int64) error { return nil }},

	key("SOL_SOCKET", "SO_SNDBUF"): {def: 16384,
		conf: func(c *transport.Config, v int64) error { c.SendBuffer = int(min(max(v, 2048), 1<<30)); return nil },
		live: func(f *file, c *conn.Conn, v int64) error { return c.SetWriteBuffer(int(min(max(v, 2048), 1<<30))) },
		get:  func(f *file) (int64, error) { return f.buffer(f.conf.SendBuffer), nil }},
	key("SOL_SOCKET", "SO_RCVBUF"): {def: 131072,
		conf: func(c *transport.Config, v int64) error { c.ReceiveBuffer = int(min(max(v, 1152), 1<<30)); return nil },
		live: func(f *file, c *conn.Conn, v int64) error { return c.SetReadBuffer(int(min(max(v, 1152), 1<<30))) },
		get:  func(f *file) (int64, error) { return f.buffer(f.conf.ReceiveBuffer), nil }},
	key("SOL_SOCKET", "SO_ERROR"): {
		get: func(f *file) (int64, error) { return errnoValue[errnoName(f.pendingError())], nil }},
	key("SOL_SOCKET", "SO_TYPE"):       {get: func(*file) (int64, error) { return 1, nil }},
	key("SOL_SOCKET", "SO_PROTOCOL"):   {get: func(*file) (int64, error) { return 6, nil }},
	key("SOL_SOCKET", "SO_ACCEPTCONN"): {get: func(f *file) (int64, error) { return bit(f.l != nil), nil }},
	key("SOL_SOCKET", "SO_DOMAIN"): {get: func(f *file) (int64, error) {
		if f.ipv6 {
			return 10, nil
		}
		return 2, nil
	}},
	key("SOL_SOCKET", "SO_REUSEADDR"):       {none: true, bool: true},
	key("SOL_SOCKET", "SO_REUSEPORT"):       {none: true, bool: true},
	key("SOL_SOCKET", "SO_NOSIGPIPE"):       {none: true, bool: true},
	key("SOL_SOCKET", "SO_DEBUG"):           {none: true, bool: true},
	key("SOL_SOCKET", "SO_MARK"):            {none: true},
	key("SOL_SOCKET", "SO_PRIORITY"):        {none: true},
	key("SOL_SOCKET", "SO_OOBINLINE"):       {none: true, bool: true},
	key("SOL_SOCKET", "SO_RCVLOWAT"):        {none: true, def: 1},
	key("SOL_SOCKET", "SO_SNDLOWAT"):        {none: true, def: 1},
	key("SOL_SOCKET", "SO_TIMESTAMPING"):    {lacks: "SO_TIMESTAMPING", harmless: []int64{0}},
	key("SOL_SOCKET", "SO_TIMESTAMP"):       {lacks: "SO_TIMESTAMP", harmless: []int64{0}, bool: true},
	key("SOL_SOCKET", "SO_TIMESTAMPNS"):     {lacks: "SO_TIMESTAMPNS", harmless: []int64{0}, bool: true},
	key("SOL_SOCKET", "SO_BROADCAST"):       {none: true, bool: true},
	key("SOL_SOCKET", "SO_DONTROUTE"):       {none: true, bool: true},
	key("SOL_SOCKET", "SO_INCOMING_CPU"):    {none: true},
	key("SOL_SOCKET", "SO_RCVBUFFORCE"):     {none: true},
	key("SOL_SOCKET", "SO_ZEROCOPY"):        {lacks: "SO_ZEROCOPY", harmless: []int64{0}},
	key("SOL_SOCKET", "SO_TXREHASH"):        {none: true},
	key("SOL_SOCKET", "SO_BUSY_POLL"):       {none: true},
	key("SOL_SOCKET", "SO_SNDBUFFORCE"):     {none: true},
	key("SOL_SOCKET", "SO_MAX_PACING_RATE"): {lacks: "SO_MAX_PACING_RATE", harmless: []int64{-1, 0, 0xffffffff}},

	key("SOL_IP", "IP_TOS"):                  {conf: setTOS, live: liveTOS},
	key("SOL_IPV6", "IPV6_TCLASS"):           {conf: setTOS, live: liveTOS},
	key("SOL_IP", "IP_TTL"):                  {conf: setTTL, live: liveTTL, def: 64},
	key("SOL_IPV6", "IPV6_UNICAST_HOPS"):     {conf: setTTL, live: liveTTL, def: 64},
	key("SOL_IP", "IP_MTU_DISCOVER"):         {lacks: "IP_MTU_DISCOVER", harmless: []int64{1, 2}, def: 1},
	key("SOL_IPV6", "IPV6_MTU_DISCOVER"):     {lacks: "IPV6_MTU_DISCOVER", harmless: []int64{1, 2}, def: 1},
	key("SOL_IP", "IP_RECVERR"):              {lacks: "IP_RECVERR", harmless: []int64{0}, bool: true},
	key("SOL_IPV6", "IPV6_RECVERR"):          {lacks: "IPV6_RECVERR", harmless: []int64{0}, bool: true},
	key("SOL_IPV6", "IPV6_V6ONLY"):           {none: true, bool: true},
	key("SOL_IP", "IP_FREEBIND"):             {none: true, bool: true},
	key("SOL_IP", "IP_BIND_ADDRESS_NO_PORT"): {none: true, bool: true},
	key("SOL_IPV6", "IPV6_FLOWINFO_SEND"):    {none: true, bool: true},
	key("SOL_IPV6", "IPV6_AUTOFLOWLABEL"):    {none: true, bool: true},
	key("SOL_IPV6", "IPV6_MTU"):              {get: pathMTU},
	key("SOL_IP", "IP_RECVTOS"):              {none: true, bool: true},
	key("SOL_IP", "IP_RECVTTL"):              {none: true, bool: true},
	key("SOL_IP", "IP_MINTTL"):               {lacks: "IP_MINTTL", harmless: []int64{0}},
	key("SOL_IP", "IP_MTU"):                  {get: pathMTU},
}

// pathMTU is what the path takes.
func pathMTU(f *file) (int64, error) {
	f.r.w.mu.Lock()
	defer f.r.w.mu.Unlock()
	return int64(f.r.w.mtu), nil
}

// delayed is FreeBSD's TCP_DELACK: whether acknowledgments wait at all.
func delayed(v int64) time.Duration {
	if v == 0 {
		return -1
	}
	return 0
}

// bound is a number of bytes for a Config; nothing and more than a Config takes mean
// no bound.
func bound(v int64) int {
	if v < 0 || v > 1<<30 {
		return 0
	}
	return int(v)
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// buffer is a buffer's size as the system that the script is for would tell it: Linux
// doubles what was set.
func (f *file) buffer(n int) int64 {
	if f.r.conf.freebsd {
		return int64(n)
	}
	return 2 * int64(n)
}

// setTOS leaves the ECN bits, which belong to the stack.
func setTOS(c *transport.Config, v int64) error {
	if v < 0 || v > 255 {
		return syscall.EINVAL
	}
	c.TrafficClass = uint8(v) &^ 3
	return nil
}

func liveTOS(f *file, c *conn.Conn, v int64) error { return c.SetTrafficClass(uint8(v) &^ 3) }

func setTTL(c *transport.Config, v int64) error {
	if v < 1 || v > 255 {
		return syscall.EINVAL
	}
	c.HopLimit = int(v)
	return nil
}

// sockoptKey finds an option; FreeBSD says IPPROTO_TCP where Linux has SOL_TCP, whose
// numbers are the same.
func sockoptKey(c *Call) (k [2]int64, name string, err error) {
	if k[0], err = c.num(1); err != nil {
		return k, "", err
	}
	if k[1], err = c.num(2); err != nil {
		return k, "", err
	}
	return k, describe(c.arg(2)), nil
}

var keepOptions = map[[2]int64]bool{
	key("SOL_SOCKET", "SO_KEEPALIVE"): true, key("SOL_TCP", "TCP_KEEPIDLE"): true,
	key("SOL_TCP", "TCP_KEEPINTVL"): true, key("SOL_TCP", "TCP_KEEPCNT"): true,
}

func callSetsockopt(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	k, name, err := sockoptKey(c)
	if err != nil {
		return nil, err
	}
	switch {
	case k == key("SOL_TCP", "TCP_CONGESTION"):
		return f.setCongestion(c.arg(3))
	case k == key("SOL_SOCKET", "SO_LINGER"):
		return f.setLinger(c.arg(3))
	case k == key("SOL_SOCKET", "SO_RCVTIMEO"):
		return timeval(c.arg(3), &f.rcvTimeout)
	case k == key("SOL_SOCKET", "SO_SNDTIMEO"):
		return timeval(c.arg(3), &f.sndTimeout)
	case k == key("SOL_TCP", "TCP_FUNCTION_BLK"):
		return f.setFunctionBlock(c.arg(3))
	}
	if isAny(c.arg(3)) {
		return nil, unsupported("%s without a value", name)
	}
	if n, ok := c.arg(4).(Number); ok && n.Value >= 0 && n.Value < 4 {
		return bad(syscall.EINVAL) // no int
	}
	v, err := eval(c.arg(3))
	if err != nil {
		return nil, err
	}
	if keepOptions[k] {
		return f.setKeepAlive(k, v)
	}
	if k == key("SOL_TCP", "TCP_KEEPINIT") {
		f.connTimeout = time.Duration(min(max(v, 0), 1<<20)) * time.Second
	}
	if k == key("SOL_TCP", "TCP_REMOTE_UDP_ENCAPS_PORT") {
		r.conf.udpPeer = uint16(v)
	}
	o, ok := sockopts[k]
	switch {
	case !ok:
		return nil, unsupported("the option %s", name)
	case o.lacks != "" && !slices.Contains(o.harmless, v):
		return nil, unsupported("%s", o.lacks)
	case o.none || o.lacks != "":
		if k == key("SOL_SOCKET", "SO_RCVLOWAT") {
			f.rcvLowAt = int(min(max(v, 0), maxIO))
		}
	case k == key("SOL_SOCKET", "SO_RCVBUF") && f.c == nil && f.dial == nil:
		err = o.conf(&f.conf, v)
		if r.conf.linux { // which scales for no more than it was given
			f.conf.WindowScale = shiftFor(f.conf.ReceiveBuffer)
		}
	case f.c == nil && f.dial != nil && o.live != nil:
		if o.conf != nil {
			err = o.conf(&f.conf, v)
		}
		f.late = append(f.late, func(x *conn.Conn) error { return o.live(f, x, v) })
	case f.c != nil && o.live == nil:
		return nil, unsupported("%s on an open connection", name)
	case f.c != nil:
		err = o.live(f, f.c, v)
		if o.conf != nil && err == nil {
			err = o.conf(&f.conf, v)
		}
	case o.conf == nil:
		return bad(syscall.ENOPROTOOPT)
	default:
		err = o.conf(&f.conf, v)
	}
	if err != nil {
		if errnoName(err) == "" {
			r.note("%s: %v", name, err)
			err = syscall.EINVAL // conn's own words for it
		}
		return bad(err)
	}
	f.options[k] = v
	return nil, nil
}

func callGetsockopt(r *runner, c *Call) (*op, error) {
	f, err := r.file(c, 0)
	if err != nil || f == nil {
		return bad(orBadFile(err))
	}
	k, name, err := sockoptKey(c)
	if err != nil {
		return nil, err
	}
	want := c.arg(3)
	switch k {
	case key("SOL_TCP", "TCP_INFO"):
		s, ok := want.(Struct)
		if !ok {
			return nil, nil
		}
		return now(outcome{check: func() error { return r.checkInfo(f, s) }})
	case key("SOL_TCP", "TCP_CONGESTION"):
		return now(outcome{check: func() error { return f.checkCongestion(want) }})
	case key("SOL_SOCKET", "SO_LINGER"), key("SOL_TCP", "TCP_FUNCTION_BLK"):
		return nil, nil
	}
	o, ok := sockopts[k]
	if !ok && !keepOptions[k] {
		return nil, unsupported("the option %s", name)
	}
	v, set := f.options[k]
	switch {
	case o.get != nil:
		if v, err = o.get(f); err != nil {
			return bad(err)
		}
	case !set && keepOptions[k]:
		v = map[int64]int64{9: bit(f.conf.KeepAlive), 4: 7200, 5: 75, 6: 9}[k[1]]
	case !set:
		v = o.def
	case o.bool:
		v = bit(v != 0)
	}
	return now(outcome{check: func() error {
		if isAny(want) {
			return nil
		}
		w, err := evalErrno(want)
		if err != nil {
			return err
		}
		if w != v {
			return fmt.Errorf("bad getsockopt %s: expected: %d actual: %d", name, w, v)
		}
		return nil
	}})
}

// evalErrno is eval that knows the names of errors, for SO_ERROR.
func evalErrno(x Expr) (int64, error) {
	y := x
	if a, ok := x.(Array); ok && len(a.Items) == 1 {
		y = a.Items[0]
	}
	if s, ok := y.(Symbol); ok {
		if v, ok := errnoValue[s.Name]; ok {
			return v, nil
		}
	}
	return eval(x)
}

func (f *file) checkCongestion(x Expr) error {
	if a, ok := x.(Array); ok && len(a.Items) == 1 {
		x = a.Items[0]
	}
	s, ok := x.(String)
	if !ok {
		return nil
	}
	have := f.cc
	if have == "" {
		have = f.conf.CongestionControl
	}
	if have == "" {
		have = "reno"
	}
	if want, err := ccName(s.Value); err != nil || s.Value != have && want != have {
		return errors.Join(err, fmt.Errorf("expected congestion control %s but it is %s", s.Value, have))
	}
	return nil
}

package packetdrill

import (
	"math/bits"
	"strconv"
	"strings"
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/transport"
)

// config is what the script's head, its sysctl commands and the habits of the system
// that it was written for make of the stack's defaults.
type config struct {
	linux, freebsd bool
	udp            bool
	udpPort        uint16
	udpPeer        uint16
	mtu            int
	link           int // --link_mtu
	// Linux's tcp_rmem, its maximum, and rmem_max; 0 if no command has set it.
	rmem, rmemMax int
	c             transport.Config
}

// A profile is the system whose habits a script expects.
type profile uint8

const (
	profileLinux profile = iota
	profileFreeBSD
	profileCulvert // the defaults of Config
)

// profiles are the values of --profile.
var profiles = map[string]profile{"linux": profileLinux, "freebsd": profileFreeBSD, "culvert": profileCulvert}

// init sets the defaults of the system that a script was written for.
func (c *config) init(sc *Script) error {
	p := dialect(sc)
	for _, o := range sc.Options {
		if o.Name == "profile" {
			var ok bool
			if p, ok = profiles[o.Value]; !ok {
				return &SyntaxError{o.Pos, "--profile: " + strconv.Quote(o.Value) + " is neither linux, freebsd nor culvert"}
			}
		}
	}
	c.freebsd = p == profileFreeBSD
	// A socket has the Nagle algorithm on, and Linux's buffers grow to some 4 MiB.
	c.c = transport.Config{CongestionControl: "reno", Nagle: true, SendBuffer: 4 << 20, ReceiveBuffer: 1 << 20}
	c.c.SYNRetries = 6
	switch p {
	case profileFreeBSD:
		c.c.SYNRetries, c.c.Retries2, c.c.KeepAliveCount = 12, 12, 8
		// 30 ms at least and 200 ms for the peer's delay: 230 ms.
		c.c.MinRTO, c.c.RTOMargin, c.c.MaxRTO = 30*time.Millisecond, 200*time.Millisecond, 64*time.Second
		c.c.NoTailLossProbe, c.c.StrictTimestamps = true, true
		c.c.ReceiveBuffer, c.c.WindowScale, c.c.ScaleFirst, c.c.ACKRule = 65536, 6, true, tcpcore.ACKSecond
	case profileLinux:
		c.linux = true
		c.c.RTOGranularity, c.c.MaxRTO = 200*time.Millisecond, 120*time.Second
		c.c.PushWrites, c.c.QuickACKs, c.c.ACKRule, c.c.RoundWindow = true, 16, tcpcore.ACKOverFull, true
		c.c.ReceiveBuffer, c.c.WindowScale = 65536, 8
	}
	return nil
}

// hints are words that only scripts for one of the systems use.
var hints = map[profile][]string{
	profileFreeBSD: {"net.inet.", "net.inet6.", "kern.", "kldload", "sockstat", "TCP_FUNCTION_BLK", "cc_"},
	profileLinux:   {"net.ipv4", "net/ipv4", "net.ipv6", "net/ipv6", "defaults.sh", "net.core", "net/core", "ip route", "ip tcp_metrics", "nstat"},
}

// dialect is the system that a script was written for, by the names that it uses and the
// order of the options in the SYN that it expects. Linux is what is left.
func dialect(sc *Script) profile {
	var n [2]int
	look := func(text string) {
		for p, words := range hints {
			for _, s := range words {
				if strings.Contains(text, s) {
					n[p] += 10
				}
			}
		}
	}
	for _, o := range sc.Options {
		if strings.HasPrefix(o.Name, "udp_encaps") {
			n[profileFreeBSD] += 10
		}
	}
	for _, e := range sc.Events {
		switch {
		case e.Command != nil:
			look(e.Command.Text)
		case e.Call != nil && len(e.Call.Args) > 2:
			if s, ok := e.Call.Args[1].(Symbol); ok && s.Name == "IPPROTO_TCP" {
				n[profileFreeBSD]++
			} else if ok && s.Name == "SOL_TCP" {
				n[profileLinux]++
			}
			if s, ok := e.Call.Args[2].(Symbol); ok {
				look(s.Name)
			}
		case e.Packet != nil && !e.Packet.Inbound && e.Packet.Flags&FlagSYN != 0 && len(e.Packet.Options) > 1:
			n[synOrder(e.Packet.Options)] += 2
		}
	}
	if n[profileFreeBSD] > n[profileLinux] {
		return profileFreeBSD
	}
	return profileLinux
}

// synOrder tells the systems apart by the options of their SYNs: FreeBSD's has the window
// scale in front of the rest, and pads the end.
func synOrder(list []TCPOption) profile {
	for i := range list {
		switch list[i].Kind {
		case OptWScale:
			return profileFreeBSD
		case OptSACKPerm, OptTS:
			for _, o := range list[i:] {
				if o.Kind == OptEOL {
					return profileFreeBSD
				}
			}
			return profileLinux
		}
	}
	return profileLinux
}

// peerUDPPort is the port of the peer's datagrams.
func (c *config) peerUDPPort() uint16 {
	if c.udpPeer != 0 {
		return c.udpPeer
	}
	return 9899
}

// A sysctl changes the defaults. It returns an error if the value makes no sense, or
// asks for what is not there.
type sysctl func(c *config, value string) error

func number(f func(c *config, n int) error) sysctl {
	return func(c *config, v string) error {
		n, err := strconv.ParseInt(strings.Trim(v, `"' `), 0, 64)
		if err != nil {
			return unsupported("a sysctl with the value %q", v)
		}
		return f(c, int(n))
	}
}

func set(f func(c *config, n int)) sysctl {
	return number(func(c *config, n int) error {
		f(c, n)
		return nil
	})
}

// lacks is a sysctl that switches on what culvert does not have; the values given are
// harmless.
func lacks(feature string, harmless ...int) sysctl {
	return number(func(_ *config, n int) error {
		for _, h := range harmless {
			if n == h {
				return nil
			}
		}
		return unsupported("%s", feature)
	})
}

// ms and s are the units of times.
func ms(f func(c *config) *time.Duration) sysctl {
	return set(func(c *config, n int) { *f(c) = max(time.Duration(n)*time.Millisecond, time.Millisecond) })
}

func secs(f func(c *config) *time.Duration) sysctl {
	return set(func(c *config, n int) { *f(c) = max(time.Duration(n)*time.Second, time.Millisecond) })
}

// sysctls are those that mean something here. Of all others the values are ignored.
var sysctls = map[string]sysctl{
	// Linux
	"net.ipv4.tcp_sack":             set(func(c *config, n int) { c.c.NoSACK = n == 0 }),
	"net.ipv4.tcp_timestamps":       set(func(c *config, n int) { c.c.NoTimestamps = n == 0 }),
	"net.ipv4.tcp_window_scaling":   set(func(c *config, n int) { c.c.NoWindowScale = n == 0 }),
	"net.ipv4.tcp_syn_retries":      set(func(c *config, n int) { c.c.SYNRetries = max(n, 1) }),
	"net.ipv4.tcp_synack_retries":   set(func(c *config, n int) { c.c.SYNRetries = max(n, 1) }),
	"net.ipv4.tcp_retries1":         set(func(c *config, n int) { c.c.Retries1 = max(n, 1) }),
	"net.ipv4.tcp_retries2":         set(func(c *config, n int) { c.c.Retries2 = max(n, 1); c.c.Retries1 = min(c.retries1(), c.c.Retries2) }),
	"net.ipv4.tcp_keepalive_time":   secs(func(c *config) *time.Duration { return &c.c.KeepAliveIdle }),
	"net.ipv4.tcp_keepalive_intvl":  secs(func(c *config) *time.Duration { return &c.c.KeepAliveInterval }),
	"net.ipv4.tcp_keepalive_probes": set(func(c *config, n int) { c.c.KeepAliveCount = max(n, 1) }),
	"net.ipv4.tcp_fin_timeout":      secs(func(c *config) *time.Duration { return &c.c.OrphanTimeout }),
	"net.ipv4.tcp_rto_min_us": set(func(c *config, n int) {
		c.minRTO(max(time.Duration(n)*time.Microsecond, time.Millisecond))
	}),
	"net.ipv4.tcp_rto_max_ms":         ms(func(c *config) *time.Duration { return &c.c.MaxRTO }),
	"net.ipv4.tcp_congestion_control": congestionControl,
	"net.ipv4.tcp_wmem":               memory(func(c *config, n int) { c.c.SendBuffer = n }, true),
	"net.ipv4.tcp_rmem":               receiveMemory,
	"net.core.rmem_max":               set(func(c *config, n int) { c.rmemMax = n; c.linuxScale(0) }),
	"net.ipv4.tcp_ecn":                set(func(c *config, n int) { c.c.ECN = n == 1 || n == 3 }),
	"net.ipv4.tcp_early_retrans":      set(func(c *config, n int) { c.c.NoTailLossProbe = n == 0 }),
	"net.ipv4.tcp_notsent_lowat":      set(func(c *config, n int) { c.c.NotSentLowWater = bound(int64(n)) }),
	"net.ipv4.tcp_mtu_probing":        lacks("path MTU probing", 0, 1),

	// FreeBSD
	"net.inet.tcp.delayed_ack": set(func(c *config, n int) {
		if n == 0 {
			c.c.DelayedACK = -1
		} else if c.c.DelayedACK < 0 {
			c.c.DelayedACK = 0
		}
	}),
	"net.inet.tcp.delacktime":        ms(func(c *config) *time.Duration { return &c.c.DelayedACK }),
	"net.inet.tcp.rexmit_min":        ms(func(c *config) *time.Duration { return &c.c.MinRTO }),
	"net.inet.tcp.rexmit_initial":    ms(func(c *config) *time.Duration { return &c.c.InitialRTO }),
	"net.inet.tcp.msl":               ms(func(c *config) *time.Duration { return &c.c.MSL }),
	"net.inet.tcp.keepidle":          ms(func(c *config) *time.Duration { return &c.c.KeepAliveIdle }),
	"net.inet.tcp.keepintvl":         ms(func(c *config) *time.Duration { return &c.c.KeepAliveInterval }),
	"net.inet.tcp.keepcnt":           set(func(c *config, n int) { c.c.KeepAliveCount = max(n, 1) }),
	"net.inet.tcp.always_keepalive":  set(func(c *config, n int) { c.c.KeepAlive = n != 0 }),
	"net.inet.tcp.finwait2_timeout":  ms(func(c *config) *time.Duration { return &c.c.OrphanTimeout }),
	"net.inet.tcp.initcwnd_segments": set(func(c *config, n int) { c.c.InitialWindow = max(n, 1) }),
	"net.inet.tcp.sack.enable":       set(func(c *config, n int) { c.c.NoSACK = n == 0 }),
	"net.inet.tcp.rfc1323": set(func(c *config, n int) {
		c.c.NoWindowScale, c.c.NoTimestamps = n != 1 && n != 2, n != 1 && n != 3
	}),
	"kern.ipc.maxsockbuf": set(func(c *config, n int) {
		// As wide as the largest buffer needs.
		for c.c.WindowScale = 0; c.c.WindowScale < 14 && 0xffff<<c.c.WindowScale < n; {
			c.c.WindowScale++
		}
		if c.c.WindowScale == 0 {
			c.c.WindowScale = -1
		}
	}),
	"net.inet.tcp.recvspace":    set(func(c *config, n int) { c.c.ReceiveBuffer = max(n, 1) }),
	"net.inet.tcp.sendspace":    set(func(c *config, n int) { c.c.SendBuffer = max(n, 1) }),
	"net.inet.tcp.cc.algorithm": congestionControl,
	"net.inet.tcp.ecn.enable":   set(func(c *config, n int) { c.c.ECN = n == 1 }),
	"net.inet.tcp.udp_tunneling_port": set(func(c *config, n int) {
		if c.udp = n > 0; c.udp {
			c.udpPort = uint16(n)
		}
	}),
	"net.inet.tcp.tolerate_missing_ts": set(func(c *config, n int) { c.c.StrictTimestamps = n == 0 }),
	"net.inet.tcp.rexmit_slop":         set(func(c *config, n int) { c.c.RTOMargin = time.Duration(n) * time.Millisecond }),
	"net.inet.tcp.blackhole":           lacks("a black hole for segments without a connection", 0),
}

// minRTO sets Linux's: what the timeout exceeds SRTT by, too.
func (c *config) minRTO(d time.Duration) {
	c.c.MinRTO = d
	if c.c.RTOGranularity > 0 {
		c.c.RTOGranularity = d
	}
}

func (c *config) retries1() int {
	if c.c.Retries1 == 0 {
		return 3
	}
	return c.c.Retries1
}

// memory takes "min default max", or one number. A send buffer grows up to its maximum.
func memory(f func(c *config, n int), grows bool) sysctl {
	return func(c *config, v string) error {
		words := strings.Fields(strings.Trim(v, `"' `))
		i := min(1, len(words)-1)
		if grows {
			i = len(words) - 1
		}
		if i < 0 {
			return unsupported("a sysctl without a value")
		}
		n, err := strconv.Atoi(words[i])
		if err != nil || n <= 0 {
			return unsupported("a sysctl with the value %q", v)
		}
		f(c, min(n, 1<<30))
		return nil
	}
}

// receiveMemory is tcp_rmem: Linux keeps half of the default for its own use, and scales
// windows for the maximum.
func receiveMemory(c *config, v string) error {
	err := memory(func(c *config, n int) {
		if c.linux {
			n = max(n/2, 1)
		}
		c.c.ReceiveBuffer = n
	}, false)(c, v)
	if err == nil && c.linux {
		err = memory(func(c *config, n int) { c.linuxScale(n) }, true)(c, v)
	}
	return err
}

// linuxScale sets the shift of windows that Linux takes for what the buffer may become.
func (c *config) linuxScale(rmem int) {
	if !c.linux {
		return
	}
	if rmem > 0 {
		c.rmem = rmem
	}
	c.c.WindowScale = shiftFor(max(c.rmem, c.rmemMax, 65535))
}

// shiftFor is the WindowScale for a buffer: the least shift with which the highest bit of its
// size is within the 16 bits, and -1 for none.
func shiftFor(n int) int {
	shift := min(max(bits.Len(uint(n))-16, 0), 14)
	if shift == 0 {
		return -1
	}
	return shift
}

// ccNames are the names of congestion controls in either system.
var ccNames = map[string]string{"newreno": "reno", "freebsd": "reno"}

func congestionControl(c *config, v string) error {
	name, err := ccName(strings.Trim(v, `"' `))
	if err == nil {
		c.c.CongestionControl = name
	}
	return err
}

// ccName is the name that a congestion control has here.
func ccName(v string) (string, error) {
	if n, ok := ccNames[v]; ok {
		v = n
	}
	for _, n := range congestion.Names() {
		if n == v {
			return v, nil
		}
	}
	return "", unsupported("congestion control %s", v)
}

// setSysctl takes name=value. Slashes are as good as dots.
func (r *runner) setSysctl(name, value string) error {
	name = strings.ReplaceAll(strings.TrimPrefix(name, "/proc/sys/"), "/", ".")
	if f, ok := sysctls[name]; ok {
		return f(&r.conf, value)
	}
	r.note("sysctl %s ignored", name)
	return nil
}

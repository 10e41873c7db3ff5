package packetdrill

import (
	"strconv"
	"strings"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

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

// sysctls are those that mean something here, and those that ask for what is lacking. Of all
// others the values are ignored, and -v says so.
var sysctls = map[string]sysctl{
	// Linux
	"net.ipv4.tcp_sack":                set(func(c *config, n int) { c.c.NoSACK = n == 0 }),
	"net.ipv4.tcp_timestamps":          set(func(c *config, n int) { c.c.NoTimestamps = n == 0 }),
	"net.ipv4.tcp_window_scaling":      set(func(c *config, n int) { c.c.NoWindowScale = n == 0 }),
	"net.ipv4.tcp_syn_retries":         set(func(c *config, n int) { c.c.SYNRetries = count(n) }),
	"net.ipv4.tcp_synack_retries":      set(func(c *config, n int) { c.c.SYNACKRetries = count(n) }),
	"net.ipv4.tcp_syn_linear_timeouts": set(func(c *config, n int) { c.c.SYNLinear = max(n, 0) }),
	"net.ipv4.tcp_recovery":            set(func(c *config, n int) { c.c.NoRACK = n&1 == 0 }),
	"net.ipv4.tcp_frto":                set(func(c *config, n int) { c.c.NoFRTO = n == 0 }),
	"net.ipv4.tcp_retries1":            set(func(c *config, n int) { c.c.Retries1 = count(n) }),
	"net.ipv4.tcp_retries2":            set(func(c *config, n int) { c.c.Retries2 = count(n) }),
	"net.ipv4.tcp_keepalive_time":      secs(func(c *config) *time.Duration { return &c.c.KeepAliveIdle }),
	"net.ipv4.tcp_keepalive_intvl":     secs(func(c *config) *time.Duration { return &c.c.KeepAliveInterval }),
	"net.ipv4.tcp_keepalive_probes":    set(func(c *config, n int) { c.c.KeepAliveCount = max(n, 1) }),
	"net.ipv4.tcp_fin_timeout":         secs(func(c *config) *time.Duration { return &c.c.OrphanTimeout }),
	"net.ipv4.tcp_rto_min_us": set(func(c *config, n int) {
		c.minRTO(max(time.Duration(n)*time.Microsecond, time.Millisecond))
	}),
	"net.ipv4.tcp_rto_max_ms":         ms(func(c *config) *time.Duration { return &c.c.MaxRTO }),
	"net.ipv4.tcp_congestion_control": congestionControl,
	"net.ipv4.tcp_wmem":               memory(func(c *config, n int) { c.c.SendBuffer = n }, true),
	"net.ipv4.tcp_rmem":               receiveMemory,
	"net.core.rmem_max":               set(func(c *config, n int) { c.rmemMax = n; c.linuxScale(0) }),
	"net.ipv4.tcp_ecn": number(func(c *config, n int) error {
		if n < 0 || n > 2 {
			return unsupported("AccECN")
		}
		c.c.ECN, c.c.NoECN = n == 1, n == 0
		return nil
	}),
	"net.ipv4.tcp_early_retrans": set(func(c *config, n int) { c.c.NoTailLossProbe = n == 0 }),
	"net.ipv4.tcp_notsent_lowat": set(func(c *config, n int) { c.c.NotSentLowWater = bound(int64(n)) }),
	"net.ipv4.tcp_mtu_probing":   lacks("path MTU probing by Linux's policy", 0, 1),
	"net.ipv4.tcp_slow_start_after_idle": set(func(c *config, n int) {
		c.c.AfterIdle = congestion.RestartAfterIdle
		if n == 0 {
			c.c.AfterIdle = congestion.KeepAfterIdle
		}
	}),
	"net.ipv4.tcp_delack_max_us":     set(func(c *config, n int) { c.c.DelayedACK = max(time.Duration(n)*time.Microsecond, time.Millisecond) }),
	"net.ipv4.ip_default_ttl":        set(func(c *config, n int) { c.c.HopLimit = min(max(n, 1), 255) }),
	"net.ipv6.conf.all.hop_limit":    set(func(c *config, n int) { c.c.HopLimit = min(max(n, 1), 255) }),
	"net.ipv4.tcp_abort_on_overflow": lacks("resets of connections for which the backlog has no room", 0),
	"net.ipv4.tcp_reflect_tos":       lacks("the peer's TOS in answers (tcp_reflect_tos)", 0),
	"net.ipv4.tcp_stdurg":            lacks("the urgent pointer of RFC 793 (tcp_stdurg)", 0),
	"net.ipv4.tcp_plb_enabled":       lacks("PLB", 0),
	"net.ipv4.tcp_shrink_window":     lacks("windows that shrink", 0),
	"net.ipv4.tcp_migrate_req":       lacks("tcp_migrate_req", 0),

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
	"net.inet.tcp.ecn.enable": number(func(c *config, n int) error {
		if n < 0 || n > 2 {
			return unsupported("AccECN")
		}
		c.c.ECN, c.c.NoECN = n == 1, n == 0
		return nil
	}),
	"net.inet.tcp.udp_tunneling_port": set(func(c *config, n int) {
		if c.udp = n > 0; c.udp {
			c.udpPort = uint16(n)
		}
	}),
	"net.inet.tcp.tolerate_missing_ts":       set(func(c *config, n int) { c.c.StrictTimestamps = n == 0 }),
	"net.inet.tcp.rexmit_slop":               set(func(c *config, n int) { c.c.RTOMargin = time.Duration(n) * time.Millisecond }),
	"net.inet.tcp.syncache.rexmtlimit":       set(func(c *config, n int) { c.c.SYNACKRetries = count(n) }),
	"net.inet.tcp.keepinit":                  ms(func(c *config) *time.Duration { return &c.connectTimeout }),
	"net.inet.tcp.maxunacktime":              secs(func(c *config) *time.Duration { return &c.c.UserTimeout }),
	"net.inet.tcp.functions_default":         functionBlock,
	"net.inet.ip.ttl":                        set(func(c *config, n int) { c.c.HopLimit = min(max(n, 1), 255) }),
	"net.inet6.ip6.hlim":                     set(func(c *config, n int) { c.c.HopLimit = min(max(n, 1), 255) }),
	"net.inet.tcp.rfc3042":                   lacks("limited transmit switched off", 1),
	"net.inet.tcp.insecure_rst":              lacks("resets of RFC 793 instead of RFC 5961", 0),
	"net.inet.tcp.insecure_syn":              lacks("SYN of RFC 793 instead of RFC 5961", 0),
	"net.inet.tcp.insecure_ack":              lacks("acknowledgments of RFC 793 instead of RFC 5961", 0),
	"net.inet.tcp.drop_synfin":               lacks("SYN with FIN dropped", 0),
	"net.inet.tcp.pmtud_blackhole_detection": lacks("detection of black holes by FreeBSD's policy", 0),
	"net.inet.tcp.newcwv":                    lacks("new congestion window validation", 0),
	"net.inet.tcp.fast_finwait2_recycle":     lacks("FIN-WAIT-2 in a hurry", 0),
	"net.inet.tcp.blackhole":                 lacks("a black hole for segments without a connection", 0),
}

// functionBlock is FreeBSD's choice of a TCP stack.
func functionBlock(c *config, name string) error {
	switch strings.Trim(name, `"' `) {
	case "freebsd", "default":
		c.c.NoTailLossProbe, c.c.NoRACK = true, true
	case "rack":
		c.c.NoTailLossProbe, c.c.NoRACK = false, false
	default:
		return unsupported("the TCP stack %s", name)
	}
	return nil
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

package packetdrill

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/transport"
)

// TestProfiles: what a script says tells the system that it was written for.
func TestProfiles(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       profile
	}{
		{"nothing", "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", profileLinux},
		{"a sysctl of FreeBSD", "0 `sysctl -n net.inet.tcp.rfc1323=1`", profileFreeBSD},
		{"a module", "0 `kldload -n cc_newreno`", profileFreeBSD},
		{"a function block", "0 setsockopt(3, IPPROTO_TCP, TCP_FUNCTION_BLK, {a=1}, 36) = 0", profileFreeBSD},
		{"Linux's defaults", "`../common/defaults.sh`", profileLinux},
		{"the level of an option", "0 setsockopt(3, IPPROTO_TCP, TCP_NODELAY, [1], 4) = 0", profileFreeBSD},
		{"SYN with the scale first", "+0 > S 0:0(0) <mss 1460,nop,wscale 6,sackOK,TS val 100 ecr 0>", profileFreeBSD},
		{"SYN with padding behind", "+0 > S 0:0(0) <mss 1460,sackOK,eol,eol>", profileFreeBSD},
		{"SYN with SACK first", "+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>", profileLinux},
		{"the peer's SYN", "+0 < S 0:0(0) <mss 1460,nop,wscale 6,sackOK,TS val 100 ecr 0>", profileLinux},
		{"SYN of FreeBSD with sysctl of Linux", "`sysctl -q net.ipv4.tcp_sack=1`\n+0 > S 0:0(0) <mss 1460,nop,wscale 6>", profileLinux},
	} {
		sc, err := Parse("x.pkt", tt.text)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := dialect(sc); got != tt.want {
			t.Errorf("%s: profile %d, want %d", tt.name, got, tt.want)
		}
	}
	for _, tt := range []struct {
		value string
		want  bool
	}{{"linux", true}, {"freebsd", true}, {"culvert", true}, {"minix", false}, {"", false}} {
		sc, err := Parse("x.pkt", "--profile="+tt.value+"\n")
		if err != nil {
			t.Fatal(err)
		}
		var c config
		if err := c.init(sc); (err == nil) != tt.want {
			t.Errorf("--profile=%s: %v", tt.value, err)
		}
	}
}

// TestSysctls: what the names of either system do to a Config.
func TestSysctls(t *testing.T) {
	ms := time.Millisecond
	for _, tt := range []struct {
		command string
		want    func(c *transport.Config) bool
	}{
		{"sysctl -q net.ipv4.tcp_slow_start_after_idle=0", func(c *transport.Config) bool { return c.AfterIdle == congestion.KeepAfterIdle }},
		{"sysctl -w net.ipv4.ip_default_ttl=17 net.ipv4.tcp_sack=0", func(c *transport.Config) bool { return c.HopLimit == 17 && c.NoSACK }},
		{"sysctl -q net.ipv4.tcp_rmem='4096 20000 70000'", func(c *transport.Config) bool { return c.ReceiveBuffer == 10000 && c.WindowScale == 1 }},
		{"sysctl -q net.ipv4.tcp_rmem='4096 20000 30000'", func(c *transport.Config) bool { return c.WindowScale == -1 }},
		{"sysctl -q net.core.rmem_max=4194304", func(c *transport.Config) bool { return c.WindowScale == 7 }},
		{"echo 300000 > /proc/sys/net/ipv4/tcp_rto_min_us", func(c *transport.Config) bool { return c.MinRTO == 300*ms && c.RTOGranularity == 300*ms }},
		{"ip route change 192.0.2.0/24 dev tun0 rto_min 50ms initcwnd 3", func(c *transport.Config) bool {
			return c.MinRTO == 50*ms && c.RTOGranularity == 50*ms && c.InitialWindow == 3
		}},
		{"ip route replace default via 1.2.3.4 rto_min 1s advmss 1000 window 20000 hoplimit 9", func(c *transport.Config) bool {
			return c.MinRTO == time.Second && c.MSS == 1000 && c.WindowClamp == 20000 && c.HopLimit == 9
		}},
		{"ip route change dev tun0 features ecn quickack 1 congctl cubic initrwnd 100", func(c *transport.Config) bool {
			return c.ECN && c.DelayedACK < 0 && c.CongestionControl == "cubic" && c.WindowClamp == 146000 && c.ReceiveBuffer == 146000
		}},
		{"sysctl -q net.ipv4.tcp_synack_retries=0 net.ipv4.tcp_syn_linear_timeouts=4", func(c *transport.Config) bool { return c.SYNACKRetries == -1 && c.SYNRetries == 6 && c.SYNLinear == 4 }},
		{"sysctl -q net.ipv4.tcp_ecn=0", func(c *transport.Config) bool { return c.NoECN && !c.ECN }},
		{"sysctl -q net.ipv4.tcp_ecn=2; sysctl -q net.ipv4.tcp_frto=0", func(c *transport.Config) bool { return !c.NoECN && !c.ECN && c.NoFRTO }},
		{"sysctl net.inet.tcp.syncache.rexmtlimit=2", func(c *transport.Config) bool { return c.SYNACKRetries == 2 && c.SYNRetries == 12 }},
		{"ip tcp_metrics flush all; nstat -n > /dev/null", func(c *transport.Config) bool { return true }},
		{"sysctl net.inet.tcp.rexmit_slop=0 net.inet.tcp.rexmit_min=100", func(c *transport.Config) bool { return c.RTOMargin == 0 && c.MinRTO == 100*ms }},
		{"sysctl net.inet.tcp.functions_default=rack", func(c *transport.Config) bool { return !c.NoTailLossProbe }},
		{"sysctl net.inet.tcp.tolerate_missing_ts=1", func(c *transport.Config) bool { return !c.StrictTimestamps }},
		{"sysctl kern.ipc.maxsockbuf=8388608", func(c *transport.Config) bool { return c.WindowScale == 8 }},
		{"sysctl kern.ipc.maxsockbuf=60000", func(c *transport.Config) bool { return c.WindowScale == -1 }},
		{"sysctl net.inet.tcp.rfc1323=0; sysctl net.inet.tcp.delacktime=100", func(c *transport.Config) bool {
			return c.NoWindowScale && c.NoTimestamps && c.DelayedACK == 100*ms
		}},
	} {
		sc, err := Parse("x.pkt", "`"+tt.command+"`")
		if err != nil {
			t.Fatal(err)
		}
		r, err := newRunner(sc, Settings{})
		if err == nil {
			err = r.command(tt.command)
		}
		if err != nil || !tt.want(&r.conf.c) {
			t.Errorf("%s: %v, %+v", tt.command, err, r.conf.c)
		}
	}
	for command, feature := range map[string]string{
		"sysctl -q net.ipv4.tcp_reflect_tos=1":      "tcp_reflect_tos",
		"sysctl net.inet.tcp.insecure_rst=1":        "RFC 5961",
		"sysctl net.inet.tcp.functions_default=bbr": "the TCP stack bbr",
		"ip route change dev tun0 ssthresh 3":       "ip route ssthresh",
		"ip route change dev tun0 features foo":     "ip route features foo",
		"tc qdisc add dev tun0 root netem delay 5":  "netem",
		"iperf -c 1.2.3.4":                          "iperf",
	} {
		play(t, "`"+command+"`\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n", Settings{}, Unsupported, feature)
	}
}

// TestConnectTimeout: FreeBSD gives up a connect after 75 s, or what the script says.
func TestConnectTimeout(t *testing.T) {
	play(t, `--profile=freebsd
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0...75 connect(3, ..., ...) = -1 ETIMEDOUT (Operation timed out)
+80 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4
+0 setsockopt(4, IPPROTO_TCP, TCP_KEEPINIT, [3], 4) = 0
+0...3 connect(4, ..., ...) = -1 ETIMEDOUT (Operation timed out)
`, Settings{}, Pass, "")
}

//go:build interop && linux

package interop

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// A transfer is one connection, between the program peer on our TCP and the same on the
// kernel's.
type transfer struct {
	name string
	// dialler is whose TCP opens the connection; empty runs the case both ways.
	dialler string
	// size goes each way, in octets.
	size int
	// limit is how long it may take. Default a minute.
	limit time.Duration
	// flags of peer, for our side and the kernel's, and for both.
	ours, kernel, both []string
	// sysctls of the kernel's namespace.
	sysctls []string
	// rules of nftables that the middle follows, before it tracks connections. Segments
	// are then as long as on a wire.
	rules []string
	// prepare, if set, changes the laboratory before the transfer.
	prepare func(l *lab)
	// want is what our side's account has, a regular expression. Default all options.
	want string
	// check, if set, looks at the laboratory after the transfer.
	check func(t *testing.T, l *lab)
}

func (c *transfer) run(t *testing.T, dialler string) {
	l := newLab(t)
	l.sysctl(l.kernel, c.sysctls...)
	if len(c.rules) > 0 {
		l.onTheWire()
	}
	for _, r := range c.rules {
		l.rule(r)
	}
	if c.prepare != nil {
		c.prepare(l)
	}
	server, client := c.begin(l, dialler, "7000")
	want := c.want
	if want == "" {
		want = "with SACK, timestamps, window scale;"
	}
	out := client.well() + server.well()
	if t.Log(out); !regexp.MustCompile(want).MatchString(out) {
		t.Errorf("our side does not say %q", want)
	}
	l.ended()
	if c.check != nil {
		c.check(t, l)
	}
}

// begin starts both ends in a laboratory that is as the case wants it.
func (c *transfer) begin(l *lab, dialler, port string) (server, client *process) {
	l.t.Helper()
	limit := c.limit
	if limit == 0 {
		limit = time.Minute
	}
	peer := func(side, way, at string) *process {
		ns, flags := l.ours, c.ours
		if side == "kernel" {
			ns, flags = l.kernel, c.kernel
		}
		n := strconv.Itoa(c.size)
		args := []string{peerProgram, "transfer", "-tcp", side, way, at, "-send", n, "-expect", n, "-timeout", limit.String()}
		return l.start(limit+5*time.Second, ns, append(append(args, c.both...), flags...)...)
	}
	listener, ip := "ours", oursIP
	if dialler == "ours" {
		listener, ip = "kernel", kernelIP
	}
	server = peer(listener, "-listen", ":"+port)
	server.saying("listening")
	return server, peer(dialler, "-dial", ip+":"+port)
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	for _, c := range transfers {
		for _, dialler := range []string{"ours", "kernel"} {
			if c.dialler == "" || c.dialler == dialler {
				t.Run(c.name+"/"+dialler+" dials", func(t *testing.T) {
					t.Parallel()
					c.run(t, dialler)
				})
			}
		}
	}
}

const mega = 1000000

// Losses of both directions, segments and acknowledgments alike.
const (
	loss1 = "meta l4proto tcp numgen random mod 100 < 1 drop"
	loss5 = "meta l4proto tcp numgen random mod 100 < 5 drop"
)

// reorder has one segment in fifty take a slower queue, where the others overtake it.
func (l *lab) reorder() {
	l.t.Helper()
	for _, link := range []string{"mo", "mk"} {
		for _, args := range []string{
			"qdisc add dev " + link + " root handle 1: htb default 1",
			"class add dev " + link + " parent 1: classid 1:1 htb rate 10gbit quantum 60000",
			"class add dev " + link + " parent 1: classid 1:2 htb rate 40mbit burst 1600 quantum 1600",
		} {
			l.run(l.middle, append([]string{"tc"}, strings.Fields(args)...)...)
		}
	}
	l.nft("add rule ip lab forward numgen random mod 50 < 1 meta priority set 0x10002")
}

// TestControllers: each congestion control of ours with each of the kernel's, all at the
// same time, without and with loss, and with reordering. Whoever loses segments waits for
// timers most of the time.
func TestControllers(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []struct {
		name    string
		prepare func(l *lab)
	}{
		{"no loss", func(l *lab) {}},
		{"1 % loss", func(l *lab) { l.onTheWire(); l.rule(loss1) }},
		{"5 % loss", func(l *lab) { l.onTheWire(); l.rule(loss5) }},
		{"reordering", func(l *lab) { l.onTheWire(); l.reorder() }},
	} {
		t.Run(path.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			path.prepare(l)
			var ends []*process
			dialler := map[bool]string{true: "ours", false: "kernel"}
			for i, kernel := range strings.Fields(string(b)) {
				for j, ours := range congestion.Names() {
					c := transfer{size: 100 * mega, limit: 4 * time.Minute, ours: []string{"-cc", ours}, kernel: []string{"-cc", kernel}}
					server, client := c.begin(l, dialler[(i+j)%2 == 0], strconv.Itoa(7000+len(ends)))
					client.note = "ours " + ours + ", the kernel's " + kernel
					ends = append(ends, server, client)
				}
			}
			for _, p := range ends {
				if out := p.well(); p.note != "" {
					t.Log(p.note, out)
				}
			}
			l.ended()
		})
	}
}

// TestECN: both ends agree on it, the middle marks, and each end tells the other and
// hears that it did.
func TestECN(t *testing.T) {
	t.Parallel()
	count := func(name, rule string) string {
		return "add counter ip lab " + name + "; add rule ip lab forward " + rule + " counter name " + name + "; "
	}
	c := transfer{
		size: 20 * mega, want: ", ECN;", ours: []string{"-ecn"}, both: []string{"-cc", "cubic"}, sysctls: []string{"net.ipv4.tcp_ecn=1"},
		rules: []string{"counter"},
		prepare: func(l *lab) {
			l.nft("add chain ip lab stamp { type filter hook postrouting priority 0; }; " +
				"add rule ip lab stamp ip ecn ect0 numgen random mod 100 < 1 ip ecn set ce")
			for ip, name := range map[string]string{oursIP: "ours", kernelIP: "kernel"} {
				l.nft(count(name+"_ect", "ip saddr "+ip+" ip ecn ect0") +
					count(name+"_ece", "ip saddr "+ip+" tcp flags & (ecn|syn) == ecn") +
					count(name+"_cwr", "ip saddr "+ip+" tcp flags & (cwr|syn) == cwr"))
			}
		},
		check: func(t *testing.T, l *lab) {
			for _, side := range []string{"ours", "kernel"} {
				for _, what := range []string{"ect", "ece", "cwr"} {
					if l.counter(side+"_"+what) == 0 {
						t.Errorf("no segment of %s has %s", side, strings.ToUpper(what))
					}
				}
			}
		},
	}
	for _, dialler := range []string{"ours", "kernel"} {
		t.Run(dialler+" dials", func(t *testing.T) { c.run(t, dialler) })
	}
}

// closedWindows counts the segments of each end that close its window, in the counters
// closed_ours and closed_kernel.
func (l *lab) closedWindows() {
	l.t.Helper()
	for name, ip := range map[string]string{"closed_ours": oursIP, "closed_kernel": kernelIP} {
		l.nft("add counter ip lab " + name + "; add rule ip lab forward ip saddr " + ip + " tcp flags & (syn|rst|ack) == ack tcp window 0 counter name " + name)
	}
}

// closed checks that an end's window closed.
func closed(counter string) func(*testing.T, *lab) {
	return func(t *testing.T, l *lab) {
		if l.counter(counter) == 0 {
			t.Error("no window closed: " + counter)
		}
	}
}

const (
	noSACK       = "with timestamps, window scale;"
	noTimestamps = "with SACK, window scale;"
	noScale      = "with SACK, timestamps;"
	all          = 100 * mega
)

var transfers = []transfer{
	{name: "plain", size: all},
	{name: "nothing", size: 0},
	{name: "an octet", size: 1},
	{name: "segments as on a wire", size: all, rules: []string{"counter"}},

	// Loss and reordering alone are in TestControllers.
	{name: "reordering and 1 % loss, CUBIC", size: 10 * mega, rules: []string{loss1}, prepare: (*lab).reorder, both: []string{"-cc", "cubic"}},
	{name: "no SACK and 1 % loss", size: 10 * mega, ours: []string{"-nosack"}, want: noSACK, rules: []string{loss1}},

	{name: "we offer no SACK", size: all, ours: []string{"-nosack"}, want: noSACK},
	{name: "we offer no timestamps", size: all, ours: []string{"-notimestamps"}, want: noTimestamps},
	{name: "we offer no window scale", size: all, ours: []string{"-nowindowscale"}, want: noScale},
	{name: "the kernel has no SACK", size: all, sysctls: []string{"net.ipv4.tcp_sack=0"}, want: noSACK},
	{name: "the kernel has no timestamps", size: all, sysctls: []string{"net.ipv4.tcp_timestamps=0"}, want: noTimestamps},
	{name: "the kernel has no window scale", size: all, sysctls: []string{"net.ipv4.tcp_window_scaling=0"}, want: noScale},
	{name: "the kernel has none of them", size: all, want: "with ;",
		sysctls: []string{"net.ipv4.tcp_sack=0", "net.ipv4.tcp_timestamps=0", "net.ipv4.tcp_window_scaling=0"}},

	// Timestamps take 12 octets of each segment.
	{name: "MSS clamped", size: all, rules: []string{"tcp flags syn tcp option maxseg size set 536"}, want: "segments of 524, and of 524 back;"},
	{name: "we want an MSS of 600", size: all, ours: []string{"-mss", "600"}, want: "segments of 588,"},
	{name: "the kernel wants an MSS of 500", size: all, kernel: []string{"-mss", "500"}, want: "segments of 488,"},
	// The kernel announces what its network card takes, and the way to it takes less: the
	// middle says so by ICMP.
	{name: "a narrow MTU on the way", size: all, want: "segments of 1148,", rules: []string{"counter"}, prepare: func(l *lab) {
		l.ip("-n", l.middle, "link", "set", "mk", "mtu", "1200")
		l.ip("-n", l.kernel, "link", "set", "eth0", "mtu", "1200")
		l.ip("-n", l.kernel, "route", "change", "default", "via", "10.91.2.2", "advmss", "1460")
	}},
	{name: "we read one octet at a time", size: all, ours: []string{"-read", "1"}},
	{name: "the kernel reads one octet at a time", size: 10 * mega, kernel: []string{"-read", "1"}},

	{name: "we read nothing for 5 seconds", size: all, ours: []string{"-stall", "5s"},
		prepare: (*lab).closedWindows, check: closed("closed_ours")},
	{name: "the kernel reads nothing for 5 seconds", size: all, kernel: []string{"-stall", "5s"}, want: "[1-9] window probes",
		prepare: (*lab).closedWindows, check: closed("closed_kernel")},

	{name: "SYN cookies", dialler: "ours", size: all, sysctls: []string{"net.ipv4.tcp_syncookies=2"}, check: func(t *testing.T, l *lab) {
		if out := l.run(l.kernel, "nstat", "-asz", "TcpExtSyncookiesRecv"); !regexp.MustCompile(`SyncookiesRecv +[1-9]`).MatchString(out) {
			t.Errorf("the kernel made its connection of no cookie: %s", out)
		}
	}},
	{name: "timestamps stripped in the middle", size: all, rules: []string{"reset tcp option timestamp"}, want: noTimestamps},
	{name: "SACK-permitted stripped in the middle", size: all, rules: []string{"reset tcp option sack-perm"}, want: noSACK},
	{name: "window scale stripped in the middle", size: all, rules: []string{"reset tcp option window"}, want: noScale},
}

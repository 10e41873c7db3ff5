//go:build interop && linux

package interop

import (
	"os"
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
	limit := c.limit
	if limit == 0 {
		limit = time.Minute
	}
	if c.prepare != nil {
		c.prepare(l)
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
	server := peer(listener, "-listen", ":7000")
	server.saying("listening")
	client := peer(dialler, "-dial", ip+":7000")
	t.Log(client.well())
	server.well()
	if c.check != nil {
		c.check(t, l)
	}
}

func TestTransfer(t *testing.T) {
	for _, c := range transfers {
		for _, dialler := range []string{"ours", "kernel"} {
			if c.dialler == "" || c.dialler == dialler {
				t.Run(c.name+"/"+dialler+" dials", func(t *testing.T) { c.run(t, dialler) })
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

// TestControllers: each congestion control of ours with each of the kernel's.
func TestControllers(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	for _, kernel := range strings.Fields(string(b)) {
		for _, ours := range congestion.Names() {
			t.Run("ours "+ours+", the kernel's "+kernel, func(t *testing.T) {
				c := transfer{size: 100 * mega, ours: []string{"-cc", ours}, kernel: []string{"-cc", kernel}}
				c.run(t, "ours")
			})
		}
	}
}

// TestECN: both ends agree on it, the middle marks, and each end tells the other and
// hears that it did.
func TestECN(t *testing.T) {
	count := func(name, rule string) string {
		return "add counter ip lab " + name + "; add rule ip lab forward " + rule + " counter name " + name + "; "
	}
	c := transfer{
		size: 20 * mega, ours: []string{"-ecn"}, both: []string{"-cc", "cubic"}, sysctls: []string{"net.ipv4.tcp_ecn=1"},
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

var transfers = []transfer{
	{name: "plain", size: 100 * mega},
	{name: "nothing", size: 0},
	{name: "an octet", size: 1},
	{name: "segments as on a wire", size: 100 * mega, rules: []string{"counter"}},

	{name: "1 % loss", size: 100 * mega, rules: []string{loss1}, both: []string{"-cc", "bbr"}},
	{name: "5 % loss", size: 100 * mega, rules: []string{loss5}, both: []string{"-cc", "bbr"}},
	{name: "1 % loss, CUBIC", size: 10 * mega, rules: []string{loss1}, both: []string{"-cc", "cubic"}},
	{name: "5 % loss, Reno", size: 2 * mega, rules: []string{loss5}, both: []string{"-cc", "reno"}},
	{name: "reordering", size: 100 * mega, rules: []string{"counter"}, prepare: (*lab).reorder},
	{name: "reordering and 1 % loss, CUBIC", size: 10 * mega, rules: []string{loss1}, prepare: (*lab).reorder, both: []string{"-cc", "cubic"}},

	{name: "we offer no SACK", size: 100 * mega, ours: []string{"-nosack"}},
	{name: "we offer no timestamps", size: 100 * mega, ours: []string{"-notimestamps"}},
	{name: "we offer no window scale", size: 20 * mega, ours: []string{"-nowindowscale"}},
	{name: "the kernel has no SACK", size: 100 * mega, sysctls: []string{"net.ipv4.tcp_sack=0"}},
	{name: "the kernel has no timestamps", size: 100 * mega, sysctls: []string{"net.ipv4.tcp_timestamps=0"}},
	{name: "the kernel has no window scale", size: 20 * mega, sysctls: []string{"net.ipv4.tcp_window_scaling=0"}},
	{name: "the kernel has none of them", size: 20 * mega,
		sysctls: []string{"net.ipv4.tcp_sack=0", "net.ipv4.tcp_timestamps=0", "net.ipv4.tcp_window_scaling=0"}},
	{name: "no SACK and 1 % loss", size: 10 * mega, ours: []string{"-nosack"}, rules: []string{loss1}},

	{name: "MSS clamped", size: 20 * mega, rules: []string{"tcp flags syn tcp option maxseg size set 536"}},
	{name: "we want an MSS of 600", size: 20 * mega, ours: []string{"-mss", "600"}},
	{name: "the kernel wants an MSS of 500", size: 20 * mega, kernel: []string{"-mss", "500"}},
	// The kernel announces what its network card takes, and the way to it takes less: the
	// middle says so by ICMP.
	{name: "a narrow MTU on the way", size: 20 * mega, rules: []string{"counter"}, prepare: func(l *lab) {
		l.ip("-n", l.middle, "link", "set", "mk", "mtu", "1200")
		l.ip("-n", l.kernel, "link", "set", "eth0", "mtu", "1200")
		l.ip("-n", l.kernel, "route", "change", "default", "via", "10.91.2.2", "advmss", "1460")
	}},
	{name: "one octet read at a time", size: 2 * mega, both: []string{"-read", "1"}},

	{name: "we read nothing for 5 seconds", size: 20 * mega, ours: []string{"-stall", "5s"}},
	{name: "the kernel reads nothing for 5 seconds", size: 20 * mega, kernel: []string{"-stall", "5s"}},

	{name: "SYN cookies", dialler: "ours", size: 20 * mega, sysctls: []string{"net.ipv4.tcp_syncookies=2"}},
	{name: "timestamps stripped in the middle", size: 20 * mega, rules: []string{"reset tcp option timestamp"}},
	{name: "SACK-permitted stripped in the middle", size: 20 * mega, rules: []string{"reset tcp option sack-perm"}},
	{name: "window scale stripped in the middle", size: 20 * mega, rules: []string{"reset tcp option window"}},
}

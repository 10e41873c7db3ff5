//go:build interop && linux

package interop

import (
	"strconv"
	"testing"
	"time"
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

var transfers = []transfer{
	{name: "plain", size: 100 * mega},
	{name: "nothing", size: 0},
	{name: "an octet", size: 1},
	{name: "segments as on a wire", size: 100 * mega, rules: []string{"counter"}},

	{name: "1 % loss", size: 100 * mega, rules: []string{"meta l4proto tcp numgen random mod 100 < 1 drop"}},
	{name: "5 % loss", size: 20 * mega, rules: []string{"meta l4proto tcp numgen random mod 100 < 5 drop"}},

	{name: "we offer no SACK", size: 100 * mega, ours: []string{"-nosack"}},
	{name: "we offer no timestamps", size: 100 * mega, ours: []string{"-notimestamps"}},
	{name: "we offer no window scale", size: 20 * mega, ours: []string{"-nowindowscale"}},
	{name: "the kernel has no SACK", size: 100 * mega, sysctls: []string{"net.ipv4.tcp_sack=0"}},
	{name: "the kernel has no timestamps", size: 100 * mega, sysctls: []string{"net.ipv4.tcp_timestamps=0"}},
	{name: "the kernel has no window scale", size: 20 * mega, sysctls: []string{"net.ipv4.tcp_window_scaling=0"}},
	{name: "the kernel has none of them", size: 20 * mega,
		sysctls: []string{"net.ipv4.tcp_sack=0", "net.ipv4.tcp_timestamps=0", "net.ipv4.tcp_window_scaling=0"}},
	{name: "no SACK and 1 % loss", size: 10 * mega, ours: []string{"-nosack"},
		rules: []string{"meta l4proto tcp numgen random mod 100 < 1 drop"}},

	{name: "MSS clamped", size: 20 * mega, rules: []string{"tcp flags syn tcp option maxseg size set 536"}},
	{name: "we want an MSS of 600", size: 20 * mega, ours: []string{"-mss", "600"}},
	{name: "the kernel wants an MSS of 500", size: 20 * mega, kernel: []string{"-mss", "500"}},
	{name: "one octet read at a time", size: 2 * mega, both: []string{"-read", "1"}},

	{name: "we read nothing for 5 seconds", size: 20 * mega, ours: []string{"-stall", "5s"}},
	{name: "the kernel reads nothing for 5 seconds", size: 20 * mega, kernel: []string{"-stall", "5s"}},

	{name: "SYN cookies", dialler: "ours", size: 20 * mega, sysctls: []string{"net.ipv4.tcp_syncookies=2"}},
	{name: "timestamps stripped in the middle", size: 20 * mega, rules: []string{"reset tcp option timestamp"}},
	{name: "SACK-permitted stripped in the middle", size: 20 * mega, rules: []string{"reset tcp option sack-perm"}},
	{name: "window scale stripped in the middle", size: 20 * mega, rules: []string{"reset tcp option window"}},
}

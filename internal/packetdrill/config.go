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
	rmem, rmemMax  int
	connectTimeout time.Duration // bounds connect; 0 is none
	c              transport.Config
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
	c.c.SYNRetries, c.c.SYNACKRetries = 6, 5
	switch p {
	case profileFreeBSD:
		c.c.SYNRetries, c.c.SYNACKRetries, c.c.Retries2, c.c.KeepAliveCount = 12, 3, 12, 8
		// 30 ms at least and 200 ms for the peer's delay: 230 ms.
		c.c.MinRTO, c.c.RTOMargin, c.c.MaxRTO = 30*time.Millisecond, 200*time.Millisecond, 64*time.Second
		c.c.NoTailLossProbe, c.c.NoRACK, c.c.StrictTimestamps, c.connectTimeout = true, true, true, 75*time.Second
		c.c.ReceiveBuffer, c.c.WindowScale, c.c.ScaleFirst, c.c.ACKRule = 65536, 6, true, tcpcore.ACKSecond
	case profileLinux:
		c.linux = true
		c.c.RTOGranularity, c.c.MaxRTO = 200*time.Millisecond, 120*time.Second
		c.c.PushWrites, c.c.QuickACKs, c.c.ACKRule, c.c.RoundWindow = true, 16, tcpcore.ACKOverFull, true
		c.c.ReceiveBuffer, c.c.WindowScale, c.c.EmptyProbes, c.c.WholeRetransmits = 65536, 8, true, true
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

// Kernels do not pace what TCP sends unless they are told to, so scripts expect that what slow
// start allows is sent at once. In Linux's slow start an acknowledgment counts for all that it covers, where RFC 3465 has a limit
// of two segments.
var (
	plainReno    = congestion.NewRenoWith(congestion.RenoOptions{NoHyStart: true})
	linuxReno    = congestion.NewRenoWith(congestion.RenoOptions{ByteLimit: 1 << 20, NoHyStart: true})
	unpacedCubic = congestion.NewCubicWith(congestion.CubicOptions{Unpaced: true})
)

// controller is what a name stands for here; nil is what it stands for elsewhere.
func (c *config) controller(name string) func() congestion.Controller {
	switch {
	case name == "reno" && c.linux:
		return linuxReno
	case name == "reno":
		return plainReno
	case name == "cubic":
		return unpacedCubic
	}
	return nil
}

// used is the Config of a socket as it is used in the end.
func (c *config) used(u transport.Config) *transport.Config {
	if u.Controller = c.controller(u.CongestionControl); u.Controller != nil {
		u.CongestionControl = ""
	}
	return &u
}

// peerUDPPort is the port of the peer's datagrams.
func (c *config) peerUDPPort() uint16 {
	if c.udpPeer != 0 {
		return c.udpPeer
	}
	return 9899
}

// minRTO sets Linux's: what the timeout exceeds SRTT by, too.
func (c *config) minRTO(d time.Duration) {
	c.c.MinRTO = d
	if c.c.RTOGranularity > 0 {
		c.c.RTOGranularity = d
	}
}

// count is a number of retries as a Config has it, where zero means the default.
func count(n int) int {
	if n <= 0 {
		return -1
	}
	return n
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

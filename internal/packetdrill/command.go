package packetdrill

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/culvert/tcpcore"
)

// harmless are programs that change nothing which a script could see here.
var harmless = []string{"kldload", "kldunload", "nstat", "modprobe", "true", ":", "cd", "export", "ethtool", "set_sysctls.py",
	"kldstat", "sysrc", "ifconfig", "route", "arp", "ndp", "tcpdump", "pkill", "killall", "cat", "grep", "printf", "test", "[", "logger", "sudo",
	"dmesg", "sync", "date", "uname", "id", "ls", "rm", "mkdir", "touch", "chmod", "ulimit", "set", "wait", "source", "."}

// command plays a shell command as far as it means something to TCP.
func (r *runner) command(text string) error {
	for _, line := range splitShell(text) {
		if err := r.pipeline(line); err != nil {
			return err
		}
	}
	return nil
}

// pipeline is one command, or several joined by pipes.
func (r *runner) pipeline(stages [][]string) error {
	words := stages[0]
	for len(words) > 0 && (strings.Contains(words[0], "=") && !strings.HasPrefix(words[0], "-") || words[0] == "sudo" || words[0] == "env" || words[0] == "python" || words[0] == "python3" || words[0] == "sh" || words[0] == "bash") {
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	name, args := path.Base(words[0]), words[1:]
	switch {
	case name == "sysctl":
		return r.sysctlCommand(args)
	case name == "set_sysctls.py":
		for _, a := range args {
			if n, v, ok := strings.Cut(a, "="); ok {
				if err := r.setSysctl(n, v); err != nil {
					return err
				}
			}
		}
		return nil
	case name == "echo":
		if i := slices.Index(args, ">"); i >= 0 && i+1 < len(args) {
			if strings.HasPrefix(args[i+1], "/proc/sys/") {
				return r.setSysctl(args[i+1], strings.Join(args[:i], " "))
			}
		}
		return nil
	case name == "sleep":
		return r.sleepCommand(args)
	case name == "ip":
		return r.ipCommand(args)
	case name == "ifconfig":
		return r.linkMTU(args)
	case name == "tc":
		if slices.Contains(args, "netem") {
			return unsupported("tc netem")
		}
		r.note("command %s ignored", name)
		return nil
	case name == "ss" || name == "netstat" || name == "sockstat":
		return r.stateCommand(name, stages)
	case slices.Contains(harmless, name) || strings.HasSuffix(name, ".sh"):
		r.note("command %s ignored", name)
		return nil
	}
	return unsupported("the command %s", name)
}

func (r *runner) sysctlCommand(args []string) error {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if strings.HasPrefix(a, "-") {
			continue
		}
		n, v, ok := strings.Cut(a, "=")
		if !ok && i+2 < len(args) && args[i+1] == "=" {
			v, ok = args[i+2], true
			i += 2
		}
		if !ok {
			continue // it only asks
		}
		if err := r.setSysctl(n, v); err != nil {
			return err
		}
	}
	return nil
}

// sleepCommand takes virtual time.
func (r *runner) sleepCommand(args []string) error {
	if len(args) != 1 {
		return unsupported("sleep with %d arguments", len(args))
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(args[0], "s"), 64)
	if err != nil || v < 0 || v > 86400 {
		return unsupported("sleep %s", args[0])
	}
	return r.sleepUntil(r.w.now() + time.Duration(v*float64(time.Second)))
}

// ipCommand takes what ip route says of a route's TCP.
func (r *runner) ipCommand(args []string) error {
	if slices.Contains(args, "link") {
		return r.linkMTU(args)
	}
	for i := 0; i+1 < len(args); i++ {
		v := args[i+1]
		n, err := strconv.Atoi(strings.TrimRight(v, "ms"))
		switch args[i] {
		case "initcwnd":
			if err != nil {
				return unsupported("ip route initcwnd %s", v)
			}
			r.conf.c.InitialWindow = n
		case "rto_min":
			if err != nil {
				return unsupported("ip route rto_min %s", v)
			}
			unit := time.Second
			if strings.HasSuffix(v, "ms") || !strings.HasSuffix(v, "s") {
				unit = time.Millisecond
			}
			r.conf.minRTO(time.Duration(n) * unit)
		case "mtu":
			if err == nil {
				r.w.setMTU(n)
			}
		case "advmss":
			if err == nil {
				r.conf.c.MSS = n
			}
		case "window":
			if err == nil {
				r.conf.c.WindowClamp = max(n, 0)
			}
		case "initrwnd":
			if err != nil || n < 1 {
				return unsupported("ip route initrwnd %s", v)
			}
			r.conf.c.ReceiveBuffer = max(r.conf.c.ReceiveBuffer, n*1460)
			r.conf.c.WindowClamp = n * 1460
		case "quickack":
			if n != 0 {
				r.conf.c.DelayedACK = -1
			}
		case "hoplimit":
			if err == nil {
				r.conf.c.HopLimit = min(max(n, 1), 255)
			}
		case "features":
			if v != "ecn" {
				return unsupported("ip route features %s", v)
			}
			r.conf.c.ECN = true
		case "congctl":
			if err := congestionControl(&r.conf, v); err != nil {
				return err
			}
		case "ssthresh", "cwnd", "rtt", "rttvar":
			return unsupported("ip route %s", args[i])
		}
	}
	r.note("command ip ignored but for what it says of TCP")
	return nil
}

func (r *runner) linkMTU(args []string) error {
	if i := slices.Index(args, "mtu"); i >= 0 && i+1 < len(args) {
		if n, err := strconv.Atoi(args[i+1]); err == nil && n >= 68 && n <= 65535 {
			r.w.setMTU(n)
			return nil
		}
	}
	r.note("command about an interface ignored")
	return nil
}

// stateWords are the names of states in the listings of either system.
var stateWords = map[string][]tcpcore.State{
	"ESTABLISHED": {tcpcore.Established}, "ESTAB": {tcpcore.Established},
	"SYN_SENT": {tcpcore.SynSent}, "SYN-SENT": {tcpcore.SynSent},
	"SYN_RECEIVED": {tcpcore.SynReceived}, "SYN_RCVD": {tcpcore.SynReceived}, "SYN-RECV": {tcpcore.SynReceived}, "SYN_RECV": {tcpcore.SynReceived},
	"FIN_WAIT_1": {tcpcore.FinWait1}, "FIN_WAIT1": {tcpcore.FinWait1}, "FIN-WAIT-1": {tcpcore.FinWait1},
	"FIN_WAIT_2": {tcpcore.FinWait2}, "FIN_WAIT2": {tcpcore.FinWait2}, "FIN-WAIT-2": {tcpcore.FinWait2},
	"CLOSE_WAIT": {tcpcore.CloseWait}, "CLOSE-WAIT": {tcpcore.CloseWait},
	"CLOSING":  {tcpcore.Closing},
	"LAST_ACK": {tcpcore.LastAck}, "LAST-ACK": {tcpcore.LastAck},
	"TIME_WAIT": {tcpcore.TimeWait}, "TIME-WAIT": {tcpcore.TimeWait},
	"CLOSED": {tcpcore.Closed}, "CLOSE": {tcpcore.Closed}, "UNCONN": {tcpcore.Closed},
	"LISTEN": {tcpcore.Listen},
}

// stateCommand makes an assertion of "sockstat ... | grep STATE".
func (r *runner) stateCommand(name string, stages [][]string) error {
	if len(stages) == 1 {
		r.note("command %s ignored", name)
		return nil
	}
	var words []string
	for _, st := range stages[1:] {
		if len(st) == 0 || path.Base(st[0]) != "grep" && path.Base(st[0]) != "egrep" {
			return unsupported("%s piped into something else than grep", name)
		}
		for _, a := range st[1:] {
			switch {
			case a == ">" || a == ">>" || strings.HasPrefix(a, "/dev/"):
			case strings.HasPrefix(a, "-") && strings.ContainsAny(a, "vcL"):
				return unsupported("grep %s", a)
			case strings.HasPrefix(a, "-"):
			default:
				words = append(words, a)
			}
		}
	}
	var want []string
	var states []tcpcore.State
	for _, w := range words {
		for _, alt := range regexp.MustCompile(`[|\s()]+`).Split(w, -1) {
			alt = strings.Trim(alt, `\^$.*"'`)
			if s, ok := stateWords[alt]; ok {
				want = append(want, alt)
				states = append(states, s...)
			}
		}
	}
	if len(states) == 0 {
		return unsupported("%s looking for %q", name, strings.Join(words, " "))
	}
	if slices.Contains(states, tcpcore.Listen) && r.listener != nil && r.listener.l != nil {
		return nil
	}
	info, err := r.info(r.sut)
	if err != nil {
		return err
	}
	if !slices.Contains(states, info.State) {
		return fmt.Errorf("the connection is in %v, not in %s", info.State, strings.Join(want, " or "))
	}
	return nil
}

// splitShell cuts a text into pipelines of commands of words, as a shell does; it
// knows quotes and comments and no more.
func splitShell(text string) [][][]string {
	var all [][][]string
	var stages [][]string
	var words []string
	var word strings.Builder
	have := false
	endWord := func() {
		if have {
			words = append(words, word.String())
			word.Reset()
			have = false
		}
	}
	endStage := func() {
		endWord()
		if len(words) > 0 {
			stages = append(stages, words)
			words = nil
		}
	}
	endLine := func() {
		endStage()
		if len(stages) > 0 {
			all = append(all, stages)
			stages = nil
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			i++
			if i < len(text) && text[i] != '\n' {
				word.WriteByte(text[i])
				have = true
			}
		case '\'', '"':
			have = true
			for i++; i < len(text) && text[i] != c; i++ {
				if c == '"' && text[i] == '\\' && i+1 < len(text) {
					i++
				}
				word.WriteByte(text[i])
			}
		case ' ', '\t', '\r':
			endWord()
		case '\n', ';':
			endLine()
		case '&':
			endLine()
		case '|':
			if i+1 < len(text) && text[i+1] == '|' {
				i++
				endLine()
				break
			}
			endStage()
		case '>':
			if have && word.Len() == 1 && isDigit(word.String()[0]) {
				word.Reset()
				have = false
			}
			endWord()
			if i+1 < len(text) && text[i+1] == '&' {
				// 2>&1
				for i++; i+1 < len(text) && isDigit(text[i+1]); i++ {
				}
				break
			}
			words = append(words, ">")
		case '#':
			if !have {
				for i < len(text) && text[i] != '\n' {
					i++
				}
				endLine()
				break
			}
			fallthrough
		default:
			word.WriteByte(c)
			have = true
		}
	}
	endLine()
	return all
}

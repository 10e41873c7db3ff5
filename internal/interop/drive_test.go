//go:build interop && linux

package interop

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A driven process is the program peer, doing what a test tells it line by line.
type driven struct {
	*process
	in       io.Writer
	name, ip string
}

// drive begins a driven peer on one of the TCPs. Each command has patience to end in.
func (l *lab) drive(side string, flags ...string) *driven {
	l.t.Helper()
	ns, ip := l.ours, oursIP
	if side == "kernel" {
		ns, ip = l.kernel, kernelIP
	}
	var in io.WriteCloser
	p := l.startWith(2*time.Minute, ns, func(cmd *exec.Cmd) {
		var err error
		if in, err = cmd.StdinPipe(); err != nil {
			l.t.Fatal(err)
		}
	}, append([]string{peerProgram, "drive", "-tcp", side, "-timeout", "20s"}, flags...)...)
	return &driven{p, in, side, ip}
}

// do has each command done, and returns what the last one said.
func (d *driven) do(commands ...string) (answer string) {
	d.t.Helper()
	for _, c := range commands {
		d.post(c)
		answer = d.answered(c)
	}
	return answer
}

// post tells it to do something, and does not wait.
func (d *driven) post(command string) { fmt.Fprintln(d.in, command) }

// answered waits until a command is done, and returns what it said.
func (d *driven) answered(command string) string {
	d.t.Helper()
	for line := range d.lines {
		if strings.HasPrefix(line, "error ") {
			d.t.Fatalf("%s: %s", d.name, line)
		}
		if rest, ok := strings.CutPrefix(line, "ok "+command); ok {
			return strings.TrimSpace(rest)
		}
	}
	d.t.Fatalf("%s at %q: it ended: %v\n%s", d.name, command, <-d.ended, d.output())
	return ""
}

// A stage is two ends that are to be connected, either by either.
type stage struct {
	*lab
	o, k *driven
}

// onStage runs a story twice: the connection that it begins with is dialled by us, and
// by the kernel. Flags are for our end.
func onStage(t *testing.T, story func(t *testing.T, s stage), flags ...string) {
	for _, dialler := range []string{"ours", "kernel"} {
		t.Run(dialler+" dials", func(t *testing.T) {
			l := newLab(t)
			s := stage{l, l.drive("ours", flags...), l.drive("kernel")}
			if dialler == "ours" {
				s.k.do("listen :7000")
				s.o.do("dial " + kernelIP + ":7000")
				s.k.do("accept")
			} else {
				s.o.do("listen :7000")
				s.k.do("dial " + oursIP + ":7000")
				s.o.do("accept")
			}
			story(t, s)
		})
	}
}

// The states that ss shows of a socket of the kernel's, in the RFC's words.
var kernelStates = map[string]string{"ESTAB": "ESTABLISHED", "SYN-RECV": "SYN-RECEIVED"}

// kernelState is the state of the one connection that the kernel has, CLOSED if it has none.
func (l *lab) kernelState() string {
	l.t.Helper()
	state, _, _ := strings.Cut(l.run(l.kernel, "ss", "-Htan", "exclude", "listening"), " ")
	state = strings.TrimSpace(state)
	if state == "" {
		return "CLOSED"
	}
	if rfc, ok := kernelStates[state]; ok {
		return rfc
	}
	return state
}

// eventually waits until something is so.
func (l *lab) eventually(what string, so func() bool) {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); {
		if time.Now().After(end) {
			l.t.Fatalf("%s: not within 20 seconds", what)
		}
	}
}

// kernelBecomes waits for the state of the one connection that the kernel has.
func (l *lab) kernelBecomes(state string) {
	l.t.Helper()
	l.eventually("the kernel in state "+state, func() bool { return l.kernelState() == state })
}

// ended checks that no connection is left in the two namespaces but those in TIME-WAIT.
func (l *lab) ended() {
	l.t.Helper()
	for _, ns := range []string{l.ours, l.kernel} {
		l.eventually("the end of the connections in "+ns, func() bool {
			return l.run(ns, "ss", "-Htan", "exclude", "listening", "exclude", "time-wait") == ""
		})
	}
}

// becomes waits for the state of the end x.
func (s *stage) becomes(x *driven, state string) {
	s.t.Helper()
	if x == s.k {
		s.kernelBecomes(state)
	} else {
		x.do("becomes " + state)
	}
}

// drops has the middle drop segments of one end that match.
func (l *lab) drops(ip, match string) { l.t.Helper(); l.rule("ip saddr " + ip + " " + match + " drop") }

// dropsNothing takes back all rules.
func (l *lab) dropsNothing() { l.t.Helper(); l.nft("flush chain ip lab early") }

// Matches for drops.
const (
	fins    = "tcp flags & fin == fin"
	synACKs = "tcp flags & (syn|ack) == (syn|ack)"
)

//go:build interop && linux

package interop

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Addresses of a laboratory.
const (
	oursIP   = "10.91.1.1"
	kernelIP = "10.91.2.1"
)

// peerProgram is the program peer, built once; dir is where it lies.
var peerProgram, dir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if dir, err = os.MkdirTemp("", "interop"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		peerProgram = filepath.Join(dir, "peer")
		for program, source := range map[string]string{peerProgram: "./peer", filepath.Join(dir, "raw"): "../../examples/raw"} {
			if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "go build %s: %v\n%s", source, err, out)
				return 1
			}
		}
		return m.Run()
	}())
}

// A lab is three namespaces: ours, kernel, and middle, which routes between them.
type lab struct {
	t                    testing.TB
	ours, middle, kernel string
}

var labs atomic.Int32

// newLab makes a laboratory, and takes it down when the test ends: not before it has
// seen that the middle called no segment of ours invalid.
func newLab(t testing.TB) *lab {
	t.Helper()
	n := fmt.Sprintf("interop%d-%d-", os.Getpid(), labs.Add(1))
	l := &lab{t: t, ours: n + "o", middle: n + "m", kernel: n + "k"}
	t.Cleanup(func() {
		for _, ns := range []string{l.ours, l.middle, l.kernel} {
			// What left its group (a server's sessions) is still in the namespace.
			exec.Command("sh", "-c", "ip netns pids "+ns+" | xargs -r kill -9").Run()
			exec.Command("ip", "netns", "del", ns).Run()
		}
	})
	for _, ns := range []string{l.ours, l.middle, l.kernel} {
		l.ip("netns", "add", ns)
		l.ip("-n", ns, "link", "set", "lo", "up")
	}
	l.wire(l.ours, oursIP, "10.91.1.2", "mo")
	l.wire(l.kernel, kernelIP, "10.91.2.2", "mk")
	l.sysctl(l.middle, "net.ipv4.ip_forward=1")
	// Before connection tracking come the rules of a case (rule), behind it what counts. What a
	// test injects in somebody's name has a DSCP of 1, and is nobody's.
	l.nft(`table ip lab {
		counter invalid_ours { }
		counter invalid_kernel { }
		chain early { type filter hook prerouting priority raw; }
		chain forward { type filter hook forward priority 0;
			ct state invalid ip dscp != 1 ip saddr ` + oursIP + ` counter name invalid_ours
			ct state invalid ip dscp != 1 ip saddr ` + kernelIP + ` counter name invalid_kernel
		}
	}`)
	t.Cleanup(func() {
		if bad := l.counter("invalid_ours"); bad != 0 {
			t.Errorf("connection tracking finds %d packets of ours invalid (and %d of the kernel's)", bad, l.counter("invalid_kernel"))
		}
		if t.Failed() {
			t.Logf("connections of the kernel:\n%s", l.output(l.kernel, "ss", "-tnoi"))
		}
	})
	return l
}

// wire connects a namespace to the middle.
func (l *lab) wire(ns, ip, gateway, name string) {
	l.t.Helper()
	l.ip("link", "add", "eth0", "netns", ns, "type", "veth", "peer", "name", name, "netns", l.middle)
	l.ip("-n", ns, "addr", "add", ip+"/24", "dev", "eth0")
	l.ip("-n", l.middle, "addr", "add", gateway+"/24", "dev", name)
	l.ip("-n", ns, "link", "set", "eth0", "up")
	l.ip("-n", l.middle, "link", "set", name, "up")
	l.ip("-n", ns, "route", "add", "default", "via", gateway)
}

// onTheWire has the kernel send segments as long as a network card would, so that what
// the middle does to a packet it does to one segment.
func (l *lab) onTheWire() {
	l.t.Helper()
	for _, at := range [][2]string{{l.ours, "eth0"}, {l.kernel, "eth0"}, {l.middle, "mo"}, {l.middle, "mk"}} {
		l.run(at[0], "ethtool", "-K", at[1], "tso", "off", "gso", "off", "gro", "off")
	}
}

// do runs a command in the namespace of the tests, and ends the test if it fails.
func (l *lab) do(name string, args ...string) string {
	l.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (l *lab) ip(args ...string) { l.t.Helper(); l.do("ip", args...) }

// run is do in a namespace.
func (l *lab) run(ns string, command ...string) string {
	l.t.Helper()
	return l.do("ip", append([]string{"netns", "exec", ns}, command...)...)
}

// output is run for what may fail.
func (l *lab) output(ns string, command ...string) string {
	out, err := exec.Command("ip", append([]string{"netns", "exec", ns}, command...)...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return string(out)
}

func (l *lab) sysctl(ns string, settings ...string) {
	l.t.Helper()
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		l.run(ns, "sh", "-c", "echo '"+value+"' > /proc/sys/"+strings.ReplaceAll(name, ".", "/"))
	}
}

// nft loads rules in the middle.
func (l *lab) nft(rules string) {
	l.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", l.middle, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("nft: %v\n%s\n%s", err, out, rules)
	}
}

// rule adds a rule that the middle follows before it tracks connections.
func (l *lab) rule(rule string) { l.t.Helper(); l.nft("add rule ip lab early " + rule) }

var packets = regexp.MustCompile(`packets (\d+)`)

// counter reads a named counter of the table lab.
func (l *lab) counter(name string) int {
	l.t.Helper()
	m := packets.FindStringSubmatch(l.run(l.middle, "nft", "list", "counter", "ip", "lab", name))
	if m == nil {
		l.t.Fatalf("no counter %s", name)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// A process runs in a namespace until it ends or the test does.
type process struct {
	t     testing.TB
	what  string
	note  string // of the test's own
	cmd   *exec.Cmd
	ended chan error // its end, once

	mu    sync.Mutex
	out   bytes.Buffer
	lines chan string // of standard output, as far as anybody asked
}

// start begins a command that has to end within limit.
func (l *lab) start(limit time.Duration, ns string, command ...string) *process {
	l.t.Helper()
	return l.startWith(limit, ns, func(*exec.Cmd) {}, command...)
}

// startWith is start, after prepare has seen the command.
func (l *lab) startWith(limit time.Duration, ns string, prepare func(*exec.Cmd), command ...string) *process {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	p := &process{
		t: l.t, what: strings.Join(command, " "), ended: make(chan error, 1), lines: make(chan string, 1000),
		cmd: exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", ns}, command...)...),
	}
	prepare(p.cmd)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	p.cmd.Stderr = writer{p}
	// A server's own processes end with it, and what they hold of its output.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Cancel = func() error { return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }
	p.cmd.WaitDelay = 2 * time.Second
	if err := p.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() {
		defer cancel()
		s := bufio.NewScanner(out)
		for s.Scan() {
			fmt.Fprintln(writer{p}, s.Text())
			select {
			case p.lines <- s.Text():
			default:
			}
		}
		close(p.lines)
		err := p.cmd.Wait()
		if ctx.Err() != nil {
			err = fmt.Errorf("it hangs: still running after %v", limit)
		}
		p.ended <- err
		close(p.ended)
	}()
	l.t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// writer collects a process's output.
type writer struct{ p *process }

func (w writer) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.p.out.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// saying waits for a line of output that begins so, and returns it.
func (p *process) saying(prefix string) string {
	p.t.Helper()
	for line := range p.lines {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	p.t.Fatalf("%s ended without saying %q: %v\n%s", p.what, prefix, <-p.ended, p.output())
	return ""
}

// well waits for the end, which must be a good one, and returns the output.
func (p *process) well() string {
	p.t.Helper()
	if err := <-p.ended; err != nil {
		p.t.Errorf("%s: %v\n%s", p.what, err, p.output())
	}
	return p.output()
}

// stop ends the process.
func (p *process) stop() {
	p.cmd.Cancel()
	<-p.ended
}

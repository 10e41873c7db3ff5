package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/xtaci/kcp-go/v5"

	"example.com/culvert/benchmarks"
	"example.com/culvert/benchmarks/link"
	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/transport"
)

// A variant is a culvert of which the name of the congestion control does not say all.
type variant struct {
	name, about string
	paths       []string // where it is run, unless -only names it
	config      transport.Config
}

// variants are run beside one culvert for each of congestion.Names.
var variants = []variant{
	// What a user sets who knows that the path loses packets at random: three times the most
	// that the bars' paths lose, since a round trip's losses scatter around the mean.
	{"bbr-loss", "BBR with a loss threshold of 15 %", []string{"loss1", "loss5", sweep}, transport.Config{
		Controller: congestion.NewBBRWith(congestion.BBROptions{LossThreshold: 0.15}),
	}},
	// What a user sets who would rather ask a silent path once a second than double the
	// time between questions.
	{"bbr-rto1", "BBR with a largest timeout of 1 s", []string{"outage"}, transport.Config{CongestionControl: "bbr", MaxRTO: time.Second}},
	{"cubic-rto1", "CUBIC with a largest timeout of 1 s", []string{"outage"}, transport.Config{CongestionControl: "cubic", MaxRTO: time.Second}},
}

// runsOn reports whether a stack is of interest on a path of that name.
func runsOn(stack, path string) bool {
	for _, v := range variants {
		if stack == "culvert-"+v.name {
			return slices.ContainsFunc(v.paths, func(p string) bool { return strings.HasPrefix(path, p) })
		}
	}
	return true
}

// kernelControls are the kernel's congestion controls that are compared.
var kernelControls = []string{"cubic", "bbr", "reno"}

// tuning is what users of a stack would set themselves. The zero value leaves all as
// it is.
type tuning struct {
	// Buffer is the size of culvert's send and receive buffers in bytes.
	Buffer int
	// Window is kcp-go's, in segments.
	Window int
}

// stacks lists all that can be run: first the kernel's, as far as it has them.
// missing are the kernel's congestion controls that it has not.
func stacks(t tuning) (all []benchmarks.Stack, missing []string) {
	available := kernelAvailable()
	for _, name := range kernelControls {
		if !slices.Contains(available, name) {
			missing = append(missing, name)
			continue
		}
		all = append(all, benchmarks.Kernel(name))
	}
	if quic, err := benchmarks.Find("quic-go"); err == nil {
		all = append(all, quic)
	}
	all = append(all, kcpStack(t))
	for _, name := range congestion.Names() {
		all = append(all, culvertStack("culvert-"+name, "defaults", transport.Config{CongestionControl: name}, t))
	}
	for _, v := range variants {
		all = append(all, culvertStack("culvert-"+v.name, v.about, v.config, t))
	}
	return all, missing
}

// findStack returns the stack of that name, or an error that lists the known ones.
func findStack(name string, t tuning) (benchmarks.Stack, error) {
	all, _ := stacks(t)
	var names []string
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return benchmarks.Stack{}, fmt.Errorf("stack %q is not one of %s", name, strings.Join(names, ", "))
}

func culvertStack(name, about string, cfg transport.Config, t tuning) benchmarks.Stack {
	if t.Buffer > 0 {
		cfg.SendBuffer, cfg.ReceiveBuffer = t.Buffer, t.Buffer
	}
	return benchmarks.Stack{
		Name: name, About: about,
		Listen: func(addr string) (net.Listener, error) {
			lc := transport.ListenConfig{Config: &cfg}
			return lc.Listen(context.Background(), "tcp", addr)
		},
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			d := transport.Dialer{Config: &cfg}
			return d.DialContext(ctx, "tcp", addr)
		},
	}
}

// kcpMTU is the largest that kcp-go can send here, without IP and UDP headers.
const kcpMTU = link.MTU - 28

// kcpWindow is what a user sets who wants the most of a path, in segments: more than
// fits into it, since without congestion control the window is all there is, and what
// is lost keeps it from moving on. Larger ones cost more goodput in work than they win.
func kcpWindow(p link.Path) int {
	fits := int(p.Rate*int64(p.RTT())/int64(time.Second)+int64(p.Queue)) / kcpMTU
	return max(128, fits, min(3*fits, 4096))
}

// kcpStack is kcp-go as its users set it for throughput on lossy paths: its quickest
// timers and no congestion control.
func kcpStack(t tuning) benchmarks.Stack {
	tune := func(s *kcp.UDPSession) net.Conn {
		interface{ SetStreamMode(bool) }(s).SetStreamMode(true) // the stream of a net.Conn
		s.SetNoDelay(1, 10, 2, 1)
		if t.Window > 0 {
			s.SetWindowSize(t.Window, t.Window)
		}
		s.SetMtu(kcpMTU)
		return s
	}
	return benchmarks.Stack{
		Name: "kcp-go", About: "nodelay, no congestion control, no cipher, no FEC",
		Listen: func(addr string) (net.Listener, error) {
			l, err := kcp.ListenWithOptions(addr, nil, 0, 0)
			if err != nil {
				return nil, err
			}
			l.SetReadBuffer(4 << 20) // as far as the system lets it
			return kcpListener{l, tune}, nil
		},
		Dial: func(_ context.Context, addr string) (net.Conn, error) {
			s, err := kcp.DialWithOptions(addr, nil, 0, 0)
			if err != nil {
				return nil, err
			}
			s.SetWriteBuffer(4 << 20)
			return tune(s), nil
		},
	}
}

type kcpListener struct {
	*kcp.Listener
	tune func(*kcp.UDPSession) net.Conn
}

func (l kcpListener) Accept() (net.Conn, error) {
	s, err := l.AcceptKCP()
	if err != nil {
		return nil, err
	}
	return l.tune(s), nil
}

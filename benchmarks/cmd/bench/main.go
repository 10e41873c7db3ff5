// Command bench compares culvert's bulk transfer over loopback with the kernel's
// TCP and quic-go: two processes, one connection per transfer, rounds interleaved
// so that a machine that is busy for a while slows all alike. Compare figures of
// one run only; they drift from run to run and from machine to machine.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"example.com/culvert/benchmarks"
)

const usage = `Compare culvert's bulk transfer over loopback with the kernel's TCP and quic-go.
Figures are payload in MB/s (10^6 bytes per second), connection set-up not counted.

Flags:
`

// options are the command line.
type options struct {
	rounds  int
	mib     int64
	only    string
	want    float64
	timeout time.Duration
	server  string
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	o, err := parse(args, w)
	if err != nil {
		return err
	}
	if o.server != "" {
		return serve(o.server)
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()
	return compare(ctx, o, w)
}

// parse reads the command line; -h writes the usage to w.
func parse(args []string, w io.Writer) (options, error) {
	var o options
	var quick bool
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.rounds, "rounds", 7, "transfers per stack; the median counts")
	f.Int64Var(&o.mib, "size", 512, "MiB per transfer")
	f.StringVar(&o.only, "only", "", "stacks to run, separated by commas (default all)")
	f.Float64Var(&o.want, "want", 0, "fail if culvert's median is below so many MB/s")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "end with an error after so long")
	f.BoolVar(&quick, "quick", false, "3 rounds of 64 MiB unless given")
	f.StringVar(&o.server, "server", "", "be the receiving process of this stack (bench starts it itself)")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(w, usage)
			f.SetOutput(w)
			f.PrintDefaults()
			return o, err
		}
		return o, fmt.Errorf("%w (-h explains)", err)
	}
	given := make(map[string]bool)
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if quick && !given["rounds"] {
		o.rounds = 3
	}
	if quick && !given["size"] {
		o.mib = 64
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q (-h explains)", f.Arg(0))
	case o.rounds < 1 || o.rounds > 1000:
		return o, fmt.Errorf("-rounds: %d is outside of 1..1000", o.rounds)
	case o.mib < 1 || o.mib > 1<<20:
		return o, fmt.Errorf("-size: %d is outside of 1..%d", o.mib, 1<<20)
	case o.timeout <= 0:
		return o, fmt.Errorf("-timeout: %v is not positive", o.timeout)
	}
	return o, nil
}

// serve is the receiving process: it prints its address and ends when its
// standard input does, and so with the process that started it.
func serve(name string) error {
	s, err := benchmarks.Find(name)
	if err != nil {
		return err
	}
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(l.Addr())
	return benchmarks.Serve(l)
}

// A contender is a stack with its receiving process and its results.
type contender struct {
	benchmarks.Stack
	addr     string
	mbps     []float64
	resent   uint64
	counted  bool // resent is known
	shutdown func()
}

// start starts the receiving process of a stack.
func start(ctx context.Context, s benchmarks.Stack) (*contender, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, exe, "-server", s.Name)
	cmd.Env = append(os.Environ(), "QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING=true")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &contender{Stack: s, shutdown: func() { stdin.Close(); cmd.Wait() }}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		c.shutdown()
		return nil, fmt.Errorf("%s: its receiving process did not start: %w", s.Name, err)
	}
	c.addr = strings.TrimSpace(line)
	return c, nil
}

// transfer measures one connection.
func (c *contender) transfer(ctx context.Context, size int64) error {
	conn, err := c.Dial(ctx, c.addr)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	d, err := benchmarks.Bulk(conn, size)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	c.mbps = append(c.mbps, float64(size)/d.Seconds()/1e6)
	if n, ok := benchmarks.Retransmits(conn); ok {
		c.resent, c.counted = c.resent+n, true
	}
	return nil
}

// compare runs the rounds and prints the table.
func compare(ctx context.Context, o options, w io.Writer) error {
	os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	stacks := benchmarks.Stacks()
	if o.only != "" {
		stacks = nil
		for name := range strings.SplitSeq(o.only, ",") {
			s, err := benchmarks.Find(name)
			if err != nil {
				return fmt.Errorf("-only: %w", err)
			}
			stacks = append(stacks, s)
		}
	}
	var cs []*contender
	for _, s := range stacks {
		c, err := start(ctx, s)
		if err != nil {
			return err
		}
		defer c.shutdown()
		cs = append(cs, c)
	}
	for _, c := range cs { // Not counted: the first one pays for caches and page faults.
		if err := c.transfer(ctx, 8<<20); err != nil {
			return err
		}
		c.mbps, c.resent = nil, 0
	}
	for range o.rounds {
		for _, c := range cs {
			if err := c.transfer(ctx, o.mib<<20); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(w, "bulk over loopback, two processes, %d rounds of %d MiB, writes of %d KiB\n", o.rounds, o.mib, benchmarks.WriteSize>>10)
	return report(w, cs, o.want)
}

// report prints the table and fails if culvert's median is below want.
func report(w io.Writer, cs []*contender, want float64) error {
	var culvert float64
	for _, c := range cs {
		if c.Name == "culvert" {
			culvert = median(c.mbps)
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "stack\tmedian MB/s\tslowest\tfastest\tculvert is\tretransmitted\t")
	for _, c := range cs {
		m, ratio, resent := median(c.mbps), "-", "-"
		if culvert > 0 {
			ratio = fmt.Sprintf("%.2f times it", culvert/m)
		}
		if c.counted {
			resent = fmt.Sprintf("%d segments", c.resent)
		}
		fmt.Fprintf(t, "%s (%s)\t%.0f\t%.0f\t%.0f\t%s\t%s\t\n", c.Name, c.About, m, slices.Min(c.mbps), slices.Max(c.mbps), ratio, resent)
	}
	t.Flush()
	if culvert < want {
		return fmt.Errorf("culvert's median of %.0f MB/s is below %.0f", culvert, want)
	}
	return nil
}

// median returns the middle of xs, which is not empty.
func median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	if n := len(xs); n%2 == 0 {
		return (xs[n/2-1] + xs[n/2]) / 2
	}
	return xs[len(xs)/2]
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"example.com/culvert/benchmarks/link"
)

const usage = `Compare the kernel's TCP, quic-go, kcp-go and culvert over an emulated path.

  go run ./cmd/link                       every path that culvert has a bar on: over half an hour
  go run ./cmd/link -path all             every path, every stack: hours; it says how many
  go run ./cmd/link -path loss1,clean     these paths
  go run ./cmd/link -only kernel-bbr,culvert-reno -rounds 3 -time 5s
  go run ./cmd/link -path fair            two flows at once
  go run ./cmd/link -path sweep           goodput against loss
  go run ./cmd/link -quick                a few seconds, to see that it works
  go run ./cmd/link -docs ../docs         write docs/link.md and its plots: the bars and a sweep

Needs Linux and root, for two network namespaces with a TUN device each. "late" is how much later
than the path says the emulator forwarded a packet; "longest gap" is the longest time without anything
to read, "resumed" the time from the end of an outage to what was sent next.

Flags:
`

// options are the command line.
type options struct {
	paths     []string
	only      []string
	rounds    int
	time      time.Duration
	timeGiven bool
	fairTime  time.Duration
	seed      uint64
	buffer    int
	again     int
	tolerance link.Tolerance
	json, svg string
	docs      string
	args      string // what of it says what was measured
	want      bool
	judge     bool
	list      bool
	role      string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, w io.Writer) error {
	o, err := parse(args, w)
	if err != nil {
		return err
	}
	if o.role != "" {
		return play(ctx, o.role, stdin, w)
	}
	plan, err := newPlan(o)
	if err != nil {
		return err
	}
	if o.list {
		plan.list(w)
		return nil
	}
	return compare(ctx, o, plan, w)
}

// parse reads the command line; -h writes the usage to w.
func parse(args []string, w io.Writer) (options, error) {
	var o options
	var paths, only string
	var quick bool
	f := flag.NewFlagSet("link", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&paths, "path", "bars", "paths to run, separated by commas; -list names them")
	f.StringVar(&only, "only", "", "stacks to run, separated by commas (default all)")
	f.IntVar(&o.rounds, "rounds", 5, "transfers per path and stack; the median counts")
	f.DurationVar(&o.time, "time", 10*time.Second, "how long each transfer sends (what the path's bars need, among them)")
	f.DurationVar(&o.fairTime, "fair-time", 30*time.Second, "how long two flows send together (20 s among the bars)")
	f.Uint64Var(&o.seed, "seed", 1, "of the first round; each further one has the next")
	f.IntVar(&o.buffer, "buffer", 0, "culvert's send and receive buffers in bytes (default what culvert chooses)")
	f.IntVar(&o.again, "again", 2, "how often to repeat a transfer that does not count, since the emulation was late")
	f.DurationVar(&o.tolerance.P99, "late-p99", time.Millisecond, "a transfer does not count if 1 % of its packets were later than this")
	f.DurationVar(&o.tolerance.Max, "late-max", 20*time.Millisecond, "or one of them later than this")
	f.StringVar(&o.json, "json", "", "write all figures to this file")
	f.StringVar(&o.svg, "svg", "", "write the plots to this directory (default a new temporary one; none with -quick)")
	f.StringVar(&o.docs, "docs", "", "run a sweep, too, and write link.md and its plots to this directory")
	f.BoolVar(&o.want, "want", false, "fail if culvert misses one of its bars")
	f.BoolVar(&quick, "quick", false, "one round of half a second on one path, unless given; no verdicts without -want")
	f.BoolVar(&o.list, "list", false, "list paths and stacks")
	f.StringVar(&o.role, "role", "", "be the forwarder, a sender or a receiver (link starts them itself)")
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
	f.Visit(func(f *flag.Flag) {
		given[f.Name] = true
		switch f.Name {
		case "path", "only", "rounds", "time", "fair-time", "seed", "buffer", "late-p99", "late-max":
			o.args += fmt.Sprintf("-%s %s ", f.Name, f.Value)
		case "quick", "want": // which judges a quick run
			o.args += "-" + f.Name + " "
		}
	})
	o.timeGiven = given["time"] || quick
	o.judge = !quick || o.want
	if o.docs != "" && !given["svg"] {
		o.svg = filepath.Join(o.docs, "plots")
	}
	if quick {
		if !given["path"] {
			paths = "quick"
		}
		if !given["rounds"] {
			o.rounds = 1
		}
		if !given["time"] {
			o.time = 500 * time.Millisecond
		}
		if !given["fair-time"] {
			o.fairTime = time.Second
		}
		if !given["again"] {
			o.again = 0
		}
	}
	o.paths, o.only = split(paths), split(only)
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q (-h explains)", f.Arg(0))
	case o.rounds < 1 || o.rounds > 1000:
		return o, fmt.Errorf("-rounds: %d is outside of 1..1000", o.rounds)
	case o.time < 100*time.Millisecond || o.time > time.Hour:
		return o, fmt.Errorf("-time: %v is outside of 100ms..1h", o.time)
	case o.fairTime < 100*time.Millisecond || o.fairTime > time.Hour:
		return o, fmt.Errorf("-fair-time: %v is outside of 100ms..1h", o.fairTime)
	case o.again < 0 || o.again > 100:
		return o, fmt.Errorf("-again: %d is outside of 0..100", o.again)
	case o.buffer != 0 && (o.buffer < 4096 || o.buffer > 1<<30):
		return o, fmt.Errorf("-buffer: %d is outside of 4096..%d", o.buffer, 1<<30)
	case o.tolerance.P99 <= 0:
		return o, fmt.Errorf("-late-p99: %v is not positive", o.tolerance.P99)
	case o.tolerance.Max <= 0:
		return o, fmt.Errorf("-late-max: %v is not positive", o.tolerance.Max)
	}
	if o.svg == "" && !quick && !o.list && o.role == "" {
		dir, err := os.MkdirTemp("", "culvert-link-")
		if err != nil {
			return o, err
		}
		o.svg = dir
	}
	return o, nil
}

// split is the list in s, without empty names.
func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

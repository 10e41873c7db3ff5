package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

const usage = `Compare culvert with the kernel's TCP and other stacks, in two processes.

  go run ./cmd/bench                      everything, in about 24 minutes
  go run ./cmd/bench -quick               a minute or two, to see that it works
  go run ./cmd/bench -list                names all that is measured: PLACE/WORK/STACK
  go run ./cmd/bench -only 'loopback/bulk-1/(culvert|kernel-cubic)$'
  go run ./cmd/bench -only bulk-1/culvert$ -rounds 1 -time 5s -cpuprofile /tmp/profiles

Between namespaces it needs Linux and root; without, that part is left out.

Flags:
`

// options are the command line.
type options struct {
	rounds  int
	time    time.Duration
	warm    time.Duration
	only    *regexp.Regexp
	list    bool
	quick   bool
	want    bool
	json    string
	docs    string
	profile string
	timeout time.Duration
	role    string
	args    string // what of it says what was measured
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, w, progress io.Writer) error {
	o, err := parse(args, w)
	if err != nil {
		return err
	}
	if o.role != "" {
		return play(ctx, o.role, stdin, w)
	}
	cells, err := plan(o)
	if err != nil {
		return err
	}
	if o.list {
		for _, c := range cells {
			fmt.Fprintln(w, c.name())
		}
		if o.only.MatchString(engineName) {
			fmt.Fprintln(w, engineName)
		}
		return nil
	}
	return compare(ctx, o, cells, w, progress)
}

// parse reads the command line; -h writes the usage to w.
func parse(args []string, w io.Writer) (options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.rounds, "rounds", 5, "measurements of each; the median counts")
	f.DurationVar(&o.time, "time", 1500*time.Millisecond, "how long each measurement takes what happens")
	f.DurationVar(&o.warm, "warm", 300*time.Millisecond, "how long each works before")
	f.StringVar(&only, "only", "", "regular expression for the PLACE/WORK/STACK to measure (default all)")
	f.BoolVar(&o.list, "list", false, "list what would be measured, and end")
	f.BoolVar(&o.quick, "quick", false, "one round of 0.15 s and fewer idle connections, unless given; no verdicts without -want")
	f.BoolVar(&o.want, "want", false, "fail if culvert misses one of its bars")
	f.StringVar(&o.json, "json", "", "write all figures to this file")
	f.StringVar(&o.docs, "docs", "", "write tables and plots to this directory, as benchmarks.md and benchmarks/*.svg")
	f.StringVar(&o.profile, "cpuprofile", "", "write a processor profile of each process to this directory")
	f.DurationVar(&o.timeout, "timeout", time.Hour, "end with what there is after so long")
	f.StringVar(&o.role, "role", "", "be a server or a client (bench starts them itself)")
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
		case "docs", "json", "cpuprofile", "timeout", "role": // where things go says nothing of what they are
		case "quick", "want":
			o.args += "-" + f.Name + " "
		default:
			o.args += fmt.Sprintf("-%s '%s' ", f.Name, f.Value)
		}
	})
	if o.quick {
		if !given["rounds"] {
			o.rounds = 1
		}
		if !given["time"] {
			o.time = 150 * time.Millisecond
		}
		if !given["warm"] {
			o.warm = 100 * time.Millisecond
		}
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q (-h explains)", f.Arg(0))
	case o.rounds < 1 || o.rounds > 1000:
		return o, fmt.Errorf("-rounds: %d is outside of 1..1000", o.rounds)
	case o.time < 10*time.Millisecond || o.time > time.Hour:
		return o, fmt.Errorf("-time: %v is outside of 10ms..1h", o.time)
	case o.warm < 0 || o.warm > time.Hour:
		return o, fmt.Errorf("-warm: %v is outside of 0..1h", o.warm)
	case o.timeout <= 0:
		return o, fmt.Errorf("-timeout: %v is not positive", o.timeout)
	}
	return o, nil
}

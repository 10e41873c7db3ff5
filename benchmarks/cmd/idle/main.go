// Command idle holds many connections between two processes on loopback and says what
// each costs while nothing is said.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/culvert/conn"
	"example.com/culvert/transport"
)

const usage = `Hold idle connections between two processes on loopback and print what one costs.

  go run ./cmd/idle                100,000 connections
  go run ./cmd/idle -n 1000000     a million; both processes together need some GiB

They share a few sockets at each end, 10,000 for each pair of addresses. Memory is that of the
process, less what it was before the first, by the number of connections.

Flags:
`

// perPair is how many connections a pair of sockets carries: less than there are ephemeral
// ports, so that a free one is found soon.
const perPair = 10_000

// options are the command line.
type options struct {
	n, parallel, sample int
	hold                time.Duration
	want                bool
	serve               int
}

// most is what a connection may take of process memory at each end, in bytes.
const most = 4096

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
	debug.SetGCPercent(25) // what lives counts, not what might have been collected
	if o.serve > 0 {
		return serve(o.serve, stdin, w)
	}
	return hold(ctx, o, w)
}

// parse reads the command line; -h writes the usage to w.
func parse(args []string, w io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("idle", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.n, "n", 100_000, "how many connections")
	f.IntVar(&o.parallel, "parallel", 256, "how many are opened at a time")
	f.IntVar(&o.sample, "sample", 1000, "how many are asked in the end whether they live")
	f.DurationVar(&o.hold, "hold", 5*time.Second, "how long they are idle")
	f.BoolVar(&o.want, "want", false, "fail if a connection takes more than 4096 bytes at either end, or if there is a goroutine for each; with less than 20,000 what a process itself takes weighs in")
	f.IntVar(&o.serve, "serve", 0, "be the server, with so many sockets (idle starts it itself)")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(w, usage)
			f.SetOutput(w)
			f.PrintDefaults()
			return o, err
		}
		return o, fmt.Errorf("%w (-h explains)", err)
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q (-h explains)", f.Arg(0))
	case o.n < 1 || o.n > 10_000_000:
		return o, fmt.Errorf("-n: %d is outside of 1..10000000", o.n)
	case o.parallel < 1 || o.parallel > 10_000:
		return o, fmt.Errorf("-parallel: %d is outside of 1..10000", o.parallel)
	case o.sample < 0:
		return o, fmt.Errorf("-sample: %d is negative", o.sample)
	case o.hold < 2*time.Second:
		return o, fmt.Errorf("-hold: %v is less than 2s; buffers are given back after one", o.hold)
	case o.serve < 0 || o.serve > 1000:
		return o, fmt.Errorf("-serve: %d is outside of 1..1000", o.serve)
	}
	return o, nil
}

// sockets is how many each end has.
func sockets(n int) int { return int(math.Ceil(math.Sqrt(float64(n) / perPair))) }

// serve accepts on so many sockets, and follows the commands on stdin: "usage", "echo n"
// (give back the octet that n of the connections have got), until it ends.
func serve(count int, stdin io.Reader, w io.Writer) error {
	var mu sync.Mutex
	var conns []*conn.Conn
	var addrs []string
	for range count {
		e, err := transport.ListenEndpoint("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer e.Close()
		l, err := e.Listen(0)
		if err != nil {
			return err
		}
		addrs = append(addrs, l.Addr().String())
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				mu.Lock()
				conns = append(conns, c.(*conn.Conn))
				mu.Unlock()
			}
		}()
	}
	fmt.Fprintln(w, strings.Join(addrs, " "))
	commands := bufio.NewScanner(stdin)
	for commands.Scan() {
		var n int
		switch cmd := commands.Text(); {
		case cmd == "usage":
			mu.Lock()
			u := measure(len(conns))
			mu.Unlock()
			if err := json.NewEncoder(w).Encode(u); err != nil {
				return err
			}
		case scan(cmd, "echo %d", &n):
			mu.Lock()
			got, err := echo(conns, n)
			mu.Unlock()
			if err != nil {
				return err
			}
			fmt.Fprintln(w, got)
		default:
			return fmt.Errorf("command %q is neither usage nor echo", cmd)
		}
	}
	return commands.Err()
}

func scan(s, format string, n *int) bool {
	_, err := fmt.Sscanf(s, format, n)
	return err == nil
}

// echo gives back an octet on each connection that has got one, until n have.
func echo(conns []*conn.Conn, n int) (got int, err error) {
	for end := time.Now().Add(time.Minute); got < n && time.Now().Before(end); {
		for _, c := range conns {
			if c.Info().ReceiveQueue == 0 {
				continue
			}
			var b [1]byte
			if _, err := c.Read(b[:]); err != nil {
				return got, err
			}
			if _, err := c.Write(b[:]); err != nil {
				return got, err
			}
			got++
		}
	}
	return got, nil
}

// hold opens the connections, looks at both ends while they are idle, and asks some of
// them whether they live.
func hold(ctx context.Context, o options, w io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	count := sockets(o.n)
	server := exec.CommandContext(ctx, self, "-serve", fmt.Sprint(count))
	server.Stderr = os.Stderr
	in, err := server.StdinPipe()
	if err != nil {
		return err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer server.Wait()
	defer in.Close()
	answers := bufio.NewReader(out)
	line, err := answers.ReadString('\n')
	if err != nil {
		return fmt.Errorf("the server does not begin: %w", err)
	}
	ask := func() (u usageOf, err error) {
		fmt.Fprintln(in, "usage")
		line, err := answers.ReadString('\n')
		if err != nil {
			return u, fmt.Errorf("the server has ended: %w", err)
		}
		return u, json.Unmarshal([]byte(line), &u)
	}
	addrs := strings.Fields(line)
	ends := make([]*transport.Endpoint, count)
	for i := range ends {
		if ends[i], err = transport.ListenEndpoint("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		defer ends[i].Close()
	}
	there, err := ask()
	if err != nil {
		return err
	}
	before := [2]usageOf{measure(0), there}
	conns := make([]net.Conn, o.n)
	begin := time.Now()
	if err := open(ctx, o, ends, addrs, conns); err != nil {
		return err
	}
	took := time.Since(begin)
	fmt.Fprintf(w, "%d connections over %d and %d sockets in %.1f s, %.0f a second\n", o.n, count, count, took.Seconds(), float64(o.n)/took.Seconds())
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2 * time.Second): // buffers are given back after one
	}
	var after [2][2]usageOf // before and after the idle time
	for i := range after {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(o.hold):
			}
		}
		after[i][0] = measure(o.n)
		if after[i][1], err = ask(); err != nil {
			return err
		}
	}
	var missed []string
	for i, name := range []string{"dialled", "accepted"} {
		a, b := after[1][i], before[i]
		per := func(n, m int64) float64 { return float64(n-m) / float64(o.n) }
		if per(a.RSS, b.RSS) > most || a.Goroutines-b.Goroutines > o.n/100 {
			missed = append(missed, name)
		}
		fmt.Fprintf(w, "%-9s %7.0f bytes of process memory a connection, %.0f of heap; %d goroutines, %d before the first; %v of processor in %v\n", name,
			per(a.RSS, b.RSS), per(a.Heap, b.Heap), a.Goroutines, b.Goroutines, (a.CPU - after[0][i].CPU - a.Measuring).Round(time.Millisecond), o.hold)
	}
	fmt.Fprintf(w, "together  %7.2f GiB\n", float64(after[1][0].RSS+after[1][1].RSS)/(1<<30))
	if err := live(o, conns, in, answers, w); err != nil {
		return err
	}
	if o.want && len(missed) > 0 {
		return fmt.Errorf("more than is wanted: %s", strings.Join(missed, ", "))
	}
	return nil
}

// open dials all connections, o.parallel at a time.
func open(ctx context.Context, o options, ends []*transport.Endpoint, addrs []string, conns []net.Conn) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, o.parallel)
	for range o.parallel {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(conns) {
					return
				}
				pair := i % (len(ends) * len(addrs))
				c, err := ends[pair/len(addrs)].DialContext(ctx, "tcp", addrs[pair%len(addrs)])
				if err != nil {
					errs <- fmt.Errorf("connection %d: %w", i, err)
					next.Store(int64(len(conns)))
					return
				}
				conns[i] = c
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// live sends an octet on some of the connections and waits until it comes back.
func live(o options, conns []net.Conn, in io.Writer, answers *bufio.Reader, w io.Writer) error {
	n := min(o.sample, len(conns))
	asked := make([]net.Conn, 0, n)
	for i := range n {
		asked = append(asked, conns[i*len(conns)/n])
	}
	begin := time.Now()
	for _, c := range asked {
		if err := c.SetDeadline(begin.Add(time.Minute)); err != nil {
			return err
		}
		if _, err := c.Write([]byte{1}); err != nil {
			return err
		}
	}
	fmt.Fprintf(in, "echo %d\n", n)
	for _, c := range asked {
		var b [1]byte
		if _, err := io.ReadFull(c, b[:]); err != nil {
			return fmt.Errorf("a connection does not answer: %w", err)
		}
	}
	if _, err := answers.ReadString('\n'); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d of them were asked and answered in %v\n", n, time.Since(begin).Round(time.Millisecond))
	return nil
}

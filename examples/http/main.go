// Command http serves and fetches files with net/http over culvert, TCP in UDP
// datagrams, and checks that every byte arrived.
//
// Without flags it does both halves in one process over the loopback interface.
// With -serve and -get the halves run in two processes or on two hosts. Where to
// read: listen in server.go and newClient in client.go hold the lines that put
// net/http on culvert; everything else is what any HTTP program does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

const usage = `Serve and fetch files with net/http over culvert (TCP in UDP datagrams), and
verify the SHA-256 of everything that was moved.

  http [flags]               server and client in this process, over loopback
  http -serve ADDR [flags]   the server alone, until it is interrupted
  http -get URL [flags]      the client alone: everything at http://host:port/,
                             or one file, http://host:port/files/NAME

The client fetches several files at once over kept-alive connections, every
second one by Range requests, and uploads a quarter as much meanwhile (at most
1 GiB). The exit status is 0 after "sha256 ok", else 1.

Flags:
`

// options are the command line.
type options struct {
	serve, get, dir, cc string
	size                byteSize
	parallel            int
	patience            time.Duration
}

// errInterrupted is the end by signal.
var errInterrupted = errors.New("interrupted")

func main() {
	sig := make(chan os.Signal, 2)
	signal.Notify(sig, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		<-sig
		signal.Stop(sig) // a second one kills
		cancel(errInterrupted)
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err == nil && o.get != "":
		err = get(ctx, o, stdout)
	case err == nil && o.serve != "":
		err = serve(ctx, o, stdout)
	case err == nil:
		err = both(ctx, o, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	return 0
}

// parse reads the command line; -h writes the usage to w.
func parse(args []string, w io.Writer) (options, error) {
	o := options{size: 256 << 20}
	f := flag.NewFlagSet("http", flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is reported once, by run
	f.StringVar(&o.serve, "serve", "", "serve on `ADDR`, such as :8080")
	f.StringVar(&o.get, "get", "", "fetch from `URL`, such as http://host:8080/")
	f.StringVar(&o.dir, "dir", "", "serve the files below `DIR` instead of generated ones")
	f.Var(&o.size, "size", "`SIZE` of the generated files together")
	f.IntVar(&o.parallel, "n", 4, "transfers at once")
	f.DurationVar(&o.patience, "timeout", 15*time.Second, "give up when a transfer stands still for so long")
	f.StringVar(&o.cc, "cc", "", "congestion control: "+strings.Join(congestion.Names(), ", ")+" (default culvert's own)")
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
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q (-h explains)", f.Arg(0))
	case given["serve"] && given["get"]:
		return o, errors.New("-serve and -get exclude each other; without either both halves run here")
	case given["serve"] && o.serve == "":
		return o, errors.New("-serve: the address is empty; want something like :8080")
	case given["get"] && o.get == "":
		return o, errors.New("-get: the URL is empty; want something like http://host:8080/")
	case given["dir"] && o.dir == "":
		return o, errors.New("-dir: the name is empty")
	case given["dir"] && given["size"]:
		return o, errors.New("-dir and -size exclude each other: -size is for generated files")
	case given["get"] && (given["dir"] || given["size"]):
		return o, errors.New("-get fetches what the server has: give -dir or -size to -serve")
	case given["serve"] && (given["n"] || given["timeout"]):
		return o, errors.New("-n and -timeout are the client's: give them to -get")
	case o.parallel < 1 || o.parallel > 1000:
		return o, fmt.Errorf("-n: %d is outside of 1..1000", o.parallel)
	case o.patience <= 0:
		return o, fmt.Errorf("-timeout: %v is not positive", o.patience)
	}
	if o.cc != "" {
		if _, err := congestion.New(o.cc); err != nil {
			return o, fmt.Errorf("-cc: %w", err)
		}
	}
	return o, nil
}

// start listens on addr and serves what the options ask for. It listens first,
// since hashing may take long and a bad address should not.
func (o *options) start(ctx context.Context, addr string, log *connLog) (*server, error) {
	l, err := listen(ctx, addr, o.cc)
	if err != nil {
		return nil, err
	}
	var files *catalog
	if o.dir != "" {
		files, err = dirCatalog(ctx, o.dir)
	} else {
		files, err = generatedCatalog(ctx, int64(o.size))
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return startServer(l, files, log), nil
}

// both runs the two halves against each other on loopback.
func both(ctx context.Context, o options, w io.Writer) error {
	s, err := o.start(ctx, "127.0.0.1:0", &connLog{side: "server"})
	if err != nil {
		return err
	}
	defer s.files.close()
	fmt.Fprintf(w, "serving %s, %s, at %s\n", plural(len(s.files.index.Files), "file"), sizeText(s.files.index.total()), s.url)
	o.get = s.url
	err = fetch(ctx, o, w, s.log)
	if stopErr := s.stop(5 * time.Second); err == nil {
		err = stopErr
	}
	if err == nil {
		fmt.Fprintln(w, "sha256 ok")
	}
	return err
}

// serve runs the server until ctx ends.
func serve(ctx context.Context, o options, w io.Writer) error {
	log := &connLog{side: "server", onClose: func(r connReport) { fmt.Fprintln(w, r.line()) }}
	s, err := o.start(ctx, o.serve, log)
	if err != nil {
		return err
	}
	defer s.files.close()
	fmt.Fprintf(w, "serving %s, %s, at %s until interrupted\n", plural(len(s.files.index.Files), "file"), sizeText(s.files.index.total()), s.url)
	select {
	case <-ctx.Done():
	case err := <-s.done:
		return fmt.Errorf("serving: %w", err)
	}
	fmt.Fprintln(w, "interrupted, letting transfers end")
	return s.stop(5 * time.Second)
}

// get runs the client alone.
func get(ctx context.Context, o options, w io.Writer) error {
	err := fetch(ctx, o, w, &connLog{side: "server"})
	if err == nil {
		fmt.Fprintln(w, "sha256 ok")
	}
	return err
}

// fetch runs the client and tells what it did. peers are the server's
// connections, as far as they are known here.
func fetch(ctx context.Context, o options, w io.Writer, peers *connLog) error {
	c, err := newClient(o.get, o.cc, o.parallel, o.patience)
	if err != nil {
		return fmt.Errorf("-get: %w", err)
	}
	begin := time.Now()
	p := startProgress(w, &c.meter, func() uint64 { return c.log.retransmits() + peers.retransmits() })
	err = c.run(ctx)
	took := time.Since(begin)
	p.stop()
	reports := append(c.log.reports(), peers.reports()...)
	if err == nil {
		c.log.linger() // and not for a server that is gone
	}
	c.http.CloseIdleConnections()

	s := &c.stats
	fetched, uploaded := s.fetched.Load(), s.uploaded.Load()
	if fetched+uploaded == 0 {
		return err
	}
	fmt.Fprintf(w, "fetched %s, %s, and uploaded %s in %.2f s: %s; %s (%d for ranges) over %s\n",
		plural(int(s.files.Load()), "file"), sizeText(fetched), sizeText(uploaded), took.Seconds(), rate(fetched+uploaded, took),
		plural(int(s.requests.Load()), "request"), s.ranges.Load(), plural(len(c.log.reports()), "connection"))
	printReports(w, reports)
	return err
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"time"

	"example.com/culvert/benchmarks"
	"example.com/culvert/benchmarks/work"
)

// The roles of processes.
const (
	roleServer = "server"
	roleClient = "client"
)

// getReady is how long a process may take before its window, and after it.
const getReady = time.Minute

// A job is what a process is told first.
type job struct {
	Stack   string
	Work    work.Work
	Addr    string // to listen on, or to connect to
	CPU     int    // to use, -1 if all of them
	Profile string `json:",omitempty"`
}

// hello is its answer when it is ready; it is then told the work.Window, and its last
// word is a work.Report.
type hello struct {
	Addr string `json:",omitempty"` // where a server listens
}

// play is the other processes' main program. The end of r is the end.
func play(ctx context.Context, role string, r io.Reader, w io.Writer) error {
	in, out := json.NewDecoder(r), json.NewEncoder(w)
	// Whatever a stack does, and whoever started this process is gone: it ends.
	watchdog := time.AfterFunc(getReady, func() { os.Exit(3) })
	defer watchdog.Stop()
	var j job
	if err := in.Decode(&j); err != nil {
		return fmt.Errorf("%s: no job: %w", role, err)
	}
	if err := pin(j.CPU); err != nil {
		return err
	}
	s, err := benchmarks.Find(j.Stack)
	if err != nil {
		return err
	}
	var measure func(work.Window) work.Report
	var ready hello
	switch role {
	case roleServer:
		l, err := s.Listen(j.Addr)
		if err != nil {
			return err
		}
		server, err := work.NewServer(l, j.Work)
		if err != nil {
			return err
		}
		ready.Addr = l.Addr().String()
		measure = server.Measure
	case roleClient:
		client, err := work.NewClient(ctx, s, j.Addr, j.Work)
		if err != nil {
			return err
		}
		measure = func(win work.Window) work.Report { return client.Measure(ctx, win) }
	default:
		return fmt.Errorf("-role: %q is neither %s nor %s", role, roleServer, roleClient)
	}
	if err := out.Encode(ready); err != nil {
		return err
	}
	var win work.Window
	if err := in.Decode(&win); err != nil {
		return fmt.Errorf("%s: no window: %w", role, err)
	}
	watchdog.Reset(time.Until(win.To) + getReady)
	stop, err := profile(j.Profile, win)
	if err != nil {
		return err
	}
	report := measure(win)
	if err := stop(); err != nil {
		return err
	}
	if err := out.Encode(report); err != nil {
		return err
	}
	// A server that went now would take its connections with it under the client's hands.
	io.Copy(io.Discard, r)
	return nil
}

// profile writes what the processor does within the window to a file.
func profile(path string, win work.Window) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	begin := time.AfterFunc(time.Until(win.From), func() { pprof.StartCPUProfile(f) })
	return func() error {
		begin.Stop()
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

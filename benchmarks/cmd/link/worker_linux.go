package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"example.com/culvert/benchmarks/link"
)

// The roles of processes.
const (
	roleForwarder = "forwarder"
	roleSender    = "sender"
	roleReceiver  = "receiver"
)

// A job is what the parent tells another process: first what to do, then when to begin.
type job struct {
	Stack  string `json:",omitempty"`
	Tuning tuning
	Addr   string        `json:",omitempty"`
	Time   time.Duration `json:",omitempty"`
	Start  time.Duration `json:",omitempty"` // on the clock of link.Now
	// For the forwarder.
	Path *link.Path `json:",omitempty"`
	Seed uint64     `json:",omitempty"`
}

// hello is the first answer of a process: it is ready.
type hello struct {
	Addr string `json:",omitempty"` // where a receiver listens
}

// play is the other processes' main program: jobs come in on r as JSON, answers go out
// on w; the end of r is the end.
func play(ctx context.Context, role string, r io.Reader, w io.Writer) error {
	in, out := json.NewDecoder(r), json.NewEncoder(w)
	var j job
	if err := in.Decode(&j); err != nil {
		return fmt.Errorf("%s: no job: %w", role, err)
	}
	switch role {
	case roleForwarder:
		return forward(ctx, j, in, out)
	case roleSender:
		return send(ctx, j, in, out)
	case roleReceiver:
		return receive(j, in, out)
	}
	return fmt.Errorf("-role: %q is not one of %s, %s, %s", role, roleForwarder, roleSender, roleReceiver)
}

var errNoPath = errors.New("forwarder: the job has no path")

// forward forwards one run after another. For each it is told the path, then the
// start, then an empty job: the end, which it answers with its report.
func forward(ctx context.Context, j job, in *json.Decoder, out *json.Encoder) error {
	if j.Path == nil {
		return errNoPath // before it takes the descriptors for its own
	}
	a, b := os.NewFile(3, "TUN A"), os.NewFile(4, "TUN B")
	for {
		if j.Path == nil {
			return errNoPath
		}
		f, err := link.NewForwarder(a, b, *j.Path, j.Seed)
		if err != nil {
			return err
		}
		running, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- f.Run(running) }()
		err = out.Encode(hello{})
		for err == nil {
			j = job{}
			if err = in.Decode(&j); err != nil || j.Start == 0 {
				break
			}
			f.Start(j.Start)
		}
		stop()
		if ferr := <-done; ferr != nil {
			return ferr
		}
		if err == nil {
			err = out.Encode(f.Report())
		}
		if err == nil {
			j = job{}
			err = in.Decode(&j)
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// block is what is sent over and over; no part of it looks like another.
var block = func() []byte {
	rng := rand.NewChaCha8([32]byte{1})
	b := make([]byte, 64<<10)
	rng.Read(b)
	return b
}()

// pollEvery is the time between a sender's looks at its connection.
const pollEvery = 20 * time.Millisecond

func send(ctx context.Context, j job, in *json.Decoder, out *json.Encoder) error {
	s, err := findStack(j.Stack, j.Tuning)
	if err != nil {
		return err
	}
	dialing, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	c, err := s.Dial(dialing, j.Addr)
	if err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	defer abort(c)
	if err := out.Encode(hello{}); err != nil {
		return err
	}
	var begin job
	if err := in.Decode(&begin); err != nil {
		return fmt.Errorf("sender: no start: %w", err)
	}
	time.Sleep(begin.Start - link.Now())
	used := cpu()
	end := time.Now().Add(begin.Start - link.Now() + j.Time)
	if err := c.SetWriteDeadline(end); err != nil {
		return err
	}
	stop, traced := make(chan struct{}), make(chan []point)
	go func() { traced <- trace(c, begin.Start, stop) }()
	for {
		if _, err = c.Write(block); err != nil || !time.Now().Before(end) {
			break
		}
	}
	if err != nil && time.Until(end) > time.Millisecond {
		return fmt.Errorf("sender: %w", err)
	}
	close(stop)
	r := senderResult{Trace: <-traced}
	r.CPU = (cpu() - used).Seconds()
	_, r.Sent = probe(c)
	return out.Encode(r)
}

// trace looks at a connection until it is told to stop.
func trace(c net.Conn, start time.Duration, stop <-chan struct{}) []point {
	var all []point
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		p, _ := probe(c)
		p.At = (link.Now() - start).Seconds()
		all = append(all, p)
		select {
		case <-stop:
			return all
		case <-tick.C:
		}
	}
}

// abort closes a connection without delivering the rest.
func abort(c net.Conn) {
	if l, ok := c.(interface{ SetLinger(int) error }); ok {
		l.SetLinger(0)
	}
	c.Close()
}

func receive(j job, in *json.Decoder, out *json.Encoder) error {
	s, err := findStack(j.Stack, j.Tuning)
	if err != nil {
		return err
	}
	l, err := s.Listen(j.Addr)
	if err != nil {
		return fmt.Errorf("receiver: %w", err)
	}
	defer l.Close()
	if err := out.Encode(hello{l.Addr().String()}); err != nil {
		return err
	}
	used := cpu()
	var r receiverResult
	finished := make(chan struct{})
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(finished)
		if c, err := l.Accept(); err == nil {
			accepted <- c
			r.Corrupt = read(c, &r.Read)
			r.Duplicates = duplicates(c)
		}
	}()
	in.Decode(&job{}) // until the parent closes it
	r.CPU = (cpu() - used).Seconds()
	l.Close()
	select {
	case c := <-accepted:
		abort(c) // which ends Read; a deadline from elsewhere is a data race in kcp-go
		<-finished
	case <-finished:
	}
	return out.Encode(r)
}

// noteEvery is the time between notes of a receiver's progress.
const noteEvery = 5 * time.Millisecond

// read reads c to its end and notes the progress. It reports whether what it read is
// not what send sends.
func read(c net.Conn, notes *[]progress) (corrupt bool) {
	buf := make([]byte, 64<<10)
	var all uint64
	var noted time.Duration
	for {
		n, err := c.Read(buf)
		for got := buf[:n]; len(got) > 0; {
			want := block[all%uint64(len(block)):]
			want = want[:min(len(want), len(got))]
			if !bytes.Equal(want, got[:len(want)]) {
				corrupt = true
			}
			all += uint64(len(want))
			got = got[len(want):]
		}
		if now := link.Now(); n > 0 && now-noted >= noteEvery {
			*notes = append(*notes, progress{now, all})
			noted = now
		}
		if err != nil {
			return corrupt
		}
	}
}

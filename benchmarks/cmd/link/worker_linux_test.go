package main

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"example.com/culvert/benchmarks/link"
)

// actor is a role played by a goroutine instead of a process.
type actor struct {
	jobs *json.Encoder
	in   io.Closer
	out  *json.Decoder
	done chan error
}

func act(t *testing.T, role string) *actor {
	t.Helper()
	jobs, in := io.Pipe()
	out, answers := io.Pipe()
	a := &actor{json.NewEncoder(in), in, json.NewDecoder(out), make(chan error, 1)}
	go func() {
		err := play(t.Context(), role, jobs, answers)
		answers.CloseWithError(err)
		jobs.CloseWithError(err)
		a.done <- err
	}()
	return a
}

func (a *actor) tell(t *testing.T, j job) {
	t.Helper()
	if err := a.jobs.Encode(j); err != nil {
		t.Fatal(err)
	}
}

func (a *actor) hear(t *testing.T, answer any) {
	t.Helper()
	if err := a.out.Decode(answer); err != nil {
		t.Fatal(err)
	}
}

// TestTransfer: every stack's sender and receiver do together what a run wants of them.
func TestTransfer(t *testing.T) {
	list, _ := stacks(tuning{})
	if len(list) < 3 {
		t.Fatalf("only %d stacks", len(list))
	}
	for _, s := range list {
		t.Run(s.Name, func(t *testing.T) {
			r, w := act(t, roleReceiver), act(t, roleSender)
			j := job{Stack: s.Name, Addr: "127.0.0.1:0", Time: 500 * time.Millisecond, Tuning: tuning{Window: 512}}
			var at hello
			r.tell(t, j)
			r.hear(t, &at)
			j.Addr = at.Addr
			w.tell(t, j)
			w.hear(t, &hello{})
			start := link.Now() + time.Millisecond
			w.tell(t, job{Start: start})
			f := flow{}
			w.hear(t, &f.Sender)
			if err := <-w.done; err != nil {
				t.Fatal(err)
			}
			r.in.Close()
			r.hear(t, &f.Receiver)
			if err := <-r.done; err != nil {
				t.Fatal(err)
			}
			f.settle(&entry{flows: []string{s.Name}, time: time.Hour}, 0, start)
			if f.Stack != s.Name || f.Seconds != 3600 || f.Bytes == 0 || f.Goodput != float64(f.Bytes)/3600 {
				t.Errorf("%s: %d bytes in %v s are %v bytes/s", f.Stack, f.Bytes, f.Seconds, f.Goodput)
			}
			if f.Receiver.Corrupt {
				t.Error("what arrived is not what was sent")
			}
			if len(f.Sender.Trace) == 0 || f.CPU <= 0 {
				t.Fatalf("%d points, CPU %v", len(f.Sender.Trace), f.CPU)
			}
			if strings.HasPrefix(s.Name, "kernel-") || strings.HasPrefix(s.Name, "culvert-") {
				last := f.Sender.Trace[len(f.Sender.Trace)-1]
				if n := f.Sender.Sent; !n.Known || n.Bytes == 0 || n.Segments == 0 || last.Cwnd == 0 || last.RTT == 0 {
					t.Errorf("counters %+v, last point %+v", n, last)
				}
			}
		})
	}
}

// TestCorruption: a byte that changed or is missing is noticed.
func TestCorruption(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		want   bool
	}{
		{"nothing", func(b []byte) []byte { return b }, false},
		{"a bit", func(b []byte) []byte { b[len(block)+3]++; return b }, true},
		{"a byte left out", func(b []byte) []byte { return append(b[:100], b[101:]...) }, true},
	} {
		s := string(c.change(append(append([]byte(nil), block...), block...)))
		near := &stream{Reader: strings.NewReader(s)}
		var notes []progress
		if got := read(near, &notes); got != c.want {
			t.Errorf("%s: corrupt is %v", c.name, got)
		}
		if len(notes) == 0 || notes[0].Bytes == 0 {
			t.Errorf("%s: notes are %v", c.name, notes)
		}
	}
}

// TestPlayRefuses what it does not know.
func TestPlayRefuses(t *testing.T) {
	for _, c := range []struct {
		role, in, want string
	}{
		{"usher", "{}", "usher"},
		{roleSender, "", "no job"},
		{roleSender, `{"Stack":"pigeon"}`, "pigeon"},
		{roleReceiver, `{"Stack":"pigeon"}`, "pigeon"},
		{roleReceiver, `{"Stack":"kcp-go","Addr":"nowhere"}`, "receiver"},
		{roleForwarder, "{}", "no path"},
	} {
		err := play(t.Context(), c.role, strings.NewReader(c.in), io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %q: %v", c.role, c.in, err)
		}
	}
}

// TestBusyTime sums up what is not idle.
func TestBusyTime(t *testing.T) {
	if got := busyTime("cpu  100 20 3 999 888 4 50 600 7777 0"); got != 7770*time.Millisecond {
		t.Errorf("got %v, want 7.77s", got)
	}
	if machineBusy() <= 0 {
		t.Error("the machine was never busy")
	}
}

// stream is a connection that only reads.
type stream struct {
	net.Conn
	io.Reader
}

func (s *stream) Read(b []byte) (int, error) { return s.Reader.Read(b) }

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"time"

	"example.com/culvert/benchmarks/link"
)

// The addresses of the two ends, which nobody else sees.
var ends = [2]netip.Prefix{netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("10.77.0.2/24")}

// A lab is the two namespaces and the forwarder between them.
type lab struct {
	a, b      *link.Namespace
	forwarder *process
}

func newLab(ctx context.Context) (*lab, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("network namespaces and TUN devices need root")
	}
	var l lab
	var err error
	if l.a, err = link.NewNamespace(ends[0]); err != nil {
		return nil, err
	}
	if l.b, err = link.NewNamespace(ends[1]); err != nil {
		l.close()
		return nil, err
	}
	// It owns descriptors only, so either namespace will do.
	if l.forwarder, err = launch(ctx, l.a, roleForwarder, l.a.TUN, l.b.TUN); err != nil {
		l.close()
		return nil, err
	}
	return &l, nil
}

func (l *lab) close() {
	if l.forwarder != nil {
		l.forwarder.end()
	}
	for _, n := range []*link.Namespace{l.a, l.b} {
		if n != nil {
			n.Close()
		}
	}
}

// A process is this program in another role.
type process struct {
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	jobs *json.Encoder
	out  *json.Decoder
}

// launch starts a process in a namespace. It is killed when the context ends.
func launch(ctx context.Context, n *link.Namespace, role string, files ...*os.File) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{role: role, cmd: exec.CommandContext(ctx, exe, "-role", role)}
	p.cmd.Stderr = os.Stderr
	p.cmd.ExtraFiles = files
	start := n.Start
	if role == roleForwarder {
		p.cmd.Env = append(os.Environ(), "GOGC=off") // it allocates hardly anything, and must not be late
		start = n.StartRealtime
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.jobs, p.out = json.NewEncoder(p.in), json.NewDecoder(out)
	if err := start(p.cmd); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", role, err)
	}
	return p, nil
}

// ask sends a job and waits for the answer, unless that is nil.
func (p *process) ask(j job, answer any) error {
	if err := p.jobs.Encode(j); err != nil {
		return fmt.Errorf("%s: %w", p.role, err)
	}
	return p.answer(answer)
}

func (p *process) answer(answer any) error {
	if answer == nil {
		return nil
	}
	if err := p.out.Decode(answer); err != nil {
		return fmt.Errorf("the %s ended without an answer: %w", p.role, err)
	}
	return nil
}

// end ends the process, as it is wanted to: its input ends.
func (p *process) end() error {
	p.in.Close()
	timer := time.AfterFunc(5*time.Second, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	return p.cmd.Wait()
}

// kill ends the process in any case.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// warmUp is the share of the time that does not count when flows compete: two CUBIC flows
// that left slow start apart take a dozen seconds to meet.
const warmUp = 0.5

// transfer runs the flows of an entry at once.
func (l *lab) transfer(ctx context.Context, e *entry, buffer int, seed uint64) (*result, error) {
	dropped, err := l.drops()
	if err != nil {
		return nil, err
	}
	if err := l.forwarder.ask(job{Path: &e.path, Seed: seed}, &hello{}); err != nil {
		return nil, err
	}
	r := &result{Path: e.path.Name, Seed: seed, Flows: make([]flow, len(e.flows)), Link: &link.Report{}}
	busy, before := machineBusy(), link.Now()
	failure := l.flows(ctx, e, buffer, r)
	busy, took := machineBusy()-busy, link.Now()-before
	if err := l.forwarder.ask(job{}, r.Link); err != nil {
		return nil, errors.Join(failure, err)
	}
	if failure != nil {
		return nil, failure
	}
	after, err := l.drops()
	if err != nil {
		return nil, err
	}
	r.Link.Refused += after - dropped
	ours := r.Link.CPU
	for _, f := range r.Flows {
		ours += f.CPU
	}
	r.Others = max(0, (busy.Seconds()-ours)/(took.Seconds()*float64(runtime.NumCPU())))
	return r, nil
}

// flows runs the flows while the forwarder forwards.
func (l *lab) flows(ctx context.Context, e *entry, buffer int, r *result) error {
	var senders, receivers []*process
	defer func() {
		for _, p := range append(senders, receivers...) {
			p.kill()
		}
	}()
	for _, name := range e.flows {
		j := job{Stack: name, Tuning: tuning{buffer, kcpWindow(e.path)}, Time: e.time, Addr: netip.AddrPortFrom(l.b.Addr, 0).String()}
		p, err := launch(ctx, l.b, roleReceiver)
		if err != nil {
			return err
		}
		receivers = append(receivers, p)
		var at hello
		if err := p.ask(j, &at); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		j.Addr = at.Addr
		if p, err = launch(ctx, l.a, roleSender); err != nil {
			return err
		}
		senders = append(senders, p)
		if err := p.ask(j, nil); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for i, p := range senders {
		if err := p.answer(&hello{}); err != nil {
			return fmt.Errorf("%s: %w", e.flows[i], err)
		}
	}
	begin := job{Start: link.Now() + 20*time.Millisecond}
	for _, p := range append([]*process{l.forwarder}, senders...) {
		if err := p.ask(begin, nil); err != nil {
			return err
		}
	}
	for i, p := range senders {
		f := &r.Flows[i]
		if err := p.answer(&f.Sender); err != nil {
			return fmt.Errorf("%s: %w", e.flows[i], err)
		}
	}
	for i, p := range receivers {
		f := &r.Flows[i]
		p.in.Close()
		if err := p.answer(&f.Receiver); err != nil {
			return fmt.Errorf("%s: %w", e.flows[i], err)
		}
		f.settle(e, i, begin.Start)
	}
	return nil
}

// settle works out what the two ends' reports say together.
func (f *flow) settle(e *entry, i int, start time.Duration) {
	f.Stack = e.flows[i]
	from, to := start, start+e.time
	if len(e.flows) > 1 {
		from += time.Duration(warmUp * float64(e.time))
	}
	var longest time.Duration
	f.Bytes, longest = f.Receiver.between(from, to)
	f.Longest, f.Seconds = longest.Seconds(), (to - from).Seconds()
	f.Goodput = float64(f.Bytes) / f.Seconds
	f.CPU = f.Sender.CPU + f.Receiver.CPU
	if f.Sender.Sent.Known && f.Receiver.Duplicates > 0 {
		f.Sender.Sent.Spurious = f.Receiver.Duplicates
	}
	f.Receiver.Read = thin(f.Receiver.Read, start)
}

// drops is what the devices themselves have dropped so far.
func (l *lab) drops() (uint64, error) {
	a, err := l.a.Drops()
	if err != nil {
		return 0, err
	}
	b, err := l.b.Drops()
	return a + b, err
}

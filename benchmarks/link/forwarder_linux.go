package link

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Forwarder carries packets between two TUN devices. Run is for one goroutine, which
// should have a process for itself, started by Namespace.StartRealtime; Start may be
// called by another.
type Forwarder struct {
	// Nap is the shortest sleep: what would have to be done within it waits. A forwarder
	// that never slept would take a whole processor, and at a real-time priority the
	// system stops such a thread for a while each second. Default 50 us.
	Nap time.Duration

	start atomic.Int64 // of the transfer, on the clock of Now; 0 if it is not known yet

	file    [2]*os.File // of the TUN devices
	fd      [2]int
	pipe    [2]*Pipe
	begun   bool
	free    [][]byte
	late    Histogram
	work    time.Duration
	cpu     time.Duration // of the thread
	refused uint64
	trace   []Sample
	sample  time.Duration // when the next one is due
}

const (
	readBatch = 64  // packets read from a device before deliveries are looked at
	maxTrace  = 1e5 // samples
)

// NewForwarder prepares a forwarder between the devices a and b, which it borrows. What
// they have from before is thrown away.
func NewForwarder(a, b *os.File, p Path, seed uint64) (*Forwarder, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	f := &Forwarder{Nap: 50 * time.Microsecond, sample: Never}
	for i, file := range []*os.File{a, b} {
		f.file[i], f.fd[i] = file, int(file.Fd())
		if err := unix.SetNonblock(f.fd[i], true); err != nil {
			return nil, fmt.Errorf("TUN device: %w", err)
		}
	}
	f.pipe = [2]*Pipe{NewPipe(p, AToB, seed), NewPipe(p, BToA, seed)}
	return f, f.drain()
}

// Start says when the transfer began or will begin, on the clock of Now.
func (f *Forwarder) Start(at time.Duration) { f.start.Store(int64(at)) }

// Run forwards until the context ends. It has a thread for itself while it does, and
// does not allocate in the long run.
func (f *Forwarder) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := threadCPU()
	defer func() { f.cpu = threadCPU() - used }()
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return err
	}
	defer unix.Close(wake)
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	})
	defer func() {
		if !stop() {
			<-woken // before wake is closed
		}
	}()
	poll := []unix.PollFd{
		{Fd: int32(wake), Events: unix.POLLIN}, {Fd: int32(f.fd[0]), Events: unix.POLLIN}, {Fd: int32(f.fd[1]), Events: unix.POLLIN},
	}
	for ctx.Err() == nil {
		f.observe(Now())
		busy := f.deliver(0, 1)
		busy = f.deliver(1, 0) || busy
		for i := range f.fd {
			n, err := f.take(i)
			if err != nil {
				return err
			}
			busy = busy || n > 0
		}
		waiting := poll
		sleep := min(f.pipe[0].Next(), f.pipe[1].Next(), f.sample)
		if sleep != Never {
			sleep = max(f.Nap, sleep-Now())
		}
		if busy {
			// More will come, and can wait as long: packets wake only who has been idle.
			waiting, sleep = poll[:1], min(sleep, f.Nap)
		}
		var timeout *unix.Timespec
		if sleep != Never {
			ts := unix.NsecToTimespec(int64(sleep))
			timeout = &ts
		}
		if _, err := unix.Ppoll(waiting, timeout, nil); err != nil && err != unix.EINTR {
			return fmt.Errorf("ppoll: %w", err)
		}
	}
	return nil
}

// drain empties the devices.
func (f *Forwarder) drain() error {
	buf := make([]byte, MTU)
	for _, fd := range f.fd {
		for {
			if _, err := unix.Read(fd, buf); err == unix.EAGAIN {
				break
			} else if err != nil {
				return fmt.Errorf("reading a TUN device: %w", err)
			}
		}
	}
	return nil
}

// observe takes samples and notices the start.
func (f *Forwarder) observe(now time.Duration) {
	if !f.begun {
		at := time.Duration(f.start.Load())
		if at == 0 {
			return
		}
		f.begun = true
		f.pipe[0].Start(at)
		f.pipe[1].Start(at)
		f.sample = max(at, now)
	}
	for now >= f.sample && len(f.trace) < maxTrace {
		f.trace = append(f.trace, Sample{(now - time.Duration(f.start.Load())).Seconds(), f.pipe[0].Backlog(now).Seconds()})
		f.sample += TraceEvery
	}
}

// deliver writes what is due from one end to the other, and reports whether anything was.
func (f *Forwarder) deliver(from, to int) (some bool) {
	pipe := f.pipe[from]
	for due := pipe.Next(); due != Never; due = pipe.Next() {
		before := Now()
		if due > before {
			break
		}
		some = true
		p, _ := pipe.Pop(before)
		f.late.Add(before - p.Due)
		f.write(to, p.Data)
		if p.Twice {
			f.write(to, p.Data)
		}
		f.work += Now() - before
		f.free = append(f.free, p.Data)
	}
	return some
}

func (f *Forwarder) write(to int, data []byte) {
	for {
		_, err := unix.Write(f.fd[to], data)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			f.refused++
		}
		return
	}
}

// take reads packets that came from one end, and returns how many, readBatch at most:
// deliveries must not wait for more.
func (f *Forwarder) take(from int) (n int, err error) {
	for n < readBatch {
		buf := f.buffer()
		size, err := unix.Read(f.fd[from], buf)
		// What did not come, and IPv6, which talks to itself here, leaves the buffer free.
		if err != nil || size == 0 || buf[0]>>4 != 4 || !f.pipe[from].Push(Now(), buf[:size]) {
			f.free = append(f.free, buf)
		}
		switch err {
		case nil:
			n++
		case unix.EINTR:
		case unix.EAGAIN:
			return n, nil
		default:
			return n, fmt.Errorf("reading a TUN device: %w", err)
		}
	}
	return n, nil
}

func (f *Forwarder) buffer() []byte {
	if n := len(f.free); n > 0 {
		b := f.free[n-1]
		f.free = f.free[:n-1]
		return b[:cap(b)]
	}
	const many = 256
	slab := make([]byte, many*MTU)
	for i := range many {
		f.free = append(f.free, slab[i*MTU:(i+1)*MTU:(i+1)*MTU])
	}
	return f.buffer()
}

// Report says what was seen. It may be called when Run has returned.
func (f *Forwarder) Report() *Report {
	var resumed []float64
	for _, d := range f.pipe[0].Resumed() {
		resumed = append(resumed, d.Seconds())
	}
	return &Report{
		AToB: f.pipe[0].Counts(), BToA: f.pipe[1].Counts(),
		Queueing: f.pipe[0].Queueing().Summary(), QueueingBack: f.pipe[1].Queueing().Summary(),
		Late: f.late.Summary(), Work: f.work.Seconds(), CPU: f.cpu.Seconds(), Resumed: resumed, Refused: f.refused, Trace: f.trace,
	}
}

// threadCPU is what this thread has used so far.
func threadCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Package work loads the connections of a stack and measures what they carry: the two
// halves of each measurement, which command bench runs in two processes.
//
// A Server accepts and answers, a Client opens connections and uses them. Both begin
// when they are ready, and both take what happens within the same Window: what comes
// before it warms the path up.
package work

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"
)

// A Kind says what is done with connections.
type Kind string

const (
	// Bulk sends as much as it can on each connection, one way.
	Bulk Kind = "bulk"
	// Ping sends a message on one connection when the answer to the last one, of the
	// same size, was read.
	Ping Kind = "ping"
	// Rate connects, sends a message, reads an answer of the same size and closes,
	// over and over.
	Rate Kind = "rate"
	// HTTP asks a net/http server for a small page on connections that stay open.
	HTTP Kind = "http"
	// Wrk is HTTP with the program of that name as client.
	Wrk Kind = "wrk"
	// Idle opens connections and lets them lie, and as many more to see what they add.
	Idle Kind = "idle"
)

// A Work is one way to load a stack.
type Work struct {
	Kind Kind
	// Conns is how many connections are open, or with Rate being opened, at once; with Idle how
	// many each half is.
	Conns int
	// Size is that of a message in bytes, for Ping and Rate.
	Size int
}

// Check returns an error that names the first field with a bad value, or nil.
func (w Work) Check() error {
	switch w.Kind {
	case Bulk, HTTP, Wrk, Idle:
	case Ping, Rate:
		if w.Size < 1 || w.Size > 1<<20 {
			return fmt.Errorf("work: Size: %d is outside of 1..%d", w.Size, 1<<20)
		}
	default:
		return fmt.Errorf("work: Kind: %q is none", w.Kind)
	}
	if w.Conns < 1 || w.Conns > 1<<20 {
		return fmt.Errorf("work: Conns: %d is outside of 1..%d", w.Conns, 1<<20)
	}
	return nil
}

// A Window is the time that counts, on the system's clock, which all processes share.
type Window struct{ From, To time.Time }

// local is the same window on this process's monotonic clock.
func (w Window) local() Window {
	now := time.Now()
	return Window{now.Add(w.From.Sub(now)), now.Add(w.To.Sub(now))}
}

// A Report is what one half saw within the window. What a kind does not have is zero.
type Report struct {
	Seconds float64   // of the window, as this process met it
	CPU     float64   // seconds of this process, user and system
	Bytes   []uint64  `json:",omitempty"` // read by the server, by connection
	Ops     uint64    `json:",omitempty"` // messages answered, or requests
	Latency Quantiles // of Ops
	Memory  float64   `json:",omitempty"` // bytes of the process per idle connection
	// Goroutines are those of the process per idle connection.
	Goroutines  float64 `json:",omitempty"`
	Retransmits uint64  `json:",omitempty"` // segments sent again, as far as the stack tells
	Errors      uint64  `json:",omitempty"` // operations that failed
	Failed      string  `json:",omitempty"` // why the report does not count
}

// Quantiles are in seconds.
type Quantiles struct{ P50, P90, P99, P999, Max float64 }

// quantiles sorts ds.
func quantiles(ds []time.Duration) Quantiles {
	if len(ds) == 0 {
		return Quantiles{}
	}
	slices.Sort(ds)
	at := func(q float64) float64 { return ds[min(len(ds)-1, int(q*float64(len(ds))))].Seconds() }
	return Quantiles{at(0.5), at(0.9), at(0.99), at(0.999), ds[len(ds)-1].Seconds()}
}

// measure sleeps through the window and fills in what read tells of it: a counter at its
// begin and at its end.
func (w Window) measure(read func() []uint64) Report {
	time.Sleep(time.Until(w.From))
	before, used, begin := read(), processTime(), time.Now()
	time.Sleep(time.Until(w.To))
	after, now := read(), time.Now()
	r := Report{Seconds: now.Sub(begin).Seconds(), CPU: (processTime() - used).Seconds(), Bytes: after}
	for i, n := range before {
		after[i] -= n
	}
	if length := w.To.Sub(w.From).Seconds(); r.Seconds < length/2 {
		r.Failed = fmt.Sprintf("the machine was too busy: a window of %.3g s took %.3g s", length, r.Seconds)
	}
	return r
}

// Greet is what a client says first, and its server answers, so that both have the
// connection: some stacks make one only when data comes.
const greeting = 'c'

func greet(c net.Conn) error {
	b := []byte{greeting}
	if _, err := c.Write(b); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if b[0] != greeting {
		return errors.New("the answer is not what was sent")
	}
	return nil
}

func answer(c net.Conn) error {
	var b [1]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return err
	}
	_, err := c.Write(b[:])
	return err
}

// buffer is what each Read and Write of a bulk connection has.
func (w Work) buffer() []byte {
	if w.Conns > 2 {
		return make([]byte, 64<<10) // with many, larger ones would not stay in any cache
	}
	return make([]byte, 256<<10)
}

// counter is a number that has a cache line of its own.
type counter struct {
	atomic.Uint64
	_ [56]byte
}

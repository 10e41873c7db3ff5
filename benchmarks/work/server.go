package work

import (
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// A Server is the accepting half. Its methods may be called by any goroutine.
type Server struct {
	work Work
	l    net.Listener

	mu     sync.Mutex
	counts []*counter
	kept   []net.Conn
	half   baseline
	failed error
}

// NewServer accepts connections on l and answers them until the process ends or l is
// closed.
func NewServer(l net.Listener, w Work) (*Server, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	s := &Server{work: w, l: l}
	if w.Kind == HTTP || w.Kind == Wrk {
		go s.serveHTTP()
	} else {
		go s.accept()
	}
	return s, nil
}

// Measure waits until the window is over.
func (s *Server) Measure(w Window) Report {
	r := w.local().measure(s.read)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil && r.Failed == "" {
		r.Failed = s.failed.Error()
	}
	if s.work.Kind == Idle {
		s.half.since(&r, s.work.Conns)
	}
	return r
}

func (s *Server) read() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := make([]uint64, len(s.counts))
	for i, c := range s.counts {
		now[i] = c.Load()
	}
	return now
}

func (s *Server) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
}

func (s *Server) accept() {
	for n := 0; ; n++ {
		c, err := s.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			s.fail(err)
			return
		}
		if s.work.Kind == Idle && n == s.work.Conns {
			s.half.take() // the client has been quiet, and opens the second half
		}
		go s.handle(c)
	}
}

func (s *Server) handle(c net.Conn) {
	if s.work.Kind == Rate {
		defer c.Close()
		s.echo(c)
		return
	}
	if answer(c) != nil {
		c.Close()
		return
	}
	switch s.work.Kind {
	case Bulk:
		defer c.Close()
		s.sink(c)
	case Ping:
		defer c.Close()
		s.echo(c)
	case Idle:
		s.mu.Lock()
		s.kept = append(s.kept, c) // no goroutine waits for it
		s.mu.Unlock()
	}
}

// sink reads all that comes.
func (s *Server) sink(c net.Conn) {
	n := new(counter)
	s.mu.Lock()
	s.counts = append(s.counts, n)
	s.mu.Unlock()
	buf := s.work.buffer()
	for {
		m, err := c.Read(buf)
		n.Add(uint64(m))
		if err != nil {
			return // the client ends first; what it could not send it says itself
		}
	}
}

// echo answers messages.
func (s *Server) echo(c net.Conn) {
	buf := make([]byte, s.work.Size)
	for {
		if _, err := io.ReadFull(c, buf); err != nil {
			return
		}
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

// page is what HTTP is asked for.
const page = "Hello from a userspace TCP.\n"

func (s *Server) serveHTTP() {
	srv := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, page)
		}),
	}
	if err := srv.Serve(s.l); !errors.Is(err, net.ErrClosed) {
		s.fail(err)
	}
}

// quiet is how long the first half of idle connections lies before it is looked at. What carried
// data a moment ago has buffers that an idle connection has not.
const quiet = 2 * time.Second

// A baseline is what the process has with the first half of the connections. The second half
// tells what a connection costs: what the process takes once, and what grows with its first
// connections, is in both.
type baseline struct {
	memory     int64
	goroutines int
}

func (b *baseline) take() {
	// Each collects garbage first; what a sync.Pool holds goes with the second one.
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	b.memory, b.goroutines = residentBytes(), runtime.NumGoroutine()
}

// since tells what another n connections added.
func (b *baseline) since(r *Report, n int) {
	var now baseline
	now.take()
	if now.memory == 0 {
		r.Failed = "this system does not tell a process's memory"
		return
	}
	r.Memory = float64(now.memory-b.memory) / float64(n)
	r.Goroutines = float64(now.goroutines-b.goroutines) / float64(n)
}

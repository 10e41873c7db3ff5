package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A meter counts what has been moved. Any number of goroutines may use it.
type meter struct {
	total  atomic.Int64 // bytes that there are to move, both directions
	moved  atomic.Int64
	active atomic.Int64 // transfers going on
}

// progress shows a meter until stop is called: one line, rewritten, on a
// terminal; a line a second otherwise.
type progress struct {
	w        io.Writer
	m        *meter
	resent   func() uint64
	terminal bool
	begin    time.Time
	lastAt   time.Time
	last     int64
	width    int // of the line that stands on the terminal
	quit     chan struct{}
	done     sync.WaitGroup
}

// startProgress begins to show m on w. resent counts retransmitted segments.
func startProgress(w io.Writer, m *meter, resent func() uint64) *progress {
	now := time.Now()
	p := &progress{w: w, m: m, resent: resent, terminal: isTerminal(w), begin: now, lastAt: now, quit: make(chan struct{})}
	every := time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	p.done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				p.show(now)
			case <-p.quit:
				return
			}
		}
	})
	return p
}

// show writes the state at now.
func (p *progress) show(now time.Time) {
	moved, total := p.m.moved.Load(), p.m.total.Load()
	if total == 0 {
		return // the index is not here yet
	}
	text := fmt.Sprintf("%3d%%  %s of %s  %s  %s  %s retransmitted",
		moved*100/total, sizeText(moved), sizeText(total),
		rate(moved-p.last, now.Sub(p.lastAt)), plural(int(p.m.active.Load()), "transfer"), plural(int(p.resent()), "segment"))
	p.last, p.lastAt = moved, now
	if !p.terminal {
		fmt.Fprintf(p.w, "%5.1fs %s\n", now.Sub(p.begin).Seconds(), text)
		return
	}
	const cells = 24
	full := min(int(moved*cells/total), cells)
	text = "[" + strings.Repeat("=", full) + strings.Repeat(" ", cells-full) + "] " + text
	fmt.Fprint(p.w, "\r", text, strings.Repeat(" ", max(0, p.width-len(text))))
	p.width = len(text)
}

// stop ends the display and wipes the rewritten line.
func (p *progress) stop() {
	close(p.quit)
	p.done.Wait()
	if p.width > 0 {
		fmt.Fprint(p.w, "\r", strings.Repeat(" ", p.width), "\r")
	}
}

// isTerminal reports whether w is a character device that understands a carriage return.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

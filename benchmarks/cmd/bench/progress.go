package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// A ticker tells how far a run is. On a terminal it keeps to one line, elsewhere it says
// something now and then.
type ticker struct {
	w           io.Writer
	terminal    bool
	begin, last time.Time
	count, all  int
}

// tellEvery is the time between lines that stay.
const tellEvery = 15 * time.Second

func newTicker(w io.Writer, all int) *ticker {
	t := &ticker{w: w, begin: time.Now(), last: time.Now(), all: all}
	if f, ok := w.(*os.File); ok && os.Getenv("TERM") != "dumb" {
		info, err := f.Stat()
		t.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return t
}

// now tells what is being measured.
func (t *ticker) now(round int, c *cell) {
	if !t.terminal && (t.count == 0 || time.Since(t.last) < tellEvery) {
		return
	}
	t.last = time.Now()
	line := fmt.Sprintf("%d of %d, round %d: %s", t.count+1, t.all, round+1, c.name())
	if t.count > 0 {
		left := time.Since(t.begin) / time.Duration(t.count) * time.Duration(t.all-t.count)
		line += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	if t.terminal {
		fmt.Fprintf(t.w, "\r\x1b[K%s", line)
	} else {
		fmt.Fprintln(t.w, line)
	}
}

// done counts a result, and tells at once if it is void.
func (t *ticker) done(r *result) {
	t.count++
	if r.Void == "" {
		return
	}
	if t.terminal {
		fmt.Fprint(t.w, "\r\x1b[K")
	}
	fmt.Fprintf(t.w, "void: %s/%s/%s: %s\n", r.Place, r.Work, r.Stack, r.Void)
}

func (t *ticker) end() {
	if t.terminal {
		fmt.Fprint(t.w, "\r\x1b[K")
	}
}

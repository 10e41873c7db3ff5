package congestion

// maxFilter is the largest of the values of the last up to 16 units of time. It keeps
// only what may yet become the largest: later values that are smaller.
type maxFilter struct {
	at      [16]struct{ time, value int64 }
	head, n int
}

func (f *maxFilter) slot(i int) *struct{ time, value int64 } { return &f.at[(f.head+i)%len(f.at)] }

// update takes in a value and returns the largest of those later than now-window. Time does
// not run backwards; window is at most 16.
func (f *maxFilter) update(value, now, window int64) int64 {
	for f.n > 0 && f.slot(f.n-1).value <= value {
		f.n--
	}
	for f.n > 0 && f.slot(0).time <= now-window {
		f.head = (f.head + 1) % len(f.at)
		f.n--
	}
	if f.n == 0 || f.slot(f.n-1).time != now {
		*f.slot(f.n) = struct{ time, value int64 }{now, value}
		f.n++
	}
	return f.slot(0).value
}

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// usageOf is what a process uses. Sizes are bytes.
type usageOf struct {
	Conns      int
	RSS        int64 // resident; what the runtime has from the system where that is not known
	Heap       int64 // alive
	Goroutines int
	CPU        time.Duration // so far
	Measuring  time.Duration // of it, this measurement
}

// measure collects garbage, gives free memory back and looks.
func measure(conns int) usageOf {
	begin := processor()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usageOf{Conns: conns, RSS: int64(m.Sys - m.HeapReleased), Heap: int64(m.HeapAlloc), Goroutines: runtime.NumGoroutine()}
	if b, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(b)) {
			var kb int
			if scan(line, "VmRSS: %d kB", &kb) {
				u.RSS = int64(kb) << 10
			}
		}
	}
	u.CPU = processor()
	u.Measuring = u.CPU - begin
	return u
}

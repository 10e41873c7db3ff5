package link

import (
	"time"

	"golang.org/x/sys/unix"
)

// origin is a moment on both of Go's and the system's monotonic clocks.
var origin, originSystem = func() (time.Time, time.Duration) {
	var ts unix.Timespec
	now := time.Now()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("BUG: no monotonic clock: " + err.Error()) // as it is in every Linux
	}
	return now, time.Duration(ts.Nano())
}()

// Now is the system's monotonic clock, which all processes share.
func Now() time.Duration { return originSystem + time.Since(origin) }

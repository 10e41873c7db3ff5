package tcpcore

import (
	"math"
	"time"
)

// Time is a moment in nanoseconds since the endpoint that owns the engine began.
// The engine never reads a clock: every call that depends on time is handed one.
type Time int64

// Never is the Deadline of an engine that waits for nothing.
const Never Time = math.MaxInt64

// Add returns t+d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

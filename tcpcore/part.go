package tcpcore

import (
	"math"
	"time"
)

// part is what a connection may have of a queue in front of it that others share: a window
// holds back only what its own connection sends, and those of many together can be more than
// the queue holds.
type part struct {
	bytes uint32 // 0: no bound
	rate  uint32 // bytes per millisecond
}

// SetPart bounds the window that is offered, beside Config.WindowClamp, by what the connection
// may have of a queue that it shares, in bytes; or by what its peer sends in a round
// trip at rate, in bytes per second, if that is more: on a long path the window is not in the
// queue at once. 0 bytes is no bound. What was offered stays offered (RFC 9293 SHLD-14).
func (e *Engine) SetPart(bytes, rate int) {
	e.rcv.part = part{clampUint32(bytes), clampUint32(rate / 1000)}
}

func clampUint32(n int) uint32 { return uint32(min(max(n, 0), math.MaxInt32)) }

// bound is n, or less if that is more than the connection's part, at a round trip time of rtt.
func (p part) bound(n int, rtt time.Duration) int {
	if p.bytes == 0 || n <= int(p.bytes) {
		return n
	}
	return min(n, max(int(p.bytes), int(float64(p.rate)*rtt.Seconds()*1000)))
}

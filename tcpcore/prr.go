package tcpcore

// prrState is proportional rate reduction (RFC 6937, and RFC 9937 that follows it): during
// fast recovery it spreads the way from what was in flight to the threshold over the
// acknowledgments.
type prrState struct {
	recoverFS int // RecoverFS: in flight when recovery began, what that ACK delivered included
	delivered int // prr_delivered
	out       int // prr_out
	threshold int // ssthresh
	window    int // what may be in flight now
}

// onAck computes how much may be sent on this acknowledgment, or when a timer found a loss.
func (p *prrState) onAck(e *Engine, a *acked) {
	if a.delivered == 0 && a.lost == 0 {
		return
	}
	p.delivered += a.delivered
	pipe := e.pipe()
	var n int
	if pipe > p.threshold {
		n = (p.delivered*p.threshold+p.recoverFS-1)/p.recoverFS - p.out
	} else {
		// Conservatively by default, and like slow start while recovery makes progress
		// without further loss (safeACK).
		n = max(p.delivered-p.out, a.delivered)
		if a.advanced && a.lost == 0 {
			n += e.snd.mss
		}
		n = min(p.threshold-pipe, n)
	}
	p.window = max(pipe+max(n, 0), e.snd.mss) // an empty pipe lets one segment go in any case
}

// onSend counts what was sent during recovery.
func (p *prrState) onSend(size int) { p.out += size }

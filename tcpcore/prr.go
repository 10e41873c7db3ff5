package tcpcore

// prrState is proportional rate reduction (RFC 6937 and its successor): during fast
// recovery it spreads the way from what was in flight to the threshold over the
// acknowledgments.
type prrState struct {
	recoverFS int // in flight when recovery began
	delivered int // prr_delivered
	out       int // prr_out
	threshold int // ssthresh
	window    int // what may be in flight now
}

// onAck computes how much may be sent on this acknowledgment.
func (p *prrState) onAck(e *Engine, a *acked) {
	got := a.bytes + a.sacked
	if got == 0 && a.lost == 0 {
		return
	}
	p.delivered += got
	pipe := e.pipe()
	var n int
	if pipe > p.threshold {
		n = (p.delivered*p.threshold+p.recoverFS-1)/p.recoverFS - p.out
	} else {
		// Conservatively by default, and like slow start while recovery makes progress
		// without further loss (the safeACK of the successor).
		n = max(p.delivered-p.out, got)
		if a.bytes > 0 && a.lost == 0 {
			n += e.snd.mss
		}
		n = min(p.threshold-pipe, n)
	}
	p.window = max(pipe+max(n, 0), e.snd.mss)
}

// onSend counts what was sent during recovery.
func (p *prrState) onSend(size int) { p.out += size }

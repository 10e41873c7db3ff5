package tcpcore

import "example.com/culvert/tcpcore/segment"

// takeSACK marks what the blocks of s report (RFC 2018 section 5). Only whole segments
// count, and only what is outstanding: blocks that make no sense mark nothing.
func (e *Engine) takeSACK(now Time, s *segment.Segment, a *acked) {
	blocks := s.Options.SACK[:s.Options.SACKCount]
	if len(blocks) == 0 {
		return
	}
	if e.reportsDuplicate(s.Ack, blocks) {
		a.dsack, a.duplicate = true, blocks[0]
		blocks = blocks[1:]
	}
	// In ascending order, as RACK wants to see them.
	for i := 1; i < len(blocks); i++ {
		for k := i; k > 0 && blocks[k].Left.Less(blocks[k-1].Left); k-- {
			blocks[k], blocks[k-1] = blocks[k-1], blocks[k]
		}
	}
	for _, b := range blocks {
		if !b.Left.Less(b.Right) || b.Left.Less(s.Ack) || b.Right.Greater(e.snd.nxt) {
			continue
		}
		i := e.sent.find(b.Left)
		if i < e.sent.len() && e.sent.at(i).seq.Less(b.Left) {
			i++
		}
		for ; ; i++ {
			if i = e.sent.skipSacked(i); i >= e.sent.len() || e.sent.at(i).end().Greater(b.Right) {
				break
			}
			e.deliveredRecord(now, i, s, a)
			a.sacked += int(e.sent.at(i).size)
			e.sent.mark(i, sacked)
			if e.cfg.NoRACK {
				e.rack.noteHighest(e.sent.at(i))
			}
		}
	}
}

// reportsDuplicate reports whether the first block tells of what arrived twice (RFC 2883
// section 4): it lies below the acknowledgment, or within the second block. What is
// older than a window is of no interest, or forged.
func (e *Engine) reportsDuplicate(ack segment.Seq, blocks []segment.SACKBlock) bool {
	b := blocks[0]
	if !b.Left.Less(b.Right) || b.Left.Less(ack.Add(-e.snd.maxWnd)) || b.Right.Greater(e.snd.nxt) {
		return false
	}
	return b.Right.LessEq(ack) ||
		len(blocks) > 1 && blocks[1].Left.LessEq(b.Left) && b.Right.LessEq(blocks[1].Right)
}

// deliveredRecord takes note of record i that s newly acknowledges in some way.
func (e *Engine) deliveredRecord(now Time, i int, s *segment.Segment, a *acked) {
	r := e.sent.at(i)
	e.count.SegmentsDelivered++
	e.trains.arrived(r)
	e.pmtu.arrived(e, r.data())
	if r.flags&recProbe != 0 {
		e.mtuProbeArrived(now, r)
	}
	if r.times == 1 {
		a.fresh = now.Sub(r.sentAt)
		a.original = a.original || r.state == lost // what was given up had arrived all the time
		if r.flags&recECT != 0 {
			e.ecn.proven = true
		}
	}
	if e.sack {
		e.rackDelivered(now, r, s, a)
	}
	if r.flags&recSYN == 0 {
		e.rate.onDelivered(now, r, a)
	}
}

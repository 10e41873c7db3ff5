package tcpcore

import "example.com/culvert/tcpcore/segment"

// maxHoles bounds the ranges of out-of-order data that are held, and so the work
// and the memory that a peer who sends every second octet can cause. A segment
// that would need one more is dropped, as if the network had lost it.
const maxHoles = 256

// held is a range of sequence space that arrived beyond RCV.NXT.
type held struct {
	left, right segment.Seq
	stamp       uint32 // larger is more recent, for the order of SACK blocks
}

// reassembly keeps account of out-of-order data; the bytes lie in the receive ring.
type reassembly struct {
	ranges []held // ascending, neither overlapping nor touching; nil when empty
	clock  uint32
	dup    segment.SACKBlock // D-SACK to report next (RFC 2883); empty if Left == Right
}

// add notes that [left, right) arrived. It calls fresh for each part that was not
// held before: those are the bytes to store, so that of bytes that arrive twice the
// first win. It reports false if the range was refused because there are limit already.
func (q *reassembly) add(left, right segment.Seq, limit int, fresh func(left, right segment.Seq)) bool {
	// First range that ends at or behind left, and first that begins behind right.
	i := 0
	for i < len(q.ranges) && q.ranges[i].right.Less(left) {
		i++
	}
	j, at := i, left
	for j < len(q.ranges) && q.ranges[j].left.LessEq(right) {
		j++
	}
	if i == j && len(q.ranges) >= limit {
		return false
	}
	for _, h := range q.ranges[i:j] {
		if at.Less(h.left) {
			fresh(at, h.left)
		}
		q.duplicate(left.Max(h.left), right.Min(h.right))
		at = at.Max(h.right)
	}
	if at.Less(right) {
		fresh(at, right)
	}
	q.clock++
	merged := held{left, right, q.clock}
	if i == j {
		q.ranges = append(q.ranges, held{})
		copy(q.ranges[i+1:], q.ranges[i:])
	} else {
		merged.left = left.Min(q.ranges[i].left)
		merged.right = right.Max(q.ranges[j-1].right)
		q.ranges = append(q.ranges[:i+1], q.ranges[j:]...)
	}
	q.ranges[i] = merged
	return true
}

// duplicate notes the first part of an arrived segment that was held already, to
// be reported as D-SACK (RFC 2883 section 4).
func (q *reassembly) duplicate(left, right segment.Seq) {
	if left.Less(right) && q.dup.Left == q.dup.Right {
		q.dup = segment.SACKBlock{Left: left, Right: right}
	}
}

// advance returns RCV.NXT moved over the data that is no longer beyond a hole.
func (q *reassembly) advance(nxt segment.Seq) segment.Seq {
	i := 0
	for i < len(q.ranges) && q.ranges[i].left.LessEq(nxt) {
		nxt = nxt.Max(q.ranges[i].right)
		i++
	}
	if q.ranges = append(q.ranges[:0], q.ranges[i:]...); len(q.ranges) == 0 {
		q.ranges = nil
	}
	return nxt
}

// empty reports whether nothing is held.
func (q *reassembly) empty() bool { return len(q.ranges) == 0 }

// bytes returns how much is held.
func (q *reassembly) bytes() int {
	n := 0
	for _, h := range q.ranges {
		n += h.right.Sub(h.left)
	}
	return n
}

// blocks fills o with up to room SACK blocks: a duplicate to report (RFC 2883 section
// 4 (1)), then the ranges, the most recently changed first (RFC 2018 section 4).
func (q *reassembly) blocks(o *segment.Options, room int) {
	o.SACKCount = 0
	if q.dup.Left != q.dup.Right && room > 0 {
		o.SACK[0] = q.dup
		o.SACKCount = 1
		q.dup = segment.SACKBlock{}
	}
	below := uint64(1) << 32 // stamps taken so far are not below
	for o.SACKCount < room {
		var newest *held
		for i := range q.ranges {
			h := &q.ranges[i]
			if uint64(h.stamp) < below && (newest == nil || h.stamp > newest.stamp) {
				newest = h
			}
		}
		if newest == nil {
			return
		}
		below = uint64(newest.stamp)
		o.SACK[o.SACKCount] = segment.SACKBlock{Left: newest.left, Right: newest.right}
		o.SACKCount++
	}
}

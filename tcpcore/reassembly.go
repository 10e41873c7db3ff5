package tcpcore

import "example.com/culvert/tcpcore/segment"

// maxHoles bounds the ranges of out-of-order data that are held, and so the work
// and the memory that a peer who sends every second octet can cause. A segment
// that would need one more is dropped, as if the network had lost it. An overrun queue
// may lose every second segment of a window: 4096 holes are one of 12 MB.
const maxHoles = 4096

// held is a range of sequence space that arrived beyond RCV.NXT.
type held struct{ left, right segment.Seq }

// reassembly keeps account of out-of-order data; the bytes lie in the receive ring.
type reassembly struct {
	ranges []held // ascending, neither overlapping nor touching; nil when empty
	// recent tells of the ranges that changed last, the latest first, by an octet of
	// each: for the order of SACK blocks.
	recent [4 * segment.MaxSACK]segment.Seq
	n      int
	unsaid int               // how many of the latest no ACK has told yet
	dup    segment.SACKBlock // D-SACK to report next (RFC 2883); empty if Left == Right
}

// find returns the index of the first range that ends behind seq.
func (q *reassembly) find(seq segment.Seq) int {
	lo, hi := 0, len(q.ranges)
	for lo < hi {
		mid := (lo + hi) / 2
		if seq.Less(q.ranges[mid].right) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// add notes that [left, right) arrived. It calls fresh for each part that was not
// held before: those are the bytes to store, so that of bytes that arrive twice the
// first win. It reports false if the range was refused because there are limit already.
func (q *reassembly) add(left, right segment.Seq, limit int, fresh func(left, right segment.Seq)) bool {
	// First range that ends at or behind left, and first that begins behind right.
	i := q.find(left.Add(-1))
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
	merged := held{left, right}
	if i == j {
		q.ranges = append(q.ranges, held{})
		copy(q.ranges[i+1:], q.ranges[i:])
	} else {
		merged.left = left.Min(q.ranges[i].left)
		merged.right = right.Max(q.ranges[j-1].right)
		q.ranges = append(q.ranges[:i+1], q.ranges[j:]...)
	}
	q.ranges[i] = merged
	q.changed(merged)
	return true
}

// changed makes h the most recent.
func (q *reassembly) changed(h held) {
	k, unsaid := 0, 1
	old := q.recent
	for i, seq := range old[:q.n] {
		if !(h.left.LessEq(seq) && seq.Less(h.right)) && k+1 < len(q.recent) {
			k++
			q.recent[k] = seq
			if i < q.unsaid {
				unsaid++
			}
		}
	}
	q.recent[0], q.n, q.unsaid = h.left, k+1, unsaid
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
		q.ranges, q.n, q.unsaid = nil, 0, 0
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
// 4 (1)), then the ranges, the most recently changed first (RFC 2018 section 4). It reports
// whether there are more that changed since the last ACK: where one ACK answers for a batch
// of segments, several must tell of it, or the sender takes for lost what filled a hole
// when something later did too.
func (q *reassembly) blocks(o *segment.Options, room int) (more bool) {
	o.SACKCount = 0
	if q.dup.Left != q.dup.Right && room > 0 {
		o.SACK[0] = q.dup
		o.SACKCount = 1
		q.dup = segment.SACKBlock{}
	}
	k := 0
	for ; k < q.n && o.SACKCount < room; k++ {
		seq := q.recent[k]
		if i := q.find(seq); i < len(q.ranges) && q.ranges[i].left.LessEq(seq) {
			o.SACK[o.SACKCount] = segment.SACKBlock{Left: q.ranges[i].left, Right: q.ranges[i].right}
			o.SACKCount++
		}
	}
	if k < q.unsaid { // these come first next time
		told := q.recent
		n := copy(q.recent[:], told[k:q.unsaid])
		copy(q.recent[n:], told[:k])
	}
	q.unsaid = max(q.unsaid-k, 0)
	return q.unsaid > 0
}

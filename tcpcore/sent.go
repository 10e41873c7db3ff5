package tcpcore

import "example.com/culvert/tcpcore/segment"

// A record is one segment that was sent and is not yet cumulatively acknowledged.
// Its bytes stay in the send ring whatever SACK says (RFC 2018 section 8: only the
// cumulative acknowledgment frees data). It is a cache line: a window of a gigabyte a
// second holds a hundred thousand.
type record struct {
	seq    segment.Seq
	size   uint32 // sequence space: data, SYN and FIN
	sentAt Time   // last transmission
	times  uint8  // transmissions, saturating
	flags  recFlags
	state  recState
	place  uint8 // in the train of the last transmission
	// run is how many records from this one on are known to be selectively
	// acknowledged, so that a SACK block is not walked again with each acknowledgment.
	run  uint32
	rate sendSnapshot
}

// recFlags are the controls that take sequence space, and how the last transmission went.
type recFlags uint8

const (
	recSYN     recFlags = 1 << iota
	recFIN              // behind the data
	recECT              // marked ECN-capable
	recLimited          // in an application-limited phase
	recPSH              // with PSH
	recProbe            // larger than the path is known to take
)

type recState uint8

const (
	inFlight recState = iota // believed to be on its way
	sacked                   // held by the peer
	lost                     // to be retransmitted
)

func (r *record) end() segment.Seq { return r.seq.Add(int(r.size)) }

// data is how much of it is data.
func (r *record) data() int {
	n := int(r.size)
	if r.flags&recFIN != 0 {
		n--
	}
	return n
}

// sentQueue is the retransmission queue of RFC 9293 section 3.4 as a scoreboard:
// the records between SND.UNA and SND.NXT in order, and how many bytes of them are
// in each state.
type sentQueue struct {
	recs  []record // storage, a power of two or empty
	head  int
	n     int
	bytes [3]int // by recState
	count [3]int
	// waiting is a heap of where lost records begin. Those that are no longer lost are
	// found out when they come up.
	waiting []segment.Seq
	next    uint32 // number of the next transmission
}

func (q *sentQueue) len() int         { return q.n }
func (q *sentQueue) at(i int) *record { return &q.recs[(q.head+i)&(len(q.recs)-1)] }

// push adds a record at the end.
func (q *sentQueue) push(r record) {
	*q.slot() = r
	q.commit()
}

// slot is where the next record will be, to be filled in place; commit makes it one.
func (q *sentQueue) slot() *record {
	if q.n == len(q.recs) {
		q.grow()
	}
	return q.at(q.n)
}

func (q *sentQueue) commit() {
	r := q.at(q.n)
	q.n++
	q.bytes[r.state] += int(r.size)
	q.count[r.state]++
}

// reserve makes room for n records more.
func (q *sentQueue) reserve(n int) {
	for q.n+n > len(q.recs) {
		q.grow()
	}
}

func (q *sentQueue) grow() {
	n := 1 // a SYN
	if len(q.recs) > 0 {
		n = max(4, 2*len(q.recs)) // a request, and a FIN
	}
	recs := make([]record, n)
	for i := range q.n {
		recs[i] = *q.at(i)
	}
	q.recs, q.head = recs, 0
}

// pop removes the first record.
func (q *sentQueue) pop() {
	r := q.at(0)
	q.bytes[r.state] -= int(r.size)
	q.count[r.state]--
	q.head = (q.head + 1) & (len(q.recs) - 1)
	q.n--
}

// popRun removes the first n records, which have size octets in all and are in flight.
func (q *sentQueue) popRun(n, size int) {
	q.bytes[inFlight] -= size
	q.count[inFlight] -= n
	q.head = (q.head + n) & (len(q.recs) - 1)
	q.n -= n
}

// trim takes n bytes off the front of the first record.
func (q *sentQueue) trim(n int) {
	r := q.at(0)
	r.seq = r.seq.Add(n)
	r.size -= uint32(n)
	r.flags &^= recSYN
	q.bytes[r.state] -= n
}

// split cuts record i so that it keeps n bytes, and puts the rest behind it. It moves
// the shorter side of the queue: what is cut is mostly near the front.
func (q *sentQueue) split(i, n int) {
	if q.n == len(q.recs) {
		q.grow()
	}
	q.n++
	if i < q.n/2 {
		q.head = (q.head - 1) & (len(q.recs) - 1)
		for k := range i + 1 {
			*q.at(k) = *q.at(k + 1)
		}
	} else {
		for k := q.n - 1; k > i; k-- {
			*q.at(k) = *q.at(k - 1)
		}
	}
	r, rest := q.at(i), q.at(i+1) // now the same
	rest.seq = rest.seq.Add(n)
	rest.size -= uint32(n)
	rest.flags &^= recSYN
	r.size = uint32(n)
	r.flags &^= recFIN | recPSH // which come last
	q.count[rest.state]++
	if rest.state == lost {
		q.wait(rest.seq)
	}
}

// mark puts record i into a state.
func (q *sentQueue) mark(i int, s recState) {
	r := q.at(i)
	q.bytes[r.state] -= int(r.size)
	q.bytes[s] += int(r.size)
	q.count[r.state]--
	q.count[s]++
	if s == lost && r.state != lost {
		q.wait(r.seq)
	}
	r.state, r.run = s, 0
}

// wait enters a lost record into the heap.
func (q *sentQueue) wait(seq segment.Seq) {
	h := append(q.waiting, seq)
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].Less(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
	q.waiting = h
}

// settle takes the first out of the heap.
func (q *sentQueue) settle() {
	h := q.waiting
	n := len(h) - 1
	h[0] = h[n]
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			break
		}
		if c+1 < n && h[c+1].Less(h[c]) {
			c++
		}
		if !h[c].Less(h[i]) {
			break
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
	q.waiting = h[:n]
}

// nextLost returns the index of the first lost record, or -1. Every lost record is in
// the heap by its beginning, or by where it began before its front was acknowledged.
func (q *sentQueue) nextLost() int {
	if q.count[lost] == 0 {
		q.waiting = q.waiting[:0]
		return -1
	}
	for len(q.waiting) > 0 {
		if i := q.find(q.waiting[0]); i < q.n && q.at(i).state == lost {
			return i
		}
		q.settle()
	}
	panic("BUG: a lost record that does not wait")
}

// skipSacked returns the index of the first record from i on that is not selectively
// acknowledged. All that it passes learn the way, as in a union-find forest, so that
// whatever blocks a peer sends, walking them again costs next to nothing.
func (q *sentQueue) skipSacked(i int) int {
	end := i
	for end < q.n && q.at(end).state == sacked {
		end += max(1, int(q.at(end).run))
	}
	for k := i; k < end; {
		r := q.at(k)
		step := max(1, int(r.run))
		r.run = uint32(end - k)
		k += step
	}
	return end
}

// restore puts what is lost and was sent once in flight again.
func (q *sentQueue) restore() {
	q.waiting = q.waiting[:0]
	for i := range q.n {
		r := q.at(i)
		switch {
		case r.state != lost:
		case r.times == 1:
			q.mark(i, inFlight)
		default:
			q.wait(r.seq)
		}
	}
}

// find returns the index of the first record that ends behind seq; n if there is none.
func (q *sentQueue) find(seq segment.Seq) int {
	lo, hi := 0, q.n
	for lo < hi {
		mid := (lo + hi) / 2
		if seq.Less(q.at(mid).end()) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// release gives the storage back; the queue must be empty.
func (q *sentQueue) release() { *q = sentQueue{next: q.next} }

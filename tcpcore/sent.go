package tcpcore

import "example.com/culvert/tcpcore/segment"

// A record is one segment that was sent and is not yet cumulatively acknowledged.
// Its bytes stay in the send ring whatever SACK says (RFC 2018 section 8: only the
// cumulative acknowledgment frees data).
type record struct {
	seq    segment.Seq
	size   uint32 // sequence space: data, SYN and FIN
	sentAt Time   // last transmission
	times  uint8  // transmissions, saturating
	flags  recFlags
	state  recState
	// run is how many records from this one on are known to be selectively
	// acknowledged, so that a SACK block is not walked again with each acknowledgment.
	run  uint32
	rate sendSnapshot
}

// recFlags are the controls that take sequence space.
type recFlags uint8

const (
	recSYN recFlags = 1 << iota
	recFIN
	recURG
)

type recState uint8

const (
	inFlight recState = iota // believed to be on its way
	sacked                   // held by the peer
	lost                     // to be retransmitted
)

func (r *record) end() segment.Seq { return r.seq.Add(int(r.size)) }

// sentQueue is the retransmission queue of RFC 9293 section 3.4 as a scoreboard:
// the records between SND.UNA and SND.NXT in order, and how many bytes of them are
// in each state.
type sentQueue struct {
	recs  []record // storage, a power of two or empty
	head  int
	n     int
	bytes [3]int // by recState
	count [3]int
	// lostHint is an index below which no record is lost.
	lostHint int
}

func (q *sentQueue) len() int         { return q.n }
func (q *sentQueue) at(i int) *record { return &q.recs[(q.head+i)&(len(q.recs)-1)] }

// push adds a record at the end.
func (q *sentQueue) push(r record) {
	if q.n == len(q.recs) {
		q.grow()
	}
	q.n++
	*q.at(q.n - 1) = r
	q.bytes[r.state] += int(r.size)
	q.count[r.state]++
}

func (q *sentQueue) grow() {
	recs := make([]record, max(16, 2*len(q.recs)))
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
	q.lostHint = max(0, q.lostHint-1)
}

// trim takes n bytes off the front of the first record.
func (q *sentQueue) trim(n int) {
	r := q.at(0)
	r.seq = r.seq.Add(n)
	r.size -= uint32(n)
	r.flags &^= recSYN
	q.bytes[r.state] -= n
}

// split cuts record i so that it keeps n bytes, and puts the rest behind it.
func (q *sentQueue) split(i, n int) {
	rest := *q.at(i)
	rest.seq = rest.seq.Add(n)
	rest.size -= uint32(n)
	r := q.at(i)
	r.size = uint32(n)
	r.flags &^= recFIN // which comes last
	rest.flags &^= recSYN
	if q.n == len(q.recs) {
		q.grow()
	}
	q.n++
	q.count[rest.state]++
	for k := q.n - 1; k > i+1; k-- {
		*q.at(k) = *q.at(k - 1)
	}
	*q.at(i + 1) = rest
}

// mark puts record i into a state.
func (q *sentQueue) mark(i int, s recState) {
	r := q.at(i)
	q.bytes[r.state] -= int(r.size)
	q.bytes[s] += int(r.size)
	q.count[r.state]--
	q.count[s]++
	r.state, r.run = s, 0
	if s == lost {
		q.lostHint = min(q.lostHint, i)
	}
}

// nextLost returns the index of the first lost record, or -1.
func (q *sentQueue) nextLost() int {
	if q.bytes[lost] == 0 {
		q.lostHint = q.n
		return -1
	}
	for i := q.lostHint; i < q.n; i++ {
		if q.at(i).state == lost {
			q.lostHint = i
			return i
		}
	}
	panic("BUG: lost bytes without a lost record")
}

// skipSacked returns the index of the first record from i on that is not selectively
// acknowledged, and shortens the way for the next time.
func (q *sentQueue) skipSacked(i int) int {
	k := i
	for k < q.n && q.at(k).state == sacked {
		k += max(1, int(q.at(k).run))
	}
	if k > i {
		q.at(i).run = uint32(k - i)
	}
	return k
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
func (q *sentQueue) release() { *q = sentQueue{} }

package transport

import (
	"hash/maphash"
	"net/netip"
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// maxTimeWaits bounds a shard's records, as the kernel's bucket limit does: the
// oldest goes first. Their numbers fit 16 bits.
const maxTimeWaits = 16384

// timeWaits are a shard's connections in TIME-WAIT, in the order in which they
// expire. The shard's lock guards it.
//
// They lie in blocks, and a table of their numbers finds them (open addressing, linear
// probing), so that each takes 128 bytes with everything; a map of pointers takes twice as many.
type timeWaits struct {
	blocks      [][]timeWait // of waitBlock each; the first one grows to that
	table       []waitNumber // a power of two of them, 0 where there is none
	seed        maphash.Seed // random: peers choose their ports
	n           int
	used        int        // slots of the blocks that were ever taken
	free        waitNumber // the first of those given back
	first, last waitNumber
	timer       *time.Timer
	due         tcpcore.Time // when it fires
}

// waitNumber names a slot of the blocks; 0 is none.
type waitNumber uint16

// timeWait is one of them. Its fields are those of its key, in an order that wastes nothing,
// the record, and links of the order; next also links slots given back.
type timeWait struct {
	peer                  netip.AddrPort
	local                 netip.Addr
	localPort, remotePort uint16
	prev, next            waitNumber
	rec                   tcpcore.TimeWaitRecord
}

// waitBlock is as many as fit a size in which the runtime gives memory out, 8 KiB.
const waitBlock = 73

func (w *timeWait) key() key { return key{w.peer, w.local, w.localPort, w.remotePort} }

func (t *timeWaits) len() int { return t.n }

func (t *timeWaits) at(i waitNumber) *timeWait {
	return &t.blocks[int(i-1)/waitBlock][int(i-1)%waitBlock]
}

// home is where in the table k belongs.
func (t *timeWaits) home(k key) int {
	return int(maphash.Comparable(t.seed, k) & uint64(len(t.table)-1))
}

// after is the place in the table behind p.
func (t *timeWaits) after(p int) int { return (p + 1) & (len(t.table) - 1) }

// find returns where k is in the table, and its number, 0 if there is none.
func (t *timeWaits) find(k key) (place int, i waitNumber) {
	if t.n == 0 {
		return 0, 0
	}
	for p := t.home(k); ; p = t.after(p) {
		if i := t.table[p]; i == 0 || t.at(i).key() == k {
			return p, i
		}
	}
}

func (t *timeWaits) has(k key) bool {
	_, i := t.find(k)
	return i != 0
}

// get returns k's record, which must exist.
func (t *timeWaits) get(k key) *timeWait {
	_, i := t.find(k)
	return t.at(i)
}

// add keeps a record, and lets the oldest go if there are too many.
func (t *timeWaits) add(k key, rec tcpcore.TimeWaitRecord) {
	t.drop(k)
	if t.n >= maxTimeWaits {
		t.drop(t.at(t.first).key())
	}
	t.grow()
	i := t.take()
	*t.at(i) = timeWait{peer: k.peer, local: k.local, localPort: k.localPort, remotePort: k.remotePort, rec: rec}
	t.enter(i)
	t.n++
	t.link(i)
}

// grow keeps the table at most three quarters full.
func (t *timeWaits) grow() {
	if 4*(t.n+1) <= 3*len(t.table) {
		return
	}
	if t.table == nil {
		t.seed = maphash.MakeSeed()
	}
	t.table = make([]waitNumber, max(4, 2*len(t.table)))
	for i := t.first; i != 0; i = t.at(i).next {
		t.enter(i)
	}
}

// enter puts a number into the table.
func (t *timeWaits) enter(i waitNumber) {
	p := t.home(t.at(i).key())
	for t.table[p] != 0 {
		p = t.after(p)
	}
	t.table[p] = i
}

// take returns a slot that is free.
func (t *timeWaits) take() waitNumber {
	if i := t.free; i != 0 {
		t.free = t.at(i).next
		return i
	}
	switch {
	case t.used == 0:
		t.blocks = [][]timeWait{make([]timeWait, 1)} // all that a socket of one connection needs
	case t.used < waitBlock && t.used == len(t.blocks[0]):
		grown := make([]timeWait, min(4*t.used, waitBlock))
		copy(grown, t.blocks[0])
		t.blocks[0] = grown
	case t.used == len(t.blocks)*waitBlock:
		t.blocks = append(t.blocks, make([]timeWait, waitBlock))
	}
	t.used++
	return waitNumber(t.used)
}

// drop lets k's record go, if there is one. With the last one goes all memory.
func (t *timeWaits) drop(k key) {
	hole, i := t.find(k)
	if i == 0 {
		return
	}
	t.unlink(i)
	if t.n--; t.n == 0 {
		t.forget()
		return
	}
	*t.at(i) = timeWait{next: t.free}
	t.free = i
	// What was put behind the hole because of it moves up, so that it is found.
	t.table[hole] = 0
	for p := t.after(hole); t.table[p] != 0; p = t.after(p) {
		home := t.home(t.at(t.table[p]).key())
		if mask := len(t.table) - 1; (p-home)&mask >= (p-hole)&mask {
			t.table[hole], t.table[p] = t.table[p], 0
			hole = p
		}
	}
}

// link puts i where it belongs, which is at or near the end: all records of one
// configuration live equally long.
func (t *timeWaits) link(i waitNumber) {
	w, at := t.at(i), t.last
	for at != 0 && t.at(at).rec.Expires() > w.rec.Expires() {
		at = t.at(at).prev
	}
	w.prev, w.next = at, t.first
	if at != 0 {
		w.next = t.at(at).next
	}
	*t.from(w.prev), *t.to(w.next) = i, i
}

// unlink takes i out of the order.
func (t *timeWaits) unlink(i waitNumber) {
	w := t.at(i)
	*t.from(w.prev), *t.to(w.next) = w.next, w.prev
}

// from is the link that leads on from i, or to the first.
func (t *timeWaits) from(i waitNumber) *waitNumber {
	if i == 0 {
		return &t.first
	}
	return &t.at(i).next
}

// to is the link that leads back from i, or to the last.
func (t *timeWaits) to(i waitNumber) *waitNumber {
	if i == 0 {
		return &t.last
	}
	return &t.at(i).prev
}

// lastOf returns where the numbers of k's connection ended.
func (t *timeWaits) lastOf(k key) segment.Seq { return t.get(k).rec.Last() }

// input gives a segment to the record of k. With reopen the record stays, for as long as
// nobody has a place for the connection that would follow it.
func (t *timeWaits) input(now tcpcore.Time, k key, s *segment.Segment, b []byte) (reply []byte, reopen bool) {
	_, i := t.find(k)
	w := t.at(i)
	before := w.rec.Expires()
	if before <= now {
		t.drop(k)
		return b, true // it should be gone already
	}
	if reply, reopen = w.rec.Input(now, s, b); !reopen && w.rec.Expires() != before {
		t.unlink(i)
		t.link(i)
	}
	return reply, reopen
}

// expire drops what has had its time.
func (t *timeWaits) expire(now tcpcore.Time) {
	for t.first != 0 && t.at(t.first).rec.Expires() <= now {
		t.drop(t.at(t.first).key())
	}
}

// keep drops the oldest until there are at most n.
func (t *timeWaits) keep(n int) {
	for t.n > n {
		t.drop(t.at(t.first).key())
	}
}

// arm has f called when the first record expires. The timer is not moved for each
// record, but only to fire earlier: f finds out what is due.
func (t *timeWaits) arm(now tcpcore.Time, f func()) {
	if t.first == 0 {
		return
	}
	expires := t.at(t.first).rec.Expires()
	switch in := expires.Sub(now); {
	case t.timer == nil:
		t.timer, t.due = time.AfterFunc(in, f), expires
	case expires < t.due:
		t.timer.Reset(in)
		t.due = expires
	}
}

// fired notes that the timer has done so.
func (t *timeWaits) fired() { t.timer = nil }

// forget gives all memory back.
func (t *timeWaits) forget() {
	t.blocks, t.table = nil, nil
	t.n, t.used, t.free, t.first, t.last = 0, 0, 0, 0, 0
}

func (t *timeWaits) clear() {
	t.forget()
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}

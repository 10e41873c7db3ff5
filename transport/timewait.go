package transport

import (
	"time"

	"example.com/culvert/tcpcore"
	"example.com/culvert/tcpcore/segment"
)

// maxTimeWaits bounds a shard's records, as the kernel's bucket limit does: the
// oldest goes first.
const maxTimeWaits = 16384

// timeWaits are a shard's connections in TIME-WAIT, in the order in which they
// expire. The shard's lock guards it.
type timeWaits struct {
	byKey       map[key]*timeWait
	first, last *timeWait
	timer       *time.Timer
}

// timeWait is one of them, in 128 bytes, and a link of the order.
type timeWait struct {
	key        key
	rec        tcpcore.TimeWaitRecord
	prev, next *timeWait
}

func (t *timeWaits) len() int { return len(t.byKey) }

// add keeps a record, and lets the oldest go if there are too many.
func (t *timeWaits) add(k key, rec tcpcore.TimeWaitRecord) {
	t.drop(k)
	if t.byKey == nil {
		t.byKey = make(map[key]*timeWait)
	}
	if len(t.byKey) >= maxTimeWaits {
		t.drop(t.first.key)
	}
	w := &timeWait{key: k, rec: rec}
	t.byKey[k] = w
	t.link(w)
}

// link puts w where it belongs, which is at or near the end: all records of one
// configuration live equally long.
func (t *timeWaits) link(w *timeWait) {
	at := t.last
	for at != nil && at.rec.Expires() > w.rec.Expires() {
		at = at.prev
	}
	w.prev, w.next = at, t.first
	if at != nil {
		w.next = at.next
	}
	*t.from(w.prev), *t.to(w.next) = w, w
}

// unlink takes w out of the order.
func (t *timeWaits) unlink(w *timeWait) { *t.from(w.prev), *t.to(w.next) = w.next, w.prev }

// from is the link that leads on from w, or to the first.
func (t *timeWaits) from(w *timeWait) **timeWait {
	if w == nil {
		return &t.first
	}
	return &w.next
}

// to is the link that leads back from w, or to the last.
func (t *timeWaits) to(w *timeWait) **timeWait {
	if w == nil {
		return &t.last
	}
	return &w.prev
}

func (t *timeWaits) has(k key) bool { return t.byKey[k] != nil }

// lastOf returns where the numbers of k's connection ended.
func (t *timeWaits) lastOf(k key) segment.Seq { return t.byKey[k].rec.Last() }

// input gives a segment to the record of k.
func (t *timeWaits) input(now tcpcore.Time, k key, s *segment.Segment, b []byte) (reply []byte, reopen bool) {
	w := t.byKey[k]
	before := w.rec.Expires()
	if before <= now {
		t.drop(k)
		return b, true // it should be gone already
	}
	reply, reopen = w.rec.Input(now, s, b)
	switch {
	case reopen:
		t.drop(k)
	case w.rec.Expires() != before:
		t.unlink(w)
		t.link(w)
	}
	return reply, reopen
}

func (t *timeWaits) drop(k key) {
	if w := t.byKey[k]; w != nil {
		t.unlink(w)
		delete(t.byKey, k)
	}
}

// expire drops what has had its time.
func (t *timeWaits) expire(now tcpcore.Time) {
	for t.first != nil && t.first.rec.Expires() <= now {
		t.drop(t.first.key)
	}
}

// arm has f called when the first record expires. The timer is not moved for each
// record: f finds out what is due.
func (t *timeWaits) arm(now tcpcore.Time, f func()) {
	if t.first == nil || t.timer != nil {
		return
	}
	t.timer = time.AfterFunc(t.first.rec.Expires().Sub(now), f)
}

// fired notes that the timer has done so.
func (t *timeWaits) fired() { t.timer = nil }

func (t *timeWaits) clear() {
	t.byKey, t.first, t.last = nil, nil, nil
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}

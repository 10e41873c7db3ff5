package transport

import (
	"container/list"
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
	byKey map[key]*list.Element
	order list.List // of *timeWait
	timer *time.Timer
}

type timeWait struct {
	key key
	rec tcpcore.TimeWaitRecord
}

func (t *timeWaits) len() int { return t.order.Len() }

// add keeps a record, and lets the oldest go if there are too many.
func (t *timeWaits) add(k key, rec tcpcore.TimeWaitRecord) {
	t.drop(k)
	if t.byKey == nil {
		t.byKey = make(map[key]*list.Element)
		t.order.Init()
	}
	if t.order.Len() >= maxTimeWaits {
		t.drop(t.order.Front().Value.(*timeWait).key)
	}
	t.insert(&timeWait{k, rec})
}

// insert puts w where it belongs, which is at or near the end: all records of one
// configuration live equally long.
func (t *timeWaits) insert(w *timeWait) {
	at := t.order.Back()
	for at != nil && at.Value.(*timeWait).rec.Expires() > w.rec.Expires() {
		at = at.Prev()
	}
	if at == nil {
		t.byKey[w.key] = t.order.PushFront(w)
	} else {
		t.byKey[w.key] = t.order.InsertAfter(w, at)
	}
}

func (t *timeWaits) has(k key) bool { return t.byKey[k] != nil }

// last returns where the numbers of k's connection ended.
func (t *timeWaits) last(k key) segment.Seq { return t.byKey[k].Value.(*timeWait).rec.Last() }

// input gives a segment to the record of k.
func (t *timeWaits) input(now tcpcore.Time, k key, s *segment.Segment, b []byte) (reply []byte, reopen bool) {
	e := t.byKey[k]
	w := e.Value.(*timeWait)
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
		t.order.Remove(e)
		t.insert(w)
	}
	return reply, reopen
}

func (t *timeWaits) drop(k key) {
	if e := t.byKey[k]; e != nil {
		t.order.Remove(e)
		delete(t.byKey, k)
	}
}

// expire drops what has had its time.
func (t *timeWaits) expire(now tcpcore.Time) {
	for e := t.order.Front(); e != nil; e = t.order.Front() {
		w := e.Value.(*timeWait)
		if w.rec.Expires() > now {
			return
		}
		t.drop(w.key)
	}
}

// arm has f called when the first record expires. The timer is not moved for each
// record: f finds out what is due.
func (t *timeWaits) arm(now tcpcore.Time, f func()) {
	e := t.order.Front()
	if e == nil || t.timer != nil {
		return
	}
	t.timer = time.AfterFunc(e.Value.(*timeWait).rec.Expires().Sub(now), f)
}

// fired notes that the timer has done so.
func (t *timeWaits) fired() { t.timer = nil }

func (t *timeWaits) clear() {
	t.byKey = nil
	t.order.Init()
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}

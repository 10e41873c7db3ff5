package tcpcore

import "example.com/culvert/tcpcore/segment"

// mark is a place in what was written and not yet sent once: octets before it are to be
// pushed, or, if record is set, never share a segment with those behind it.
type mark struct {
	at     segment.Seq
	record bool
}

// marks are the places in order. They are few: pushes are bounded by maxPushMarks, and
// a record has an octet of the send buffer at least.
type marks struct {
	list   []mark
	head   int         // list[:head] is used up
	pushed segment.Seq // what was written before was pushed, if valid
	chunk  segment.Seq // where the chunk begins that the next Write adds to
	valid  bool
}

// maxPushMarks bounds the pushes that wait: each is only a hint.
const maxPushMarks = 64

// maxChunk is how much Linux gathers in one buffer, a multiple of the segment below it.
const maxChunk = 65215

// wrote sets the pushes of a Write that added octets from before on, as Linux does
// (Config.PushWrites). The end of the last Write needs none: it is where the send
// buffer is empty.
func (e *Engine) wrote(before segment.Seq) {
	m, end := &e.snd.marks, e.sndEnd()
	half := e.snd.maxWnd / 2
	chunk := max(min(maxChunk, half)/e.snd.mss, 1) * e.snd.mss
	if !m.valid {
		m.pushed, m.valid = before, true
	}
	switch {
	case !e.snd.nxt.Less(before): // all that was written before is sent
		m.chunk = before
	case m.chunk.Add(chunk).LessEq(before): // the chunk is full, and keeps its push
		m.push(before)
		m.chunk = before
	}
	for m.chunk.Add(chunk).Less(end) {
		m.chunk = m.chunk.Add(chunk)
		// "forced": a receiver that waits for a push must not wait for more than half its window.
		if m.chunk.Sub(m.pushed) > half {
			m.push(m.chunk)
			m.pushed = m.chunk
		}
	}
	m.pushed = end
}

func (m *marks) push(at segment.Seq) {
	if len(m.list)-m.head < maxPushMarks {
		m.add(mark{at: at})
	}
}

// add enters a mark behind all others, unless there is one at its place.
func (m *marks) add(x mark) {
	if n := len(m.list); n > m.head && m.list[n-1].at == x.at {
		m.list[n-1].record = m.list[n-1].record || x.record
		return
	}
	if m.head > 0 && m.head >= len(m.list)/2 {
		m.list = m.list[:copy(m.list, m.list[m.head:])]
		m.head = 0
	}
	m.list = append(m.list, x)
}

// pending reports whether there are any.
func (m *marks) pending() bool { return m.head < len(m.list) }

// pass takes off the marks up to seq, behind which sending goes on, and reports whether
// there were any.
func (m *marks) pass(seq segment.Seq) (any bool) {
	for m.head < len(m.list) && m.list[m.head].at.LessEq(seq) {
		m.head++
		any = true
	}
	return any
}

// recordFrom returns how many octets from seq on belong to the record that begins or goes on
// there; all if it has no end yet.
func (m *marks) recordFrom(seq segment.Seq, all int) int {
	for _, x := range m.list[m.head:] {
		if n := x.at.Sub(seq); x.record && n > 0 {
			return min(n, all)
		}
	}
	return all
}

// EndRecord ends a record at what was written last: octets before it and octets that are
// written later never share a segment, also when they are sent again. Where nothing waits
// to be sent, it changes nothing.
func (e *Engine) EndRecord() {
	if end := e.sndEnd(); e.state != Closed && e.snd.nxt.Less(end) {
		e.snd.marks.add(mark{at: end, record: true})
	}
}

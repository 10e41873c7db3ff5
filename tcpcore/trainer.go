package tcpcore

import "example.com/culvert/tcpcore/segment"

// A trainer builds a train of data segments: one header, of which the sequence number
// and the flags change.
type trainer struct {
	e   *Engine
	t   *Train
	hdr segment.Segment
	n   int   // header length
	k   uint8 // segments so far
	// room is how much data from the first segment on lies in one piece in the send
	// buffer, of a train that leaves it there.
	room int
}

// gatherFrom is how large a segment must be to be worth leaving where it is: the system
// takes longer for many short pieces than a copy does.
const gatherFrom = 4096

// gather lets the train leave its data in the send buffer, if its first segment, of size
// octets from seq on, is worth that and lies there in one piece. It is for data that was never
// sent: what a peer acknowledges makes room for other data, perhaps while the train is
// still on its way to the carrier.
func (b *trainer) gather(seq segment.Seq, size int) {
	e := b.e
	if !e.p.Gather || size < gatherFrom {
		return
	}
	off := seq.Sub(e.sndData())
	if p, _ := e.snd.buf.at(off, e.snd.buf.len()-off); len(p) >= size {
		b.room, b.t.Data = len(p), p[:0]
	}
}

// fits reports whether a segment with size octets can join the train.
func (b *trainer) fits(size int) bool {
	if len(b.t.Buf) == 0 {
		return true
	}
	n := len(b.t.Buf) + len(b.t.Data)
	whole := n%b.t.SegmentSize == 0 // none was shorter
	return whole && b.n+size <= b.t.SegmentSize && b.hdr.Flags&segment.URG == 0 &&
		n+b.n+size <= MaxTrainBytes && n/b.t.SegmentSize < MaxTrainSegments &&
		(b.room == 0 || len(b.t.Data)+size <= b.room)
}

// add appends a segment with size octets of the send buffer from seq on.
func (b *trainer) add(seq segment.Seq, size int, flags segment.Flags) {
	e, t := b.e, b.t
	if size > 0 && seq.Add(size) == e.sndEnd() {
		flags |= segment.PSH // no more is buffered (MUST-61, SHLD-27)
	}
	start := len(t.Buf)
	if start == 0 {
		b.hdr.Seq = seq
		if e.snd.urgent && seq.Less(e.snd.up) {
			b.hdr.Flags |= segment.URG
			b.hdr.Urgent = uint16(min(e.snd.up.Sub(seq), 0xffff))
		}
		t.Buf = b.hdr.Append(t.Buf)
		b.n = len(t.Buf)
		t.SegmentSize = b.n + size
		if need := min(MaxTrainBytes, MaxTrainSegments*t.SegmentSize); cap(t.Buf) < t.SegmentSize {
			t.Buf = append(make([]byte, 0, need), t.Buf...)
		}
	} else {
		t.Buf = append(t.Buf, t.Buf[:b.n]...)
		segment.PutSeq(t.Buf[start:], seq)
	}
	segment.PutFlags(t.Buf[start:], b.hdr.Flags|flags)
	b.hdr.Flags &^= segment.CWR // on one segment only
	if b.room > 0 {
		t.Data, t.HeadSize = t.Data[:len(t.Data)+size], b.n
	} else if size > 0 {
		end := len(t.Buf)
		t.Buf = grown(t.Buf, size)
		e.snd.buf.peek(seq.Sub(e.sndData()), t.Buf[end:])
	}
	b.k++
	e.count.SegmentsSent++
	if size > 0 {
		e.count.DataSegmentsSent++
		e.count.BytesSent += uint64(size)
	}
}

// grown returns b longer by n bytes of whatever content.
func grown(b []byte, n int) []byte {
	if len(b)+n <= cap(b) {
		return b[:len(b)+n]
	}
	return append(b, make([]byte, n)...)
}

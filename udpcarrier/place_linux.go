package udpcarrier

import (
	"example.com/culvert/carrier"
	"example.com/culvert/internal/mmsg"
)

// minPlaced is how long a segment is whose data is worth placing, in bytes. Pieces of 1448 bytes
// cost the kernel more than the copy does that they spare.
const minPlaced = mmsg.Small

// RFC 9293 section 3.1: the octet that says how long the header is, and the longest header.
const (
	dataOffset = 12
	maxHeader  = 60
)

// headerLen is how long the header of a segment says that it is; 0 if that is cut off.
func headerLen(seg []byte) int {
	if len(seg) <= dataOffset {
		return 0
	}
	return int(seg[dataOffset]>>4) * 4
}

// placing makes datagrams of a reader's messages, whose data may have been placed.
type placing struct {
	r *mmsg.Reader
	// on: data that is in its place may stay there. Behind data that is not, nothing may: who
	// copies the one to where the stream has come would overwrite the other.
	on bool

	longest int        // bytes of a message
	looks   mmsg.Shape // which looked like that
}

func place(r *mmsg.Reader) placing { return placing{r: r, on: r.Shape() != mmsg.Shape{}} }

// finish says in d what the i-th message brought: segments of the given size, or a single one if
// that is 0.
func (p *placing) finish(d *carrier.Datagram, i, size int) {
	r := p.r
	if want := r.Shape(); p.on {
		head, data, ok := r.Placed(i)
		if ok && size == 0 && headerLen(head) == want.Head {
			p.note(head, len(head)+len(data))
			d.Heads, d.HeadSize, d.Data = head, want.Head, data
			return
		}
		r.Join(i)
		p.on = headerLen(r.Data(i)) == len(r.Data(i)) // no data
	} else if want.Head > 0 {
		r.Join(i)
	}
	// One datagram of a size, which the kernel does not mention, is no train.
	if d.Data = r.Data(i); 0 < size && size < len(d.Data) {
		d.SegmentSize = size
	} else {
		p.note(d.Data, len(d.Data))
	}
}

// note takes note of a segment of n bytes that begins with head.
func (p *placing) note(head []byte, n int) {
	if n > p.longest {
		p.longest, p.looks = n, mmsg.Shape{Head: headerLen(head), Segment: n}
	}
}

// next is what to expect of the messages after these, before which last was expected.
func (p *placing) next(last mmsg.Shape) mmsg.Shape {
	switch {
	case p.longest == 0 || p.longest > maxHeader && p.longest < minPlaced:
		return mmsg.Shape{}
	case p.longest <= maxHeader:
		return last // acknowledgments say nothing of data
	}
	return p.looks
}

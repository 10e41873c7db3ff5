package mmsg

import (
	"sync"

	"golang.org/x/sys/unix"
)

// Shape is what messages are expected to be: a single segment of Segment bytes, the first Head
// of which are its header. The zero Shape expects nothing.
type Shape struct{ Head, Segment int }

// places are where a Reader's messages go if they are of one Shape: the header to the beginning
// of the message's buffer, the data to somebody else's memory, and what is more than expected
// into the buffer again, to where it would lie if all of the message had gone there.
type places struct {
	shape Shape
	iovs  [Short][3]unix.Iovec
	data  [Short][]byte
}

var placed sync.Pool

func init() {
	placed.New = func() any {
		r := newReader(&placed, Short)
		r.places = new(places)
		return r
	}
}

// GetPlaced borrows a reader for as many messages of a shape as p has room for: their data will
// lie in p, one message's behind the other's. It returns nil if there is room for none.
func GetPlaced(p []byte, s Shape) *Reader {
	room := s.Segment - s.Head
	if s.Head <= 0 || room <= 0 || s.Segment > Room || len(p) < room {
		return nil
	}
	r := placed.Get().(*Reader)
	t, n := r.places, min(len(p)/room, Short)
	t.shape = s
	r.Messages = r.Messages[:n]
	for i := range r.Messages {
		buf := r.Buffer(i)
		t.data[i] = p[i*room:][:room:room]
		v := &t.iovs[i]
		v[0].Base, v[1].Base = &buf[0], &t.data[i][0]
		v[0].SetLen(s.Head)
		v[1].SetLen(room)
		h := &r.Messages[i].Hdr
		h.Iov = &v[0]
		h.SetIovlen(2)
		if s.Segment < Room {
			v[2].Base = &buf[s.Segment]
			v[2].SetLen(Room - s.Segment)
			h.SetIovlen(3)
		}
	}
	return r
}

// Placed returns the two parts of the i-th message, if its data lies in its place. Any other has
// to be joined.
func (r *Reader) Placed(i int) (head, data []byte, ok bool) {
	s, n := r.places.shape, int(r.Messages[i].Len)
	if n <= s.Head || n > s.Segment {
		return nil, nil, false
	}
	return r.Buffer(i)[:s.Head:s.Head], r.places.data[i][: n-s.Head : n-s.Head], true
}

// Join puts the i-th message together in its buffer, for Data to return.
func (r *Reader) Join(i int) {
	if s, n := r.places.shape, int(r.Messages[i].Len); n > s.Head {
		copy(r.Buffer(i)[s.Head:n], r.places.data[i])
	}
}

// Shape is what r was borrowed for: the zero Shape if by Get.
func (r *Reader) Shape() Shape {
	if r.places == nil {
		return Shape{}
	}
	return r.places.shape
}

// forget lets go of the memory that was not the reader's own.
func (t *places) forget() {
	for i := range t.data {
		t.data[i], t.iovs[i][1].Base = nil, nil
	}
}

package mmsg

import (
	"sync"
	"unsafe"

	"example.com/culvert/carrier"
	"golang.org/x/sys/unix"
)

// Sizes of a batch, in messages. A socket that has been waiting starts with a short
// one, so that many sockets that wake at once do not borrow much. One that fills it
// with small messages gets a long one next, which halves the cost of a datagram of
// 1500 bytes; large ones gain nothing, and would leave the processor's caches.
const (
	Short = 4
	Long  = 32
	Small = 8 << 10 // bytes of a message, on average
)

const (
	// Room is for one message: a whole datagram of the greatest length, or as many as
	// the kernel coalesced, which are no more bytes than that.
	Room = 1 << 16
	// oobRoom is for the control messages of one message: both families' addresses (a
	// dual-stack socket tells both), traffic class, segment size, and what somebody else
	// may have asked of the socket.
	oobRoom = 256
)

// Name is room for a socket address of IPv4, which is the shorter, or IPv6.
type Name = unix.RawSockaddrInet6

// Reader is a batch with everything that receiving it takes. It is borrowed by Get for
// one call of Recv, and belongs to one goroutine.
type Reader struct {
	Batch carrier.Batch
	// Messages are what the kernel fills in.
	Messages []unix.Mmsghdr
	// Datagrams is room for what the caller makes of them, as many as there are messages.
	Datagrams []carrier.Datagram

	pool   *sync.Pool
	places *places // nil if all goes to data

	iovs  []unix.Iovec
	names []Name
	oobs  [][oobRoom]byte
	data  []byte
}

// Readers are shared by all sockets: only those that have something hold a reader.
var short, long sync.Pool

func init() {
	short.New = func() any { return newReader(&short, Short) }
	long.New = func() any { return newReader(&long, Long) }
}

// Get borrows a reader, of a long batch for a socket that is busy.
func Get(busy bool) *Reader {
	if busy {
		return long.Get().(*Reader)
	}
	return short.Get().(*Reader)
}

func newReader(pool *sync.Pool, size int) *Reader {
	r := &Reader{
		Messages: make([]unix.Mmsghdr, size), Datagrams: make([]carrier.Datagram, size),
		pool: pool, iovs: make([]unix.Iovec, size),
		names: make([]Name, size), oobs: make([][oobRoom]byte, size),
		data: make([]byte, size*Room),
	}
	for i := range r.Messages {
		r.iovs[i].Base = &r.data[i*Room]
		r.iovs[i].SetLen(Room)
		h := &r.Messages[i].Hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = &r.oobs[i][0]
		r.arm(i)
	}
	r.Batch.Free = func(*carrier.Batch) { r.Release(len(r.Messages)) }
	return r
}

// arm says again how much room the i-th message has; the kernel has written how much
// it took.
func (r *Reader) arm(i int) {
	h := &r.Messages[i].Hdr
	h.Namelen = uint32(unsafe.Sizeof(r.names[i]))
	h.SetControllen(oobRoom)
}

// Release gives the reader back, of whose messages the first n were used.
func (r *Reader) Release(n int) {
	for i := range n {
		r.arm(i)
	}
	if r.places != nil {
		r.places.forget()
		r.Messages = r.Messages[:cap(r.Messages)]
	}
	r.pool.Put(r)
}

// Busy reports whether n messages that were received are a full batch of small ones, so that
// the socket is worth a long one.
func (r *Reader) Busy(n int) bool {
	if n < len(r.Messages) {
		return false
	}
	total := 0
	for i := range r.Messages {
		total += int(r.Messages[i].Len)
	}
	return total < n*Small
}

// Data is what the i-th message brought.
func (r *Reader) Data(i int) []byte {
	size := int(r.Messages[i].Len)
	return r.Buffer(i)[:size:size]
}

// Buffer is the i-th message's room, for who fills it by other means than Recv.
func (r *Reader) Buffer(i int) []byte { return r.data[i*Room:][:Room:Room] }

// Control is the i-th message's control messages.
func (r *Reader) Control(i int) []byte { return r.oobs[i][:r.Messages[i].Hdr.Controllen] }

// Name is whom the i-th message is from, of whose bytes the first n are filled in.
func (r *Reader) Name(i int) (name *Name, n uint32) {
	return &r.names[i], r.Messages[i].Hdr.Namelen
}

package udpcarrier

import (
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/mmsg"
	"golang.org/x/sys/unix"
)

// fake is the kernel with a say before each send and after each receive.
type fake struct {
	kernel
	// send, if set, tells how many of the messages may go through, and what becomes of
	// the rest if that is not all.
	send func(ms []message) (int, syscall.Errno)
	// receive, if set, may alter what was received.
	receive func(ms []unix.Mmsghdr)

	mu   sync.Mutex
	got  []message // that went through
	lent []unix.Mmsghdr
}

// message is what the kernel would see of one.
type message struct {
	peer    netip.AddrPort
	size    int
	segment int // of a train; 0: it is none
}

func (f *fake) sendmmsg(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno) {
	var seen []message
	for i := range ms {
		h := &ms[i].Hdr
		var m message
		for _, v := range unsafe.Slice(h.Iov, h.Iovlen) {
			m.size += int(v.Len)
		}
		if h.Name != nil {
			m.peer = ofName((*mmsg.Name)(unsafe.Pointer(h.Name)), h.Namelen)
		}
		if h.Controllen > 0 {
			m.segment = segmentOf(unsafe.Slice(h.Control, h.Controllen))
		}
		seen = append(seen, m)
	}
	f.mu.Lock()
	f.lent = ms
	f.mu.Unlock()
	if f.send != nil {
		n, errno := f.send(seen)
		if n == 0 && errno != 0 {
			return 0, errno
		}
		ms = ms[:n]
	}
	n, errno := f.kernel.sendmmsg(fd, ms)
	f.mu.Lock()
	f.got = append(f.got, seen[:n]...)
	f.mu.Unlock()
	return n, errno
}

func (f *fake) recvmmsg(fd uintptr, ms []unix.Mmsghdr) (int, syscall.Errno) {
	n, errno := f.kernel.recvmmsg(fd, ms)
	if f.receive != nil {
		f.receive(ms[:n])
	}
	return n, errno
}

// taken returns the messages that went through since the last call.
func (f *fake) taken() []message {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.got
	f.got = nil
	return got
}

// segmentOf is what a UDP_SEGMENT control message says; 0 if there is none.
func segmentOf(b []byte) int {
	for len(b) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(b)
		if err != nil {
			break
		}
		if h.Level == unix.SOL_UDP && h.Type == unix.UDP_SEGMENT && len(data) >= 2 {
			return int(*(*uint16)(unsafe.Pointer(&data[0])))
		}
		b = rest
	}
	return 0
}

// refuse makes a fake that answers each message that is bad with errno.
func refuse(errno syscall.Errno, bad func(message) bool) *fake {
	f := new(fake)
	f.send = func(ms []message) (int, syscall.Errno) {
		for i, m := range ms {
			if bad(m) {
				return i, errno
			}
		}
		return len(ms), 0
	}
	return f
}

// through puts f between c and the kernel.
func through(c *Carrier, f *fake) *fake {
	c.trains = new(trainBook) // what is refused on purpose is no other test's affair
	c.link.(*batchLink).sys = f
	return f
}

// log collects what a carrier has to say.
type log struct {
	mu sync.Mutex
	strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.Write(b)
}

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// lines is how many there are, and fails the test if one does not name what.
func (l *log) lines(t *testing.T, what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for line := range strings.Lines(l.String()) {
		if n++; !strings.Contains(line, what) {
			t.Errorf("the log does not name %s: %s", what, line)
		}
	}
	return n
}

// hear reads n segments from c, in memory of their own, and how many datagrams or
// trains they came in.
func hear(t *testing.T, c *Carrier, n int) (segments []carrier.Datagram, pieces int) {
	t.Helper()
	for len(segments) < n {
		b, err := c.ReadBatch()
		if err != nil {
			t.Fatalf("ReadBatch after %d of %d segments: %v", len(segments), n, err)
		}
		for i := range b.Datagrams {
			d := b.Datagrams[i]
			if d.Err != nil {
				t.Fatalf("a report about %v: %v", d.Peer, d.Err)
			}
			if d.SegmentSize < 0 || d.SegmentSize >= max(1, len(d.Data)) {
				t.Fatalf("a segment size of %d in %d bytes", d.SegmentSize, len(d.Data))
			}
			pieces++
			for seg := range d.Segments {
				s := d
				s.Data, s.SegmentSize = append([]byte(nil), seg...), 0
				segments = append(segments, s)
			}
		}
		b.Release()
	}
	if len(segments) > n {
		t.Fatalf("%d segments, want %d", len(segments), n)
	}
	return segments, pieces
}

// numbered makes a train of segments that tell their number, from first on; the last
// has the length tail.
func numbered(first, n, size, tail int) []byte {
	if n == 1 {
		size = tail
	}
	b := make([]byte, (n-1)*size+tail)
	for i := range n {
		seg := b[i*size : min((i+1)*size, len(b))]
		for k := range seg {
			seg[k] = byte(first + i + k)
		}
		seg[0], seg[1] = byte((first+i)>>8), byte(first+i)
	}
	return b
}

// number is what a segment of numbered tells, and whether it is whole.
func number(seg []byte) (int, bool) {
	if len(seg) < 2 {
		return 0, false
	}
	n := int(seg[0])<<8 | int(seg[1])
	for k, v := range seg[2:] {
		if v != byte(n+k+2) {
			return n, false
		}
	}
	return n, true
}

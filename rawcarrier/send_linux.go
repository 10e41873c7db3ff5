package rawcarrier

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/cmsg"
	"example.com/culvert/internal/mmsg"
	"golang.org/x/sys/unix"
)

const (
	writeBatch = 64  // messages in one system call, at most
	sendOOB    = 128 // source address, traffic class and hop limit
)

// writer is what sending a batch takes: a message per segment.
type writer struct {
	ms   [writeBatch]unix.Mmsghdr
	iovs [writeBatch]unix.Iovec
	of   [writeBatch]int // the datagram that the message is of
	used int

	// Addresses and control messages, one each for runs of equal ones.
	names [writeBatch]unix.RawSockaddrInet4
	oobs  [writeBatch][sendOOB]byte

	// try and wait are handed to RawConn, once made so that they cost nothing.
	try         func(fd uintptr)
	wait        func(fd uintptr) bool
	first, last int
	sent        int
	errno       syscall.Errno
}

var writers = sync.Pool{New: func() any {
	w := new(writer)
	for i := range w.ms {
		w.ms[i].Hdr.Iov = &w.iovs[i]
		w.ms[i].Hdr.SetIovlen(1)
	}
	w.try = func(fd uintptr) { w.sent, w.errno = mmsg.Send(fd, w.ms[w.first:w.last]) }
	w.wait = func(fd uintptr) bool {
		w.try(fd)
		return w.errno != unix.EAGAIN
	}
	return w
}}

// release lets go of what was lent.
func (w *writer) release() {
	for i := range w.iovs[:w.used] {
		w.iovs[i].Base = nil
	}
	w.used = 0
	writers.Put(w)
}

// controlKey is what control messages say of a datagram.
type controlKey struct {
	source                 netip.Addr
	trafficClass, hopLimit uint8
}

func (s *socket) write(ds []carrier.Datagram) (int, error) {
	w := writers.Get().(*writer)
	defer w.release()
	next, offset := 0, 0
	for next < len(ds) {
		n, lerr := s.load(w, ds, &next, &offset)
		for w.first = 0; w.first < n; w.first += w.sent {
			w.last = n
			if err := s.send(w); err != nil {
				at := w.of[w.first]
				return at, s.writeError(&ds[at], err)
			}
		}
		if lerr != 0 {
			return next, s.writeError(&ds[next], lerr)
		}
	}
	return len(ds), nil
}

// load makes messages of segments, as many as fit, and moves next and offset past them.
// An error is about the datagram at next.
func (s *socket) load(w *writer, ds []carrier.Datagram, next, offset *int) (n int, errno syscall.Errno) {
	var (
		to   netip.AddrPort // of the message before
		name *byte
		key  controlKey
		oob  []byte
	)
	for ; *next < len(ds); *next, *offset = *next+1, 0 {
		d := &ds[*next]
		if n == len(w.ms) {
			return n, 0
		}
		peer := s.to(d)
		if peer != to || name == nil {
			a := peer.Addr().Unmap()
			if !a.Is4() {
				return n, unix.EAFNOSUPPORT
			}
			// The port field of a raw socket's address is the protocol, or 0.
			w.names[n] = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.As4()}
			name, to = (*byte)(unsafe.Pointer(&w.names[n])), peer
		}
		k := controlKey{source: s.source(d), trafficClass: d.TrafficClass, hopLimit: d.HopLimit}
		if k != key {
			key, oob = k, appendControl(w.oobs[n][:0], k)
		}
		size := d.SegmentSize
		if size <= 0 {
			size = max(len(d.Data), 1)
		}
		for {
			if n == len(w.ms) {
				return n, 0
			}
			end := min(*offset+size, len(d.Data))
			if end-*offset > maxDatagram-ipv4Header {
				return n, unix.EMSGSIZE
			}
			h := &w.ms[n].Hdr
			h.Name, h.Namelen = name, unix.SizeofSockaddrInet4
			h.Control = unsafe.SliceData(oob)
			h.SetControllen(len(oob))
			w.iovs[n].Base = unsafe.SliceData(d.Data[*offset:])
			w.iovs[n].SetLen(end - *offset)
			w.of[n] = *next
			n++
			w.used = max(w.used, n)
			if *offset = end; end == len(d.Data) {
				break
			}
		}
	}
	return n, 0
}

// to is whom d goes to.
func (s *socket) to(d *carrier.Datagram) netip.AddrPort {
	if p := s.c.caps.Connected; p.IsValid() {
		return p
	}
	return d.Peer
}

// source is what a control message must say about the source address: the zero Addr if
// the socket's own, or the route's, will do.
func (s *socket) source(d *carrier.Datagram) netip.Addr {
	if !s.wild || !d.Local.IsValid() || d.Local.IsUnspecified() {
		return netip.Addr{}
	}
	return d.Local.Unmap()
}

// send makes one system call that does something, and waits for room if it must.
func (s *socket) send(w *writer) error {
	// Not by RawConn.Write at first, which lets one in at a time.
	err := s.raw.Control(w.try)
	if err == nil && w.errno == unix.EAGAIN {
		err = s.raw.Write(w.wait)
	}
	if err == nil && w.errno != 0 {
		err = w.errno
	}
	return err
}

func (s *socket) writeError(d *carrier.Datagram, err error) error {
	if _, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError("sendmmsg", err)
	}
	return &net.OpError{Op: "write", Net: network, Source: carrier.Addr(s.c.local), Addr: carrier.Addr(s.to(d)), Err: err}
}

// appendControl appends the control messages that k asks for (ip(7)).
func appendControl(b []byte, k controlKey) []byte {
	if k.source.Is4() {
		// struct in_pktinfo: interface index, source, destination (unused).
		var info [unix.SizeofInet4Pktinfo]byte
		a := k.source.As4()
		copy(info[4:], a[:])
		b = cmsg.Append(b, unix.IPPROTO_IP, unix.IP_PKTINFO, info[:])
	}
	var n [4]byte
	if k.trafficClass != 0 {
		binary.NativeEndian.PutUint32(n[:], uint32(k.trafficClass))
		b = cmsg.Append(b, unix.IPPROTO_IP, unix.IP_TOS, n[:])
	}
	if k.hopLimit != 0 {
		binary.NativeEndian.PutUint32(n[:], uint32(k.hopLimit))
		b = cmsg.Append(b, unix.IPPROTO_IP, unix.IP_TTL, n[:])
	}
	return b
}

package udpcarrier

import (
	"errors"
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/mmsg"
	"golang.org/x/sys/unix"
)

const (
	// writeBatch is how many messages one system call is given at most.
	writeBatch = 64
	// writePieces is of how many pieces they may consist: four trains of a header and
	// data for each segment.
	writePieces = 4 * 2 * maxTrainSegments
	// maxTrainSegments is what every kernel with UDP_SEGMENT takes (UDP_MAX_SEGMENTS,
	// which later grew to 128).
	maxTrainSegments = 64
	// sendTries is how often a message is sent that fails. With IP_RECVERR a socket that
	// received an ICMP error fails its next send, whoever that is to, once for each
	// report; and the report is in the error queue in any case.
	sendTries = 3
)

// writer is what sending a batch takes: a message per segment, or per train.
type writer struct {
	link *batchLink // in use by
	ms   [writeBatch]unix.Mmsghdr
	iovs [writePieces]unix.Iovec
	at   [writeBatch]position // where the message begins
	size [writeBatch]int      // its bytes
	used int                  // iovs that hold somebody's bytes

	// Addresses and control messages, one each for runs of equal ones.
	names [writeBatch]mmsg.Name
	oobs  [writeBatch][oobSize]byte

	// try and wait are handed to RawConn, once made so that they cost nothing: they send
	// the messages from first to last and leave the result in sent and errno.
	try         func(fd uintptr)
	wait        func(fd uintptr) bool
	ask         func(fd uintptr)
	first, last int
	sent        int
	errno       syscall.Errno
}

var writers = sync.Pool{New: func() any {
	w := new(writer)
	w.try = func(fd uintptr) { w.sent, w.errno = w.link.sys.sendmmsg(fd, w.ms[w.first:w.last]) }
	w.wait = func(fd uintptr) bool {
		w.try(fd)
		return w.errno != unix.EAGAIN
	}
	w.ask = func(fd uintptr) {
		pollBriefly(fd, unix.POLLOUT)
		w.try(fd)
	}
	return w
}}

// release lets go of what was lent.
func (w *writer) release() {
	for i := range w.iovs[:w.used] {
		w.iovs[i].Base = nil
	}
	w.link, w.used = nil, 0
	writers.Put(w)
}

// isTrain reports whether the i-th message is several segments.
func (w *writer) isTrain(i int, ds []carrier.Datagram) bool {
	d := &ds[w.at[i].datagram]
	return d.SegmentSize > 0 && w.size[i] > d.SegmentSize
}

func (l *batchLink) write(ds []carrier.Datagram) (int, error) {
	w := writers.Get().(*writer)
	w.link = l
	defer w.release()
	var next position
	apart := notApart
	for next.datagram < len(ds) {
		n, lerr := l.load(w, ds, &next, apart.datagram)
		sent, err := l.send(w, n)
		if err != nil {
			at := w.at[sent]
			if w.isTrain(sent, ds) && isTrainError(err) {
				// Send it again at once, a message for each segment.
				next, apart = at, takenApart{at.datagram, err}
				continue
			}
			d := &ds[at.datagram]
			l.cache.forget(l.to(d).Addr(), err)
			return at.datagram, l.writeError("sendmmsg", d, err)
		}
		if apart.err != nil {
			// Segments went where it could not: the path takes no trains.
			l.c.counts.refused.Add(1)
			l.c.distrust(l.to(&ds[apart.datagram]), apart.err.Error())
			apart = notApart
		}
		if lerr != nil {
			return next.datagram, l.writeError("sendmmsg", &ds[next.datagram], lerr)
		}
	}
	return len(ds), nil
}

// takenApart is a train that the kernel refused, and why.
type takenApart struct {
	datagram int
	err      error
}

var notApart = takenApart{datagram: -1}

// isTrainError reports whether a train may have failed for being one. EIO: the device
// cannot compute checksums, or IPsec is on the way (udp_send_skb); EINVAL: more
// segments than the kernel takes, checksums switched off, or no such control message;
// EMSGSIZE: a segment that is too long, which in older kernels is EINVAL. If the
// reason is another one, the segments will say so.
func isTrainError(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EMSGSIZE)
}

// load makes messages of datagrams, as many as fit, and moves next past them. The
// datagram apart is the last one, each of its segments a message of its own. An
// error is about the datagram at next.
func (l *batchLink) load(w *writer, ds []carrier.Datagram, next *position, apart int) (n int, err error) {
	connected := l.c.caps.Connected.IsValid()
	var (
		to   netip.AddrPort // of the messages before
		name *byte
		size uint32
		key  controlKey
		oob  []byte
		iov  int
	)
	for ; next.datagram < len(ds); next.datagram, next.offset = next.datagram+1, 0 {
		d := &ds[next.datagram]
		if n == len(w.ms) || apart >= 0 && next.datagram > apart {
			return n, nil
		}
		peer := l.to(d)
		if !peer.IsValid() {
			return n, unix.EDESTADDRREQ
		}
		if !connected && peer != to {
			size = setName(&w.names[n], peer, l.inet6)
			name = (*byte)(unsafe.Pointer(&w.names[n]))
		}
		to = peer
		k := controlKey{
			source: l.source(d), trafficClass: d.TrafficClass, hopLimit: d.HopLimit,
			v4: !l.inet6 || peer.Addr().Unmap().Is4(),
		}
		// How many bytes a segment has, and a message.
		total := len(d.Heads) + len(d.Data)
		segment, step := d.SegmentSize, d.SegmentSize
		if segment <= 0 || segment >= total {
			segment, step = total, total
		} else if l.gso && apart != next.datagram && !l.c.trains.distrusted(peer.Addr()) {
			step = max(segment, min(maxTrainSegments, maxDatagram/segment)*segment)
		}
		for {
			if n == len(w.ms) {
				return n, nil
			}
			end := min(next.offset+step, total)
			if k.segmentSize = 0; end-next.offset > segment {
				k.segmentSize = uint16(segment)
			}
			if k != key {
				key, oob = k, appendControl(w.oobs[n][:0], k)
			}
			h := &w.ms[n].Hdr
			h.Name, h.Namelen = name, size
			h.Control = unsafe.SliceData(oob)
			h.SetControllen(len(oob))
			k := w.pieces(iov, d, segment, next.offset, end)
			if k == iov {
				return n, nil
			}
			h.Iov = &w.iovs[iov]
			h.SetIovlen(k - iov)
			iov = k
			w.at[n], w.size[n] = *next, end-next.offset
			n++
			w.used = max(w.used, iov)
			if next.offset = end; end == total {
				break
			}
		}
	}
	return n, nil
}

// pieces describes the bytes of d from offset to end, where d's segments begin and end, by
// w.iovs from k on, and returns the next k; the same if there is no room. Segments have
// size bytes but the last.
func (w *writer) pieces(k int, d *carrier.Datagram, size, offset, end int) int {
	if len(d.Heads) == 0 {
		if k == len(w.iovs) {
			return k
		}
		w.iovs[k].Base = unsafe.SliceData(d.Data[offset:])
		w.iovs[k].SetLen(end - offset)
		return k + 1
	}
	i := offset / size
	head, data := i*d.HeadSize, i*(size-d.HeadSize)
	if k+2*((end-offset+size-1)/size) > len(w.iovs) {
		return k
	}
	for ; offset < end; offset += size {
		n := min(size, end-offset) - d.HeadSize
		w.iovs[k].Base = &d.Heads[head]
		w.iovs[k].SetLen(d.HeadSize)
		w.iovs[k+1].Base = unsafe.SliceData(d.Data[data:])
		w.iovs[k+1].SetLen(n)
		k, head, data = k+2, head+d.HeadSize, data+n
	}
	return k
}

// send sends the first n messages, or tells how many before the one that fails.
func (l *batchLink) send(w *writer, n int) (sent int, err error) {
	short := false // the last call stopped early, and told no reason
	for failures := 0; sent < n; {
		w.first, w.last = sent, n
		if err := l.sendSome(w); err != nil {
			return sent, err
		}
		ok := isReport(w.errno)
		if ok || short {
			// The reason may have been a report, which is in the error queue.
			l.stir()
		}
		if w.errno == 0 {
			sent += w.sent
			failures, short = 0, sent < n
			continue
		}
		short = false
		if failures++; !ok || failures >= sendTries {
			return sent, w.errno
		}
	}
	return sent, nil
}

// sendSome makes one system call that does something, and waits for room if it must.
// An error is the socket's end.
func (l *batchLink) sendSome(w *writer) error {
	// Not by RawConn.Write at first, which lets one in at a time.
	err := l.raw.Control(w.try)
	for err == nil && w.errno == unix.EAGAIN {
		err = l.raw.Write(w.wait)
		if err != nil && !l.c.closed.Load() && isUnpollable(err) {
			err = l.raw.Control(w.ask)
		}
	}
	return err
}

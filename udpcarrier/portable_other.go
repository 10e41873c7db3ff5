//go:build !linux && !darwin && !freebsd

package udpcarrier

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"syscall"

	"example.com/culvert/carrier"
)

// taker is what belongs to whoever reads a socketLink.
type taker struct {
	ready func(fd uintptr) bool
	asked bool
	oob   [oobSize]byte
}

func (t *taker) init(*socketLink) {
	t.ready = func(uintptr) bool {
		// Windows' runtime waits by a read of no bytes. Where nothing better is known the read
		// itself waits, with its buffer.
		first := !t.asked
		t.asked = true
		return !first || runtime.GOOS != "windows"
	}
}

// receive waits for a batch, which is a single datagram where it is not known whether a read for
// another one would wait. Nil without an error is nothing after all.
func (l *socketLink) receive() (*socketBatch, error) {
	l.in.asked = false
	if err := l.raw.Read(l.in.ready); err != nil { // the wait borrows nothing
		return nil, err
	}
	b := socketBatches.Get().(*socketBatch)
	n, oobn, flags, from, err := l.udp.ReadMsgUDPAddrPort(b.buf[:socketRoom], l.in.oob[:])
	if err != nil || flags&msgTrunc != 0 {
		if err == nil {
			l.c.counts.truncated.Add(1)
		}
		socketBatches.Put(b)
		return nil, err
	}
	if p := l.c.caps.Connected; p.IsValid() {
		from = p
	}
	b.d[0] = l.datagram(unmap(from), parseControl(l.in.oob[:oobn]), b.buf[:n])
	b.batch.Datagrams = b.d[:1]
	return b, nil
}

func (l *socketLink) write(ds []carrier.Datagram) (int, error) {
	var room [oobSize]byte
	for i := range ds {
		d := &ds[i]
		var to netip.AddrPort // the zero AddrPort on a connected socket
		if !l.c.caps.Connected.IsValid() {
			if to = unmap(d.Peer); !to.IsValid() {
				return i, l.writeError("sendmsg", d, syscall.EDESTADDRREQ)
			}
		}
		oob := l.control(room[:0], d, to)
		for seg := range d.Segments {
			if err := l.send(seg, oob, to); err != nil {
				l.cache.forget(d.Peer.Addr(), err)
				return i, err
			}
		}
	}
	return len(ds), nil
}

// send sends one segment, once more if what failed may have been another one: a
// report that was pending, or a control message that the system does not know.
func (l *socketLink) send(seg, oob []byte, to netip.AddrPort) error {
	_, _, err := l.udp.WriteMsgUDPAddrPort(seg, oob, to)
	if err != nil && errors.Is(err, syscall.EINVAL) && len(oob) > 0 {
		_, _, err = l.udp.WriteMsgUDPAddrPort(seg, nil, to)
	}
	e, ok := networkError(err)
	if ok {
		_, _, err = l.udp.WriteMsgUDPAddrPort(seg, oob, to)
		e, ok = networkError(err)
	}
	if ok && !errors.Is(err, e) {
		err = &net.OpError{Op: "write", Net: "udp", Addr: net.UDPAddrFromAddrPort(to), Err: e}
	}
	return err
}

package rawcarrier

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/cmsg"
	"example.com/culvert/internal/mmsg"
	"example.com/culvert/tcpcore/segment"
	"golang.org/x/sys/unix"
)

const maxReports = 16 // taken at once; more wait for the next call

// inbound is what belongs to whoever reads a socket.
type inbound struct {
	// receive is handed to RawConn, once made so that it costs nothing.
	receive func(uintptr) bool
	busy    bool // the last batch was full of small messages

	// What receive found: r with n messages, reports, or an error.
	r       *mmsg.Reader
	n       int
	reports *carrier.Batch
	errno   syscall.Errno
}

// try looks at both sockets and reports whether there is anything to tell.
func (s *socket) try() bool {
	in := &s.in
	r := mmsg.Get(in.busy)
	n, errno := mmsg.Recv(uintptr(s.fd), r.Messages)
	if errno == 0 {
		in.r, in.n, in.busy = r, n, r.Busy(n)
		return true
	}
	r.Release(0)
	in.busy = false
	if errno != unix.EAGAIN {
		in.errno = errno
		return true
	}
	var more bool
	in.reports, more = s.takeReports()
	return in.reports != nil || more
}

func (s *socket) read() (*carrier.Batch, error) {
	in := &s.in
	if in.receive == nil {
		in.receive = func(uintptr) bool { return s.try() }
	}
	for {
		in.r, in.reports, in.errno = nil, nil, 0
		if err := s.wait.Read(in.receive); err != nil {
			return nil, interrupted(s.both, err)
		}
		switch {
		case in.errno != 0:
			return nil, &net.OpError{Op: "read", Net: network, Err: os.NewSyscallError("recvmmsg", in.errno)}
		case in.reports != nil:
			return in.reports, nil
		}
		r := in.r
		if r == nil {
			continue // reports that were none, and perhaps more of them
		}
		in.r = nil
		if s.fill(r, in.n) {
			return &r.Batch, nil
		}
		r.Release(in.n)
	}
}

// fill turns n messages into datagrams and reports whether any is worth handing on.
func (s *socket) fill(r *mmsg.Reader, n int) bool {
	ds := r.Datagrams[:0]
	for i := range r.Messages[:n] {
		if r.Messages[i].Hdr.Flags&unix.MSG_TRUNC != 0 {
			s.c.counts.truncated.Add(1)
			continue
		}
		h, ok := parseHeader(r.Data(i))
		if !ok || h.protocol != protocolTCP || len(h.payload) < tcpHeader || !unicast(h.src) {
			s.c.counts.strange.Add(1)
			continue
		}
		// RFC 9293 MUST-57: not what was sent to many. The address that it arrived at is
		// then another one than its destination.
		if local := arrivedAt(r.Control(i)); local.IsValid() && local != h.dst || !unicast(h.dst) {
			s.c.counts.strange.Add(1)
			continue
		}
		src, dst := ports(h.payload)
		peer := netip.AddrPortFrom(h.src, src)
		// The filter has seen to this, but for what came before it did.
		if dst != s.c.local.Port() || s.c.caps.Connected.IsValid() && peer != s.c.caps.Connected {
			continue
		}
		ds = append(ds, carrier.Datagram{
			Peer: peer, Local: h.dst, Data: h.payload, TrafficClass: h.trafficClass,
			Verified: segment.PartialChecksum(h.payload, h.src, h.dst),
		})
	}
	r.Batch.Datagrams = ds
	return len(ds) > 0
}

// arrivedAt finds the address of ours that a datagram came to (IP_PKTINFO of ip(7)).
func arrivedAt(b []byte) netip.Addr {
	for h, data := range cmsg.All(b) {
		if h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo {
			return netip.AddrFrom4([4]byte(data[4:8])) // ipi_spec_dst
		}
	}
	return netip.Addr{}
}

// takeReports reads ICMP errors, b is nil if there are none that matter. With more there may be
// others, for which the poller would not call again.
func (s *socket) takeReports() (b *carrier.Batch, more bool) {
	for range maxReports {
		// Routers quote up to 576 octets in all (RFC 1812 section 4.3.2.3), some more.
		buf := make([]byte, 1500)
		n, _, errno := syscall.Syscall6(unix.SYS_RECVFROM, uintptr(s.icmpFD),
			uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), unix.MSG_DONTWAIT, 0, 0)
		if errno != 0 {
			return b, false
		}
		h, ok := parseHeader(buf[:n])
		if !ok {
			continue
		}
		d, ok := parseICMP(h.payload)
		if !ok {
			continue
		}
		src, _ := ports(d.Data)
		if a := s.c.local.Addr(); src != s.c.local.Port() || !s.wild && d.Local != a ||
			s.c.caps.Connected.IsValid() && d.Peer != s.c.caps.Connected {
			continue
		}
		if b == nil {
			b = new(carrier.Batch)
		}
		b.Datagrams = append(b.Datagrams, d)
	}
	return b, true
}

package rawcarrier

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/mmsg"
	"golang.org/x/sys/unix"
)

// tun is a link over a TUN device: what is written are datagrams that the host
// receives, what is read those that it sends.
type tun struct {
	c    *Carrier
	file *os.File
	raw  syscall.RawConn
	own  netip.Addr

	// Of whoever reads: receive is made once, so that it costs nothing.
	receive func(fd uintptr) bool
	r       *mmsg.Reader
	n       int
	errno   syscall.Errno
}

func openTUN(name string, host netip.Prefix, own netip.Addr, opts Options) (*Carrier, error) {
	c := &Carrier{opts: opts, local: netip.AddrPortFrom(own, 0)}
	c.caps = carrier.Caps{TrafficClass: true, HopLimit: true, Network: network,
		Checksum: true, SamePorts: true, Interrupt: true}
	t := &tun{c: c, own: own}
	if err := t.open(name, host); err != nil {
		return nil, fmt.Errorf("rawcarrier: TUN: %w", privilege(err, "a TUN device", "cap_net_admin"))
	}
	c.link = t
	return c, nil
}

func (t *tun) open(name string, host netip.Prefix) error {
	const device = "/dev/net/tun"
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: device, Err: err}
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = os.NewSyscallError("ioctl TUNSETIFF", unix.IoctlIfreq(fd, unix.TUNSETIFF, req))
	}
	if err != nil && name != "" {
		err = fmt.Errorf("name: %q: %w", name, err) // such as that of another process's device
	}
	if err == nil && host.IsValid() {
		err = configure(req.Name(), host, t.c.opts.MTU)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	// Not before it is a device's: the poller would be told that it never has anything.
	t.file = os.NewFile(uintptr(fd), device)
	t.raw, err = t.file.SyscallConn()
	return err
}

// configure gives a device its address, net and MTU, and switches it on (netdevice(7)).
func configure(name string, host netip.Prefix, mtu int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	a := host.Addr().As4()
	mask := net.CIDRMask(host.Bits(), 32)
	for _, step := range []struct {
		what    string
		request uint
		set     func(*unix.Ifreq) error
	}{
		{"SIOCSIFMTU", unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(uint32(mtu)); return nil }},
		{"SIOCSIFADDR", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(a[:]) }},
		{"SIOCSIFNETMASK", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr(mask) }},
		{"SIOCSIFFLAGS", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }},
	} {
		req, err := unix.NewIfreq(name)
		if err == nil {
			err = step.set(req)
		}
		if err == nil {
			err = unix.IoctlIfreq(fd, step.request, req)
		}
		if err != nil {
			return os.NewSyscallError("ioctl "+step.what, err)
		}
	}
	return nil
}

func (t *tun) route(netip.Addr) (netip.Addr, int) { return t.own, t.c.opts.MTU }

func (t *tun) interrupt() { t.file.SetReadDeadline(longAgo) }

func (t *tun) close() error { return t.file.Close() }

// try reads what is there, a datagram a call, and reports whether there was anything.
func (t *tun) try(fd uintptr) bool {
	r := mmsg.Get(true)
	for t.n = 0; t.n < len(r.Messages); t.n++ {
		n, errno := sysRead(fd, r.Buffer(t.n))
		if errno != 0 {
			if t.errno = errno; t.n > 0 || errno == unix.EAGAIN {
				t.errno = 0
			}
			break
		}
		r.Messages[t.n].Len = uint32(n)
	}
	if t.n == 0 {
		r.Release(0)
		return t.errno != 0
	}
	t.r = r
	return true
}

func sysRead(fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.Syscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func (t *tun) read() (*carrier.Batch, error) {
	if t.receive == nil {
		t.receive = t.try
	}
	for {
		t.errno = 0
		if err := t.raw.Read(t.receive); err != nil {
			return nil, interrupted(t.file, err)
		}
		if t.errno != 0 {
			return nil, &net.OpError{Op: "read", Net: network, Err: os.NewSyscallError("read", t.errno)}
		}
		r := t.r
		t.r = nil
		if t.fill(r) {
			return &r.Batch, nil
		}
		r.Release(0)
	}
}

// fill turns what was read into datagrams, answers echo requests, and reports whether
// there is something to hand on.
func (t *tun) fill(r *mmsg.Reader) bool {
	ds := r.Datagrams[:0]
	for i := range t.n {
		b := r.Data(i)
		h, ok := parseHeader(b)
		if !ok || h.dst != t.own || !unicast(h.src) {
			// Such as IPv6's search for neighbours, and what is sent to many.
			t.c.counts.strange.Add(1)
			continue
		}
		switch {
		case h.protocol == protocolTCP && len(h.payload) >= tcpHeader:
			port, _ := ports(h.payload)
			ds = append(ds, carrier.Datagram{
				Peer: netip.AddrPortFrom(h.src, port), Local: h.dst, Data: h.payload, TrafficClass: h.trafficClass,
			})
		case h.protocol == protocolICMP:
			if d, ok := parseICMP(h.payload); ok && d.Local == t.own {
				ds = append(ds, d)
				continue
			}
			end := len(h.payload) + int(b[0]&15)*4 // without padding
			if reply := echoReply(b[:end], &h); reply != nil {
				t.raw.Control(func(fd uintptr) { unix.Write(int(fd), reply) }) // lost if there is no room
			}
		default:
			t.c.counts.strange.Add(1)
		}
	}
	r.Batch.Datagrams = ds
	return len(ds) > 0
}

// tunWriter is what writing a datagram takes.
type tunWriter struct {
	header [ipv4Header]byte
	iovs   [2]unix.Iovec
	try    func(fd uintptr) bool
	errno  syscall.Errno
}

var tunWriters = sync.Pool{New: func() any {
	w := new(tunWriter)
	w.iovs[0].Base = &w.header[0]
	w.iovs[0].SetLen(ipv4Header)
	w.try = func(fd uintptr) bool {
		for {
			_, _, w.errno = syscall.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&w.iovs[0])), 2)
			if w.errno != unix.EINTR {
				return w.errno != unix.EAGAIN
			}
		}
	}
	return w
}}

func (t *tun) write(ds []carrier.Datagram) (int, error) {
	w := tunWriters.Get().(*tunWriter)
	defer func() {
		w.iovs[1].Base = nil
		tunWriters.Put(w)
	}()
	for i := range ds {
		d := &ds[i]
		peer := d.Peer.Addr().Unmap()
		err := error(nil)
		if !peer.Is4() {
			err = unix.EAFNOSUPPORT
		}
		for seg := range d.Segments {
			if err != nil {
				break
			}
			if err = t.fits(seg); err != nil {
				break
			}
			putHeader(w.header[:], protocolTCP, len(seg), d.TrafficClass, d.HopLimit, t.own, peer)
			w.iovs[1].Base = unsafe.SliceData(seg)
			w.iovs[1].SetLen(len(seg))
			if err = t.raw.Write(w.try); err == nil && w.errno != 0 {
				err = w.errno
			}
		}
		if err != nil {
			var errno syscall.Errno
			if errors.As(err, &errno) {
				err = os.NewSyscallError("writev", errno)
			}
			return i, &net.OpError{Op: "write", Net: network, Source: carrier.Addr(t.c.local), Addr: carrier.Addr(d.Peer), Err: err}
		}
	}
	return len(ds), nil
}

// fits says whether the device takes a segment. It would take longer ones, too.
func (t *tun) fits(seg []byte) error {
	if len(seg) > t.c.opts.MTU-ipv4Header {
		return unix.EMSGSIZE
	}
	return nil
}

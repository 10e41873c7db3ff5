package rawcarrier

import (
	"errors"
	"fmt"
	"net/netip"
)

// Options tune a carrier. The zero value works: every field that is zero means its
// default, which ends its comment.
type Options struct {
	// ReceiveBuffer and SendBuffer are what to ask of the system for the socket's
	// queues, in bytes; whatever it grants is accepted. Default 4 MiB.
	ReceiveBuffer, SendBuffer int
	// MTU bounds the IP datagrams that are sent, in bytes, IP header included: 576 to
	// 65535. Default the MTU of the route, and 1500 where the system does not tell.
	MTU int
}

// Bounds of Options.
const (
	minMTU        = 576 // RFC 791: what every host must take
	maxBuffer     = 1 << 30
	defaultMTU    = 1500
	defaultBuffer = 4 << 20
)

// check returns an error that names the first field with a bad value, or nil.
func (o *Options) check() error {
	num := func(name string, v, lo, hi int) error {
		if v != 0 && (v < lo || v > hi) {
			return fmt.Errorf("rawcarrier: Options.%s: %d is outside of %d..%d", name, v, lo, hi)
		}
		return nil
	}
	return errors.Join(
		num("ReceiveBuffer", o.ReceiveBuffer, 1, maxBuffer),
		num("SendBuffer", o.SendBuffer, 1, maxBuffer),
		num("MTU", o.MTU, minMTU, maxDatagram),
	)
}

// fill replaces zero fields by their defaults; MTU stays 0, "ask the system".
func (o *Options) fill() {
	if o.ReceiveBuffer == 0 {
		o.ReceiveBuffer = defaultBuffer
	}
	if o.SendBuffer == 0 {
		o.SendBuffer = defaultBuffer
	}
}

// Listen opens a carrier that receives, from anybody, the segments for laddr. The zero
// Addr and 0.0.0.0 are a wildcard; port 0 lets the system choose. It fails with
// syscall.EADDRINUSE if a socket of the kernel has the port, or another carrier, and
// with os.ErrPermission if the process lacks a privilege, which the error names.
func Listen(laddr netip.AddrPort, opts Options) (*Carrier, error) {
	if err := checkLocal("Listen", laddr.Addr()); err != nil {
		return nil, err
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts.fill()
	return open(laddr, netip.AddrPort{}, opts)
}

// Dial opens a carrier that exchanges segments with raddr alone. The zero laddr leaves
// address and port to the system, as does each part that is zero. Errors are as for
// Listen.
func Dial(laddr, raddr netip.AddrPort, opts Options) (*Carrier, error) {
	if err := checkLocal("Dial", laddr.Addr()); err != nil {
		return nil, err
	}
	peer := netip.AddrPortFrom(raddr.Addr().Unmap(), raddr.Port())
	if !unicast(peer.Addr()) || peer.Addr().IsUnspecified() || peer.Port() == 0 {
		return nil, fmt.Errorf("rawcarrier: Dial: raddr: %v is not the IPv4 address and port of one host", raddr)
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts.fill()
	return open(laddr, peer, opts)
}

func checkLocal(fn string, a netip.Addr) error {
	if a.IsValid() && !unicast(a.Unmap()) {
		return fmt.Errorf("rawcarrier: %s: laddr: %v is not an IPv4 address of one host", fn, a)
	}
	return nil
}

// unicast reports whether a may be one host's IPv4 address, or none yet (0.0.0.0).
func unicast(a netip.Addr) bool {
	return a.Is4() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

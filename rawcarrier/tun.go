package rawcarrier

import (
	"fmt"
	"net/netip"
)

// TUN opens a carrier that owns the IPv4 address own on a TUN device of Linux, with all
// its TCP ports, so that any program of the host can talk with it and no port of the
// kernel is touched. LocalAddr's port is 0: an Endpoint of package transport listens on
// the ports that it is told to, and its dials take others. ICMP echo requests are
// answered by the carrier, segments for ports that nobody listens on by whoever reads
// them. It needs the capability CAP_NET_ADMIN; without it the error says so, and
// errors.Is knows it as os.ErrPermission.
//
// Name is the device's, at most 15 octets; empty lets the system choose. With a valid
// host the device gets that address and net on the host's side, Options.MTU (default
// 1500), and is switched on; own must be another address of that net. With the zero
// host the device is left as it is, for example because ip-tuntap(8) made it, and
// Options.MTU has to be the device's. The device goes with the carrier, unless it is a
// persistent one. Options' buffers have no effect.
func TUN(name string, host netip.Prefix, own netip.Addr, opts Options) (*Carrier, error) {
	own = own.Unmap()
	switch {
	case len(name) > 15:
		return nil, fmt.Errorf("rawcarrier: TUN: name: %q is longer than 15 octets", name)
	case !unicast(own) || own.IsUnspecified():
		return nil, fmt.Errorf("rawcarrier: TUN: own: %v is not the IPv4 address of one host", own)
	case host != (netip.Prefix{}) && (!host.IsValid() || !unicast(host.Addr()) || !host.Contains(own) || host.Addr() == own):
		return nil, fmt.Errorf("rawcarrier: TUN: host: %v is no IPv4 address whose net has %v for somebody else", host, own)
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts.fill()
	if opts.MTU == 0 {
		opts.MTU = defaultMTU
	}
	return openTUN(name, host, own, opts)
}

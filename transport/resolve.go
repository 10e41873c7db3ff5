package transport

import (
	"context"
	"net"
	"net/netip"
	"strings"

	piontransport "github.com/pion/transport/v3"
)

// resolver finds the addresses of a name.
type resolver struct {
	r   *net.Resolver
	net piontransport.Net // has names of its own, if set
}

// lookup returns the addresses that "host:port" stands for, in the family ip ("ip",
// "ip4" or "ip6"). An empty host gives none; the caller knows what it means.
func (r resolver) lookup(ctx context.Context, ip, hostport string) (addrs []netip.Addr, port uint16, err error) {
	host, service, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, 0, err
	}
	n, err := r.resolver().LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, 0, err
	}
	port = uint16(n)
	if host == "" {
		return nil, port, nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{a}
	} else if addrs, err = r.names(ctx, ip, host); err != nil {
		return nil, 0, err
	}
	fit := addrs[:0]
	for _, a := range addrs {
		if a = a.Unmap(); ip == "ip" || a.Is4() == (ip == "ip4") {
			fit = append(fit, a)
		}
	}
	if len(fit) == 0 {
		return nil, 0, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return fit, port, nil
}

func (r resolver) resolver() *net.Resolver {
	if r.r == nil {
		return net.DefaultResolver
	}
	return r.r
}

func (r resolver) names(ctx context.Context, ip, host string) ([]netip.Addr, error) {
	if r.net == nil {
		return r.resolver().LookupNetIP(ctx, ip, host)
	}
	a, err := r.net.ResolveIPAddr(ip, host)
	if err != nil {
		return nil, err
	}
	addr, ok := netip.AddrFromSlice(a.IP)
	if !ok {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return []netip.Addr{addr.Unmap().WithZone(a.Zone)}, nil
}

// destinations are the addresses to dial for "host:port". No host, and an
// unspecified address, mean the local system, as in package net.
func (r resolver) destinations(ctx context.Context, ip, hostport string) ([]netip.AddrPort, error) {
	addrs, port, err := r.lookup(ctx, ip, hostport)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		a := netip.AddrFrom4([4]byte{})
		if ip == "ip6" {
			a = netip.IPv6Unspecified()
		}
		addrs = []netip.Addr{a}
	}
	out := make([]netip.AddrPort, 0, len(addrs))
	for _, a := range addrs {
		if a.IsUnspecified() {
			if a = netip.IPv6Loopback(); strings.HasSuffix(ip, "4") || addrs[0].Is4() {
				a = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			}
		}
		out = append(out, netip.AddrPortFrom(a, port))
	}
	return out, nil
}

// binding is the address to listen on for "host:port"; no host is the zero Addr, a
// wildcard. Of several addresses it is the first of IPv4, as in package net.
func (r resolver) binding(ctx context.Context, ip, hostport string) (netip.AddrPort, error) {
	addrs, port, err := r.lookup(ctx, ip, hostport)
	if err != nil {
		return netip.AddrPort{}, err
	}
	var a netip.Addr
	for i, b := range addrs {
		if i == 0 || b.Is4() {
			a = b
		}
		if b.Is4() {
			break
		}
	}
	return netip.AddrPortFrom(a, port), nil
}

// unicast reports whether a connection can go to a: not to a multicast or broadcast
// address (RFC 9293 MUST-46). The broadcast address of a net cannot be told here.
func unicast(a netip.Addr) bool {
	return a.IsValid() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

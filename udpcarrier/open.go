package udpcarrier

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/transport/v3"
)

// Listen opens an unconnected UDP socket on laddr. Network is "udp" (both families
// on a wildcard address, where the system can), "udp4" or "udp6". The zero laddr,
// and one with the zero Addr, is a wildcard; port 0 lets the system choose.
func Listen(network string, laddr netip.AddrPort, opts Options) (*Carrier, error) {
	if err := checkArgs("Listen", network, laddr, nil, &opts); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: opts.Control}
	pc, err := lc.ListenPacket(context.Background(), network, hostPort(laddr))
	if err != nil {
		return nil, err
	}
	return open(pc, opts)
}

// Dial opens a UDP socket that is connected to raddr, so that it receives from
// nobody else and the system tells what ICMP says. Network is as for Listen. The
// zero laddr, and one with the zero Addr, leaves the address to the system.
func Dial(network string, laddr, raddr netip.AddrPort, opts Options) (*Carrier, error) {
	if err := checkArgs("Dial", network, laddr, &raddr, &opts); err != nil {
		return nil, err
	}
	d := net.Dialer{Control: opts.Control}
	if laddr != (netip.AddrPort{}) {
		d.LocalAddr = udpAddr(laddr)
	}
	conn, err := d.Dial(network, raddr.String())
	if err != nil {
		return nil, err
	}
	return open(conn.(*net.UDPConn), opts)
}

// ListenNet is Listen over n, for example a vnet; nil means the system's network.
// A *net.UDPConn that n hands out is used as Listen would.
func ListenNet(n transport.Net, network string, laddr netip.AddrPort, opts Options) (*Carrier, error) {
	if n == nil {
		return Listen(network, laddr, opts)
	}
	if err := checkArgs("ListenNet", network, laddr, nil, &opts); err != nil {
		return nil, err
	}
	pc, err := n.ListenUDP(network, udpAddr(laddr))
	if err != nil {
		return nil, err
	}
	return openNet(pc, opts)
}

// DialNet is Dial over n, for example a vnet; nil means the system's network. A
// *net.UDPConn that n hands out is used as Dial would.
func DialNet(n transport.Net, network string, laddr, raddr netip.AddrPort, opts Options) (*Carrier, error) {
	if n == nil {
		return Dial(network, laddr, raddr, opts)
	}
	if err := checkArgs("DialNet", network, laddr, &raddr, &opts); err != nil {
		return nil, err
	}
	if laddr != (netip.AddrPort{}) {
		pc, err := n.DialUDP(network, udpAddr(laddr), udpAddr(raddr))
		if err != nil {
			return nil, err
		}
		return openNet(pc, opts)
	}
	// Net.Dial rather than DialUDP: a vnet's DialUDP without a local address binds
	// to the wildcard, while its Dial chooses the address that the route has.
	conn, err := n.Dial(network, raddr.String())
	if err != nil {
		return nil, err
	}
	pc, ok := conn.(transport.UDPConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("udpcarrier: DialNet: n.Dial(%q) returned a %T, which is no transport.UDPConn", network, conn)
	}
	return openNet(pc, opts)
}

// openNet opens what a transport.Net handed out. Some wrap a *net.UDPConn by
// embedding it, and may do so in order to see each datagram: those stay wrapped.
func openNet(pc transport.UDPConn, opts Options) (*Carrier, error) {
	p, ok := pc.(net.PacketConn)
	if !ok {
		pc.Close()
		return nil, fmt.Errorf("udpcarrier: %T is no net.PacketConn", pc)
	}
	return open(p, opts)
}

// FromPacketConn carries segments over pc, which belongs to the carrier from now
// on. A *net.UDPConn is used as Listen and Dial would (Options.Control comes too
// late for it and must be nil); anything else by ReadFrom and WriteTo, or by Write
// if it has a remote address. Its addresses must be UDP's: *net.UDPAddr, or
// something whose String is "address:port".
func FromPacketConn(pc net.PacketConn, opts Options) (*Carrier, error) {
	if pc == nil {
		return nil, errors.New("udpcarrier: FromPacketConn: pc is nil")
	}
	if opts.Control != nil {
		return nil, errors.New("udpcarrier: FromPacketConn: Options.Control is set, but the socket exists already")
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts.fill()
	return open(pc, opts)
}

// open makes the carrier over pc, which is closed if that fails.
func open(pc net.PacketConn, opts Options) (*Carrier, error) {
	c := &Carrier{pc: pc, opts: opts, local: addrPort(pc.LocalAddr()), trains: &trainless}
	c.caps.Network = "udp"
	if r, ok := pc.(interface{ RemoteAddr() net.Addr }); ok {
		c.caps.Connected = addrPort(r.RemoteAddr())
	}
	// A deadline that somebody left on it is none of ours.
	pc.SetDeadline(time.Time{})
	u, ok := pc.(*net.UDPConn)
	if !ok {
		// What a PacketConn cannot do it refuses, and that is fine.
		if q, ok := pc.(interface{ SetReadBuffer(int) error }); ok {
			q.SetReadBuffer(opts.ReceiveBuffer)
		}
		if q, ok := pc.(interface{ SetWriteBuffer(int) error }); ok {
			q.SetWriteBuffer(opts.SendBuffer)
		}
		c.link = newPacketLink(c)
		return c, nil
	}
	err := c.openSocket(u)
	if err != nil {
		pc.Close()
		return nil, fmt.Errorf("udpcarrier: %w", err)
	}
	return c, nil
}

// openSocket prepares a socket of the system and chooses how to move bytes.
func (c *Carrier) openSocket(u *net.UDPConn) error {
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	s := &socket{c: c, udp: u, raw: raw, cache: newMTUCache()}
	if err := s.prepare(); err != nil {
		return err
	}
	c.caps.Interrupt = true
	if !c.opts.portable {
		if l := newBatchLink(s); l != nil {
			c.caps.Gather = true
			c.caps.Trains, c.caps.TrafficClass, c.caps.HopLimit = s.gso, true, true
			c.link = l
			c.caps.Poll = true
			return nil
		}
	}
	c.link = newSocketLink(s)
	return nil
}

// checkArgs returns an error that names the first bad argument, and fills opts.
func checkArgs(fn, network string, laddr netip.AddrPort, raddr *netip.AddrPort, opts *Options) error {
	bad := func(name, format string, args ...any) error {
		return fmt.Errorf("udpcarrier: %s: %s: %s", fn, name, fmt.Sprintf(format, args...))
	}
	family := func(name string, a netip.Addr) error {
		if !a.IsValid() {
			return nil
		}
		is4 := a.Unmap().Is4()
		if network == "udp4" && !is4 || network == "udp6" && is4 {
			return bad(name, "%v does not fit the network %q", a, network)
		}
		return nil
	}
	switch network {
	case "udp", "udp4", "udp6":
	default:
		return bad("network", "%q is none of \"udp\", \"udp4\", \"udp6\"", network)
	}
	if err := family("laddr", laddr.Addr()); err != nil {
		return err
	}
	if raddr != nil {
		switch {
		case !raddr.IsValid():
			return bad("raddr", "no address")
		case raddr.Port() == 0:
			return bad("raddr", "%v has no port", *raddr)
		}
		if err := family("raddr", raddr.Addr()); err != nil {
			return err
		}
	}
	if err := opts.check(); err != nil {
		return err
	}
	opts.fill()
	return nil
}

// udpAddr is net.UDPAddrFromAddrPort with a nil IP for the zero Addr, as package
// net wants a wildcard.
func udpAddr(a netip.AddrPort) *net.UDPAddr {
	if !a.Addr().IsValid() {
		return &net.UDPAddr{Port: int(a.Port())}
	}
	return net.UDPAddrFromAddrPort(a)
}

// hostPort is a.String() with an empty host for the zero Addr.
func hostPort(a netip.AddrPort) string {
	if !a.Addr().IsValid() {
		return fmt.Sprintf(":%d", a.Port())
	}
	return a.String()
}

package rawcarrier

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"example.com/culvert/carrier"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// open makes the carrier of laddr, for peer alone if that is valid.
func open(laddr, peer netip.AddrPort, opts Options) (*Carrier, error) {
	c := &Carrier{opts: opts}
	if err := c.open(laddr, peer); err != nil {
		return nil, fmt.Errorf("rawcarrier: %w", err)
	}
	return c, nil
}

func (c *Carrier) open(laddr, peer netip.AddrPort) error {
	if a := laddr.Addr(); peer.IsValid() && (!a.IsValid() || a.IsUnspecified()) {
		source, _ := route(peer.Addr())
		if !source.IsValid() {
			return os.NewSyscallError("connect", unix.ENETUNREACH)
		}
		laddr = netip.AddrPortFrom(source, laddr.Port())
	}
	// Privileges first: a port that is held is of no use without.
	data, err := openRaw("ip4:6", laddr.Addr())
	if err != nil {
		return err
	}
	icmp, err := openRaw("ip4:1", laddr.Addr())
	if err != nil {
		data.Close()
		return err
	}
	s := &socket{c: c, data: data, icmp: icmp}
	if s.hold, err = hold(laddr); err != nil {
		s.close()
		return err
	}
	c.local = s.hold.local
	c.caps = carrier.Caps{
		TrafficClass: true, HopLimit: true, Connected: peer, Network: network, Checksum: true, SamePorts: true,
		Interrupt: true,
	}
	if err := s.prepare(peer); err != nil {
		s.close()
		return err
	}
	c.link = s
	return nil
}

// openRaw opens a raw socket that is deaf: between its beginning and that of its filter
// it would collect what is none of ours.
func openRaw(network string, a netip.Addr) (*net.IPConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if e := raw.Control(func(fd uintptr) { err = attach(int(fd), dropAll) }); e != nil {
			return e
		}
		return err
	}}
	host := "0.0.0.0"
	if a.IsValid() {
		host = a.Unmap().String()
	}
	pc, err := lc.ListenPacket(context.Background(), network, host)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err // it would tell of "listen ip4:6"
		}
		return nil, privilege(err, "a raw socket", "cap_net_raw")
	}
	return pc.(*net.IPConn), nil
}

// privilege says which privilege is missing for what, and how to grant it, if that is
// what err is about.
func privilege(err error, what, missing string) error {
	if !errors.Is(err, os.ErrPermission) {
		return err
	}
	program, e := os.Executable()
	if e != nil {
		program = "PROGRAM"
	}
	return fmt.Errorf("%w: %s needs the capability %s; grant it with `setcap %s+ep %s`, or run as root",
		err, what, missing, grant(missing), program)
}

// grant is what setcap must be told for a capability, with those of ours that the process has:
// setcap replaces what a program had.
func grant(missing string) string {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&head, &data[0]) != nil {
		data = [2]unix.CapUserData{}
	}
	var names []string
	for _, c := range []struct {
		name   string
		number int
	}{
		{"cap_net_bind_service", unix.CAP_NET_BIND_SERVICE},
		{"cap_net_admin", unix.CAP_NET_ADMIN},
		{"cap_net_raw", unix.CAP_NET_RAW},
	} {
		if c.name == missing || data[0].Effective&(1<<c.number) != 0 {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, ",")
}

// prepare sets the sockets' options, makes the one that waits for both, and opens them.
func (s *socket) prepare(peer netip.AddrPort) error {
	var err error
	control := func(c *net.IPConn, f func(fd int) error) {
		if err != nil {
			return
		}
		raw, e := c.SyscallConn()
		if e == nil {
			e = raw.Control(func(fd uintptr) { err = f(int(fd)) })
		}
		err = errors.Join(err, e)
	}
	port := s.c.local.Port()
	s.wild = s.c.local.Addr().IsUnspecified()
	if s.raw, err = s.data.SyscallConn(); err != nil {
		return err
	}
	// Where a datagram was sent to, which is not its destination if that is a broadcast.
	if err := ipv4.NewPacketConn(s.data).SetControlMessage(ipv4.FlagDst, true); err != nil {
		return err
	}
	var types ipv4.ICMPFilter
	types.SetAll(true)
	types.Accept(ipv4.ICMPTypeDestinationUnreachable)
	types.Accept(ipv4.ICMPTypeTimeExceeded)
	types.Accept(ipv4.ICMPTypeParameterProblem)
	if err := ipv4.NewPacketConn(s.icmp).SetICMPFilter(&types); err != nil {
		return err
	}
	control(s.data, func(fd int) error {
		s.fd = fd
		set := func(name, force, value int) {
			if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, value) != nil {
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, name, value)
			}
		}
		set(unix.SO_RCVBUF, unix.SO_RCVBUFFORCE, s.c.opts.ReceiveBuffer)
		set(unix.SO_SNDBUF, unix.SO_SNDBUFFORCE, s.c.opts.SendBuffer)
		// Don't Fragment, and no heed to what the kernel learns of the path: it believes any
		// ICMP message, whatever that quotes (RFC 5927 section 7).
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE))
	})
	control(s.icmp, func(fd int) error {
		s.icmpFD = fd
		return nil
	})
	if err == nil {
		err = s.waitForBoth()
	}
	control(s.icmp, func(fd int) error { return attach(fd, icmpFilter(port, peer)) })
	control(s.data, func(fd int) error { return attach(fd, segmentFilter(port, peer)) })
	if err != nil {
		return err
	}
	// From here on the segments are ours alone.
	return s.hold.listen()
}

// waitForBoth makes the epoll instance that tells when either socket has something.
func (s *socket) waitForBoth() error {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	for _, fd := range []int{s.fd, s.icmpFD} {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			unix.Close(epfd)
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
	// In the runtime's poller only what does not block is waited for.
	if err := unix.SetNonblock(epfd, true); err != nil {
		unix.Close(epfd)
		return os.NewSyscallError("fcntl", err)
	}
	s.both = os.NewFile(uintptr(epfd), "epoll")
	s.wait, err = s.both.SyscallConn()
	return err
}

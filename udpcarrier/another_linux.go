package udpcarrier

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Another opens one more socket at c's address, on Linux: the kernel gives each of them the
// datagrams of some peers, chosen by both addresses and ports (SO_REUSEPORT), so that several
// goroutines can read. Open all of them before peers send: each that comes or goes changes who is
// where. An error for which errors.Is(err, errors.ErrUnsupported) holds says that it cannot be done.
//
// The first socket was bound alone, so that neither somebody else's port nor one that the system
// chose for another is joined by mistake.
func (c *Carrier) Another() (*Carrier, error) {
	u, ok := c.pc.(*net.UDPConn)
	if !ok || c.caps.Connected.IsValid() {
		return nil, errors.ErrUnsupported
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	network := "udp"
	share := func(raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			if !isInet6(fd, c.local.Addr()) {
				network = "udp4"
			} else if only, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_V6ONLY); err == nil && only != 0 {
				network = "udp6"
			}
		})
		return errors.Join(err, failed)
	}
	if err := share(raw); err != nil {
		return nil, err
	}
	opts := c.opts
	opts.Control = func(network, address string, raw syscall.RawConn) error {
		if c.opts.Control != nil {
			if err := c.opts.Control(network, address, raw); err != nil {
				return err
			}
		}
		return share(raw)
	}
	another, err := Listen(network, c.local, opts)
	if err != nil {
		return nil, err
	}
	another.opts = c.opts
	return another, nil
}

package rawcarrier

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// holder is the kernel's TCP socket that has a port for us: bound, so that nobody else
// gets it, and listening, so that the kernel does not answer what is sent to it; what
// arrives is dropped by a filter before anything else happens. The kernel closes it
// when the process ends.
type holder struct {
	fd    int
	local netip.AddrPort
}

// hold binds a port. The kernel resets what arrives there until listen.
//
// SO_REUSEADDR is not set: with it the kernel would hand over a port on which it has
// connections left, and their segments would meet with a reset of ours.
func hold(laddr netip.AddrPort) (*holder, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	h := &holder{fd: fd}
	sa := &unix.SockaddrInet4{Port: int(laddr.Port())}
	if a := laddr.Addr().Unmap(); a.Is4() {
		sa.Addr = a.As4()
	}
	// The filter first: there is no moment at which the socket accepts anything.
	if err := attach(fd, dropAll); err != nil {
		h.release()
		// Some kernels want more for a filter on a TCP socket than for the raw one.
		return nil, privilege(err, "a filter on a TCP socket", "cap_net_admin")
	}
	if err := unix.Bind(fd, sa); err != nil {
		h.release()
		return nil, privilege(os.NewSyscallError("bind", err), "a port below net.ipv4.ip_unprivileged_port_start", "cap_net_bind_service")
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		h.release()
		return nil, os.NewSyscallError("getsockname", err)
	}
	bound := name.(*unix.SockaddrInet4)
	h.local = netip.AddrPortFrom(netip.AddrFrom4(bound.Addr), uint16(bound.Port))
	return h, nil
}

// listen makes the kernel silent about the port.
func (h *holder) listen() error { return os.NewSyscallError("listen", unix.Listen(h.fd, 1)) }

func (h *holder) release() error { return os.NewSyscallError("close", unix.Close(h.fd)) }

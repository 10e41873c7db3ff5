package link

import (
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// openTUN makes a TUN device without offloads: each packet is read and written as it
// would be on a wire, segmented and with its checksums.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	f := os.NewFile(uintptr(fd), "/dev/net/tun")
	req, err := unix.NewIfreq(name)
	if err != nil {
		f.Close()
		return nil, err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		f.Close()
		return nil, fmt.Errorf("TUN device %s: %w", name, err)
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("TUN device %s without offloads: %w", name, err)
	}
	return f, nil
}

// control performs an ioctl on a network interface of the thread's namespace.
func control(name string, what string, op uint, set func(*unix.Ifreq) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := set(req); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, op, req); err != nil {
		return fmt.Errorf("interface %s: %s: %w", name, what, err)
	}
	return nil
}

func up(name string) error {
	return control(name, "up", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error {
		r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		return nil
	})
}

// configure gives an interface its address and sizes and puts it up.
func configure(name string, addr netip.Prefix, mtu, queue uint32) error {
	number := func(what string, op uint, v uint32) error {
		return control(name, what, op, func(r *unix.Ifreq) error { r.SetUint32(v); return nil })
	}
	address := func(what string, op uint, ip []byte) error {
		return control(name, what, op, func(r *unix.Ifreq) error { return r.SetInet4Addr(ip) })
	}
	if err := number("MTU", unix.SIOCSIFMTU, mtu); err != nil {
		return err
	}
	if err := number("queue length", unix.SIOCSIFTXQLEN, queue); err != nil {
		return err
	}
	if err := address("address", unix.SIOCSIFADDR, addr.Addr().AsSlice()); err != nil {
		return err
	}
	if err := address("netmask", unix.SIOCSIFNETMASK, net.CIDRMask(addr.Bits(), 32)); err != nil {
		return err
	}
	return up(name)
}

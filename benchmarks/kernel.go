package benchmarks

import (
	"context"
	"net"
)

// Kernel is the kernel's TCP with a congestion control of its own, where the
// system lets one choose: the default differs from machine to machine.
func Kernel(control string) Stack {
	pin := pinCongestion(control)
	return Stack{
		Name:  "kernel-" + control,
		About: kernelAbout(control),
		Listen: func(addr string) (net.Listener, error) {
			lc := net.ListenConfig{Control: pin}
			return lc.Listen(context.Background(), "tcp", addr)
		},
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			d := net.Dialer{Control: pin}
			return d.DialContext(ctx, "tcp", addr)
		},
	}
}

package benchmarks

import (
	"context"
	"net"
)

// kernelStack is the kernel's TCP, with CUBIC where the system lets one choose:
// the default differs from machine to machine, and some, such as BBR, pace.
func kernelStack() Stack {
	return Stack{
		Name:  "kernel",
		About: kernelCongestion,
		Listen: func(addr string) (net.Listener, error) {
			lc := net.ListenConfig{Control: pinCongestion}
			return lc.Listen(context.Background(), "tcp", addr)
		},
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			d := net.Dialer{Control: pinCongestion}
			return d.DialContext(ctx, "tcp", addr)
		},
	}
}

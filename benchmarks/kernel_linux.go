package benchmarks

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func kernelAbout(control string) string { return "the kernel's TCP, " + strings.ToUpper(control) }

// pinCongestion sets TCP_CONGESTION; accepted sockets inherit it from the listener's.
func pinCongestion(control string) func(network, addr string, c syscall.RawConn) error {
	return func(network, addr string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, control)
		}); cerr != nil {
			return cerr
		}
		if err != nil {
			return fmt.Errorf("TCP_CONGESTION %s: %w", control, err)
		}
		return nil
	}
}

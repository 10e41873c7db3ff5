package benchmarks

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

const kernelCongestion = "cubic"

// pinCongestion sets TCP_CONGESTION; accepted sockets inherit it from the listener's.
func pinCongestion(network, addr string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, kernelCongestion)
	}); cerr != nil {
		return cerr
	}
	if err != nil {
		return fmt.Errorf("TCP_CONGESTION %s: %w", kernelCongestion, err)
	}
	return nil
}

//go:build !linux

package rawcarrier

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
)

// open says that there is no such thing here.
func open(_, _ netip.AddrPort, _ Options) (*Carrier, error) {
	return nil, fmt.Errorf("rawcarrier: TCP over raw IPv4 needs Linux, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

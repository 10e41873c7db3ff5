//go:build !linux

package rawcarrier

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
)

var errLinux = fmt.Errorf("rawcarrier: TCP over raw IPv4 needs Linux, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)

func open(_, _ netip.AddrPort, _ Options) (*Carrier, error) { return nil, errLinux }

func openTUN(_ string, _ netip.Prefix, _ netip.Addr, _ Options) (*Carrier, error) {
	return nil, errLinux
}

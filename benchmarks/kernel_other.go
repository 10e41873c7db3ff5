//go:build !linux

package benchmarks

import "syscall"

const kernelCongestion = "system default"

// pinCongestion leaves the system's choice: there is no common way to change it.
func pinCongestion(network, addr string, c syscall.RawConn) error { return nil }

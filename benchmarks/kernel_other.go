//go:build !linux

package benchmarks

import "syscall"

func kernelAbout(string) string { return "the kernel's TCP, the system's default" }

// pinCongestion leaves the system's choice: there is no common way to change it.
func pinCongestion(string) func(network, addr string, c syscall.RawConn) error { return nil }

//go:build !windows

package udpcarrier

import "syscall"

func translate(e syscall.Errno) syscall.Errno { return e }

// isTruncation is Windows' affair: elsewhere a flag says so.
func isTruncation(error) bool { return false }

//go:build !linux && !darwin && !freebsd

package udpcarrier

import "runtime"

type pollState struct{}

// readable says no on Windows, whose runtime then waits by a read of no bytes; and
// yes where nothing better is known: the read itself waits, with its buffer.
func readable(uintptr, *pollState) bool { return runtime.GOOS != "windows" }

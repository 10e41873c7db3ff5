//go:build !linux && !darwin && !freebsd

package udpcarrier

import "runtime"

type pollState struct{}

// readable says no on Windows, whose runtime then waits by a read of no bytes; and
// yes where nothing better is known: the read itself waits, with its buffer.
func readable(uintptr, *pollState) bool { return runtime.GOOS != "windows" }

// waiting says no where it is not known whether a read would wait.
func waiting(uintptr, *pollState) bool { return false }

//go:build unix

package work

import (
	"syscall"
	"time"
)

// processTime is the processor time of this process, user and system.
func processTime() time.Duration { return usage(syscall.RUSAGE_SELF) }

// childrenTime is that of its children that have ended.
func childrenTime() time.Duration { return usage(-1) }

func usage(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

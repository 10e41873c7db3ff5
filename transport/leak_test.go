package transport_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain runs the tests and then finds out whether everything that they closed is
// really gone: no goroutine (every open socket has one) and no descriptor stays.
func TestMain(m *testing.M) {
	goroutines, files := runtime.NumGoroutine(), openFiles()
	code := m.Run()
	// While fuzzing, package testing has goroutines of its own.
	fuzzing := flag.Lookup("test.fuzz").Value.String() != ""
	if code == 0 && !fuzzing && !eventually(30*time.Second, func() bool {
		return runtime.NumGoroutine() <= goroutines && openFiles() <= files
	}) {
		buf := make([]byte, 1<<20)
		fmt.Printf("after all tests: %d goroutines (%d before), %d open files (%d before)\n%s",
			runtime.NumGoroutine(), goroutines, openFiles(), files, buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
}

// openFiles counts the process's descriptors, where the system tells, but for those
// of the runtime's poller, which stay.
func openFiles() (n int) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		switch to, _ := os.Readlink("/proc/self/fd/" + e.Name()); to {
		case "anon_inode:[eventpoll]", "anon_inode:[eventfd]":
		default:
			n++
		}
	}
	return n
}

// eventually waits until ok holds, and reports whether it did in time.
func eventually(limit time.Duration, ok func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(end) {
			return false
		}
		<-tick.C
	}
	return true
}

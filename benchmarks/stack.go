// Package benchmarks compares culvert with other ways to carry a byte stream
// between two processes: the kernel's TCP and quic-go. It is a module of its
// own, so that nobody who uses culvert depends on the peers.
//
// Command bench measures two processes over loopback in interleaved rounds. The
// Go benchmarks here move the same bytes inside one process, for profiles.
package benchmarks

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"
)

// A Stack is one way to make reliable connections.
type Stack struct {
	// Name is what the command line and the table call it.
	Name string
	// About is what the table adds: a version or a congestion control.
	About  string
	Listen func(addr string) (net.Listener, error)
	Dial   func(ctx context.Context, addr string) (net.Conn, error)
}

// Stacks lists what there is to compare; culvert is the first.
func Stacks() []Stack {
	return []Stack{culvertStack(), kernelStack(), culvertEthernetStack(), quicStack()}
}

// Find returns the stack of that name, or an error that lists the known ones.
func Find(name string) (Stack, error) {
	var names []string
	for _, s := range Stacks() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Stack{}, fmt.Errorf("stack %q is not one of %q", name, names)
}

// version is what the build knows of a dependency's version.
func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == module {
				return d.Version
			}
		}
	}
	return ""
}

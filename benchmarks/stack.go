// Package benchmarks compares culvert with other ways to carry a byte stream between
// two processes. It is a module of its own, so that nobody who uses culvert depends on
// the peers.
//
// Here are the stacks that are compared. Package work says what is done with their
// connections, and command bench does it with two processes for each measurement. The
// Go benchmarks here move the same bytes inside one process, for profiles.
package benchmarks

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"
)

// A Stack is one way to make connections.
type Stack struct {
	// Name is what the command line and the tables call it.
	Name string
	// About is what the tables add: a version or a congestion control.
	About  string
	Listen func(addr string) (net.Listener, error)
	Dial   func(ctx context.Context, addr string) (net.Conn, error)
	// Env is what the processes that use it must have in their environment, as
	// NAME=VALUE. Nothing is needed where it is nil.
	Env []string
	// Limit says that it is no reliable stream but a measure of what the system
	// carries: a listener accepts one connection, and nothing lost is sent again.
	Limit bool
}

// Stacks lists what there is to compare; culvert is the first.
func Stacks() []Stack {
	all := []Stack{
		culvertStack(), culvertBBRStack(), culvertEthernetStack(), culvertPlainStack(), culvertSingleStack(),
		culvertSharedStack(),
		Kernel("cubic"), Kernel("bbr"),
		overTLS("culvert-tls", culvertStack()), overTLS("kernel-tls", Kernel("cubic")),
		quicStack(), kcpStack(), gvisorStack(), sctpStack(),
	}
	return append(all, limitStacks()...)
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

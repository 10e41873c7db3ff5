// Command link compares TCPs and their like over an emulated path between two network
// namespaces of this machine: the kernel's TCP with each of its congestion controls,
// quic-go, kcp-go, and culvert with each of its own. Each transfer takes the same
// time, each stack has its turn in each round, and each round has its own seed, the
// same for all. Needs Linux and root; changes nothing outside of its namespaces, which
// go with it.
//
// The parent process measures; it starts itself again as the forwarder, and per
// transfer as a sender in one namespace and a receiver in the other.
package main

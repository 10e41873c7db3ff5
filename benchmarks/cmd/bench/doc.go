// Command bench compares culvert with the kernel's TCP and other stacks: bulk transfer,
// latency, connections and requests per second, memory, and processor time, over loopback
// and between two network namespaces.
//
// Each measurement has two processes of its own. Rounds are interleaved, so that a
// machine that is busy for a while slows all alike. Compare figures of one run only; they
// drift from run to run and from machine to machine.
package main

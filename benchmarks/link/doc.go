// Package link emulates a network path between two network namespaces of this
// machine, for comparisons in real time with protocols that know nothing of the
// emulation. Each namespace has one TUN device without offloads; a forwarder carries
// packets between them and does to them what a Path says, alike in both directions:
// rate, delay, a drop-tail queue, loss, reordering, duplication, outages.
//
// A Pipe is one direction as a calculation, without clock or socket: packets and
// times go in, packets and times come out, and a seed decides what chance would. The
// forwarder gives it the real time and accounts for its own lateness, so that a run
// on a machine that was too busy can be told from a good one.
//
// The real parts need Linux and root. Start reading at pipe.go.
package link

// Package segment is the wire: sequence number arithmetic, the TCP header and its
// options as RFC 9293 section 3.1 lays them out, and the checksum.
//
// Parse turns the bytes of one datagram into a Segment and Append does the
// reverse; neither allocates, and neither knows anything of connections. Whatever
// bytes a peer sends, Parse either fills the Segment or returns one of the Err
// values, and never panics. What a field means in a given state (an option that
// only a SYN may carry, a reserved combination of flags, a window scale above 14)
// is for the engine to judge: Parse reports what stood there.
//
// The layout is the same over UDP and over raw IPv4, but for the checksum: Append
// leaves it zero, as culvert sends it over UDP; SetChecksum and VerifyChecksum
// serve carriers without protection of their own.
//
// Start reading at Segment. All functions may be called at once from any number of
// goroutines, on different Segments and buffers.
package segment

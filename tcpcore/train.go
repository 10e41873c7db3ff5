package tcpcore

// Bounds of a train: what one UDP GSO call of Linux takes.
const (
	MaxTrainSegments = 64
	MaxTrainBytes    = 65507
)

// A Train is what Output hands out: up to MaxTrainSegments segments, header and
// all, back to back in Buf, each SegmentSize bytes long but the last, which may be
// shorter. It belongs to whoever called Output, who may use it again at once.
type Train struct {
	Buf []byte // Output overwrites it, and allocates only if its capacity is too small
	// Data, with Params.Gather, is what Buf leaves out: Buf holds then only the headers, HeadSize
	// bytes each, and Data the data of one segment after the other, in the engine's send
	// buffer. It stays as it is until the peer acknowledges it; a peer that does so before it can
	// have arrived gets other bytes of its own stream.
	Data         []byte
	HeadSize     int
	SegmentSize  int
	TrafficClass uint8 // DSCP and ECN bits to send with
}

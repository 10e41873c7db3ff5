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
	Buf          []byte // Output overwrites it, and allocates only if its capacity is too small
	SegmentSize  int
	TrafficClass uint8 // DSCP and ECN bits to send with
}

package segment

// Options are the TCP options of a segment that culvert knows.
type Options struct {
	MSS            uint16 // 0: absent
	WindowScale    uint8  // shift count as received, valid if HasWindowScale
	HasWindowScale bool
	SACKPermitted  bool
	HasTimestamps  bool
	TSVal, TSEcr   uint32
	SACK           [MaxSACK]SACKBlock // the first SACKCount are valid
	SACKCount      int
	ExID           uint16 // experiment identifier of the first kind 253 or 254 option (RFC 6994), valid if Experiment is not nil
	Experiment     []byte // that option's data behind the ExID
}

// MaxSACK is how many SACK blocks an option field of 40 bytes can hold (RFC 2018 section 3).
const MaxSACK = 4

// SACKBlock is a range of received sequence space: Left is its first octet, Right
// the one after its last (RFC 2018 section 3).
type SACKBlock struct{ Left, Right Seq }

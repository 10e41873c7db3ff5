package segment

import "encoding/binary"

// Options are the TCP options of a segment that culvert knows. The zero value is
// none.
type Options struct {
	MSS            uint16 // 0: absent
	WindowScale    uint8  // shift count as received, valid if HasWindowScale
	HasWindowScale bool
	SACKPermitted  bool
	ScaleFirst     bool // Append puts window scale and SACK-permitted before timestamps, as FreeBSD does
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

// Option kinds.
const (
	kindEOL           = 0
	kindNOP           = 1
	kindMSS           = 2
	kindWindowScale   = 3
	kindSACKPermitted = 4
	kindSACK          = 5
	kindTimestamps    = 8
	kindExperiment1   = 253
	kindExperiment2   = 254
)

// Lengths of options, kind and length octets included.
const (
	lenMSS           = 4
	lenWindowScale   = 3
	lenSACKPermitted = 2
	lenSACKBase      = 2
	lenSACKBlock     = 8
	lenTimestamps    = 10
	lenExperiment    = 4 // with an ExID of 16 bits and no data
)

// maxOptions is the room that a data offset of 15 leaves behind the fixed header.
const maxOptions = MaxHeaderLen - FixedHeaderLen

// parse reads an option field. Of an option that occurs twice the last one counts,
// except of experiments, of which the first does.
func (o *Options) parse(b []byte) error {
	// Nearly every segment of a connection carries this and nothing else.
	if len(b) == 12 && binary.BigEndian.Uint32(b) == kindNOP<<24|kindNOP<<16|kindTimestamps<<8|lenTimestamps {
		o.setTimestamps(b[2:])
		return nil
	}
	// No option need begin on a word boundary (RFC 9293 MUST-64).
	for len(b) > 0 {
		switch b[0] {
		case kindEOL:
			// What follows should be zero (MUST-69), but nobody need look.
			return nil
		case kindNOP:
			b = b[1:]
			continue
		}
		// All others have a length octet (MUST-68), which counts itself and the kind.
		if len(b) < 2 {
			return ErrOptionTruncated
		}
		n := int(b[1])
		switch {
		case n < 2:
			return ErrOptionLength
		case n > len(b):
			return ErrOptionTruncated
		}
		if err := o.parseOne(b[0], b[:n:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// parseOne reads one option, b being all of it.
func (o *Options) parseOne(kind byte, b []byte) error {
	switch kind {
	case kindMSS:
		if len(b) != lenMSS {
			return ErrMSSLength
		}
		o.MSS = binary.BigEndian.Uint16(b[2:])
	case kindWindowScale:
		if len(b) != lenWindowScale {
			return ErrWindowScaleLength
		}
		o.WindowScale, o.HasWindowScale = b[2], true
	case kindSACKPermitted:
		if len(b) != lenSACKPermitted {
			return ErrSACKPermittedLength
		}
		o.SACKPermitted = true
	case kindSACK:
		n := (len(b) - lenSACKBase) / lenSACKBlock
		if n == 0 || n > MaxSACK || len(b) != lenSACKBase+n*lenSACKBlock {
			return ErrSACKLength
		}
		for i := range n {
			p := b[lenSACKBase+i*lenSACKBlock:]
			o.SACK[i] = SACKBlock{Seq(binary.BigEndian.Uint32(p)), Seq(binary.BigEndian.Uint32(p[4:]))}
		}
		o.SACKCount = n
	case kindTimestamps:
		if len(b) != lenTimestamps {
			return ErrTimestampsLength
		}
		o.setTimestamps(b)
	case kindExperiment1, kindExperiment2:
		// One too short for an ExID belongs to an experiment that predates RFC 6994:
		// unknown, and so ignored like any other (RFC 9293 MUST-6).
		if len(b) >= lenExperiment && o.Experiment == nil {
			o.ExID, o.Experiment = binary.BigEndian.Uint16(b[2:]), b[lenExperiment:]
		}
	}
	// Any other kind is unknown and skipped by its length (MUST-6).
	return nil
}

// setTimestamps reads a timestamps option of the right length.
func (o *Options) setTimestamps(b []byte) {
	o.HasTimestamps = true
	o.TSVal = binary.BigEndian.Uint32(b[2:])
	o.TSEcr = binary.BigEndian.Uint32(b[6:])
}

// layout is what Append writes of an Options, in order.
type layout struct {
	blocks     int  // SACK blocks that fit
	experiment bool // the experiment is there and fits
	size       int  // of all, a multiple of 4
}

// layout plans the option field. All but SACK and the experiment take at most 20
// of the 40 octets. SACK blocks are put in newest first (RFC 2018 section 4), as
// many as fit; the experiment, being optional for everybody, comes last.
func (o *Options) layout() layout {
	var l layout
	if o.MSS != 0 {
		l.size += lenMSS
	}
	if o.HasTimestamps {
		// Two octets before it are NOPs or the SACK-permitted option.
		l.size += 2 + lenTimestamps
	} else if o.SACKPermitted {
		l.size += 2 + lenSACKPermitted
	}
	if o.HasWindowScale {
		l.size += 1 + lenWindowScale
	}
	if o.SACKCount > 0 {
		l.blocks = min(o.SACKCount, (maxOptions-l.size-2-lenSACKBase)/lenSACKBlock)
		l.size += 2 + lenSACKBase + l.blocks*lenSACKBlock
	}
	if o.Experiment != nil {
		if n := (lenExperiment + len(o.Experiment) + 3) &^ 3; l.size+n <= maxOptions {
			l.experiment = true
			l.size += n
		}
	}
	return l
}

// append writes the option field that l describes: in the order of Linux, which
// middleboxes know best, each option but the experiment ending on a word boundary.
func (o *Options) append(b []byte, l layout) []byte {
	if o.MSS != 0 {
		b = append(b, kindMSS, lenMSS, byte(o.MSS>>8), byte(o.MSS))
	}
	if o.ScaleFirst {
		return o.appendScaleFirst(b)
	}
	if o.SACKPermitted {
		if !o.HasTimestamps {
			b = append(b, kindNOP, kindNOP)
		}
		b = append(b, kindSACKPermitted, lenSACKPermitted)
	}
	if o.HasTimestamps {
		if !o.SACKPermitted {
			b = append(b, kindNOP, kindNOP)
		}
		b = append(b, kindTimestamps, lenTimestamps)
		b = binary.BigEndian.AppendUint32(b, o.TSVal)
		b = binary.BigEndian.AppendUint32(b, o.TSEcr)
	}
	if o.HasWindowScale {
		b = append(b, kindNOP, kindWindowScale, lenWindowScale, o.WindowScale)
	}
	if l.blocks > 0 {
		b = append(b, kindNOP, kindNOP, kindSACK, byte(lenSACKBase+l.blocks*lenSACKBlock))
		for _, k := range o.SACK[:l.blocks] {
			b = binary.BigEndian.AppendUint32(b, uint32(k.Left))
			b = binary.BigEndian.AppendUint32(b, uint32(k.Right))
		}
	}
	if l.experiment {
		n := lenExperiment + len(o.Experiment)
		b = append(b, kindExperiment1, byte(n), byte(o.ExID>>8), byte(o.ExID))
		b = append(b, o.Experiment...)
		for ; n%4 != 0; n++ {
			b = append(b, kindEOL) // and zeros after it (RFC 9293 MUST-69)
		}
	}
	return b
}

// appendScaleFirst writes what follows the MSS in a SYN as FreeBSD does, in the size that
// layout has found: what ends short of a word is filled up behind (RFC 9293 MUST-69).
func (o *Options) appendScaleFirst(b []byte) []byte {
	if o.HasWindowScale {
		b = append(b, kindNOP, kindWindowScale, lenWindowScale, o.WindowScale)
	}
	if o.SACKPermitted {
		b = append(b, kindSACKPermitted, lenSACKPermitted)
	}
	switch {
	case o.HasTimestamps:
		if !o.SACKPermitted {
			b = append(b, kindNOP, kindNOP)
		}
		b = append(b, kindTimestamps, lenTimestamps)
		b = binary.BigEndian.AppendUint32(b, o.TSVal)
		b = binary.BigEndian.AppendUint32(b, o.TSEcr)
	case o.SACKPermitted:
		b = append(b, kindEOL, kindEOL)
	}
	return b
}

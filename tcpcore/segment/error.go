package segment

// Error says why Parse refused a datagram. Each is comparable with ==, and making
// one allocates nothing.
type Error string

// Error returns the text.
func (e Error) Error() string { return string(e) }

// What can be wrong with a segment.
const (
	// ErrShort: fewer than the 20 octets of a header without options.
	ErrShort Error = "segment: shorter than a TCP header"
	// ErrDataOffset: the data offset is below 5, inside of the fixed header.
	ErrDataOffset Error = "segment: data offset below 5"
	// ErrHeaderTruncated: the data offset is past the end of the datagram.
	ErrHeaderTruncated Error = "segment: data offset past the end"
	// ErrOptionLength: an option's length octet is 0 or 1 (RFC 9293 MUST-7).
	ErrOptionLength Error = "segment: option length below 2"
	// ErrOptionTruncated: an option has no length octet, or ends past the header.
	ErrOptionTruncated Error = "segment: option past the end of the header"
	// ErrMSSLength: a maximum segment size option whose length is not 4.
	ErrMSSLength Error = "segment: MSS option of a wrong length"
	// ErrWindowScaleLength: a window scale option whose length is not 3.
	ErrWindowScaleLength Error = "segment: window scale option of a wrong length"
	// ErrSACKPermittedLength: a SACK-permitted option whose length is not 2.
	ErrSACKPermittedLength Error = "segment: SACK-permitted option of a wrong length"
	// ErrSACKLength: a SACK option whose length is not 2 plus 8 for each of one or more blocks.
	ErrSACKLength Error = "segment: SACK option of a wrong length"
	// ErrTimestampsLength: a timestamps option whose length is not 10.
	ErrTimestampsLength Error = "segment: timestamps option of a wrong length"
)

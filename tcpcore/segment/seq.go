package segment

// Seq is a sequence number: all arithmetic is modulo 2^32 (RFC 9293 section 3.4).
type Seq uint32

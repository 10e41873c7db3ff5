package segment

// Seq is a sequence number: all arithmetic is modulo 2^32 (RFC 9293 section 3.4).
//
// Comparisons are of the shorter way round the circle, so they hold as long as the
// two numbers are less than 2^31 apart, which windows of at most 2^30 ensure (RFC
// 7323 section 2.3). Of two numbers exactly 2^31 apart, each is Less than the other.
type Seq uint32

// Add returns the sequence number n octets after s, or before it if n is negative.
func (s Seq) Add(n int) Seq { return s + Seq(uint32(n)) }

// Sub returns how many octets s is after t, -2^31 to 2^31-1.
func (s Seq) Sub(t Seq) int { return int(int32(s - t)) }

// Less reports whether s comes before t.
func (s Seq) Less(t Seq) bool { return int32(s-t) < 0 }

// LessEq reports whether s comes before t or is t.
func (s Seq) LessEq(t Seq) bool { return s == t || s.Less(t) }

// Greater reports whether s comes after t.
func (s Seq) Greater(t Seq) bool { return t.Less(s) }

// GreaterEq reports whether s comes after t or is t.
func (s Seq) GreaterEq(t Seq) bool { return t.LessEq(s) }

// In reports whether s is one of the size octets that begin at left. Nothing is in
// a range of no octets.
func (s Seq) In(left Seq, size int) bool {
	return size > 0 && uint64(s-left) < uint64(size)
}

// Max returns the later of s and t.
func (s Seq) Max(t Seq) Seq {
	if s.Less(t) {
		return t
	}
	return s
}

// Min returns the earlier of s and t.
func (s Seq) Min(t Seq) Seq {
	if t.Less(s) {
		return t
	}
	return s
}

package packetdrill

import (
	"fmt"
	"strconv"
	"strings"
)

// Limits that keep the work of reading a hostile script bounded.
const (
	maxScriptBytes = 4 << 20
	maxDepth       = 60
)

// scanner walks over the text of a script. What a character means depends on
// where it stands ("." is a flag or a fraction, "<" an arrow or a bracket), so the
// parser asks for what it expects instead of taking tokens.
type scanner struct {
	file string
	src  string
	off  int
	// bare text has no comments: it is code, where // divides.
	bare bool
	// The line of off is found from here on, so that positions cost little.
	markOff, markLine, markStart int
}

// bailout carries a SyntaxError out of the depth of the parser; Parse catches it.
type bailout struct{ err *SyntaxError }

func newScanner(file, src string) *scanner { return &scanner{file: file, src: src, markLine: 1} }

// pos is the position of an offset at or behind those asked for before, mostly.
func (s *scanner) pos(off int) Pos {
	if off < s.markOff {
		s.markOff, s.markLine, s.markStart = 0, 1, 0
	}
	for s.markOff < off && s.markOff < len(s.src) {
		if s.src[s.markOff] == '\n' {
			s.markLine++
			s.markStart = s.markOff + 1
		}
		s.markOff++
	}
	return Pos{s.file, s.markLine, off - s.markStart + 1}
}

func (s *scanner) here() Pos { return s.pos(s.off) }

func (s *scanner) failAt(off int, format string, args ...any) {
	panic(bailout{&SyntaxError{s.pos(off), fmt.Sprintf(format, args...)}})
}

func (s *scanner) fail(format string, args ...any) { s.failAt(s.off, format, args...) }

// peek is the byte at off+n, 0 behind the end.
func (s *scanner) peek(n int) byte {
	if s.off+n >= len(s.src) {
		return 0
	}
	return s.src[s.off+n]
}

func (s *scanner) eof() bool { return s.off >= len(s.src) }

// skip passes over white space and comments.
func (s *scanner) skip() {
	for !s.eof() {
		switch c := s.src[s.off]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			s.off++
		case s.bare:
			return
		case c == '#' || c == '/' && s.peek(1) == '/':
			n := strings.IndexByte(s.src[s.off:], '\n')
			if n < 0 {
				s.off = len(s.src)
				return
			}
			s.off += n
		case c == '/' && s.peek(1) == '*':
			n := strings.Index(s.src[s.off+2:], "*/")
			if n < 0 {
				s.fail("this comment does not end")
			}
			s.off += 2 + n + 2
		case c == '\\' && (s.peek(1) == '\n' || s.peek(1) == '\r'):
			s.off++ // a line goes on
		default:
			return
		}
	}
}

// has reports whether the text goes on with lit, and passes over it.
func (s *scanner) has(lit string) bool {
	if strings.HasPrefix(s.src[s.off:], lit) {
		s.off += len(lit)
		return true
	}
	return false
}

// looking reports whether the text goes on with lit.
func (s *scanner) looking(lit string) bool { return strings.HasPrefix(s.src[s.off:], lit) }

// need passes over white space and lit, which must be there.
func (s *scanner) need(lit, why string) {
	s.skip()
	if !s.has(lit) {
		s.fail("expected %q %s, found %s", lit, why, s.found())
	}
}

// found describes what is there, for an error.
func (s *scanner) found() string {
	if s.eof() {
		return "the end of the script"
	}
	end := s.off
	for end < len(s.src) && end-s.off < 20 && s.src[end] > ' ' {
		end++
	}
	if end == s.off {
		end++
	}
	return strconv.Quote(s.src[s.off:end])
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// wordAhead is the identifier that the text goes on with, empty if none.
func (s *scanner) wordAhead() string {
	n := s.off
	if n >= len(s.src) || !isLetter(s.src[n]) {
		return ""
	}
	for n < len(s.src) && (isLetter(s.src[n]) || isDigit(s.src[n])) {
		n++
	}
	return s.src[s.off:n]
}

// hasWord passes over the identifier w if it comes next, as a whole.
func (s *scanner) hasWord(w string) bool {
	if s.wordAhead() != w {
		return false
	}
	s.off += len(w)
	return true
}

// digits passes over an integer: decimal, 0x hexadecimal or 0 octal.
func (s *scanner) digits(what string) uint64 {
	start := s.off
	base := 10
	switch {
	case s.peek(0) == '0' && (s.peek(1) == 'x' || s.peek(1) == 'X'):
		base = 16
		s.off += 2
		for isHex(s.peek(0)) {
			s.off++
		}
	default:
		for isDigit(s.peek(0)) {
			s.off++
		}
		if s.off-start > 1 && s.src[start] == '0' {
			base = 8
		}
	}
	text := s.src[start:s.off]
	switch base {
	case 16:
		text = text[2:]
	case 8:
		text = text[1:]
	}
	v, err := strconv.ParseUint(text, base, 64)
	if err != nil {
		s.off = start
		if text == "" {
			s.fail("expected %s, found %s", what, s.found())
		}
		s.fail("%s %s is not a number of base %d that fits", what, s.src[start:start+min(len(text)+2, len(s.src)-start)], base)
	}
	return v
}

// decimal passes over digits that are decimal even behind a zero: sequence numbers
// and the like are never octal.
func (s *scanner) decimal(what string, limit uint64) uint64 {
	if s.peek(0) == '0' && (s.peek(1) == 'x' || s.peek(1) == 'X') {
		start := s.off
		v := s.digits(what)
		if v > limit {
			s.failAt(start, "%s %d is more than %d", what, v, limit)
		}
		return v
	}
	start := s.off
	for isDigit(s.peek(0)) {
		s.off++
	}
	if s.off == start {
		s.fail("expected %s, found %s", what, s.found())
	}
	v, err := strconv.ParseUint(s.src[start:s.off], 10, 64)
	if err != nil || v > limit {
		s.failAt(start, "%s %s is more than %d", what, s.src[start:s.off], limit)
	}
	return v
}

// quoted passes over a string and resolves its escapes. A string ends on its line.
func (s *scanner) quoted() string {
	start := s.off
	s.off++
	var b strings.Builder
	for {
		if s.eof() || s.src[s.off] == '\n' {
			s.failAt(start, "this string does not end")
		}
		c := s.src[s.off]
		s.off++
		if c == '"' {
			return b.String()
		}
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		e := s.peek(0)
		s.off++
		switch e {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'a':
			b.WriteByte(7)
		case 'b':
			b.WriteByte(8)
		case 'f':
			b.WriteByte(12)
		case 'v':
			b.WriteByte(11)
		case 'x':
			n := 0
			v := 0
			for n < 2 && isHex(s.peek(0)) {
				d, _ := strconv.ParseUint(s.src[s.off:s.off+1], 16, 8)
				v = v<<4 | int(d)
				s.off++
				n++
			}
			if n == 0 {
				s.fail("\\x needs hexadecimal digits")
			}
			b.WriteByte(byte(v))
		case '\n':
			// The line goes on.
		case 0:
			s.failAt(start, "this string does not end")
		default:
			if e >= '0' && e <= '7' {
				v := int(e - '0')
				for n := 1; n < 3 && s.peek(0) >= '0' && s.peek(0) <= '7'; n++ {
					v = v<<3 | int(s.src[s.off]-'0')
					s.off++
				}
				b.WriteByte(byte(v))
				break
			}
			b.WriteByte(e) // \" \\ \' and whatever else stand for themselves
		}
	}
}

// until passes over everything up to end, and end itself, and returns what was
// before it.
func (s *scanner) until(end, what string) string {
	n := strings.Index(s.src[s.off:], end)
	if n < 0 {
		s.fail("%s does not end: no %q follows", what, end)
	}
	text := s.src[s.off : s.off+n]
	s.off += n + len(end)
	return text
}

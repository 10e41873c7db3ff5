package packetdrill

import (
	"errors"
	"strings"
	"time"
)

// parser reads a script: a recursive descent without look-ahead beyond a word.
type parser struct {
	scanner
	depth int
}

// Parse reads the text of a script. file is for messages. The error is a *SyntaxError.
// The work is bounded by the length of the text, whatever it is.
func Parse(file, text string) (sc *Script, err error) {
	if len(text) > maxScriptBytes {
		return nil, &SyntaxError{Pos{file, 1, 1}, "the script is too long"}
	}
	p := &parser{scanner: *newScanner(file, text)}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case bailout:
			sc, err = nil, r.err
		default:
			panic(r)
		}
	}()
	return p.script(), nil
}

// IsSyntaxError returns the SyntaxError in err, nil if there is none.
func IsSyntaxError(err error) *SyntaxError {
	var e *SyntaxError
	errors.As(err, &e)
	return e
}

func (p *parser) script() *Script {
	sc := &Script{File: p.file}
	for p.skip(); p.looking("--") && isLetter(p.peek(2)); p.skip() {
		sc.Options = append(sc.Options, p.option())
	}
	for p.skip(); !p.eof(); p.skip() {
		sc.Events = append(sc.Events, p.event())
	}
	return sc
}

// option reads --name=value; the value may be missing, or quoted, and ends at white space.
func (p *parser) option() Option {
	o := Option{Pos: p.here()}
	p.off += 2
	start := p.off
	for c := p.peek(0); isLetter(c) || isDigit(c) || c == '-'; c = p.peek(0) {
		p.off++
	}
	o.Name = p.src[start:p.off]
	if p.blanks(); !p.has("=") {
		return o
	}
	p.blanks()
	if p.peek(0) == '"' {
		o.Value = p.quoted()
		return o
	}
	start = p.off
	for !p.eof() && p.src[p.off] > ' ' {
		p.off++
	}
	o.Value = strings.TrimSuffix(p.src[start:p.off], ",")
	return o
}

func (p *parser) event() *Event {
	e := &Event{Pos: p.here(), Time: p.eventTime()}
	p.skip()
	switch c := p.peek(0); {
	case c == '<' || c == '>':
		e.Packet = p.packet()
	case c == '`':
		p.off++
		e.Command = &Command{p.command()}
	case p.has("%{"):
		e.Code = &Code{Pos: p.here()}
		e.Code.Text = p.until("}%", "this code")
	case isLetter(c):
		e.Call = p.call()
	case p.eof():
		p.fail("a time, and nothing that happens then")
	default:
		p.fail("expected a packet (< or >), a system call, a command (`) or code (%%{), found %s", p.found())
	}
	return e
}

// command reads up to the closing back quote; one with a backslash before it is part of
// the command.
func (p *parser) command() string {
	start := p.off
	var b strings.Builder
	for {
		n := strings.IndexByte(p.src[p.off:], '`')
		if n < 0 {
			p.failAt(start-1, "this command does not end: no back quote follows")
		}
		part := p.src[p.off : p.off+n]
		p.off += n + 1
		if strings.HasSuffix(part, "\\") {
			b.WriteString(part[:len(part)-1] + "`")
			continue
		}
		b.WriteString(part)
		return b.String()
	}
}

// eventTime reads t, +t, *, t~t, +t~+t, t...t or nothing.
func (p *parser) eventTime() EventTime {
	var t EventTime
	c := p.peek(0)
	switch {
	case c == '*':
		p.off++
		t.Kind = TimeAny
		return t
	case c == '+':
		p.off++
		p.skip()
		t.Kind = TimeRelative
	case isDigit(c) || c == '.' && isDigit(p.peek(1)):
	default:
		t.Kind = TimeNone
		return t
	}
	t.At = p.duration()
	p.skip()
	switch {
	case p.has("~"):
		t.Range = true
		t.Until = p.otherTime(t)
		if t.Until < t.At {
			p.fail("the range ends before it begins")
		}
	case p.has("..."):
		t.Blocking = true
		t.End = p.otherTime(t)
		if t.End < t.At {
			p.fail("the call ends before it begins")
		}
	}
	return t
}

// otherTime is the second time of a pair: of the same kind as the first, whether its
// plus sign is repeated or not.
func (p *parser) otherTime(first EventTime) time.Duration {
	p.skip()
	if p.peek(0) == '+' {
		if first.Kind != TimeRelative {
			p.fail("the first time of the pair is absolute, the second one is relative")
		}
		p.off++
		p.skip()
	}
	return p.duration()
}

// maxTime bounds times, so that their sums stay within a Duration.
const maxTime = 10 * 365 * 24 * time.Hour

// duration reads seconds with up to nine decimals.
func (p *parser) duration() time.Duration {
	start := p.off
	for isDigit(p.peek(0)) {
		p.off++
	}
	whole := p.src[start:p.off]
	var frac string
	if p.peek(0) == '.' && p.peek(1) != '.' {
		p.off++
		f := p.off
		for isDigit(p.peek(0)) {
			p.off++
		}
		frac = p.src[f:p.off]
	}
	if whole == "" && frac == "" {
		p.off = start
		p.fail("expected a time in seconds, found %s", p.found())
	}
	var d time.Duration
	for i := range len(whole) {
		d = d*10 + time.Duration(whole[i]-'0')
		if d > maxTime/time.Second {
			p.failAt(start, "the time is over ten years")
		}
	}
	d *= time.Second
	unit := time.Second / 10
	for i := range len(frac) {
		d += time.Duration(frac[i]-'0') * unit
		unit /= 10
	}
	return d
}

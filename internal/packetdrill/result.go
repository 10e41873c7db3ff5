package packetdrill

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Outcome is what became of a script.
type Outcome string

// The outcomes.
const (
	Pass        Outcome = "pass"
	Fail        Outcome = "fail"
	Unsupported Outcome = "unsupported" // it asks for what culvert lacks
	Unreadable  Outcome = "unreadable"  // it is not in the language
)

// Level is how exactly packets are compared.
type Level string

// The levels. Strict is packetdrill's own. Lenient does not count the order and padding
// of options, advertised windows, the time of a delayed acknowledgment within the
// 500 ms of RFC 9293 section 3.8.6.3, how the same bytes are cut into segments,
// and a tenth of a retransmission's time.
const (
	Strict  Level = "strict"
	Lenient Level = "lenient"
)

// Result is one script's.
type Result struct {
	File    string
	Outcome Outcome
	Level   Level  // the one that was asked for
	Pos     Pos    // the line to blame, unless it passed
	Reason  string // in one line
	// Script and Actual are the packets that differ, as packetdrill prints them; empty
	// if the reason is something else.
	Script, Actual string
	Notes          []string // what was ignored
	Elapsed        time.Duration
}

// String is what packetdrill would print: nothing for a pass.
func (r *Result) String() string {
	switch r.Outcome {
	case Pass:
		return ""
	case Unsupported:
		return fmt.Sprintf("%s:%d: unsupported: %s", r.Pos.File, r.Pos.Line, r.Reason)
	}
	s := fmt.Sprintf("%s:%d: %s", r.Pos.File, r.Pos.Line, r.Reason)
	if r.Script != "" {
		s += "\nscript packet: " + r.Script
	}
	if r.Actual != "" {
		s += "\nactual packet: " + r.Actual
	}
	return s
}

// unsupportedError names a feature that culvert, or this runner, lacks.
type unsupportedError struct{ feature string }

func (e *unsupportedError) Error() string { return "unsupported: " + e.feature }

func unsupported(format string, args ...any) error {
	return &unsupportedError{fmt.Sprintf(format, args...)}
}

// packetError is a packet that is not the expected one.
type packetError struct{ reason, script, actual string }

func (e *packetError) Error() string { return "error handling packet: " + e.reason }

// settle fills in what an error means for a script.
func (r *Result) settle(at Pos, err error) {
	var u *unsupportedError
	var k *packetError
	var s *SyntaxError
	switch {
	case err == nil:
		r.Outcome = Pass
		return
	case errors.As(err, &u):
		r.Outcome, r.Reason = Unsupported, u.feature
	case errors.As(err, &s):
		r.Outcome, r.Reason, at = Unreadable, s.Msg, s.Pos
	case errors.As(err, &k):
		r.Outcome, r.Reason = Fail, k.Error()
		r.Script, r.Actual = k.script, k.actual
	default:
		r.Outcome, r.Reason = Fail, err.Error()
	}
	r.Pos = at
	r.Reason = strings.ReplaceAll(r.Reason, "\n", " ")
}

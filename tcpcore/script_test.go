package tcpcore

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
	"example.com/culvert/tcpcore/segment"
)

// The control bits under their own names, so that a script reads like a trace.
const (
	FIN = segment.FIN
	SYN = segment.SYN
	RST = segment.RST
	PSH = segment.PSH
	ACK = segment.ACK
	URG = segment.URG
	ECE = segment.ECE
	CWR = segment.CWR
)

// A script is a small story about one engine in virtual time: the test plays the
// peer and the user. Sequence numbers are relative on both sides: SYN is octet 0,
// the first octet of data is 1. Nothing is taken out of the engine until the script
// asks (want, wantIdle, advance), so several recv in a row are one batch.
//
//	s := newScript(t, "a lost segment is sent again after one RTO", Config{}, Params{})
//	s.active()                          // SYN, SYN-ACK, ACK
//	s.write("hello")
//	s.want(PSH|ACK, 1, 1, "hello")
//	s.wantAfter(200*time.Millisecond, PSH|ACK, 1, 1, "hello")
//	s.recv(ACK, 1, 6)
//	s.wantIdle()
//
// Payloads are strings, or numbers of octets of a fixed pattern that depends on the
// position in the stream.
type script struct {
	t     *testing.T
	story string
	e     *Engine
	now   Time
	p     Params

	iss, irs   segment.Seq // of the engine and of the test, its peer
	knowISS    bool
	peerWindow uint16         // window field of recv unless winOpt says otherwise
	peerTS     bool           // the peer puts timestamps on what it sends
	tsRecent   uint32         // the engine's latest TSval
	tsSkew     uint32         // added to the peer's timestamp clock
	out        []scriptOutput // taken out of the engine, not yet wanted
	events     Event
	sent       []byte // everything that the user wrote
	readPos    int    // what the user has read
	train      Train
	log        []string
}

// A scriptOutput is one segment that the engine sent.
type scriptOutput struct {
	at    Time
	size  int
	class uint8
	seg   segment.Segment
}

// newScript returns a script whose sentence is printed when it fails. Zero fields of p
// mean ports 1000 and 2000 and an MMS of 1480, so that a full segment without options
// has 1460 octets.
func newScript(t *testing.T, sentence string, cfg Config, p Params) *script {
	t.Helper()
	if err := cfg.Check(); err != nil {
		t.Fatalf("%s: bad Config: %v", sentence, err)
	}
	if cfg.Congestion == nil { // stories are shorter without pacing
		cfg.Congestion = congestion.NewRenoWith(congestion.RenoOptions{NoHyStart: true})
	}
	if p.LocalPort == 0 {
		p.LocalPort = 1000
	}
	if p.RemotePort == 0 {
		p.RemotePort = 2000
	}
	if p.MMS == 0 {
		p.MMS = 1480
	}
	// Buffers that tune themselves have scripts of their own; here they are in nobody's way.
	if cfg.SendBuffer == 0 && cfg.MaxSendBuffer == 0 {
		cfg.SendBuffer = 1 << 20
	}
	if cfg.ReceiveBuffer == 0 && cfg.MaxReceiveBuffer == 0 {
		cfg.ReceiveBuffer = 1 << 20
	}
	return &script{
		t: t, story: sentence, e: New(cfg), p: p, now: Time(time.Second),
		irs: 0xffffff80, // the peer's numbers wrap in almost every story
		// The largest window that needs no scaling.
		peerWindow: 65535,
	}
}

// fail ends the test with the story so far.
func (s *script) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n%s\n  -> %s", s.story, strings.Join(s.log, "\n"), fmt.Sprintf(format, args...))
}

func (s *script) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf("  %12v %-12v ", time.Duration(s.now), s.e.State())+fmt.Sprintf(format, args...))
}

// pattern fills p with what stands at offset off of every test stream.
func pattern(p []byte, off int) {
	for i := range p {
		n := uint32(off+i) * 2654435761
		p[i] = byte(n >> 24)
	}
}

// patternBytes returns n octets of the pattern from offset off.
func patternBytes(off, n int) []byte {
	p := make([]byte, n)
	pattern(p, off)
	return p
}

// ---- numbers ----

// ours and theirs make absolute sequence numbers of relative ones.
func (s *script) ours(rel int) segment.Seq   { return s.iss + segment.Seq(uint32(rel)) }
func (s *script) theirs(rel int) segment.Seq { return s.irs + segment.Seq(uint32(rel)) }

func relative(q, base segment.Seq) int { return int(int32(uint32(q - base))) }

func (s *script) sackEdges(g *segment.Segment) []int {
	var edges []int
	for _, b := range g.Options.SACK[:g.Options.SACKCount] {
		edges = append(edges, relative(b.Left, s.irs), relative(b.Right, s.irs))
	}
	return edges
}

// tsNow is the peer's timestamp clock, in milliseconds.
func (s *script) tsNow() uint32 {
	return uint32(time.Duration(s.now)/time.Millisecond) + 70000 + s.tsSkew
}

// ---- the network ----

// recv lets a segment arrive: relative sequence and acknowledgment numbers, then a payload
// (a string, bytes, or a number of octets of the pattern) and options in any order.
// ack is left out of the header unless flags has ACK.
func (s *script) recv(flags segment.Flags, seq, ack int, extra ...any) (reopen bool) {
	s.t.Helper()
	g := segment.Segment{SrcPort: s.p.RemotePort, DstPort: s.p.LocalPort, Seq: s.theirs(seq), Flags: flags, Window: s.peerWindow}
	if flags.Has(ACK) {
		g.Ack = s.ours(ack)
	}
	if s.peerTS && !flags.Has(RST) {
		g.Options.HasTimestamps, g.Options.TSVal, g.Options.TSEcr = true, s.tsNow(), s.tsRecent
	}
	for _, x := range extra {
		switch x := x.(type) {
		case string:
			g.Payload = []byte(x)
		case []byte:
			g.Payload = x
		case int:
			off := seq - 1
			if flags.Has(SYN) {
				off++
			}
			g.Payload = patternBytes(off, x)
		case segOpt:
			x.set(s, &g)
		default:
			s.fail("BUG: recv of a %T", x)
		}
	}
	s.note("recv %s", s.describe(&g, s.irs, s.iss))
	return s.recvSegment(&g)
}

// recvSegment lets any segment arrive, as bytes through the codec so that what the
// engine keeps of it would be overwritten.
func (s *script) recvSegment(g *segment.Segment) (reopen bool) {
	s.t.Helper()
	b := g.Append(nil)
	var in segment.Segment
	if err := segment.Parse(&in, b); err != nil {
		s.fail("BUG: the script's own segment does not parse: %v", err)
	}
	in.TrafficClass = g.TrafficClass
	reopen = s.e.Input(s.now, &in)
	for i := range b {
		b[i] = 0xee // the engine keeps no reference
	}
	s.events |= s.e.Events()
	return reopen
}

// pump takes everything out of the engine.
func (s *script) pump() {
	s.t.Helper()
	for n := 0; s.e.Output(s.now, &s.train); n++ {
		if n > 100000 {
			s.fail("Output has no end")
		}
		s.unpack()
	}
	s.events |= s.e.Events()
}

// unpack takes a train apart.
func (s *script) unpack() {
	s.t.Helper()
	tr := &s.train
	if len(tr.Buf) == 0 || len(tr.Buf) > MaxTrainBytes || tr.SegmentSize <= 0 || (len(tr.Buf)+tr.SegmentSize-1)/tr.SegmentSize > MaxTrainSegments {
		s.fail("a train of %d bytes in segments of %d", len(tr.Buf), tr.SegmentSize)
	}
	for b := range slices.Chunk(tr.Buf, tr.SegmentSize) {
		o := scriptOutput{at: s.now, size: len(b), class: tr.TrafficClass}
		if err := segment.Parse(&o.seg, bytes.Clone(b)); err != nil {
			s.fail("the engine sent what does not parse: %v: %x", err, b)
		}
		g := &o.seg
		g.TrafficClass = tr.TrafficClass
		if !s.knowISS && g.Flags.Has(SYN) {
			s.iss, s.knowISS = g.Seq, true
		}
		if g.Options.HasTimestamps {
			s.tsRecent = g.Options.TSVal
		}
		s.note("send %s", s.describe(g, s.iss, s.irs))
		s.out = append(s.out, o)
	}
}

func (s *script) describe(g *segment.Segment, seq, ack segment.Seq) string {
	var b strings.Builder
	b.WriteString(flagString(g.Flags))
	fmt.Fprintf(&b, " seq=%d", relative(g.Seq, seq))
	if g.Flags.Has(ACK) {
		fmt.Fprintf(&b, " ack=%d", relative(g.Ack, ack))
	}
	fmt.Fprintf(&b, " len=%d win=%d", len(g.Payload), g.Window)
	if n := len(g.Payload); n > 0 && n <= 16 {
		fmt.Fprintf(&b, " %q", g.Payload)
	}
	o := &g.Options
	if o.MSS != 0 {
		fmt.Fprintf(&b, " mss=%d", o.MSS)
	}
	if o.HasWindowScale {
		fmt.Fprintf(&b, " wscale=%d", o.WindowScale)
	}
	if o.SACKPermitted {
		b.WriteString(" sackOK")
	}
	if o.HasTimestamps {
		fmt.Fprintf(&b, " ts=%d,%d", o.TSVal, o.TSEcr)
	}
	for _, k := range o.SACK[:o.SACKCount] {
		fmt.Fprintf(&b, " sack=%d-%d", relative(k.Left, ack), relative(k.Right, ack))
	}
	if g.Flags.Has(URG) {
		fmt.Fprintf(&b, " urg=%d", g.Urgent)
	}
	return b.String()
}

func flagString(f segment.Flags) string {
	var b strings.Builder
	for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if f&(1<<i) != 0 {
			if b.Len() > 0 {
				b.WriteByte('|')
			}
			b.WriteString(name)
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}

// want takes the next segment that the engine sends and compares it: flags exactly,
// but PSH only if asked for; payload exactly, none if none is named; SACK
// blocks exactly; other options as far as they are named. What the payload says is
// always compared with what the user wrote.
func (s *script) want(flags segment.Flags, seq, ack int, extra ...any) {
	s.t.Helper()
	s.pump()
	if len(s.out) == 0 {
		s.fail("want %s, nothing is sent", s.wanted(flags, seq, ack, extra))
	}
	o := s.out[0]
	s.out = s.out[1:]
	g := &o.seg
	bad := func(why string) {
		s.t.Helper()
		s.fail("want %s\n     got  %s\n     differs in %s", s.wanted(flags, seq, ack, extra), s.describe(g, s.iss, s.irs), why)
	}
	mask := PSH
	if flags.Has(PSH) {
		mask = 0
	}
	switch {
	case g.Flags&^mask != flags:
		bad("flags")
	case g.SrcPort != s.p.LocalPort || g.DstPort != s.p.RemotePort:
		bad("ports")
	case relative(g.Seq, s.iss) != seq:
		bad("seq")
	case flags.Has(ACK) && relative(g.Ack, s.irs) != ack:
		bad("ack")
	case o.size > max(s.p.MMS, s.p.MaxMMS):
		bad("size: larger than the MMS")
	}
	n, sackNamed := 0, false
	for _, x := range extra {
		switch x := x.(type) {
		case string:
			n = len(x)
			if string(g.Payload) != x {
				bad("payload")
			}
		case []byte:
			n = len(x)
			if !bytes.Equal(g.Payload, x) {
				bad("payload")
			}
		case int:
			n = x
		case segOpt:
			sackNamed = sackNamed || strings.Contains(x.name, "sack=") || x.name == "any sack"
			if !x.check(s, g) {
				bad(x.name)
			}
		default:
			s.fail("BUG: want of a %T", x)
		}
	}
	if len(g.Payload) != n {
		bad("length")
	}
	if !sackNamed && g.Options.SACKCount != 0 {
		bad("SACK blocks")
	}
	off := seq - 1
	if flags.Has(SYN) {
		off++
	}
	if n > 0 && (off < 0 || off+n > len(s.sent) || !bytes.Equal(g.Payload, s.sent[off:off+n])) {
		bad("what the user wrote")
	}
}

func (s *script) wanted(flags segment.Flags, seq, ack int, extra []any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s seq=%d ack=%d", flagString(flags), seq, ack)
	for _, x := range extra {
		switch x := x.(type) {
		case string, []byte:
			fmt.Fprintf(&b, " %q", x)
		case int:
			fmt.Fprintf(&b, " len=%d", x)
		case segOpt:
			b.WriteString(" " + x.name)
		}
	}
	return b.String()
}

// wantRaw takes the next segment without looking at it.
func (s *script) wantRaw() segment.Segment {
	s.t.Helper()
	s.pump()
	if len(s.out) == 0 {
		s.fail("want a segment, nothing is sent")
	}
	g := s.out[0].seg
	s.out = s.out[1:]
	return g
}

// wantIdle fails if there is anything to send now.
func (s *script) wantIdle() {
	s.t.Helper()
	s.pump()
	if len(s.out) != 0 {
		s.fail("want silence, %d segments are sent, the first %s", len(s.out), s.describe(&s.out[0].seg, s.iss, s.irs))
	}
}

// drain discards what is to be sent now and returns it.
func (s *script) drain() []segment.Segment {
	s.t.Helper()
	s.pump()
	var gs []segment.Segment
	for _, o := range s.out {
		gs = append(gs, o.seg)
	}
	s.out = nil
	return gs
}

// ---- time ----

// advance lets d pass; every timer fires at its own time.
func (s *script) advance(d time.Duration) {
	s.t.Helper()
	s.run(s.now.Add(d), false)
}

// wantAfter is want of a segment that comes exactly d from now, after silence.
func (s *script) wantAfter(d time.Duration, flags segment.Flags, seq, ack int, extra ...any) {
	s.t.Helper()
	s.wantIdle()
	begin := s.now
	s.run(begin.Add(d+time.Hour), true)
	if len(s.out) == 0 {
		s.fail("want after %v %s, nothing is sent within an hour more", d, s.wanted(flags, seq, ack, extra))
	}
	if got := s.now.Sub(begin); got != d {
		s.fail("want after %v %s, something is sent after %v", d, s.wanted(flags, seq, ack, extra), got)
	}
	s.want(flags, seq, ack, extra...)
}

// wait lets time pass until something is sent, at most limit, and returns how long it took.
func (s *script) wait(limit time.Duration) time.Duration {
	s.t.Helper()
	s.wantIdle()
	begin := s.now
	s.run(begin.Add(limit), true)
	if len(s.out) == 0 {
		s.fail("nothing is sent within %v", limit)
	}
	return s.now.Sub(begin)
}

// wantQuiet lets d pass and fails if anything is sent meanwhile.
func (s *script) wantQuiet(d time.Duration) {
	s.t.Helper()
	s.wantIdle()
	s.run(s.now.Add(d), true)
	s.wantIdle()
}

// run lets time pass until the moment to, or until something is sent if first is set.
func (s *script) run(to Time, first bool) {
	s.t.Helper()
	s.pump()
	stuck := 0
	for !first || len(s.out) == 0 {
		d := s.e.Deadline()
		if d > to {
			break
		}
		if d <= s.now {
			if stuck++; stuck > 100 {
				s.fail("Deadline stays at %v: the engine spins", time.Duration(d))
			}
		} else {
			stuck, s.now = 0, d
		}
		s.e.Advance(s.now)
		s.pump()
	}
	if first && len(s.out) > 0 {
		return
	}
	s.now = to
	s.e.Advance(s.now)
	s.pump()
}

// jump moves the clock without running anything in between, as after a suspended machine.
func (s *script) jump(d time.Duration) {
	s.t.Helper()
	s.now = s.now.Add(d)
	s.e.Advance(s.now)
	s.pump()
}

package tcpcore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

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
	if p.LocalPort == 0 {
		p.LocalPort = 1000
	}
	if p.RemotePort == 0 {
		p.RemotePort = 2000
	}
	if p.MMS == 0 {
		p.MMS = 1480
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

// ---- options and other extras of recv and want ----

// A segOpt changes a segment for recv, or checks one for want.
type segOpt struct {
	name  string
	set   func(*script, *segment.Segment)
	check func(*script, *segment.Segment) bool
}

// optWin is the window field as on the wire.
func optWin(n int) segOpt {
	return segOpt{fmt.Sprint("win=", n),
		func(_ *script, g *segment.Segment) { g.Window = uint16(n) },
		func(_ *script, g *segment.Segment) bool { return g.Window == uint16(n) }}
}

// optMSS is the MSS option; 0 wants none.
func optMSS(n int) segOpt {
	return segOpt{fmt.Sprint("mss=", n),
		func(_ *script, g *segment.Segment) { g.Options.MSS = uint16(n) },
		func(_ *script, g *segment.Segment) bool { return g.Options.MSS == uint16(n) }}
}

// optScale is the window scale option; -1 wants none.
func optScale(n int) segOpt {
	return segOpt{fmt.Sprint("wscale=", n),
		func(_ *script, g *segment.Segment) {
			g.Options.HasWindowScale, g.Options.WindowScale = n >= 0, uint8(n)
		},
		func(_ *script, g *segment.Segment) bool {
			return g.Options.HasWindowScale == (n >= 0) && (n < 0 || g.Options.WindowScale == uint8(n))
		}}
}

// optSACKOK is SACK-permitted.
func optSACKOK() segOpt {
	return segOpt{"sackOK",
		func(_ *script, g *segment.Segment) { g.Options.SACKPermitted = true },
		func(_ *script, g *segment.Segment) bool { return g.Options.SACKPermitted }}
}

// optNoSACKOK wants no SACK-permitted.
func optNoSACKOK() segOpt {
	return segOpt{"no sackOK", func(*script, *segment.Segment) {},
		func(_ *script, g *segment.Segment) bool { return !g.Options.SACKPermitted }}
}

// optTS is the timestamps option with these two values.
func optTS(val, ecr uint32) segOpt {
	return segOpt{fmt.Sprint("ts=", val, ",", ecr),
		func(_ *script, g *segment.Segment) {
			g.Options.HasTimestamps, g.Options.TSVal, g.Options.TSEcr = true, val, ecr
		},
		func(_ *script, g *segment.Segment) bool {
			return g.Options.HasTimestamps && g.Options.TSVal == val && g.Options.TSEcr == ecr
		}}
}

// optTSOn is the timestamps option with any values, the peer's clock and echo on recv.
func optTSOn() segOpt {
	return segOpt{"ts",
		func(s *script, g *segment.Segment) {
			g.Options.HasTimestamps, g.Options.TSVal, g.Options.TSEcr = true, s.tsNow(), s.tsRecent
		},
		func(_ *script, g *segment.Segment) bool { return g.Options.HasTimestamps }}
}

// optTSEcr wants this echo and any value.
func optTSEcr(ecr uint32) segOpt {
	return segOpt{fmt.Sprint("ecr=", ecr), func(_ *script, g *segment.Segment) { g.Options.TSEcr = ecr },
		func(_ *script, g *segment.Segment) bool { return g.Options.HasTimestamps && g.Options.TSEcr == ecr }}
}

// optNoTS leaves the timestamps option out, or wants it left out.
func optNoTS() segOpt {
	return segOpt{"no ts",
		func(_ *script, g *segment.Segment) {
			g.Options.HasTimestamps, g.Options.TSVal, g.Options.TSEcr = false, 0, 0
		},
		func(_ *script, g *segment.Segment) bool { return !g.Options.HasTimestamps }}
}

// optSACK is the SACK option with pairs of relative left and right edges: of the
// engine's numbers on recv, of the peer's on want.
func optSACK(edges ...int) segOpt {
	return segOpt{fmt.Sprint("sack=", edges),
		func(s *script, g *segment.Segment) {
			for i := 0; i+1 < len(edges); i += 2 {
				g.Options.SACK[i/2] = segment.SACKBlock{Left: s.ours(edges[i]), Right: s.ours(edges[i+1])}
			}
			g.Options.SACKCount = len(edges) / 2
		},
		func(s *script, g *segment.Segment) bool { return slices.Equal(s.sackEdges(g), edges) }}
}

// optAnySACK accepts whatever SACK blocks there are.
func optAnySACK() segOpt {
	return segOpt{"any sack", func(*script, *segment.Segment) {}, func(*script, *segment.Segment) bool { return true }}
}

// optUrg is the urgent pointer, relative to the segment's sequence number as on the wire.
func optUrg(n int) segOpt {
	return segOpt{fmt.Sprint("urg=", n),
		func(_ *script, g *segment.Segment) { g.Urgent = uint16(n) },
		func(_ *script, g *segment.Segment) bool { return g.Urgent == uint16(n) }}
}

// optClass is the traffic class of the datagram, whose lower two bits are the ECN field.
func optClass(n uint8) segOpt {
	return segOpt{fmt.Sprint("class=", n),
		func(_ *script, g *segment.Segment) { g.TrafficClass = n },
		func(_ *script, g *segment.Segment) bool { return g.TrafficClass == n }}
}

// optNoPSH wants the PSH bit clear; want otherwise looks at PSH only if it is asked for.
func optNoPSH() segOpt {
	return segOpt{"no psh", func(*script, *segment.Segment) {},
		func(_ *script, g *segment.Segment) bool { return !g.Flags.Has(PSH) }}
}

// optSet changes a segment for recv in any way.
func optSet(f func(*segment.Segment)) segOpt {
	return segOpt{"set", func(_ *script, g *segment.Segment) { f(g) }, func(*script, *segment.Segment) bool { return true }}
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
	case o.size > s.p.MMS:
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

// ---- the user ----

// write is SEND of a string or of a number of octets of the pattern, all of which must be accepted.
func (s *script) write(x any) {
	s.t.Helper()
	p := s.userBytes(x)
	if n := s.writeSome(p); n != len(p) {
		s.fail("write of %d octets took %d", len(p), n)
	}
}

func (s *script) userBytes(x any) []byte {
	s.t.Helper()
	switch x := x.(type) {
	case string:
		return []byte(x)
	case []byte:
		return x
	case int:
		return patternBytes(len(s.sent), x)
	}
	s.fail("BUG: write of a %T", x)
	return nil
}

// writeSome is SEND of p, and returns how much was accepted.
func (s *script) writeSome(p []byte) int {
	s.t.Helper()
	n, err := s.e.Write(s.now, p)
	s.note("write %d: %d, %v", len(p), n, err)
	if err != nil && !(n == 0 && errors.Is(err, ErrWouldBlock)) {
		s.fail("write: %v", err)
	}
	s.sent = append(s.sent, p[:n]...)
	s.events |= s.e.Events()
	return n
}

// writeUrgent is SEND with the urgent flag.
func (s *script) writeUrgent(x any) {
	s.t.Helper()
	p := s.userBytes(x)
	n, err := s.e.WriteUrgent(s.now, p)
	s.note("write urgent %d: %d, %v", len(p), n, err)
	if n != len(p) || err != nil {
		s.fail("urgent write of %d octets: %d, %v", len(p), n, err)
	}
	s.sent = append(s.sent, p...)
}

// wantWriteErr is SEND that must fail with err.
func (s *script) wantWriteErr(err error) {
	s.t.Helper()
	if n, got := s.e.Write(s.now, []byte("x")); n != 0 || !errors.Is(got, err) {
		s.fail("write: %d, %v; want 0, %v", n, got, err)
	}
}

// read is RECEIVE until x, a string or a number of octets of the pattern, has been read in full.
func (s *script) read(x any) {
	s.t.Helper()
	var want []byte
	switch x := x.(type) {
	case string:
		want = []byte(x)
	case int:
		want = patternBytes(s.readPos, x)
	default:
		s.fail("BUG: read of a %T", x)
	}
	got := make([]byte, len(want))
	for n := 0; n < len(got); {
		m, err := s.e.Read(s.now, got[n:])
		if err != nil || m == 0 {
			s.fail("read of %d octets: %v after %d", len(want), err, n)
		}
		n += m
	}
	s.readPos += len(got)
	s.note("read %d", len(got))
	if !bytes.Equal(got, want) {
		s.fail("read %.64q, want %.64q", got, want)
	}
	s.events |= s.e.Events()
}

// wantReadErr is RECEIVE that must fail with err.
func (s *script) wantReadErr(err error) {
	s.t.Helper()
	if n, got := s.e.Read(s.now, make([]byte, 1)); n != 0 || !errors.Is(got, err) {
		s.fail("read: %d, %v; want 0, %v", n, got, err)
	}
}

// wantEOF is RECEIVE at the end of the stream.
func (s *script) wantEOF() {
	s.t.Helper()
	if n, got := s.e.Read(s.now, make([]byte, 1)); n != 0 || got != io.EOF {
		s.fail("read: %d, %v; want 0, EOF", n, got)
	}
}

// closeWrite is a half-close, close is CLOSE, abort is ABORT.
func (s *script) closeWrite() {
	s.t.Helper()
	s.note("close write")
	if err := s.e.CloseWrite(s.now); err != nil {
		s.fail("CloseWrite: %v", err)
	}
}

func (s *script) close() {
	s.t.Helper()
	s.note("close")
	if err := s.e.Close(s.now); err != nil {
		s.fail("Close: %v", err)
	}
}

func (s *script) abort() {
	s.note("abort")
	s.e.Abort(s.now)
}

// ---- openings ----

// listen is a passive OPEN.
func (s *script) listen() {
	s.t.Helper()
	if err := s.e.OpenPassive(s.now, s.p); err != nil {
		s.fail("OpenPassive: %v", err)
	}
	s.note("listen")
}

// connect is an active OPEN; its SYN is left to be wanted.
func (s *script) connect() {
	s.t.Helper()
	if err := s.e.OpenActive(s.now, s.p); err != nil {
		s.fail("OpenActive: %v", err)
	}
	s.note("connect")
}

// scriptRTT is how long a handshake takes in passive and active. The RTO is at
// its minimum afterwards, 200 ms by default.
const scriptRTT = 10 * time.Millisecond

// passive opens passively, with the peer's options on its SYN: an MSS of 1460 and
// nothing else unless others are named. Timestamps, once named, go on all the peer sends.
func (s *script) passive(opts ...any) {
	s.t.Helper()
	s.listen()
	s.recv(SYN, 0, 0, append([]any{optMSS(1460)}, opts...)...)
	s.want(SYN|ACK, 0, 1)
	s.negotiated(opts)
	s.advance(scriptRTT)
	s.recv(ACK, 1, 1)
	s.wantIdle()
	s.wantState(Established)
	s.wantEvent(EvEstablished)
}

// active opens actively, with the peer's options on its SYN-ACK as for passive.
func (s *script) active(opts ...any) {
	s.t.Helper()
	s.connect()
	s.want(SYN, 0, 0)
	s.advance(scriptRTT)
	s.recv(SYN|ACK, 0, 1, append([]any{optMSS(1460)}, opts...)...)
	s.negotiated(opts)
	s.want(ACK, 1, 1)
	s.wantIdle()
	s.wantState(Established)
	s.wantEvent(EvEstablished)
}

// negotiated makes the peer carry timestamps if opts has them.
func (s *script) negotiated(opts []any) {
	for _, o := range opts {
		if o, ok := o.(segOpt); ok && strings.HasPrefix(o.name, "ts") {
			s.peerTS = true
		}
	}
}

// ---- what must be true ----

func (s *script) wantState(want State) {
	s.t.Helper()
	if got := s.e.State(); got != want {
		s.fail("state %v, want %v", got, want)
	}
}

// wantEvent fails unless all of these events happened since they were last wanted, and forgets them.
func (s *script) wantEvent(want Event) {
	s.t.Helper()
	s.events |= s.e.Events()
	if s.events&want != want {
		s.fail("events %012b, want %012b among them", s.events, want)
	}
	s.events &^= want
}

// wantNoEvent fails if any of these events happened and was not yet wanted.
func (s *script) wantNoEvent(not Event) {
	s.t.Helper()
	s.events |= s.e.Events()
	if s.events&not != 0 {
		s.fail("events %012b, want none of %012b", s.events, not)
	}
}

// wantErr fails unless the connection ended with err.
func (s *script) wantErr(err error) {
	s.t.Helper()
	if got := s.e.Err(); !errors.Is(got, err) {
		s.fail("the connection's error is %v, want %v", got, err)
	}
}

// check fails with what, unless ok.
func (s *script) check(ok bool, what string, args ...any) {
	s.t.Helper()
	if !ok {
		s.fail(what, args...)
	}
}

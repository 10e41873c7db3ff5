package packetdrill

import (
	"fmt"
	"strings"
	"time"
)

// maxAckDelay is how long an acknowledgment may be delayed (RFC 9293 section
// 3.8.6.3, MUST-40).
const maxAckDelay = 500 * time.Millisecond

// expect waits for the packet of an outbound line, and compares.
func (r *runner) expect(e *Event, at, until time.Duration) error {
	k := e.Packet
	switch {
	case len(k.Encap) > 0:
		return unsupported("packets within %s", k.Encap[0])
	case k.Proto == ProtoUDP:
		return unsupported("UDP packets")
	case k.Proto == ProtoOther:
		return unsupported("%s packets", k.Other)
	case k.Proto == ProtoICMP:
		return unsupported("ICMP messages from the stack")
	}
	if err := lacking(k); err != nil {
		return err
	}
	f, err := r.outboundFlow(k)
	if err != nil {
		return err
	}
	m := &match{r: r, f: f, e: e, k: k, at: at, until: until}
	if err := m.run(); err != nil {
		return err
	}
	r.last = at
	switch {
	case e.Time.Kind == TimeAny || e.Time.Range:
		r.last = m.seen
	case m.seen > until+r.tolerance:
		// Only the lenient level gets here: the rest of the script moves with it.
		r.shift += m.seen - at
		r.last = m.seen
	}
	return nil
}

// lacking names what an expected segment has that culvert never sends.
func lacking(k *Packet) error {
	if k.Flags&FlagAE != 0 {
		return unsupported("AccECN")
	}
	for i := range k.Options {
		switch o := &k.Options[i]; {
		case o.Kind == OptUnknown && strings.HasPrefix(o.Text, "ECN"):
			return unsupported("AccECN")
		case o.Kind == OptUnknown, o.Kind == OptMD5:
			return unsupported("TCP option %s", o.Text)
		case o.Kind == OptFO, o.Kind == OptFOEXP:
			return unsupported("TCP Fast Open")
		}
	}
	return nil
}

// outboundFlow is the connection that an outbound line is about.
func (r *runner) outboundFlow(k *Packet) (*flow, error) {
	if k.HasPorts {
		p := ports{local: k.Src, remote: k.Dst}
		for _, f := range r.flows {
			if f.hasScript && f.script == p {
				return f, nil
			}
		}
		if f := r.sut; f != nil && !f.hasScript {
			f.script, f.hasScript = p, true
			return f, nil
		}
		return nil, &packetError{reason: fmt.Sprintf("no connection has the ports %d > %d", k.Src, k.Dst)}
	}
	if r.sut == nil {
		return nil, &packetError{reason: "there is no connection that could send this packet", script: k.String()}
	}
	return r.sut, nil
}

// match is the search for one outbound line's segments.
type match struct {
	r         *runner
	f         *flow
	e         *Event
	k         *Packet
	at, until time.Duration
	seen      time.Duration // when the segment was sent
	covered   int           // octets of the line that earlier segments carried
}

func (m *match) lenient() bool { return m.r.set.Level == Lenient }

func (m *match) run() error {
	r, f := m.r, m.f
	for {
		if m.lenient() && m.covered == 0 && r.settled(f, m.k, m.at) {
			m.seen = m.at
			f.expAck = m.k.Ack
			return nil
		}
		l := m.next()
		if l == nil {
			if m.lenient() && r.owe(f, m) {
				m.seen = m.at
				return nil
			}
			if err := r.w.error(); err != nil {
				return err
			}
			return &packetError{reason: fmt.Sprintf("no packet was sent by %s, which is %s late",
				seconds(r.w.now()), seconds(r.w.now()-m.at)), script: m.scriptLine()}
		}
		err := m.compare(l)
		if err != nil && m.lenient() && m.covered == 0 && r.skippable(f, l) {
			f.queue = f.queue[1:]
			f.note(l)
			continue
		}
		if err != nil {
			return err
		}
		m.take(l)
		if m.covered >= m.k.Len {
			return nil
		}
	}
}

// next is the first segment in the flow's queue, or the one that comes before time is
// up; nil if none does.
func (m *match) next() *live {
	r := m.r
	limit := m.until + r.tolerance
	if m.e.Time.Kind == TimeAny {
		limit = r.w.now() + longest
	} else if m.lenient() && !m.pureAck() {
		limit += m.slack()
	}
	for {
		r.settle()
		if len(m.f.queue) > 0 {
			return m.f.queue[0]
		}
		d := limit - r.w.now()
		if d <= 0 || r.w.error() != nil {
			return nil
		}
		r.pause(d, nil)
	}
}

// pureAck reports whether the line is an acknowledgment and nothing else.
func (m *match) pureAck() bool {
	return m.k.Flags == FlagACK && m.k.Len == 0 && !hasSACK(m.k.Options)
}

func hasSACK(list []TCPOption) bool {
	for i := range list {
		if list[i].Kind == OptSACK {
			return true
		}
	}
	return false
}

// slack is what the lenient level adds to a retransmission's time: a tenth.
func (m *match) slack() time.Duration {
	if m.f.lastSent == nil {
		return 0
	}
	sent, ok := m.f.lastSent[m.k.Seq+m.f.seqOff]
	if !ok {
		sent = m.r.last
	}
	return max(0, (m.at-sent)/10)
}

// compare compares a live segment with what is left of the line.
func (m *match) compare(l *live) error {
	r, f, k := m.r, m.f, m.k
	if l.k.Flags&FlagSYN != 0 && (!f.hasISN || f.isn != l.k.Seq) {
		f.learnISN(l.k.Seq, k.Seq)
	}
	for i := range l.k.Options {
		if o := &l.k.Options[i]; o.Kind == OptTS && !f.hasTS {
			if s := findOption(k.Options, OptTS); s != nil && !s.AnyValue {
				f.matchTS(s.Value, o.Value)
			}
		}
	}
	a := f.toScript(l)
	c := comparison{level: r.set.Level, want: *k, got: a}
	c.want.Seq += uint32(m.covered)
	c.want.Len -= m.covered
	if err := c.run(m.covered > 0, r.oneToOne); err != nil {
		return m.fail(l, &a, "%v", err)
	}
	if err := m.compareIP(l, &a); err != nil {
		return err
	}
	if err := m.compareTS(l, &a); err != nil {
		return err
	}
	if err := f.checkPayload(&a, l.data); err != nil {
		return m.fail(l, &a, "%v", err)
	}
	return m.checkTime(l, &a)
}

func (m *match) scriptLine() string { return seconds(m.at) + " " + m.k.String() }

func (m *match) fail(l *live, a *Packet, format string, args ...any) error {
	return &packetError{reason: fmt.Sprintf(format, args...), script: m.scriptLine(),
		actual: seconds(l.at) + " " + a.String()}
}

func (m *match) compareIP(l *live, a *Packet) error {
	k := m.k
	ecn := l.tos & 3
	ok := true
	tos := int(l.tos)
	if k.ECN != ECNUnset {
		tos &^= 3 // the word says it
	}
	switch k.ECN {
	case ECNNone:
		ok = ecn == 0
	case ECNECT0:
		ok = ecn == 2
	case ECNECT1:
		ok = ecn == 1
	case ECNECT01:
		ok = ecn == 1 || ecn == 2
	case ECNCE:
		ok = ecn == 3
	}
	switch {
	case !ok:
		return m.fail(l, a, "live packet field ip_ecn: expected: %s vs actual: 0x%x", (&Packet{ECN: k.ECN, TOS: -1, TTL: -1}).String(), ecn)
	case k.TOS >= 0 && tos != k.TOS:
		return m.fail(l, a, "live packet field ip_tos: expected: 0x%x vs actual: 0x%x", k.TOS, l.tos)
	case k.TTL >= 0 && int(l.hop) != k.TTL:
		return m.fail(l, a, "live packet field ip_ttl: expected: %d vs actual: %d", k.TTL, l.hop)
	case k.HasUDP && m.r.w.udp && (l.udpSrc != k.UDPSrc || l.udpDst != k.UDPDst):
		return m.fail(l, a, "live packet field udp_ports: expected: %d > %d vs actual: %d > %d", k.UDPSrc, k.UDPDst, l.udpSrc, l.udpDst)
	case k.HasUDP && !m.r.w.udp:
		return m.fail(l, a, "the packet is not encapsulated in UDP (--udp_encapsulation=tcp asks for it)")
	}
	return nil
}

// compareTS compares the stack's timestamp where the script says how fast its clock
// ticks, and notes it for packets that will echo it.
func (m *match) compareTS(l *live, a *Packet) error {
	s, got := findOption(m.k.Options, OptTS), findOption(l.k.Options, OptTS)
	if s == nil || got == nil || s.AnyValue {
		return nil
	}
	m.f.matchTS(s.Value, got.Value)
	if m.r.tsTick == 0 {
		return nil
	}
	diff := time.Duration(int32(got.Value-m.f.tsOff-s.Value)) * m.r.tsTick
	if diff < 0 {
		diff = -diff
	}
	if diff > m.r.tolerance+m.r.tsTick {
		return m.fail(l, a, "bad outbound TCP timestamp value: expected %d vs actual %d", s.Value, got.Value-m.f.tsOff)
	}
	return nil
}

// checkPayload compares what the stack sends with what was written.
func (f *flow) checkPayload(a *Packet, data []byte) error {
	if !f.known || len(data) == 0 || !f.hasISN {
		return nil
	}
	off := int64(int32(a.Seq + f.seqOff - f.isn - 1))
	if a.Flags&FlagSYN != 0 {
		off++
	}
	if off < 0 || off+int64(len(data)) > int64(len(f.written)) {
		return fmt.Errorf("the segment carries octets %d to %d of the stream, of which %d were written",
			off, off+int64(len(data)), len(f.written))
	}
	for i, b := range data {
		if f.written[off+int64(i)] != b {
			return fmt.Errorf("octet %d of the stream is 0x%02x and was written as 0x%02x", off+int64(i), b, f.written[off+int64(i)])
		}
	}
	return nil
}

// checkTime compares the time of a segment with the line's.
func (m *match) checkTime(l *live, a *Packet) error {
	if m.e.Time.Kind == TimeAny || m.covered > 0 {
		return nil
	}
	early, late := m.at-m.r.tolerance, m.until+m.r.tolerance
	if m.lenient() {
		if m.pureAck() {
			early, late = m.at-maxAckDelay, m.until+maxAckDelay
		}
		slack := m.slack()
		early, late = early-slack, late+slack
	}
	if l.at >= early && l.at <= late {
		return nil
	}
	if m.e.Time.Range {
		return m.fail(l, a, "timing error: expected outbound packet in the range %s~%s sec but happened at %s sec",
			seconds(m.at), seconds(m.until), seconds(l.at))
	}
	return m.fail(l, a, "timing error: expected outbound packet at %s sec but happened at %s sec; tolerance %s sec",
		seconds(m.at), seconds(l.at), seconds(m.r.tolerance))
}

// take removes a segment that matched from the queue; of one that carries more than the
// line, the rest stays.
func (m *match) take(l *live) {
	f, k := m.f, m.k
	if m.covered == 0 {
		m.seen = l.at
	}
	f.note(l)
	left := k.Len - m.covered
	if l.k.Len > left {
		l.k.Seq += uint32(left)
		l.k.Len -= left
		l.data = l.data[left:]
		l.cut = true
		m.covered = k.Len
		return
	}
	m.covered += l.k.Len
	f.queue = f.queue[1:]
	if k.HasAck {
		if !f.hasAck || int32(k.Ack-f.expAck) > 0 {
			f.expAck = k.Ack
		}
		f.hasAck = true
	}
}

// note remembers what the stack sent.
func (f *flow) note(l *live) {
	if f.lastSent == nil {
		f.lastSent = make(map[uint32]time.Duration)
	}
	if l.k.Len > 0 || l.k.Flags&(FlagSYN|FlagFIN) != 0 {
		f.lastSent[l.k.Seq] = l.at
	}
	if l.k.HasAck {
		if f.liveAck == 0 || int32(l.k.Ack-f.liveAck) > 0 {
			f.liveAck = l.k.Ack
		}
	}
	f.lastWin = l.k.Win
}

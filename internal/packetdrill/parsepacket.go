package packetdrill

import (
	"math"
	"strings"
)

// packet reads what follows the time of a packet line.
func (p *parser) packet() *Packet {
	k := &Packet{Pos: p.here(), TOS: -1, TTL: -1, Win: -1, Urg: -1}
	k.Inbound = p.src[p.off] == '<'
	p.off++
	p.prefix(k)
	switch w := p.wordAhead(); w {
	case "icmp", "icmpv6", "icmp6":
		p.off += len(w)
		k.Proto = ProtoICMP
		k.ICMP = p.icmp(w != "icmp")
		return k
	case "udp", "UDP":
		p.off += len(w)
		k.Proto = ProtoUDP
		p.need("(", "and a length behind udp")
		p.skip()
		k.Len = int(p.decimal("a length", 65535))
		p.need(")", "behind the length")
		return k
	case "sctp", "SCTP", "udplite", "UDPLite", "raw", "ah", "esp", "igmp":
		k.Proto, k.Other = ProtoOther, strings.ToLower(w)
		p.off += len(w)
		p.otherPacket()
		return k
	case "tcp", "TCP":
		p.off += len(w)
		p.has(":")
		p.prefix(k)
	}
	k.Flags = p.flags()
	if p.skip(); p.peek(0) == '/' {
		p.udpEncap(k)
		p.skip()
	}
	k.Seq, k.Len = p.sequence()
	p.suffix(k)
	return k
}

// otherPacket passes over a packet of a protocol that is not TCP's: properties in
// parentheses, a colon, and words with brackets behind them, joined by commas, as in
// "sctp: DATA[flgs=BE, tsn=1], SACK[...]".
func (p *parser) otherPacket() {
	for p.blanks(); p.peek(0) == '(' || p.peek(0) == '/'; p.blanks() {
		if p.has("/") {
			w := p.wordAhead()
			p.off += len(w)
		}
		p.bracketed()
	}
	if !p.has(":") {
		return
	}
	for {
		p.skip()
		w := p.wordAhead()
		p.off += len(w)
		p.blanks()
		p.bracketed()
		if p.blanks(); w == "" || !p.has(",") {
			return
		}
	}
}

// bracketed passes over one pair of brackets and all that is within it, if one opens here.
func (p *parser) bracketed() {
	start, depth := p.off, 0
	for ; !p.eof(); p.off++ {
		switch p.src[p.off] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		if depth <= 0 {
			if p.off > start {
				p.off++
			}
			return
		}
	}
	p.failAt(start, "this bracket does not end")
}

// prefix reads what may stand before the flags: IP properties in brackets, outer
// headers, ports, UDP encapsulation.
func (p *parser) prefix(k *Packet) {
	for {
		p.skip()
		start := p.off
		switch c := p.peek(0); {
		case c == '[':
			p.off++
			p.ipInfo(k, start, p.until("]", "this bracket"))
		case c == '(':
			p.off++
			p.ipInfo(k, start, p.until(")", "this parenthesis"))
		case c == '/':
			p.udpEncap(k)
		case isDigit(c):
			k.HasPorts = true
			k.Src = uint16(p.decimal("a port", math.MaxUint16))
			p.need(">", "between the ports")
			p.skip()
			k.Dst = uint16(p.decimal("a port", math.MaxUint16))
			p.has(":")
		default:
			switch p.wordAhead() {
			case "ipv4", "ipv6", "gre", "mpls", "ip":
				k.Encap = append(k.Encap, p.outer())
				continue
			}
			return
		}
	}
}

// outer reads an outer header up to the colon that ends it: "ipv4 a > b:", "gre ...:".
func (p *parser) outer() string {
	start := p.off
	for !p.eof() && p.src[p.off] != '\n' {
		if p.src[p.off] == ':' && (p.peek(1) <= ' ') {
			p.off++
			return p.src[start : p.off-1]
		}
		p.off++
	}
	p.failAt(start, "this header does not end: no colon follows")
	return ""
}

// ipInfo reads what stands in brackets: ect0, ce, tos 0x2, ttl 64, ...
func (p *parser) ipInfo(k *Packet, start int, text string) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' || r == '=' })
	for i := 0; i < len(words); i++ {
		num := func(limit uint64) int {
			i++
			if i == len(words) {
				p.failAt(start, "a number is missing behind %q", words[i-1])
			}
			q := parser{scanner: *newScanner(p.file, words[i])}
			v, ok := q.wholeNumber()
			if !ok || v > limit {
				p.failAt(start, "%q is not a number up to %d", words[i], limit)
			}
			return int(v)
		}
		switch w := words[i]; strings.ToLower(w) {
		case "noecn", "ecn0", "nonect", "not-ect":
			k.ECN = ECNNone
		case "ect0":
			k.ECN = ECNECT0
		case "ect1":
			k.ECN = ECNECT1
		case "ect01", "ect":
			k.ECN = ECNECT01
		case "ce":
			k.ECN = ECNCE
		case "tos", "tclass":
			k.TOS = num(255)
		case "dscp":
			k.TOS = num(63) << 2
		case "ttl", "hlim", "hop_limit":
			k.TTL = num(255)
		case "flowlabel":
			num(1<<20 - 1)
		default:
			p.failAt(start, "%q is not an IP property: ect0, ect1, ect01, ce, noecn, tos, ttl or flowlabel", w)
		}
	}
}

// wholeNumber reads a text that is one number and nothing else.
func (p *parser) wholeNumber() (v uint64, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(bailout); !is {
				panic(r)
			}
			v, ok = 0, false
		}
	}()
	v = p.digits("a number")
	return v, p.eof()
}

// udpEncap reads /udp(a > b).
func (p *parser) udpEncap(k *Packet) {
	p.need("/", "")
	p.skip()
	if w := p.wordAhead(); !strings.EqualFold(w, "udp") {
		p.fail("expected udp(port > port) behind the slash, found %s", p.found())
	}
	p.off += 3
	p.need("(", "behind udp")
	p.skip()
	k.HasUDP = true
	k.UDPSrc = uint16(p.decimal("a port", math.MaxUint16))
	p.need(">", "between the ports")
	p.skip()
	k.UDPDst = uint16(p.decimal("a port", math.MaxUint16))
	p.need(")", "behind the ports")
}

// flags reads the control bits; digits are the three bits of AccECN's counter.
func (p *parser) flags() Flags {
	p.skip()
	start := p.off
	var f Flags
	for ; !p.eof() && p.src[p.off] != '/'; p.off++ {
		c := p.src[p.off]
		if c <= ' ' {
			// "S ." is a way to write "S.": no other thing that follows begins with a dot.
			if p.blanks(); p.peek(0) != '.' {
				break
			}
			c = '.'
		}
		switch i := strings.IndexByte(flagLetters, c); {
		case i >= 0:
			f |= 1 << i
		case c == 'C':
			f |= FlagCWR
		case c == '-':
		case c >= '0' && c <= '7' && p.off > start:
			n := c - '0'
			if n&1 != 0 {
				f |= FlagECE
			}
			if n&2 != 0 {
				f |= FlagCWR
			}
			if n&4 != 0 {
				f |= FlagAE
			}
		default:
			p.fail("%q is not a flag: they are S F R P U E W A . and -", c)
		}
	}
	if p.off == start {
		p.fail("expected the flags of a segment, found %s", p.found())
	}
	return f
}

// maxPayload is what a segment can carry at all.
const maxPayload = 1 << 20

// sequence reads seq:end(len).
func (p *parser) sequence() (seq uint32, n int) {
	start := p.off
	seq = p.sequenceNumber("a sequence number")
	p.need(":", "between the sequence numbers")
	p.skip()
	end := p.sequenceNumber("a sequence number")
	p.need("(", "and the length behind the sequence numbers")
	p.skip()
	n = int(p.decimal("a length", maxPayload))
	p.need(")", "behind the length")
	if seq+uint32(n) != end {
		p.failAt(start, "the sequence numbers %d:%d are not %d octets apart", seq, end, n)
	}
	return seq, n
}

// sequenceNumber reads a number modulo 2^32; one below the first of its side has a sign.
func (p *parser) sequenceNumber(what string) uint32 {
	if isDigit(p.peek(1)) && (p.has("-") || p.has("+")) {
		sign := p.src[p.off-1]
		n := uint32(p.decimal(what, math.MaxUint32))
		if sign == '-' {
			n = -n
		}
		return n
	}
	return uint32(p.decimal(what, math.MaxUint32))
}

// suffix reads what may follow the sequence numbers.
func (p *parser) suffix(k *Packet) {
	seen := map[string]bool{}
	once := func(what string) {
		if seen[what] {
			p.fail("%s is written twice", what)
		}
		seen[what] = true
	}
	for {
		p.skip()
		switch {
		case p.hasWord("ack"):
			once("ack")
			p.skip()
			k.HasAck, k.Ack = true, p.sequenceNumber("an acknowledgment number")
			p.has("!") // absolute: the only kind for the peer's numbers, which are live as they are
		case p.hasWord("win"):
			once("win")
			if p.skip(); !p.has("...") {
				k.Win = int(p.decimal("a window", math.MaxUint16))
			}
		case p.hasWord("urg"):
			once("urg")
			p.skip()
			k.Urg = int(p.decimal("an urgent pointer", math.MaxUint16))
		case p.peek(0) == '<':
			once("the list of options")
			p.options(k)
		case p.peek(0) == '/':
			once("the UDP encapsulation")
			p.udpEncap(k)
		case p.peek(0) == '"':
			once("the payload")
			start := p.off
			k.Payload = []byte(p.quoted())
			if len(k.Payload) != k.Len {
				p.failAt(start, "the payload has %d octets, the segment %d", len(k.Payload), k.Len)
			}
		default:
			return
		}
	}
}

// options reads <option,option,...>.
func (p *parser) options(k *Packet) {
	open := p.off
	p.off++
	for p.skip(); ; p.skip() {
		if p.has(">") {
			return
		}
		if p.eof() {
			p.failAt(open, "this list of options does not end")
		}
		o := p.tcpOption()
		if o.Kind == OptAny {
			k.AnyOptions = true
		} else {
			k.Options = append(k.Options, o)
		}
		if len(k.Options) > maxTCPOption {
			p.failAt(open, "no header has room for so many options")
		}
		if p.skip(); !p.has(",") && p.peek(0) != '>' {
			p.fail("expected \",\" or \">\" behind an option, found %s", p.found())
		}
	}
}

func (p *parser) tcpOption() (o TCPOption) {
	start := p.off
	o.Pos = p.here()
	defer func() { o.Text = strings.TrimSpace(p.src[start:p.off]) }()
	if p.has("...") {
		o.Kind = OptAny
		return o
	}
	word := p.wordAhead()
	p.off += len(word)
	value := func(limit uint64) {
		if p.skip(); p.has("...") {
			o.AnyValue = true
			return
		}
		o.Value = uint32(p.decimal("the value of "+word, limit))
	}
	switch word {
	case "nop", "NOP":
		o.Kind = OptNOP
	case "eol", "EOL":
		o.Kind = OptEOL
	case "mss":
		o.Kind = OptMSS
		value(math.MaxUint16)
	case "wscale", "wsopt":
		o.Kind = OptWScale
		value(math.MaxUint8)
	case "sackOK", "sackok", "sack_ok":
		o.Kind = OptSACKPerm
	case "sack":
		o.Kind = OptSACK
		o.Blocks = p.blocks()
	case "TS", "ts":
		o.Kind = OptTS
		// "val" and "ecr" may be left out.
		p.skip()
		p.hasWord("val")
		value(math.MaxUint32)
		p.skip()
		p.hasWord("ecr")
		if p.skip(); p.has("...") {
			o.AnyEcr = true
		} else {
			o.Ecr = uint32(p.decimal("the echoed timestamp", math.MaxUint32))
		}
	case "FO":
		o.Kind = OptFO
		o.Data = p.cookie()
	case "FOEXP":
		o.Kind = OptFOEXP
		o.Data = p.cookie()
	case "":
		if !isDigit(p.peek(0)) { // its kind as a number
			p.fail("expected a TCP option, found %s", p.found())
		}
		o.Kind = OptUnknown
		p.unknownOption(start)
	default:
		// An option of somebody else's: whoever runs the script says what it means.
		o.Kind = OptUnknown
		p.unknownOption(start)
	}
	return o
}

// unknownOption passes over the rest of an option that is not known here.
func (p *parser) unknownOption(start int) {
	for depth := 0; !p.eof(); p.off++ {
		switch p.src[p.off] {
		case '[', '(', '{':
			depth++
		case ']', ')', '}':
			depth--
		case ',', '>':
			if depth <= 0 {
				return
			}
		case '\n':
			if depth <= 0 && !strings.ContainsAny(p.src[p.off:], ">") {
				p.failAt(start, "this option does not end")
			}
		}
	}
	p.failAt(start, "this option does not end")
}

func (p *parser) blocks() []Block {
	var all []Block
	for p.skip(); isDigit(p.peek(0)); p.skip() {
		var b Block
		b.Left = uint32(p.decimal("a SACK edge", math.MaxUint32))
		p.need(":", "between the edges of a SACK block")
		p.skip()
		b.Right = uint32(p.decimal("a SACK edge", math.MaxUint32))
		if all = append(all, b); len(all) > maxTCPOption {
			p.fail("no header has room for so many SACK blocks")
		}
		// Some write a comma between blocks; an option never begins with a digit.
		if p.skip(); p.peek(0) == ',' {
			comma := p.off
			p.off++
			if p.skip(); !isDigit(p.peek(0)) {
				p.off = comma
				return all
			}
		}
	}
	return all
}

// cookie reads the hexadecimal digits of a Fast Open cookie; none asks for one.
func (p *parser) cookie() []byte {
	p.skip()
	start := p.off
	for isHex(p.peek(0)) {
		p.off++
	}
	text := p.src[start:p.off]
	if len(text)%2 != 0 {
		p.failAt(start, "a cookie has two hexadecimal digits for each octet, this has %d", len(text))
	}
	if len(text) > 2*maxTCPOption {
		p.failAt(start, "the cookie is too long")
	}
	data := make([]byte, 0, len(text)/2)
	for i := 0; i < len(text); i += 2 {
		data = append(data, unhex(text[i])<<4|unhex(text[i+1]))
	}
	return data
}

func unhex(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

// icmp reads "unreachable frag_needed mtu 1200 [1:1461(1460)]".
func (p *parser) icmp(v6 bool) *ICMP {
	m := &ICMP{V6: v6}
	for p.blanks(); ; p.blanks() {
		w := p.wordAhead()
		if w == "" {
			break
		}
		p.off += len(w)
		p.blanks()
		switch {
		case w == "mtu":
			m.MTU = int(p.decimal("an MTU", math.MaxUint32))
		case isDigit(p.peek(0)):
			start := p.off
			p.decimal("a number", math.MaxUint8)
			if w == "unreachable" {
				m.Words = append(m.Words, w)
				w = "code"
			}
			m.Words = append(m.Words, w+" "+p.src[start:p.off])
		default:
			m.Words = append(m.Words, w)
		}
	}
	if len(m.Words) == 0 {
		p.fail("expected the type of the ICMP message, found %s", p.found())
	}
	if p.peek(0) != '[' {
		return m
	}
	p.off++
	m.Body = p.until("]", "this bracket")
	q := parser{scanner: *newScanner(p.file, m.Body)}
	m.Seq, m.Len, m.HasSeq = q.quotedSegment()
	return m
}

// blanks passes over white space within a line.
func (p *parser) blanks() {
	for p.peek(0) == ' ' || p.peek(0) == '\t' {
		p.off++
	}
}

// quotedSegment finds seq:end(len) in what a message quotes.
func (p *parser) quotedSegment() (seq uint32, n int, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(bailout); !is {
				panic(r)
			}
			ok = false
		}
	}()
	for p.skip(); !p.eof() && !isDigit(p.peek(0)); p.skip() {
		p.off++
	}
	seq, n = p.sequence()
	return seq, n, true
}

package segment

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// unhex decodes hexadecimal octets, ignoring blanks.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withOptions is a header with the options given in hexadecimal, as long as the
// data offset can say (a multiple of 4).
func withOptions(t testing.TB, opts string) []byte {
	t.Helper()
	o := unhex(t, opts)
	if len(o)%4 != 0 {
		t.Fatalf("options %q are %d octets, no multiple of 4", opts, len(o))
	}
	b := unhex(t, "0400 0800 00000001 00000002 5010 0100 0000 0000")
	b[offData] = byte((FixedHeaderLen+len(o))/4) << 4
	return append(b, o...)
}

// TestParseHeader checks that each field is read from its place.
func TestParseHeader(t *testing.T) {
	// Reserved bits, a checksum and an urgent pointer are all there.
	b := unhex(t, "0102 0304 05060708 090a0b0c 6f d9 0e0f 1011 1213 02040514 6869")
	want := Segment{
		SrcPort: 0x0102, DstPort: 0x0304, Seq: 0x05060708, Ack: 0x090a0b0c,
		Flags: CWR | ECE | ACK | PSH | FIN, Window: 0x0e0f, Urgent: 0x1213,
		Options: Options{MSS: 0x0514}, Payload: []byte("hi"),
	}
	// Parse must overwrite whatever was there before.
	got := Segment{Options: Options{SACKPermitted: true, SACKCount: 2, Experiment: b}, Urgent: 9}
	if err := Parse(&got, b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if &got.Payload[0] != &b[24] {
		t.Error("the payload is a copy")
	}
}

// TestParseErrors checks that each malformed header has its own error.
//
// Shows: MUST-7, MUST-68.
func TestParseErrors(t *testing.T) {
	whole := unhex(t, "0400 0800 00000001 00000002 6010 0100 0000 0000 02040514")
	offset := func(n byte) []byte {
		b := bytes.Clone(whole)
		b[offData] = n << 4
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"empty", nil, ErrShort},
		{"19 octets", whole[:19], ErrShort},
		{"data offset 0", offset(0), ErrDataOffset},
		{"data offset 4", offset(4), ErrDataOffset},
		{"data offset 7 of 24 octets", offset(7), ErrHeaderTruncated},
		{"data offset 15 of 24 octets", offset(15), ErrHeaderTruncated},
		{"length 0", withOptions(t, "63000000"), ErrOptionLength},
		{"length 0 of a known kind", withOptions(t, "02000000"), ErrOptionLength},
		{"length 1", withOptions(t, "08010000"), ErrOptionLength},
		{"no length octet", withOptions(t, "01010163"), ErrOptionTruncated},
		{"kind 2 as the last octet", withOptions(t, "01010102"), ErrOptionTruncated},
		{"past the end by one", withOptions(t, "63050000"), ErrOptionTruncated},
		{"length 255", withOptions(t, "63ff0000"), ErrOptionTruncated},
		{"timestamps past the end", withOptions(t, "01080a00 00000000 00000000"), nil},
		{"timestamps past the end by one", withOptions(t, "0101 01 080a 000000 00000000"), ErrOptionTruncated},
		{"MSS of 3", withOptions(t, "02030501"), ErrMSSLength},
		{"MSS of 5", withOptions(t, "02050501 01000000"), ErrMSSLength},
		{"window scale of 2", withOptions(t, "03020101"), ErrWindowScaleLength},
		{"window scale of 4", withOptions(t, "03040101"), ErrWindowScaleLength},
		{"SACK-permitted of 3", withOptions(t, "04030000"), ErrSACKPermittedLength},
		{"SACK without a block", withOptions(t, "05020000"), ErrSACKLength},
		{"SACK of 9", withOptions(t, "05090000 00000000 00000000"), ErrSACKLength},
		{"SACK of 11", withOptions(t, "050b0000 00000000 00000000"), ErrSACKLength},
		{"timestamps of 8", withOptions(t, "08080000 00000000"), ErrTimestampsLength},
		{"timestamps of 12", withOptions(t, "080c0000 00000000 00000000"), ErrTimestampsLength},
	} {
		var s Segment
		if err := Parse(&s, c.b); err != c.want {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

// TestParseOptions checks each option, alone and in company, aligned and not.
//
// Shows: MUST-4, MUST-5, MUST-6, MUST-64, MUST-68, MUST-69, RFC6994-1.
func TestParseOptions(t *testing.T) {
	for _, c := range []struct {
		name, opts string
		want       Options
	}{
		{"none but NOPs", "01010101", Options{}},
		{"EOL at once", "00000000", Options{}},
		{"nonsense after EOL", "01 00 0200 08ffffff", Options{}},
		{"MSS", "020405b4", Options{MSS: 1460}},
		{"window scale", "01030307", Options{HasWindowScale: true, WindowScale: 7}},
		{"window scale 0", "03030000", Options{HasWindowScale: true}},
		{"window scale 255 is told as it stands", "030301 030302 0303ff 000000", Options{HasWindowScale: true, WindowScale: 255}},
		{"SACK-permitted", "04020000", Options{SACKPermitted: true}},
		{"timestamps", "0101080a 00000102 00000304", Options{HasTimestamps: true, TSVal: 0x102, TSEcr: 0x304}},
		{"timestamps first", "080a0000 01020000 03040101", Options{HasTimestamps: true, TSVal: 0x102, TSEcr: 0x304}},
		{"timestamps at an odd place", "01080a00 00010200 00030400", Options{HasTimestamps: true, TSVal: 0x102, TSEcr: 0x304}},
		{"one SACK block", "0101050a 0000000a 0000000b",
			Options{SACK: [4]SACKBlock{{10, 11}}, SACKCount: 1}},
		{"four SACK blocks, unaligned", "01 0522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00",
			Options{SACK: [4]SACKBlock{{1, 2}, {3, 4}, {5, 6}, {7, 8}}, SACKCount: 4}},
		{"all of a SYN in Linux's order", "020405b4 0402080a 00000001 00000000 01030307",
			Options{MSS: 1460, SACKPermitted: true, HasTimestamps: true, TSVal: 1, HasWindowScale: true, WindowScale: 7}},
		{"a SYN packed without padding", "030307 020405b4 0402 080a0000000100000002 00",
			Options{MSS: 1460, SACKPermitted: true, HasTimestamps: true, TSVal: 1, TSEcr: 2, HasWindowScale: true, WindowScale: 7}},
		{"unknown kinds are skipped", "6302 1304aaaa 1d06bbbbbbbb fb02 020405b4 0000",
			Options{MSS: 1460}},
		{"the second MSS counts", "02040001 02040002", Options{MSS: 2}},
		{"experiment", "fd06ab01 c1c20000", Options{ExID: 0xab01, Experiment: []byte{0xc1, 0xc2}}},
		{"experiment 254 without data", "fe04ab01", Options{ExID: 0xab01, Experiment: []byte{}}},
		{"the first experiment counts", "fd050102 03 fe050405 06 0000",
			Options{ExID: 0x0102, Experiment: []byte{3}}},
		{"an experiment without an ExID", "fd02fd03 aa00 0000", Options{}},
	} {
		// In a segment with SYN and in one without: which of them an option
		// belongs into is not Parse's affair.
		for _, flags := range []Flags{SYN, ACK, RST} {
			b := append(withOptions(t, c.opts), "data"...)
			PutFlags(b, flags)
			var s Segment
			if err := Parse(&s, b); err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if !reflect.DeepEqual(s.Options, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, &s.Options, &c.want)
			}
			if string(s.Payload) != "data" || s.Flags != flags {
				t.Errorf("%s: flags %v, payload %q", c.name, s.Flags, s.Payload)
			}
		}
	}
}

// TestAppend checks the octets of each layout that docs/WIRE.md promises.
//
// Shows: MUST-4, MUST-69.
func TestAppend(t *testing.T) {
	ts := Options{HasTimestamps: true, TSVal: 0x01020304, TSEcr: 0x05060708}
	sack := func(o Options, n int) Options {
		for i := range n {
			o.SACK[i] = SACKBlock{Seq(2*i + 1), Seq(2*i + 2)}
		}
		o.SACKCount = n
		return o
	}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"nothing", Options{}, ""},
		{"SYN of Linux", Options{MSS: 1452, SACKPermitted: true, HasTimestamps: true, TSVal: 1, HasWindowScale: true, WindowScale: 7},
			"020405ac 0402 080a 00000001 00000000 01 030307"},
		{"SYN without timestamps", Options{MSS: 1452, SACKPermitted: true, HasWindowScale: true, WindowScale: 7},
			"020405ac 0101 0402 01 030307"},
		{"SYN without SACK", Options{MSS: 1452, HasTimestamps: true, HasWindowScale: true},
			"020405ac 0101 080a 00000000 00000000 01 030300"},
		{"SYN of FreeBSD", Options{ScaleFirst: true, MSS: 1452, SACKPermitted: true, HasTimestamps: true, TSVal: 1, HasWindowScale: true, WindowScale: 6},
			"020405ac 01 030306 0402 080a 00000001 00000000"},
		{"SYN of FreeBSD without timestamps", Options{ScaleFirst: true, MSS: 1452, SACKPermitted: true, HasWindowScale: true, WindowScale: 6},
			"020405ac 01 030306 0402 0000"},
		{"SYN of FreeBSD without SACK", Options{ScaleFirst: true, MSS: 1452, HasTimestamps: true, HasWindowScale: true},
			"020405ac 01 030300 0101 080a 00000000 00000000"},
		{"SYN of FreeBSD without scale", Options{ScaleFirst: true, MSS: 1452, SACKPermitted: true, HasTimestamps: true, TSVal: 1},
			"020405ac 0402 080a 00000001 00000000"},
		{"SYN with MSS only", Options{MSS: 536}, "02040218"},
		{"data", ts, "0101 080a 01020304 05060708"},
		{"ACK with one block", sack(ts, 1), "0101 080a 01020304 05060708 0101 050a 00000001 00000002"},
		{"ACK with three blocks", sack(ts, 3),
			"0101 080a 01020304 05060708 0101 051a 00000001 00000002 00000003 00000004 00000005 00000006"},
		{"four blocks beside timestamps", sack(ts, 4),
			"0101 080a 01020304 05060708 0101 051a 00000001 00000002 00000003 00000004 00000005 00000006"},
		{"four blocks alone", sack(Options{}, 4),
			"0101 0522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008"},
		{"more blocks than there are", func() Options { o := sack(Options{}, 4); o.SACKCount = 9; return o }(),
			"0101 0522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008"},
		{"experiment", Options{ExID: 0xab01, Experiment: []byte{9}}, "fd05ab01 09 000000"},
		{"experiment without data", Options{MSS: 536, ExID: 0xab01, Experiment: []byte{}}, "02040218 fd04ab01"},
		{"experiment of 36", Options{ExID: 0xab01, Experiment: make([]byte, 36)}, "fd28ab01" + strings.Repeat("00", 36)},
		{"experiment too large", Options{ExID: 0xab01, Experiment: make([]byte, 37)}, ""},
		{"no room for the experiment", func() Options { o := sack(ts, 3); o.Experiment = []byte{}; return o }(),
			"0101 080a 01020304 05060708 0101 051a 00000001 00000002 00000003 00000004 00000005 00000006"},
	} {
		s := Segment{SrcPort: 0x0400, DstPort: 0x0800, Seq: 1, Ack: 2, Flags: ACK, Window: 0x100, Options: c.o, Payload: []byte("hi")}
		want := append(withOptions(t, c.want), "hi"...)
		got := s.Append([]byte("before"))
		if string(got[:6]) != "before" || !bytes.Equal(got[6:], want) {
			t.Errorf("%s: got\n%x, want\n%x", c.name, got[6:], want)
		}
		if got, want := s.HeaderLen(), len(want)-2; got != want {
			t.Errorf("%s: HeaderLen %d, want %d", c.name, got, want)
		}
	}
}

// TestLen checks SEG.LEN.
func TestLen(t *testing.T) {
	for _, c := range []struct {
		f    Flags
		data string
		want int
	}{
		{ACK, "", 0}, {SYN, "", 1}, {FIN | ACK, "", 1}, {SYN | FIN, "", 2}, {ACK | PSH, "four", 4}, {SYN | FIN, "four", 6}, {RST, "why", 3},
	} {
		s := Segment{Flags: c.f, Payload: []byte(c.data)}
		if got := s.Len(); got != c.want {
			t.Errorf("%v with %q: Len %d, want %d", c.f, c.data, got, c.want)
		}
	}
}

// TestPut checks that a header can be changed in place.
func TestPut(t *testing.T) {
	s := Segment{SrcPort: 1, DstPort: 2, Seq: 3, Ack: 4, Flags: ACK, Window: 5, Payload: []byte("x")}
	b := s.Append(nil)
	s.Seq, s.Flags = 0xfffefdfc, ACK|PSH|FIN
	PutSeq(b, s.Seq)
	PutFlags(b, s.Flags)
	if want := s.Append(nil); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
}

// TestString checks the form that test output relies on.
func TestString(t *testing.T) {
	for _, c := range []struct {
		s    Segment
		want string
	}{
		{Segment{}, "0 > 0: Flags [none], seq 0, win 0, length 0"},
		{Segment{SrcPort: 1024, DstPort: 2048, Seq: 7, Flags: SYN, Window: 512,
			Options: Options{MSS: 1452, SACKPermitted: true, HasTimestamps: true, TSVal: 1, HasWindowScale: true, WindowScale: 7}},
			"1024 > 2048: Flags [S], seq 7, win 512, options [mss 1452,sackOK,TS val 1 ecr 0,wscale 7], length 0"},
		{Segment{Seq: 1, Ack: 9, Flags: ACK | PSH | URG, Urgent: 3, Payload: []byte("abc")},
			"0 > 0: Flags [P.U], seq 1:4, ack 9, win 0, urg 3, length 3"},
		{Segment{Flags: ACK, Options: Options{SACK: [4]SACKBlock{{1, 2}, {3, 4}}, SACKCount: 2, ExID: 0xab, Experiment: []byte{1}}},
			"0 > 0: Flags [.], seq 0, ack 0, win 0, options [sack 2 {1:2}{3:4},exp 0x00ab 0x01], length 0"},
	} {
		if got := c.s.String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	if got := (FIN | SYN | RST | PSH | ACK | URG | ECE | CWR).String(); got != "FSRP.UEW" {
		t.Errorf("all flags are %s", got)
	}
}

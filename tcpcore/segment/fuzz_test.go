package segment

import (
	"bytes"
	"reflect"
	"testing"
)

// seeds are segments of every shape, well formed and not.
func seeds(t testing.TB) [][]byte {
	long := Segment{Seq: 1<<32 - 1, Flags: ACK, Options: Options{HasTimestamps: true, SACKCount: 3, ExID: 1, Experiment: []byte{}}}
	return [][]byte{
		nil,
		make([]byte, 20),
		withOptions(t, ""),
		withOptions(t, "020405b4 0402080a 00000001 00000000 01030307"),
		withOptions(t, "030307 020405b4 0402 080a0000000100000002 00"),
		withOptions(t, "01 0522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00"),
		withOptions(t, "080a0000 00010000 0002051a 00000001 00000002 00000003 00000004 00000005 00000006 03030e00"),
		withOptions(t, "fd06ab01 c1c20000"),
		withOptions(t, "fe04ab01"),
		withOptions(t, "fd28ab01 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"),
		withOptions(t, "63000000"),
		withOptions(t, "01010102"),
		append(withOptions(t, "01 00 0200 08ffffff"), "payload"...),
		long.Append(nil),
	}
}

// FuzzParse feeds arbitrary octets: no panic, and what Parse accepts lies inside of
// what it was given.
func FuzzParse(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		var s Segment
		err := Parse(&s, b)
		if !bytes.Equal(b, before) {
			t.Fatal("Parse changed its input")
		}
		if err != nil {
			if _, ok := err.(Error); !ok {
				t.Fatalf("error %T is not an Error", err)
			}
			return
		}
		if hdr := len(b) - len(s.Payload); hdr < 20 || hdr > 60 || hdr%4 != 0 {
			t.Fatalf("a header of %d octets", hdr)
		}
		if s.Options.SACKCount > MaxSACK {
			t.Fatalf("%d SACK blocks", s.Options.SACKCount)
		}
		if got := s.String(); got == "" {
			t.Fatal("no description")
		}
	})
}

// FuzzRoundTrip checks that Append of what Parse read is read the same again, but
// for what a header padded for middleboxes has no room for.
func FuzzRoundTrip(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again Segment
		if Parse(&s, b) != nil {
			return
		}
		wire := s.Append(nil)
		if got, want := len(wire), s.HeaderLen()+len(s.Payload); got != want {
			t.Fatalf("%d octets, HeaderLen says %d", got, want)
		}
		if err := Parse(&again, wire); err != nil {
			t.Fatalf("Parse refuses what Append wrote: %v\n%x", err, wire)
		}
		l := s.Options.layout()
		for i := l.blocks; i < s.Options.SACKCount; i++ {
			s.Options.SACK[i] = SACKBlock{}
		}
		s.Options.SACKCount = l.blocks
		if !l.experiment {
			s.Options.ExID, s.Options.Experiment = 0, nil
		}
		if !reflect.DeepEqual(s, again) {
			t.Fatalf("read   %v\nreread %v", &s, &again)
		}
		if wire2 := again.Append(nil); !bytes.Equal(wire, wire2) {
			t.Fatalf("wrote  %x\nrewrote %x", wire, wire2)
		}
	})
}

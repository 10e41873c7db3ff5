package segment

import "testing"

// samples are the segments that make up nearly all traffic.
func samples() map[string]Segment {
	return map[string]Segment{
		"SYN": {Flags: SYN, Options: Options{MSS: 1452, SACKPermitted: true, HasTimestamps: true, TSVal: 1, HasWindowScale: true, WindowScale: 7}},
		"data": {Flags: ACK | PSH, Options: Options{HasTimestamps: true, TSVal: 1, TSEcr: 2},
			Payload: make([]byte, 1440)},
		"ACK": {Flags: ACK, Options: Options{HasTimestamps: true, TSVal: 1, TSEcr: 2, SACKCount: 3}},
	}
}

// TestNoAllocations: the hot path must not feed the garbage collector.
func TestNoAllocations(t *testing.T) {
	for name, s := range samples() {
		wire := s.Append(nil)
		bad := append(withOptions(t, "02030501"), wire...)
		buf := make([]byte, 0, len(wire))
		var got Segment
		for what, f := range map[string]func(){
			"Parse":             func() { _ = Parse(&got, wire) },
			"Parse of nonsense": func() { _ = Parse(&got, bad) },
			"Append":            func() { buf = s.Append(buf[:0]) },
		} {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%s of %s allocates %v times", what, name, n)
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for name, s := range samples() {
		b.Run(name, func(b *testing.B) {
			wire := s.Append(nil)
			b.ReportAllocs()
			for b.Loop() {
				if err := Parse(&s, wire); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, s := range samples() {
		b.Run(name, func(b *testing.B) {
			buf := s.Append(nil)
			b.ReportAllocs()
			for b.Loop() {
				buf = s.Append(buf[:0])
			}
		})
	}
}

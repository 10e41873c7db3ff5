package tcpcore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"example.com/culvert/tcpcore/segment"
)

// TestPrediction: header prediction changes nothing. Two engines get the same segments, most of
// them the next in order, and one of the engines does without.
func TestPrediction(t *testing.T) {
	segments, predicted := 0, 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		cfg := Config{ECN: seed%3 == 0, StrictTimestamps: seed%4 == 0, NoTimestamps: seed%5 == 0, ReceiveBuffer: int(seed%2) * 20_000}
		with, without := newBulkPair(t, cfg, 1000), newBulkPair(t, cfg, 1000)
		without.b.cfg = with.b.cfg // or its functions would differ
		with.b.pers.unanswered, without.b.pers.unanswered = 1, 1
		for step := range 300 {
			s := segment.Segment{SrcPort: 1000, DstPort: 2000, Flags: ACK, Seq: with.b.rcv.nxt, Ack: with.b.snd.nxt,
				Window: uint16(with.b.snd.wnd >> with.b.snd.shift), Payload: make([]byte, 1+rng.IntN(1000))}
			s.Options.HasTimestamps = with.b.ts.on
			s.Options.TSVal, s.Options.TSEcr = with.b.ts.recent+uint32(rng.IntN(2)), with.b.tsClock(with.now)
			strange(rng, &s)
			with.now += Time(rng.IntN(int(5 * time.Millisecond)))
			without.now = with.now
			one, two := s, s
			segments++
			before := *with.b
			if with.b.state == Established && with.b.inputNext(with.now, &one) {
				predicted++
			} else if field := differs(&before, with.b); field != "" {
				t.Fatalf("seed %d, step %d: %v was not predicted, and left traces in %s", seed, step, &s, field)
			} else if with.b.state != Closed {
				with.b.inputOther(with.now, &one)
			}
			if without.b.state != Closed {
				without.b.inputOther(without.now, &two)
			}
			if rng.IntN(4) == 0 {
				readBoth(t, with, without)
			}
			if field := differs(with.b, without.b); field != "" {
				t.Fatalf("seed %d, step %d: %v has %s depend on prediction", seed, step, &s, field)
			}
			if with.b.state == Closed {
				break
			}
		}
	}
	if predicted < segments/5 {
		t.Errorf("%d of %d segments were predicted", predicted, segments)
	}
}

// strange makes one segment in three something else than the next in order.
func strange(rng *rand.Rand, s *segment.Segment) {
	switch rng.IntN(33) {
	case 0:
		// Its acknowledgment may be old, and it may end the stream.
		s.Seq = s.Seq.Add(rng.IntN(3000) - 1500)
		s.Ack = s.Ack.Add(-rng.IntN(2))
		if rng.IntN(2) == 0 {
			s.Flags |= segment.FIN
			s.Payload = s.Payload[:len(s.Payload)*rng.IntN(2)]
		}
	case 1:
		s.Flags |= segment.Flags(1 << rng.IntN(8))
	case 2:
		s.Flags = PSH
	case 3:
		s.Ack = s.Ack.Add(rng.IntN(3) - 1)
	case 4:
		s.Window += uint16(rng.IntN(3) - 1)
	case 5:
		s.Options.TSVal -= uint32(rng.IntN(100))
	case 6:
		s.Options.HasTimestamps = !s.Options.HasTimestamps
	case 7:
		s.Payload = nil
	case 8:
		s.Payload = make([]byte, 1<<uint(rng.IntN(18)))
	case 9:
		s.TrafficClass = uint8(rng.IntN(4))
	case 10:
		s.Options.SACKCount = 1
	}
}

// readBoth reads from both, and compares what they read and send.
func readBoth(t *testing.T, with, without *bulkPair) {
	n, err := with.b.Read(with.now, with.r)
	m, err2 := without.b.Read(without.now, without.r)
	if n != m || err != err2 || with.b.Deadline() != without.b.Deadline() {
		t.Fatalf("read %d, %v and %d, %v", n, err, m, err2)
	}
	for with.b.Output(with.now, &with.t) {
		if !without.b.Output(without.now, &without.t) || !bytes.Equal(with.t.Buf, without.t.Buf) {
			t.Fatalf("%x is sent, or %x", with.t.Buf, without.t.Buf)
		}
	}
	with.b.Events()
	without.b.Events()
}

// differs names a field in which two engines differ, "" if there is none.
func differs(a, b *Engine) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	x, y := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for i := range x.NumField() {
		if was, is := fmt.Sprintf("%+v", x.Field(i)), fmt.Sprintf("%+v", y.Field(i)); was != is {
			return fmt.Sprintf("%s: %s or %s", x.Type().Field(i).Name, was, is)
		}
	}
	return "something"
}

package tcpcore

import "testing"

// TestUrgentSend writes urgent data.
//
// Shows: MUST-30, MUST-31, MUST-62.
func TestUrgentSend(t *testing.T) {
	s := newScript(t, "the urgent pointer designates the octet behind the urgent data", Config{NoDelay: true}, Params{})
	s.active()
	s.write("calm")
	s.want(ACK, 1, 1, "calm")
	s.writeUrgent("hurry")
	s.want(ACK|URG, 5, 1, "hurry", optUrg(5))
	s.write("calm")
	s.recv(ACK, 1, 10)
	s.want(ACK, 10, 1, "calm")
}

// TestUrgentLong is longer than any segment.
//
// Shows: MUST-31, MUST-62.
func TestUrgentLong(t *testing.T) {
	s := newScript(t, "urgent data of any length keeps its end, and every segment before it says so", Config{}, Params{})
	s.active()
	s.writeUrgent(4000)
	s.want(ACK|URG, 1, 1, 1460, optUrg(4000))
	s.want(ACK|URG, 1461, 1, 1460, optUrg(4000-1460))
	s.want(ACK|URG, 2921, 1, 1080, optUrg(1080))
	s.writeUrgent(100_000)
	for _, g := range s.drain() {
		end := relative(g.Seq, s.iss) + int(g.Urgent)
		s.check(g.Flags.Has(URG) && (end == 104_001 || g.Urgent == 65535), "a segment that points at %d", end)
	}
}

// TestUrgentAgain sends a segment twice.
func TestUrgentAgain(t *testing.T) {
	s := newScript(t, "a retransmission says that it is urgent", Config{}, Params{})
	s.active()
	s.writeUrgent("now")
	s.want(ACK|URG, 1, 1, "now", optUrg(3))
	s.wantAfter(200*ms, ACK|URG, 1, 1, "now", optUrg(3))
}

// TestUrgentReceive gets urgent data.
//
// Shows: MUST-30, MUST-32, MUST-33.
func TestUrgentReceive(t *testing.T) {
	s := newScript(t, "the user hears of an urgent pointer when it appears and when it advances, and how far away it is", Config{}, Params{})
	s.passive()
	s.wantNoEvent(EvUrgent)
	queue := func(want int) {
		t.Helper()
		s.check(s.e.Info().UrgentQueue == want, "%d urgent octets to read, want %d", s.e.Info().UrgentQueue, want)
	}
	queue(0)
	s.recv(ACK|URG, 1, 1, "abcde", optUrg(5))
	s.wantEvent(EvUrgent)
	queue(5)
	s.recv(ACK|URG, 1, 1, "abcde", optUrg(5)) // says nothing new
	s.recv(ACK|URG, 6, 1, "fgh", optUrg(0))
	s.wantNoEvent(EvUrgent)
	s.read("ab")
	queue(3)
	s.recv(ACK|URG, 9, 1, "ij", optUrg(2000)) // ahead of what is there
	s.wantEvent(EvUrgent)
	queue(2006) // octets 3 to 2008, that the user has not read
	s.read("cdefghij")
	queue(1998)
	s.recv(ACK, 11, 1, 2000)
	s.check(s.e.Info().ReceiveQueue == 2000, "%d octets to read", s.e.Info().ReceiveQueue)
	s.read(2000)
	queue(0)
}

// TestUrgentAlone comes without data, and before data.
//
// Shows: MUST-32, MUST-66.
func TestUrgentAlone(t *testing.T) {
	s := newScript(t, "an urgent pointer without data is told at once", Config{}, Params{})
	s.passive()
	s.recv(ACK|URG, 1, 1, optUrg(7))
	s.wantEvent(EvUrgent)
	s.check(s.e.Info().UrgentQueue == 7, "%d urgent octets to read", s.e.Info().UrgentQueue)
}

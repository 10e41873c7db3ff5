package tcpcore

import (
	"fmt"
	"testing"

	"example.com/culvert/tcpcore/segment"
)

// rawOptions lets a segment arrive whose option field is exactly these octets.
func (s *script) rawOptions(flags segment.Flags, seq, ack int, options []byte, payload string) error {
	s.t.Helper()
	g := segment.Segment{SrcPort: s.p.RemotePort, DstPort: s.p.LocalPort, Seq: s.theirs(seq), Flags: flags, Window: s.peerWindow}
	if flags.Has(ACK) {
		g.Ack = s.ours(ack)
	}
	b := g.Append(nil)
	b[12] = byte((len(b)+len(options))/4) << 4
	b = append(append(b, options...), payload...)
	var in segment.Segment
	if err := segment.Parse(&in, b); err != nil {
		return err
	}
	s.note("recv %s", s.describe(&in, s.irs, s.iss))
	s.e.Input(s.now, &in)
	s.events |= s.e.Events()
	return nil
}

// TestOptionsAnywhere checks that options the engine does not know, or does not expect where
// they are, leave a connection alone: on the SYN, with data, with a FIN.
//
// Shows: MUST-4, MUST-5, MUST-6, MUST-64, MUST-69, RFC6994-2.
func TestOptionsAnywhere(t *testing.T) {
	odd := [][]byte{
		{99, 4, 1, 2, 1, 1, 1, 1},                     // unknown
		{2, 4, 0, 100, 3, 3, 14, 0},                   // what only a SYN may carry
		{0, 255, 255, 255},                            // nonsense behind EOL
		{1, 253, 6, 0xab, 0xcd, 7, 7, 0},              // an unknown experiment
		{254, 4, 0xab, 0xcd},                          // another
		{1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0},         // timestamps never agreed on, at an odd place
		{5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1},         // SACK never agreed on
		{99, 40, 39: 1}, {99, 2, 99, 2}, {4, 2, 1, 1}, // more unknown, SACK-permitted late
	}
	for _, o := range odd {
		s := newScript(t, fmt.Sprintf("options %x change nothing", o), Config{}, Params{})
		s.passive()
		if err := s.rawOptions(ACK|PSH, 1, 1, o, "data"); err != nil {
			s.fail("%v", err)
		}
		s.read("data")
		if err := s.rawOptions(FIN|ACK, 5, 1, o, ""); err != nil {
			s.fail("%v", err)
		}
		s.want(ACK, 1, 6, optNoTS(), optMSS(0))
		s.wantState(CloseWait)
		// The MSS that came late did not count.
		s.write(1460)
		s.want(PSH|ACK, 1, 6, 1460, optNoTS())
	}
	for _, o := range [][]byte{
		{99, 4, 1, 2, 2, 4, 2, 88},                    // unknown, then MSS 600
		{1, 2, 4, 2, 88, 99, 2, 0},                    // MSS at an odd place
		{253, 5, 1, 2, 3, 254, 3, 9, 2, 4, 2, 88},     // experiments first; the second is short
		{2, 4, 2, 88, 0, 4, 2, 3},                     // what is behind EOL does not count
		{253, 8, 0xf9, 0x89, 1, 2, 3, 4, 2, 4, 2, 88}, // the experimental Fast Open
	} {
		s := newScript(t, fmt.Sprintf("options %x on the SYN are sorted out", o), Config{}, Params{})
		s.listen()
		if err := s.rawOptions(SYN, 0, 0, o, ""); err != nil {
			s.fail("%v", err)
		}
		s.want(SYN|ACK, 0, 1, optNoTS(), optNoSACKOK(), optScale(-1))
		s.recv(ACK, 1, 1)
		s.write(601)
		s.want(ACK, 1, 1, 600)
	}
}

// TestOptionsIllegal checks that a segment with an impossible option length never reaches
// a connection, which goes on as if it had been lost.
//
// Shows: MUST-7, MUST-68.
func TestOptionsIllegal(t *testing.T) {
	s := newScript(t, "a segment with an impossible option length is as good as lost", Config{}, Params{})
	s.passive()
	for _, o := range [][]byte{{99, 0, 0, 0}, {8, 1, 0, 0}, {1, 1, 1, 2}, {2, 3, 1, 1}, {99, 5, 0, 0}} {
		for _, f := range []segment.Flags{ACK | PSH, RST, FIN | ACK, SYN} {
			if s.rawOptions(f, 1, 1, o, "data") == nil {
				s.fail("options %x were accepted", o)
			}
		}
	}
	s.wantIdle()
	s.wantState(Established)
	s.recv(ACK|PSH, 1, 1, "data")
	s.read("data")
}

// TestMSSOnSYNOnly checks everything that a connection sends but its SYN for the MSS option,
// and the SYNs for its presence.
//
// Shows: MUST-65, SHLD-5, MAY-3, RFC2018-1.
func TestMSSOnSYNOnly(t *testing.T) {
	for _, active := range []bool{false, true} {
		s := newScript(t, "MSS stands on SYNs and nowhere else", Config{}, Params{MMS: 1480})
		only := func(gs []segment.Segment, mss uint16) {
			t.Helper()
			if len(gs) == 0 {
				s.fail("nothing is sent")
			}
			for _, g := range gs {
				if g.Options.MSS != mss || mss == 0 && g.Options.SACKPermitted {
					s.fail("%v has the wrong MSS or SACK-permitted option", &g)
				}
			}
		}
		opts := []any{optMSS(1460), optSACKOK(), optScale(7), optTSOn()}
		if active {
			s.connect()
			only(s.drain(), 1460)
			s.advance(s.e.Info().RTO)
			only(s.drain(), 1460) // sent again
			s.recv(SYN|ACK, 0, 1, opts...)
		} else {
			s.listen()
			s.recv(SYN, 0, 0, opts...)
			only(s.drain(), 1460)
			s.advance(s.e.Info().RTO)
			only(s.drain(), 1460)
			s.recv(ACK, 1, 1, optTSOn())
		}
		s.negotiated(opts)
		s.write(5000)
		gs := s.drain() // the ACK of the handshake and data
		s.recv(ACK|PSH, 10, 1, "hole")
		gs = append(gs, s.drain()...) // an ACK with SACK
		s.advance(s.e.Info().RTO)
		gs = append(gs, s.drain()...) // a retransmission
		s.closeWrite()
		s.recv(ACK, 1, 5001)
		gs = append(gs, s.drain()...) // FIN
		s.abort()
		gs = append(gs, s.drain()...) // RST
		only(gs, 0)
		if f := gs[len(gs)-1].Flags; !f.Has(RST) {
			s.fail("the last segment is %v", f)
		}
	}
}

// TestMSSAnnounced checks that the MSS follows from the largest segment that the
// carrier can bring, less 20, whatever options are in use.
//
// Shows: MUST-14, MUST-67, SHLD-5.
func TestMSSAnnounced(t *testing.T) {
	for _, c := range []struct{ mms, bound, want int }{
		{1472, 0, 1452}, {1452, 0, 1432}, {1232, 0, 1212}, {548, 0, 528}, {65507, 0, 65487},
		{1472, 1000, 1000}, {1472, 5000, 1452},
	} {
		s := newScript(t, fmt.Sprintf("MMS %d, bound %d", c.mms, c.bound), Config{MSS: c.bound}, Params{MMS: c.mms})
		s.connect()
		s.want(SYN, 0, 0, optMSS(c.want))
		s = newScript(t, fmt.Sprintf("MMS %d, bound %d, passive", c.mms, c.bound), Config{MSS: c.bound}, Params{MMS: c.mms})
		s.listen()
		s.recv(SYN, 0, 0)
		s.want(SYN|ACK, 0, 1, optMSS(c.want))
	}
}

// TestMSSEffective checks the size of full segments: the peer's MSS, or the default without
// one, or what the carrier takes, less the options that go with data.
//
// Shows: MUST-14, MUST-15, MUST-16, SHLD-28.
func TestMSSEffective(t *testing.T) {
	for _, c := range []struct {
		peer, mms int
		ipv6, ts  bool
		want      int
	}{
		{peer: 1460, mms: 1480, want: 1460},
		{peer: 1460, mms: 1480, ts: true, want: 1448},
		{peer: 1000, mms: 1480, want: 1000},
		{peer: 1000, mms: 1480, ts: true, want: 988},
		{peer: 9000, mms: 1480, want: 1460},
		{peer: 9000, mms: 1480, ts: true, want: 1448},
		{peer: 100, mms: 1480, want: 100},
		{peer: 65535, mms: 9000, want: 8980},
		{peer: 0, mms: 1480, want: 536},
		{peer: 0, mms: 1480, ts: true, want: 524},
		{peer: 0, mms: 1480, ipv6: true, want: 1220},
		{peer: 0, mms: 1480, ipv6: true, ts: true, want: 1208},
		{peer: 0, mms: 500, want: 480},
	} {
		for _, active := range []bool{false, true} {
			s := newScript(t, fmt.Sprintf("%+v", c), Config{}, Params{MMS: c.mms, IPv6: c.ipv6})
			var opts []any
			if c.peer != 0 {
				opts = append(opts, optMSS(c.peer))
			}
			if c.ts {
				opts = append(opts, optTSOn())
			}
			if active {
				s.connect()
				s.drain()
				s.recv(SYN|ACK, 0, 1, opts...)
			} else {
				s.listen()
				s.recv(SYN, 0, 0, opts...)
				s.drain()
			}
			s.negotiated(opts)
			if !active {
				s.recv(ACK, 1, 1)
			}
			s.drain()
			s.write(2*c.want + 1)
			s.want(ACK, 1, 1, c.want)
			s.want(ACK, 1+c.want, 1, c.want)
			if got := s.e.Info().SendMSS; got != c.want {
				s.fail("Info says %d", got)
			}
		}
	}
}

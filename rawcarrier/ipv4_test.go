package rawcarrier

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"

	"example.com/culvert/tcpcore/segment"
)

// ipv4Datagram puts a header before a payload.
func ipv4Datagram(src, dst netip.Addr, payload []byte) []byte {
	b := make([]byte, ipv4Header, ipv4Header+len(payload))
	b[0], b[8], b[9] = 0x45, 64, protocolTCP
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)+len(payload)))
	s, d := src.As4(), dst.As4()
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	binary.BigEndian.PutUint16(b[10:], ^segment.InternetSum(b))
	return append(b, payload...)
}

// icmpMessage is an ICMP error that quotes a datagram.
func icmpMessage(kind, code byte, quote []byte, spoil bool) []byte {
	b := append([]byte{kind, code, 0, 0, 0, 0, 0, 0}, quote...)
	sum := ^segment.InternetSum(b)
	if spoil {
		sum++
	}
	binary.BigEndian.PutUint16(b[2:], sum)
	return b
}

func TestParseHeader(t *testing.T) {
	src, dst := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.4.5.6")
	good := ipv4Datagram(src, dst, []byte("payload"))
	good[1] = 0x2e
	good = append(good, "padding"...)
	h, ok := parseHeader(good)
	if !ok || h.src != src || h.dst != dst || h.trafficClass != 0x2e || h.protocol != protocolTCP || string(h.payload) != "payload" {
		t.Fatalf("%v %+v", ok, h)
	}
	for name, spoil := range map[string]func(b []byte) []byte{
		"empty":              func(b []byte) []byte { return nil },
		"short":              func(b []byte) []byte { return b[:19] },
		"version 6":          func(b []byte) []byte { b[0] = 0x65; return b },
		"a header too short": func(b []byte) []byte { b[0] = 0x44; return b },
		"a header too long":  func(b []byte) []byte { b[0] = 0x4f; return b },
		"too long":           func(b []byte) []byte { b[2] = 1; return b },
		"shorter than its header": func(b []byte) []byte {
			b[3] = 19
			return b
		},
		"a first fragment": func(b []byte) []byte { b[6] = 0x20; return b },
		"a last fragment":  func(b []byte) []byte { b[7] = 1; return b },
	} {
		if _, ok := parseHeader(spoil(append([]byte(nil), good...))); ok {
			t.Errorf("%s passes", name)
		}
	}
}

func TestParseICMP(t *testing.T) {
	src, dst := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.4.5.6")
	tcp := []byte{0x12, 0x34, 0, 80, 1, 2, 3, 4}
	quote := ipv4Datagram(src, dst, tcp)
	// Cut short, as routers do: the total length says more than there is.
	binary.BigEndian.PutUint16(quote[2:], 1500)
	d, ok := parseICMP(icmpMessage(icmpTimeExceeded, 0, quote, false))
	if !ok || d.Err != syscall.EHOSTUNREACH || d.Peer != netip.AddrPortFrom(dst, 80) || d.Local != src || string(d.Data) != string(tcp) {
		t.Fatalf("%v %+v", ok, d)
	}
	for mtu, want := range map[uint16]int{0: 0, 67: 0, 68: 48, 1200: 1180} {
		b := icmpMessage(icmpUnreachable, codeFragNeeded, quote, false)
		binary.BigEndian.PutUint16(b[6:], mtu)
		b[2], b[3] = 0, 0
		binary.BigEndian.PutUint16(b[2:], ^segment.InternetSum(b))
		if d, ok := parseICMP(b); !ok || d.Err != syscall.EMSGSIZE || d.SegmentSize != want {
			t.Errorf("a next hop with an MTU of %d: %v, %v, segments of %d, want %d", mtu, ok, d.Err, d.SegmentSize, want)
		}
	}
	with := func(f func(q []byte) []byte) []byte { return f(append([]byte(nil), quote...)) }
	for name, b := range map[string][]byte{
		"empty":             nil,
		"no quote":          icmpMessage(icmpUnreachable, 1, nil, false),
		"a bad checksum":    icmpMessage(icmpUnreachable, 1, quote, true),
		"a source quench":   icmpMessage(4, 0, quote, false),
		"an echo":           icmpMessage(8, 0, quote, false),
		"7 octets of TCP":   icmpMessage(icmpUnreachable, 1, quote[:27], false),
		"UDP":               icmpMessage(icmpUnreachable, 1, with(func(q []byte) []byte { q[9] = 17; return q }), false),
		"a later fragment":  icmpMessage(icmpUnreachable, 1, with(func(q []byte) []byte { q[7] = 8; return q }), false),
		"IPv6":              icmpMessage(icmpUnreachable, 1, with(func(q []byte) []byte { q[0] = 0x65; return q }), false),
		"options beyond it": icmpMessage(icmpUnreachable, 1, with(func(q []byte) []byte { q[0] = 0x4f; return q }), false),
	} {
		if d, ok := parseICMP(b); ok {
			t.Errorf("%s makes a report: %v", name, d.Err)
		}
	}
}

func FuzzParse(f *testing.F) {
	src, dst := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.4.5.6")
	d := ipv4Datagram(src, dst, make([]byte, 20))
	f.Add(d)
	f.Add(icmpMessage(icmpUnreachable, codeFragNeeded, d, false))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok := parseHeader(b); ok {
			if len(h.payload) > len(b)-ipv4Header {
				t.Error("more payload than there is")
			}
			parseICMP(h.payload)
		}
		if d, ok := parseICMP(b); ok && (len(d.Data) < 8 || d.Err == nil) {
			t.Errorf("a report of %d octets, %v", len(d.Data), d.Err)
		}
	})
}

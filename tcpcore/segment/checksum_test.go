package segment

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// slowSum is the checksum as RFC 9293 section 3.1 words it: 16 bits at a time.
func slowSum(b []byte, src, dst netip.Addr) uint16 {
	var p []byte
	p = append(p, src.Unmap().AsSlice()...)
	p = append(p, dst.Unmap().AsSlice()...)
	if src.Unmap().Is4() {
		p = append(p, 0, 6)
		p = binary.BigEndian.AppendUint16(p, uint16(len(b)))
	} else {
		p = binary.BigEndian.AppendUint32(p, uint32(len(b)))
		p = append(p, 0, 0, 0, 6)
	}
	p = append(p, b...)
	if len(p)%2 != 0 {
		p = append(p, 0)
	}
	var sum uint32
	for ; len(p) > 0; p = p[2:] {
		sum += uint32(binary.BigEndian.Uint16(p))
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// TestChecksumKnown checks two segments worked out by hand.
func TestChecksumKnown(t *testing.T) {
	for _, c := range []struct{ src, dst, seg, want string }{
		// c0a8+0001+c0a8+00c7+0006+0014 + 0400+0800+0001+0002+5010+0fff = 1ee44, folded ee45.
		{"192.168.0.1", "192.168.0.199", "04000800000000010000000250100fff00000000", "11ba"},
		// 1+1+14+6 + 0400+0800+0001+5002 = 5c1f.
		{"::1", "::1", "0400080000000001000000005002000000000000", "a3e0"},
	} {
		b, err := hex.DecodeString(c.seg)
		if err != nil {
			t.Fatal(err)
		}
		src, dst := netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst)
		SetChecksum(b, src, dst)
		if got := hex.EncodeToString(b[16:18]); got != c.want {
			t.Errorf("%s > %s %s: checksum %s, want %s", c.src, c.dst, c.seg, got, c.want)
		}
	}
}

// TestChecksumAgrees compares with the plain algorithm at every length, and checks
// that any single wrong bit is noticed.
//
// Shows: MUST-2, MUST-3.
func TestChecksumAgrees(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	addrs := [][2]netip.Addr{
		{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("255.254.253.252")},
		{netip.MustParseAddr("2001:db8::ffff"), netip.MustParseAddr("fe80::1")},
		{netip.MustParseAddr("::ffff:10.1.2.3"), netip.MustParseAddr("10.9.9.9")},
	}
	for n := FixedHeaderLen; n < 200; n++ {
		for _, a := range addrs {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			if n%3 == 0 { // provoke carries
				for i := range b {
					b[i] = 0xff
				}
			}
			SetChecksum(b, a[0], a[1])
			got := binary.BigEndian.Uint16(b[16:])
			b[16], b[17] = 0, 0
			if want := slowSum(b, a[0], a[1]); got != want {
				t.Fatalf("%d bytes from %v: checksum %04x, want %04x", n, a, got, want)
			}
			SetChecksum(b, a[0], a[1])
			if !VerifyChecksum(b, a[0], a[1]) {
				t.Fatalf("%d bytes from %v: own checksum refused", n, a)
			}
			if a[0].Unmap().Is4() && VerifyChecksum(b, a[0].Next(), a[1]) {
				t.Fatalf("%d bytes: a wrong source address passes", n)
			}
			for bit := range n * 8 {
				b[bit/8] ^= 1 << (bit % 8)
				if VerifyChecksum(b, a[0], a[1]) {
					t.Fatalf("%d bytes: bit %d flipped, and the checksum passes", n, bit)
				}
				b[bit/8] ^= 1 << (bit % 8)
			}
		}
	}
	for n := range FixedHeaderLen {
		if VerifyChecksum(make([]byte, n), addrs[0][0], addrs[0][1]) {
			t.Errorf("%d bytes pass as a segment", n)
		}
	}
}

// TestInternetSum checks the example of RFC 1071 section 3, every length against the plain
// algorithm, and that a message with its checksum sums to all ones.
func TestInternetSum(t *testing.T) {
	example := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	if got := InternetSum(example); got != 0xddf2 {
		t.Errorf("RFC 1071's example sums to %04x, want ddf2", got)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for n := range 200 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		var want uint32
		for i, octet := range b {
			if i%2 == 0 {
				want += uint32(octet) << 8
			} else {
				want += uint32(octet)
			}
			want = want>>16 + want&0xffff
		}
		if got := InternetSum(b); got != uint16(want) {
			t.Errorf("%d octets sum to %04x, want %04x", n, got, want)
		}
		if n < 2 {
			continue
		}
		b[0], b[1] = 0, 0
		binary.BigEndian.PutUint16(b, ^InternetSum(b))
		if got := InternetSum(b); got != 0xffff {
			t.Errorf("%d octets with their checksum sum to %04x", n, got)
		}
	}
}

// TestPartialChecksum checks the sum of the pseudo-header alone, at every length, and
// that neither a complete checksum nor any other value is taken for one.
func TestPartialChecksum(t *testing.T) {
	src, dst := netip.MustParseAddr("10.77.0.2"), netip.MustParseAddr("10.77.0.1")
	for n := FixedHeaderLen; n < 3000; n += 7 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i * n)
		}
		// What is complemented in a complete checksum is not here.
		empty := make([]byte, n)
		SetChecksum(empty, src, dst)
		partial := ^binary.BigEndian.Uint16(empty[16:])
		for _, c := range []struct {
			field uint16
			want  bool
		}{{partial, true}, {partial + 1, false}, {^partial, false}, {0, false}} {
			binary.BigEndian.PutUint16(b[16:], c.field)
			if got := PartialChecksum(b, src, dst); got != c.want {
				t.Fatalf("%d bytes, checksum %04x: partial is %v, want %v", n, c.field, got, c.want)
			}
		}
		binary.BigEndian.PutUint16(b[16:], partial)
		if PartialChecksum(b[:n-1], src, dst) || PartialChecksum(b, src.Next(), dst) {
			t.Fatalf("%d bytes: another length or address passes", n)
		}
	}
	if PartialChecksum(make([]byte, FixedHeaderLen-1), src, dst) {
		t.Error("less than a header passes")
	}
	// As the kernel showed it: 7272 bytes, ones' complement of the address sum and so on.
	kernel := make([]byte, 7272)
	binary.BigEndian.PutUint16(kernel[16:], 0x310b)
	if !PartialChecksum(kernel, src, dst) {
		t.Error("what Linux left for the device is not known")
	}
}

// TestChecksumOddAddresses checks that no pair of addresses, mixed or missing, panics.
func TestChecksumOddAddresses(t *testing.T) {
	b := make([]byte, 21)
	as := []netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1")}
	for _, src := range as {
		for _, dst := range as {
			SetChecksum(b, src, dst)
			if !VerifyChecksum(b, src, dst) {
				t.Errorf("%v > %v: own checksum refused", src, dst)
			}
		}
	}
}

func BenchmarkChecksum(b *testing.B) {
	src, dst := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.1.2.4")
	for _, n := range []int{32, 1472, 65000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			buf := make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				SetChecksum(buf, src, dst)
			}
		})
	}
}

package udpcarrier

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"unsafe"

	"example.com/culvert/carrier"
	"example.com/culvert/internal/mmsg"
)

// segmentOfLen is n bytes at random that begin like a segment with a header of head bytes.
func segmentOfLen(r *rand.Rand, head, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	if n > dataOffset {
		b[dataOffset] = byte(head / 4 << 4)
	}
	return b
}

// readInto reads n datagrams into p, and checks what carrier.Placer says of each batch. It returns
// them whole, and how many had their data in p.
func readInto(t *testing.T, c *Carrier, p []byte, n int) (segs [][]byte, placed int) {
	t.Helper()
	for len(segs) < n {
		b, err := c.ReadInto(p)
		if err != nil {
			t.Fatal(err)
		}
		stream, stray := 0, false
		for i := range b.Datagrams {
			d := &b.Datagrams[i]
			if len(d.Heads) == 0 {
				stray = stray || headerLen(d.Data) != len(d.Data)
				for seg := range d.Segments {
					segs = append(segs, bytes.Clone(seg))
				}
				continue
			}
			placed++
			segs = append(segs, append(bytes.Clone(d.Heads), d.Data...))
			at := int(uintptr(unsafe.Pointer(&d.Data[0])) - uintptr(unsafe.Pointer(&p[0])))
			switch {
			case stray:
				t.Error("data is in place behind data that is not")
			case d.HeadSize != len(d.Heads) || headerLen(d.Heads) != len(d.Heads) || d.SegmentSize != 0:
				t.Errorf("a header of %d bytes in %d, %d a segment", d.HeadSize, len(d.Heads), d.SegmentSize)
			case at < stream || at+len(d.Data) > len(p):
				t.Errorf("%d bytes at %d of %d, behind %d", len(d.Data), at, len(p), stream)
			}
			stream += len(d.Data)
		}
		b.Release()
	}
	return segs, placed
}

// Segments of any length arrive whole and in order, wherever their data is put, also if they are
// not as those before were.
func TestReadInto(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	c := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
	defer c.Close()
	a := must[*net.UDPConn](t)(net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(c.LocalAddr())))
	defer a.Close()
	room := make([]byte, 150<<10)
	placed := 0
	for range 600 {
		usual := []int{9000, 32 << 10, 65507}[r.IntN(3)]
		var sent [][]byte
		for total := 0; len(sent) < 6 && total < 128<<10; total += len(sent[len(sent)-1]) {
			head, n := 32, usual
			switch r.IntN(12) {
			case 0:
				head = 20 + 4*r.IntN(11)
			case 1:
				n = 1 + r.IntN(65507)
			case 2:
				n = head // an acknowledgment
			case 3:
				head = 44
				n = head // with SACK blocks
			case 4:
				head, n = 20, 20+r.IntN(20) // data where no header was thought to end
			case 5:
				head, n = 4*r.IntN(16), 1+r.IntN(70)
			}
			sent = append(sent, segmentOfLen(r, head, n))
		}
		for _, b := range sent {
			must[int](t)(a.Write(b))
		}
		size := []int{0, 1, usual - 33, usual - 32, 2*usual + 100, len(room) - 100}[r.IntN(6)]
		p := room[:min(size, len(room)-100)]
		clear(room)
		got, n := readInto(t, c, p, len(sent))
		placed += n
		for i := range sent {
			if !bytes.Equal(got[i], sent[i]) {
				t.Fatalf("segment %d of %d bytes is another", i, len(sent[i]))
			}
		}
		if out := room[len(p):]; !bytes.Equal(out, make([]byte, len(out))) {
			t.Fatal("something was written behind the buffer")
		}
	}
	if placed < 200 {
		t.Errorf("the data of %d segments was put in its place", placed)
	}
}

// Trains, which the kernel coalesces, are not placed, and arrive whole also where one long segment
// was expected.
func TestReadIntoTrain(t *testing.T) {
	b := must[*Carrier](t)(Listen("udp", at(loopback4, 0), Options{}))
	a := must[*Carrier](t)(Dial("udp", netip.AddrPort{}, b.LocalAddr(), Options{}))
	defer a.Close()
	defer b.Close()
	r := rand.New(rand.NewPCG(5, 6))
	p := make([]byte, 128<<10)
	for range 20 {
		long, train := segmentOfLen(r, 32, 40000), make([]byte, 0, 40000)
		for range 30 {
			train = append(train, segmentOfLen(r, 32, 1000)...)
		}
		send(t, a, carrier.Datagram{Data: long}, carrier.Datagram{Data: long}, carrier.Datagram{Data: train, SegmentSize: 1000})
		got, _ := readInto(t, b, p, 32)
		if all := bytes.Join(got, nil); !bytes.Equal(all[:40000], long) || !bytes.Equal(all[80000:], train) {
			t.Fatal("what arrived is not what was sent")
		}
	}
}

// What is expected of messages: what the longest of the last batch was, unless they were small.
func TestExpectation(t *testing.T) {
	seg := func(head, n int) []byte { return segmentOfLen(rand.New(rand.NewPCG(7, 8)), head, n) }
	before := mmsg.Shape{Head: 32, Segment: 40000}
	for name, c := range map[string]struct {
		segs [][]byte
		want mmsg.Shape
	}{
		"large":           {[][]byte{seg(32, 9000), seg(20, 30000), seg(32, 100)}, mmsg.Shape{Head: 20, Segment: 30000}},
		"small":           {[][]byte{seg(32, 1480)}, mmsg.Shape{}},
		"acknowledgments": {[][]byte{seg(32, 32), seg(44, 44)}, before},
		"trains":          {nil, mmsg.Shape{}},
	} {
		var p placing
		for _, s := range c.segs {
			p.note(s, len(s))
		}
		if got := p.next(before); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

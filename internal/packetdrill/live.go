package packetdrill

import (
	"encoding/binary"
	"errors"
	"time"
)

// This file reads and writes segments on its own: a judge should not take its
// knowledge of the wire from whom it judges.

// live is one segment that the stack sent.
type live struct {
	at       time.Duration // since the script began
	src, dst uint16        // ports of the TCP header
	udpSrc   uint16        // ports of the carrier
	udpDst   uint16
	tos, hop uint8
	k        Packet // with live numbers
	data     []byte
	// cut: it is what is left of a segment of which the beginning was matched already.
	cut bool
}

var errHeader = errors.New("the segment's header is malformed")

// decode reads a segment.
func decode(b []byte) (*live, error) {
	if len(b) < 20 {
		return nil, errHeader
	}
	hdr := int(b[12]>>4) * 4
	if hdr < 20 || hdr > len(b) {
		return nil, errHeader
	}
	l := &live{src: binary.BigEndian.Uint16(b), dst: binary.BigEndian.Uint16(b[2:])}
	l.data = b[hdr:]
	k := &l.k
	k.TOS, k.TTL = -1, -1
	k.Seq = binary.BigEndian.Uint32(b[4:])
	k.Flags = Flags(b[13]) | Flags(b[12]&1)<<8
	k.Len = len(l.data)
	k.Ack = binary.BigEndian.Uint32(b[8:])
	k.HasAck = k.Flags&FlagACK != 0
	k.Win = int(binary.BigEndian.Uint16(b[14:]))
	k.Urg = int(binary.BigEndian.Uint16(b[18:]))
	if k.Flags&FlagURG == 0 && k.Urg == 0 {
		k.Urg = -1
	}
	var err error
	k.Options, err = decodeOptions(b[20:hdr])
	return l, err
}

func decodeOptions(b []byte) ([]TCPOption, error) {
	var all []TCPOption
	for len(b) > 0 {
		o := TCPOption{Kind: OptionKind(b[0])}
		if o.Kind == OptEOL || o.Kind == OptNOP {
			all = append(all, o)
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return nil, errHeader
		}
		v := b[2:b[1]]
		b = b[b[1]:]
		switch {
		case o.Kind == OptMSS && len(v) == 2:
			o.Value = uint32(binary.BigEndian.Uint16(v))
		case o.Kind == OptWScale && len(v) == 1:
			o.Value = uint32(v[0])
		case o.Kind == OptSACKPerm && len(v) == 0:
		case o.Kind == OptSACK && len(v) > 0 && len(v)%8 == 0:
			for ; len(v) > 0; v = v[8:] {
				o.Blocks = append(o.Blocks, Block{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])})
			}
		case o.Kind == OptTS && len(v) == 8:
			o.Value, o.Ecr = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
		case o.Kind == OptFOEXP && len(v) >= 2 && v[0] == 0xf9 && v[1] == 0x89:
			o.Data = v[2:]
		case o.Kind <= OptTS && o.Kind != 6 && o.Kind != 7:
			return nil, errHeader // the right kind, the wrong length
		default:
			o.Data = v
		}
		all = append(all, o)
	}
	return all, nil
}

// encode writes a segment with the numbers of k. The checksum is zero.
func encode(k *Packet, src, dst uint16, data []byte) ([]byte, error) {
	opts, err := encodeOptions(k.Options)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 20, 20+len(opts)+len(data))
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	binary.BigEndian.PutUint32(b[4:], k.Seq)
	binary.BigEndian.PutUint32(b[8:], k.Ack)
	b[12] = byte((20+len(opts))/4)<<4 | byte(k.Flags>>8&1)
	b[13] = byte(k.Flags)
	binary.BigEndian.PutUint16(b[14:], uint16(max(k.Win, 0)))
	binary.BigEndian.PutUint16(b[18:], uint16(max(k.Urg, 0)))
	b = append(b, opts...)
	return append(b, data...), nil
}

func encodeOptions(list []TCPOption) ([]byte, error) {
	var b []byte
	for i := range list {
		o := &list[i]
		switch o.Kind {
		case OptEOL, OptNOP:
			b = append(b, byte(o.Kind))
		case OptMSS:
			b = append(b, 2, 4)
			b = binary.BigEndian.AppendUint16(b, uint16(o.Value))
		case OptWScale:
			b = append(b, 3, 3, byte(o.Value))
		case OptSACKPerm:
			b = append(b, 4, 2)
		case OptSACK:
			b = append(b, 5, byte(2+8*len(o.Blocks)))
			for _, k := range o.Blocks {
				b = binary.BigEndian.AppendUint32(b, k.Left)
				b = binary.BigEndian.AppendUint32(b, k.Right)
			}
		case OptTS:
			b = append(b, 8, 10)
			b = binary.BigEndian.AppendUint32(b, o.Value)
			b = binary.BigEndian.AppendUint32(b, o.Ecr)
		case OptFO:
			b = append(b, byte(OptFO), byte(2+len(o.Data)))
			b = append(b, o.Data...)
		case OptFOEXP:
			b = append(b, byte(OptFOEXP), byte(4+len(o.Data)), 0xf9, 0x89)
			b = append(b, o.Data...)
		default:
			return nil, unsupported("TCP option %s", o.String())
		}
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	if len(b) > maxTCPOption {
		return nil, errors.New("the TCP options need more than 40 octets")
	}
	return b, nil
}

// sum16 is the Internet checksum (RFC 1071) of the segment b between two addresses
// (RFC 9293 section 3.1): 0 if the segment's own checksum is right.
func sum16(b []byte, src, dst []byte) uint16 {
	var sum uint32
	add := func(p []byte) {
		for i := 0; i+1 < len(p); i += 2 {
			sum += uint32(p[i])<<8 | uint32(p[i+1])
		}
		if len(p)%2 == 1 {
			sum += uint32(p[len(p)-1]) << 8
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
	}
	add(src)
	add(dst)
	add([]byte{0, 6, byte(len(b) >> 24), byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))})
	add(b)
	return ^uint16(sum)
}

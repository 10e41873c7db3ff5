package packetdrill

import (
	"fmt"
	"strings"
	"time"
)

// seconds prints a time as packetdrill does.
func seconds(d time.Duration) string {
	if d < 0 {
		return "-" + seconds(-d)
	}
	d = d.Round(time.Microsecond)
	return fmt.Sprintf("%d.%06d", d/time.Second, d%time.Second/time.Microsecond)
}

// String spells the packet as a script does, without its arrow.
func (k *Packet) String() string {
	var b strings.Builder
	for _, e := range k.Encap {
		fmt.Fprintf(&b, "%s: ", e)
	}
	if k.ECN != ECNUnset {
		fmt.Fprintf(&b, "[%s] ", [...]string{"", "noecn", "ect0", "ect1", "ect01", "ce"}[k.ECN])
	}
	if k.TOS >= 0 {
		fmt.Fprintf(&b, "(tos 0x%x) ", k.TOS)
	}
	if k.TTL >= 0 {
		fmt.Fprintf(&b, "(ttl %d) ", k.TTL)
	}
	if k.HasPorts {
		fmt.Fprintf(&b, "%d > %d ", k.Src, k.Dst)
	}
	switch k.Proto {
	case ProtoICMP:
		b.WriteString(k.ICMP.String())
		return b.String()
	case ProtoUDP:
		fmt.Fprintf(&b, "udp (%d)", k.Len)
		return b.String()
	case ProtoOther:
		return b.String() + k.Other
	}
	fmt.Fprintf(&b, "%v %d:%d(%d)", k.Flags, k.Seq, k.Seq+uint32(k.Len), k.Len)
	if k.HasAck {
		fmt.Fprintf(&b, " ack %d", k.Ack)
	}
	if k.Win >= 0 {
		fmt.Fprintf(&b, " win %d", k.Win)
	}
	if k.Urg >= 0 {
		fmt.Fprintf(&b, " urg %d", k.Urg)
	}
	if k.AnyOptions || len(k.Options) > 0 {
		list := make([]string, 0, len(k.Options)+1)
		for i := range k.Options {
			list = append(list, k.Options[i].String())
		}
		if k.AnyOptions {
			list = append(list, "...")
		}
		fmt.Fprintf(&b, " <%s>", strings.Join(list, ","))
	}
	if k.HasUDP {
		fmt.Fprintf(&b, " /udp(%d > %d)", k.UDPSrc, k.UDPDst)
	}
	return b.String()
}

// String spells the message as a script does.
func (m *ICMP) String() string {
	name := "icmp"
	if m.V6 {
		name = "icmpv6"
	}
	s := name + " " + strings.Join(m.Words, " ")
	if m.MTU > 0 {
		s += fmt.Sprintf(" mtu %d", m.MTU)
	}
	if m.Body != "" {
		s += " [" + m.Body + "]"
	}
	return s
}

// String spells the option as a script does.
func (o *TCPOption) String() string {
	num := func(v uint32, any bool) string {
		if any {
			return "..."
		}
		return fmt.Sprint(v)
	}
	switch o.Kind {
	case OptEOL:
		return "eol"
	case OptNOP:
		return "nop"
	case OptMSS:
		return "mss " + num(o.Value, o.AnyValue)
	case OptWScale:
		return "wscale " + num(o.Value, o.AnyValue)
	case OptSACKPerm:
		return "sackOK"
	case OptSACK:
		s := "sack"
		for _, b := range o.Blocks {
			s += fmt.Sprintf(" %d:%d", b.Left, b.Right)
		}
		return s
	case OptTS:
		return "TS val " + num(o.Value, o.AnyValue) + " ecr " + num(o.Ecr, o.AnyEcr)
	case OptFO:
		return strings.TrimSpace(fmt.Sprintf("FO %x", o.Data))
	case OptFOEXP:
		return strings.TrimSpace(fmt.Sprintf("FOEXP %x", o.Data))
	case OptAny:
		return "..."
	case OptUnknown:
		return o.Text
	}
	return fmt.Sprintf("kind %d 0x%x", int(o.Kind), o.Data)
}

package packetdrill

import (
	"fmt"
	"slices"
)

// comparison is of a line and a segment in the line's numbers.
type comparison struct {
	level Level
	want  Packet
	got   Packet
}

// run reports the first difference, in packetdrill's words. rest: want is what
// earlier segments left of the line, so its options were compared.
func (c *comparison) run(rest, oneToOne bool) error {
	w, g := &c.want, &c.got
	lenient := c.level == Lenient
	differ := func(field string, want, got any) error {
		return fmt.Errorf("live packet field %s: expected: %v vs actual: %v", field, want, got)
	}
	hex := func(v uint32) string { return fmt.Sprintf("%d (0x%x)", v, v) }
	// Of a line with several segments, the last carries FIN and PSH.
	wf, gf := w.Flags, g.Flags
	switch {
	case g.Len < w.Len && !oneToOne:
		wf &^= FlagFIN | FlagPSH
		gf &^= FlagPSH
	case g.Len > w.Len && lenient && w.Len > 0:
		wf &^= FlagPSH
		gf &^= FlagFIN | FlagPSH
	}
	if rest && lenient {
		wf, gf = wf&^FlagPSH, gf&^FlagPSH
	}
	if w.Seq != g.Seq {
		return differ("tcp_seq", hex(w.Seq), hex(g.Seq))
	}
	if w.HasAck && w.Flags&FlagACK != 0 && w.Ack != g.Ack {
		return differ("tcp_ack_seq", hex(w.Ack), hex(g.Ack))
	}
	switch {
	case g.Len == w.Len:
	case g.Len < w.Len && g.Len > 0 && !oneToOne:
	case g.Len > w.Len && w.Len > 0 && lenient && !oneToOne:
	default:
		return fmt.Errorf("live packet payload: expected %d bytes vs actual %d bytes", w.Len, g.Len)
	}
	for i := range flagLetters {
		bit := Flags(1) << i
		if wf&bit != gf&bit {
			return differ("tcp_"+flagNames[i], flagBit(wf, bit), flagBit(gf, bit))
		}
	}
	if w.Win >= 0 && w.Win != g.Win && !lenient {
		return differ("tcp_window", hex(uint32(w.Win)), hex(uint32(g.Win)))
	}
	if w.Urg >= 0 && w.Urg != max(g.Urg, 0) {
		return differ("tcp_urg_ptr", hex(uint32(w.Urg)), hex(uint32(max(g.Urg, 0))))
	}
	if err := c.options(); err != nil && !rest {
		return err
	}
	return nil
}

var flagNames = [...]string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ae"}

func flagBit(f, bit Flags) int {
	if f&bit != 0 {
		return 1
	}
	return 0
}

// options compares the option lists: as they are, or without order and padding.
func (c *comparison) options() error {
	w, g := c.want.Options, c.got.Options
	if c.want.AnyOptions && len(w) == 0 {
		return nil
	}
	lenient := c.level == Lenient
	if lenient || c.want.AnyOptions {
		w, g = sortedOptions(w), sortedOptions(g)
	} else {
		w, g = trimEOL(w), trimEOL(g)
	}
	if c.want.AnyOptions {
		// Those that are written must be there.
		for i := range w {
			o := findOption(g, w[i].Kind)
			if o == nil || !sameOption(&w[i], o, lenient) {
				return fmt.Errorf("bad outbound TCP options: no %v", &w[i])
			}
		}
		return nil
	}
	for i := range min(len(w), len(g)) {
		if w[i].Kind != g[i].Kind {
			return fmt.Errorf("bad outbound TCP options: expected %v, found %v as option %d", &w[i], &g[i], i+1)
		}
		if !sameOption(&w[i], &g[i], lenient) {
			return fmt.Errorf("bad value outbound TCP option %d: expected %v vs actual %v", i+1, &w[i], &g[i])
		}
	}
	switch {
	case len(w) > len(g):
		return fmt.Errorf("bad outbound TCP options: %v is missing", &w[len(g)])
	case len(w) < len(g):
		return fmt.Errorf("bad outbound TCP options: %v is not expected", &g[len(w)])
	}
	return nil
}

// sortedOptions drops padding and puts the rest in the order of their numbers.
func sortedOptions(list []TCPOption) []TCPOption {
	var out []TCPOption
	for _, o := range list {
		if o.Kind != OptNOP && o.Kind != OptEOL {
			out = append(out, o)
		}
	}
	slices.SortStableFunc(out, func(a, b TCPOption) int { return int(a.Kind) - int(b.Kind) })
	return out
}

// trimEOL drops the end of the list and what stands behind it, which nobody reads.
func trimEOL(list []TCPOption) []TCPOption {
	for i := range list {
		if list[i].Kind == OptEOL {
			return list[:i]
		}
	}
	return list
}

func findOption(list []TCPOption, kind OptionKind) *TCPOption {
	for i := range list {
		if list[i].Kind == kind {
			return &list[i]
		}
	}
	return nil
}

// sameOption compares two of one kind. The shift of a window is a matter of windows, so
// the lenient level does not look at it. The value of a timestamp is compared elsewhere.
func sameOption(w, g *TCPOption, lenient bool) bool {
	switch w.Kind {
	case OptMSS:
		return w.AnyValue || w.Value == g.Value
	case OptWScale:
		return w.AnyValue || w.Value == g.Value || lenient
	case OptTS:
		return w.AnyEcr || w.Ecr == g.Ecr
	case OptSACK:
		return slices.Equal(w.Blocks, g.Blocks)
	case OptFO, OptFOEXP, OptMD5:
		return slices.Equal(w.Data, g.Data)
	}
	return true
}

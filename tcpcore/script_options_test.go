package tcpcore

import (
	"fmt"
	"slices"

	"example.com/culvert/tcpcore/segment"
)

// A segOpt changes a segment for recv, or checks one for want.
type segOpt struct {
	name  string
	set   func(*script, *segment.Segment)
	check func(*script, *segment.Segment) bool
}

// optWin is the window field as on the wire.
func optWin(n int) segOpt {
	return segOpt{fmt.Sprint("win=", n),
		func(_ *script, g *segment.Segment) { g.Window = uint16(n) },
		func(_ *script, g *segment.Segment) bool { return g.Window == uint16(n) }}
}

// optMSS is the MSS option; 0 wants none.
func optMSS(n int) segOpt {
	return segOpt{fmt.Sprint("mss=", n),
		func(_ *script, g *segment.Segment) { g.Options.MSS = uint16(n) },
		func(_ *script, g *segment.Segment) bool { return g.Options.MSS == uint16(n) }}
}

// optScale is the window scale option; -1 wants none.
func optScale(n int) segOpt {
	return segOpt{fmt.Sprint("wscale=", n),
		func(_ *script, g *segment.Segment) {
			g.Options.HasWindowScale, g.Options.WindowScale = n >= 0, uint8(n)
		},
		func(_ *script, g *segment.Segment) bool {
			return g.Options.HasWindowScale == (n >= 0) && (n < 0 || g.Options.WindowScale == uint8(n))
		}}
}

// optSACKOK is SACK-permitted.
func optSACKOK() segOpt {
	return segOpt{"sackOK",
		func(_ *script, g *segment.Segment) { g.Options.SACKPermitted = true },
		func(_ *script, g *segment.Segment) bool { return g.Options.SACKPermitted }}
}

// optNoSACKOK wants no SACK-permitted.
func optNoSACKOK() segOpt {
	return segOpt{"no sackOK", func(*script, *segment.Segment) {},
		func(_ *script, g *segment.Segment) bool { return !g.Options.SACKPermitted }}
}

// optTS is the timestamps option with these two values.
func optTS(val, ecr uint32) segOpt {
	return segOpt{fmt.Sprint("ts=", val, ",", ecr),
		func(_ *script, g *segment.Segment) {
			g.Options.HasTimestamps, g.Options.TSVal, g.Options.TSEcr = true, val, ecr
		},
		func(_ *script, g *segment.Segment) bool {
			return g.Options.HasTimestamps && g.Options.TSVal == val && g.Options.TSEcr == ecr
		}}
}

// optTSOn is the timestamps option with any values, the peer's clock and echo on recv.
func optTSOn() segOpt {
	return segOpt{"ts",
		func(s *script, g *segment.Segment) {
			g.Options.HasTimestamps, g.Options.TSVal, g.Options.TSEcr = true, s.tsNow(), s.tsRecent
		},
		func(_ *script, g *segment.Segment) bool { return g.Options.HasTimestamps }}
}

// optTSEcr wants this echo and any value.
func optTSEcr(ecr uint32) segOpt {
	return segOpt{fmt.Sprint("ecr=", ecr), func(_ *script, g *segment.Segment) { g.Options.TSEcr = ecr },
		func(_ *script, g *segment.Segment) bool { return g.Options.HasTimestamps && g.Options.TSEcr == ecr }}
}

// optNoTS leaves the timestamps option out, or wants it left out.
func optNoTS() segOpt {
	return segOpt{"no ts",
		func(_ *script, g *segment.Segment) {
			g.Options.HasTimestamps, g.Options.TSVal, g.Options.TSEcr = false, 0, 0
		},
		func(_ *script, g *segment.Segment) bool { return !g.Options.HasTimestamps }}
}

// optSACK is the SACK option with pairs of relative left and right edges: of the
// engine's numbers on recv, of the peer's on want.
func optSACK(edges ...int) segOpt {
	return segOpt{fmt.Sprint("sack=", edges),
		func(s *script, g *segment.Segment) {
			for i := 0; i+1 < len(edges); i += 2 {
				g.Options.SACK[i/2] = segment.SACKBlock{Left: s.ours(edges[i]), Right: s.ours(edges[i+1])}
			}
			g.Options.SACKCount = len(edges) / 2
		},
		func(s *script, g *segment.Segment) bool { return slices.Equal(s.sackEdges(g), edges) }}
}

// optAnySACK accepts whatever SACK blocks there are.
func optAnySACK() segOpt {
	return segOpt{"any sack", func(*script, *segment.Segment) {}, func(*script, *segment.Segment) bool { return true }}
}

// optUrg is the urgent pointer, relative to the segment's sequence number as on the wire.
func optUrg(n int) segOpt {
	return segOpt{fmt.Sprint("urg=", n),
		func(_ *script, g *segment.Segment) { g.Urgent = uint16(n) },
		func(_ *script, g *segment.Segment) bool { return g.Urgent == uint16(n) }}
}

// optClass is the traffic class of the datagram, whose lower two bits are the ECN field.
func optClass(n uint8) segOpt {
	return segOpt{fmt.Sprint("class=", n),
		func(_ *script, g *segment.Segment) { g.TrafficClass = n },
		func(_ *script, g *segment.Segment) bool { return g.TrafficClass == n }}
}

// optNoPSH wants the PSH bit clear; want otherwise looks at PSH only if it is asked for.
func optNoPSH() segOpt {
	return segOpt{"no psh", func(*script, *segment.Segment) {},
		func(_ *script, g *segment.Segment) bool { return !g.Flags.Has(PSH) }}
}

// optSet changes a segment for recv in any way.
func optSet(f func(*segment.Segment)) segOpt {
	return segOpt{"set", func(_ *script, g *segment.Segment) { f(g) }, func(*script, *segment.Segment) bool { return true }}
}

package plot

import (
	"bytes"
	"fmt"
	"math"
)

// Bars is a chart with a horizontal bar for each name.
type Bars struct {
	Title string
	X     string // what the bars' length shows, with its unit
	Rows  []Bar
}

// A Bar is a value between the extremes that it was seen at.
type Bar struct {
	Name      string
	Value     float64
	Low, High float64
	Strong    bool // drawn in the first colour, others in a paler one
}

const (
	row       = 24
	names     = 120 // the width of the names
	barsRight = 90  // of the numbers
	barsFoot  = 40
)

// SVG draws the chart. Values that are not finite are left out.
func (c *Bars) SVG() []byte {
	hi := 0.0
	for _, r := range c.Rows {
		if finite(r.Value) {
			hi = max(hi, r.Value)
		}
		if finite(r.High) {
			hi = max(hi, r.High)
		}
	}
	x := linear(axis{from: names, to: width - barsRight}, 0, hi)
	var b bytes.Buffer
	end := head + row*len(c.Rows)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, end+barsFoot)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, end+barsFoot)
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="15">%s</text>`+"\n", names, escape(c.Title))
	for _, v := range x.at {
		p := x.pixel(v)
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			p, head, end, p, end+16, label(v))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", width-barsRight, end+32, escape(c.X))
	for i, r := range c.Rows {
		y := head + row*i
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", names-8, y+16, escape(r.Name))
		if !finite(r.Value) {
			continue
		}
		colour := "#bbbbbb"
		if r.Strong {
			colour = palette[0]
		}
		p := x.pixel(max(0, r.Value))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", names, y+4, p-names, row-8, colour)
		end := p
		if finite(r.Low) && finite(r.High) && r.High > r.Low {
			fmt.Fprintf(&b, `<path d="M%.1f %dH%.1f" stroke="black"/>`+"\n", x.pixel(max(0, r.Low)), y+row/2, x.pixel(r.High))
			end = max(end, x.pixel(r.High))
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`+"\n", end+6, y+16, round(r.Value))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// round is v with three digits, or all before the point.
func round(v float64) string {
	if math.Abs(v) >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

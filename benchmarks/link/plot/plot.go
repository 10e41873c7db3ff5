// Package plot draws lines in a frame as SVG: enough to see what a link did.
package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
)

// A Chart is one or more frames above each other that share the X axis.
type Chart struct {
	Title  string
	X      string // what the axis shows, with its unit
	LogX   bool   // positive values only; others are drawn at the left edge
	Frames []Frame
}

// A Frame has its own Y axis, which begins at 0.
type Frame struct {
	Y     string
	Lines []Line
}

// A Line connects its points in order. Lines of the same name in several frames have
// the same colour.
type Line struct {
	Name string
	Dots bool // draw the points, too
	X, Y []float64
}

const (
	width, height = 900, 230 // of a frame with its margins
	left, right   = 70, 170
	top, bottom   = 14, 34
	head          = 34
	ticks         = 5
)

// palette can be told apart by people who see fewer colours, too.
var palette = []string{
	"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#8b1a1a", "#6a3d9a", "#b2df8a",
}

// SVG draws the chart. Points that are not finite are left out.
func (c *Chart) SVG() []byte {
	var b bytes.Buffer
	all := head + height*len(c.Frames)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, all)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, all)
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="15">%s</text>`+"\n", left, escape(c.Title))
	x := c.xAxis()
	colours := make(map[string]string)
	for i, f := range c.Frames {
		c.frame(&b, f, x, float64(head+i*height), colours)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// An axis maps values to pixels.
type axis struct {
	lo, hi   float64
	from, to float64
	log      bool
	at       []float64 // values to be labelled
}

func (a axis) pixel(v float64) float64 {
	if a.log {
		v = math.Log10(max(v, a.lo)) // what a logarithm cannot show stands at the edge
		lo, hi := math.Log10(a.lo), math.Log10(a.hi)
		return a.from + (v-lo)/(hi-lo)*(a.to-a.from)
	}
	return a.from + (v-a.lo)/(a.hi-a.lo)*(a.to-a.from)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func (c *Chart) xAxis() axis {
	a := axis{from: left, to: width - right, log: c.LogX}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, f := range c.Frames {
		for _, l := range f.Lines {
			for _, v := range l.X {
				if finite(v) && (v > 0 || !c.LogX) {
					lo, hi = min(lo, v), max(hi, v)
				}
			}
		}
	}
	if c.LogX {
		if lo > hi {
			lo, hi = 1, 10
		}
		// One step to the left is the place of 0.
		first, last := math.Floor(math.Log10(lo))-1, math.Ceil(math.Log10(hi))
		last = max(last, first+1)
		a.lo, a.hi = math.Pow(10, first), math.Pow(10, last)
		for e := first; e <= last; e++ {
			a.at = append(a.at, math.Pow(10, e))
		}
		return a
	}
	if lo > hi {
		lo, hi = 0, 1
	}
	return linear(a, min(0, lo), hi)
}

// linear completes an axis with round values.
func linear(a axis, lo, hi float64) axis {
	if !(hi > lo) {
		hi = lo + 1
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/ticks)))
	for _, m := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(step*m) <= ticks {
			step *= m
			break
		}
	}
	a.lo, a.hi = math.Floor(lo/step)*step, math.Ceil(hi/step)*step
	for i := 0.0; a.lo+i*step <= a.hi+step/2; i++ {
		a.at = append(a.at, a.lo+i*step)
	}
	return a
}

func (c *Chart) frame(b *bytes.Buffer, f Frame, x axis, y0 float64, colours map[string]string) {
	hi := 0.0
	for _, l := range f.Lines {
		for _, v := range l.Y {
			if finite(v) {
				hi = max(hi, v)
			}
		}
	}
	y := linear(axis{from: y0 + height - bottom, to: y0 + top}, 0, hi)
	for _, v := range y.at {
		p := y.pixel(v)
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, p, width-right, left-6, p+4, label(v))
	}
	for i, v := range x.at {
		p, text := x.pixel(v), label(v)
		if x.log && i == 0 {
			text = "0"
		}
		fmt.Fprintf(b, `<path d="M%.1f %.1fV%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n",
			p, y.from, y.to, p, y.from+16, text)
	}
	fmt.Fprintf(b, `<text x="16" y="%.1f" transform="rotate(-90 16 %.1f)" text-anchor="middle">%s</text>`+"\n",
		(y.from+y.to)/2, (y.from+y.to)/2, escape(f.Y))
	fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", width-right, y.from+30, escape(c.X))
	for i, l := range f.Lines {
		colour, ok := colours[l.Name]
		if !ok {
			colour = palette[len(colours)%len(palette)]
			colours[l.Name] = colour
		}
		draw(b, l, x, y, colour)
		row := y.to + 10 + 16*float64(i)
		fmt.Fprintf(b, `<path d="M%d %.1fh18" stroke="%s" stroke-width="3"/><text x="%d" y="%.1f">%s</text>`+"\n",
			width-right+10, row-4, colour, width-right+34, row, escape(l.Name))
	}
}

func draw(b *bytes.Buffer, l Line, x, y axis, colour string) {
	var path, dots bytes.Buffer
	op := byte('M')
	for i := range min(len(l.X), len(l.Y)) {
		if !finite(l.X[i]) || !finite(l.Y[i]) {
			continue
		}
		px, py := x.pixel(l.X[i]), y.pixel(l.Y[i])
		fmt.Fprintf(&path, "%c%.1f %.1f", op, px, py)
		op = 'L'
		if l.Dots {
			fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, px, py, colour)
		}
	}
	if path.Len() > 0 {
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.3"/>%s`+"\n", path.Bytes(), colour, dots.Bytes())
	}
}

// label is a short form of a round number.
func label(v float64) string {
	if math.Abs(v) < 1e-12 {
		return "0"
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

func escape(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s)) // a Buffer takes everything
	return b.String()
}

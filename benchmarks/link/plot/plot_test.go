package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// elements parses an SVG and counts its elements; it fails if it is not XML.
func elements(t *testing.T, svg []byte) map[string]int {
	t.Helper()
	n := make(map[string]int)
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if s, ok := tok.(xml.StartElement); ok {
			n[s.Name.Local]++
		}
	}
}

// TestSVG: a chart with everything is XML with its names in it, and no coordinate is NaN.
func TestSVG(t *testing.T) {
	c := Chart{Title: `a < b & "c"`, X: "seconds", Frames: []Frame{
		{Y: "MB/s", Lines: []Line{{Name: "<one>", Dots: true, X: []float64{0, 1, 2}, Y: []float64{0, math.NaN(), 7}}, {Name: "two"}}},
		{Y: "ms", Lines: []Line{{Name: "<one>", X: []float64{0, math.Inf(1)}, Y: []float64{1, 1}}}},
		{Y: "nothing"},
	}}
	svg := c.SVG()
	if n := elements(t, svg); n["svg"] != 1 || n["circle"] != 2 {
		t.Errorf("elements: %v", n)
	}
	for _, want := range []string{"a &lt; b &amp; ", "&lt;one&gt;", "two", "seconds"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("%q is not in it", want)
		}
	}
	for _, bad := range []string{"NaN", "Inf"} {
		if strings.Contains(string(svg), bad) {
			t.Errorf("%s is in it", bad)
		}
	}
	if n := strings.Count(string(svg), palette[0]); n != 6 { // two lines, each with its legend, and two dots
		t.Errorf("the first colour is there %d times, want 6", n)
	}
}

// TestLogarithm: powers of ten are evenly spaced, and 0 has a place of its own.
func TestLogarithm(t *testing.T) {
	c := Chart{LogX: true, Frames: []Frame{{Lines: []Line{{X: []float64{0, 0.01, 10}, Y: []float64{1, 2, 3}}}}}}
	x := c.xAxis()
	if x.pixel(0) != x.from || x.pixel(10) != x.to {
		t.Errorf("the edges are at %v and %v", x.pixel(0), x.pixel(10))
	}
	if a, b := x.pixel(0.1)-x.pixel(0.01), x.pixel(10)-x.pixel(1); math.Abs(a-b) > 1e-9 || a <= 0 {
		t.Errorf("decades of %v and %v", a, b)
	}
	elements(t, c.SVG())
	none := Chart{LogX: true, Frames: []Frame{{}}}
	elements(t, none.SVG())
}

// TestLinear: labels are round and cover the values.
func TestLinear(t *testing.T) {
	for _, hi := range []float64{0, 1e-6, 0.3, 1, 7, 9.99, 10, 123, 1e9} {
		a := linear(axis{}, 0, hi)
		if a.hi < hi || len(a.at) < 2 || len(a.at) > ticks+2 {
			t.Errorf("up to %v: %v", hi, a.at)
		}
	}
}

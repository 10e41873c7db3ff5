package plot

import (
	"encoding/xml"
	"math"
	"strings"
	"testing"
)

// TestBars: valid XML with each name and value, lengths in proportion, and nothing for a
// value that is none.
func TestBars(t *testing.T) {
	c := Bars{Title: "a < b", X: "MB/s", Rows: []Bar{
		{Name: "first", Value: 100, Low: 90, High: 120, Strong: true},
		{Name: "half", Value: 50, Low: 50, High: 50},
		{Name: "none", Value: math.NaN(), Low: math.Inf(-1), High: math.Inf(1)},
	}}
	svg := string(c.SVG())
	var all struct {
		Rects []struct {
			Width float64 `xml:"width,attr"`
		} `xml:"rect"`
		Texts []string `xml:"text"`
	}
	if err := xml.Unmarshal([]byte(svg), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Rects) != 3 { // the first is the ground
		t.Fatalf("%d rectangles:\n%s", len(all.Rects), svg)
	}
	if r := all.Rects[1].Width / all.Rects[2].Width; r < 1.99 || r > 2.01 {
		t.Errorf("a bar twice as long is %v times as long", r)
	}
	texts := strings.Join(all.Texts, "|")
	for _, want := range []string{"a < b", "MB/s", "|first|", "|100|", "|half|", "|50|", "|none"} {
		if !strings.Contains(texts, want) {
			t.Errorf("the texts lack %q: %s", want, texts)
		}
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("what is no number is drawn:\n%s", svg)
	}
	(&Bars{}).SVG() // no rows are no reason to panic
}

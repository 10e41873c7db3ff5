package link

import (
	"math"
	"strings"
	"testing"
	"time"
)

// TestPresets: each is valid, has its own name and is found by it.
func TestPresets(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range Presets() {
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if seen[p.Name] {
			t.Errorf("%s is there twice", p.Name)
		}
		seen[p.Name] = true
		if got, err := Find(p.Name); err != nil || got.About != p.About {
			t.Errorf("Find(%q): %q, %v", p.Name, got.About, err)
		}
		// The queue is one round-trip time long.
		if q := p.transmission(p.Queue); q != p.RTT() {
			t.Errorf("%s: a queue of %v at a round-trip time of %v", p.Name, q, p.RTT())
		}
	}
	if _, err := Find("pigeon"); err == nil || !strings.Contains(err.Error(), "loss1") {
		t.Errorf("an unknown name gave %v", err)
	}
}

// TestCheck: each bad value is an error that names its field.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		field  string
		change func(*Path)
	}{
		{"Rate", func(p *Path) { p.Rate = 0 }},
		{"Rate", func(p *Path) { p.Rate = maxRate + 1 }},
		{"Queue", func(p *Path) { p.Queue = MTU }},
		{"Queue", func(p *Path) { p.Queue = maxQueue + 1 }},
		{"Loss", func(p *Path) { p.Loss = -0.1 }},
		{"Loss", func(p *Path) { p.Loss = math.NaN() }},
		{"AckLoss", func(p *Path) { p.AckLoss = 1.1 }},
		{"Reorder", func(p *Path) { p.Reorder = 2 }},
		{"Duplicate", func(p *Path) { p.Duplicate = 2 }},
		{"Delay", func(p *Path) { p.Delay = -1 }},
		{"ReorderBy", func(p *Path) { p.Reorder = 0.5 }},
		{"ReorderBy", func(p *Path) { p.ReorderBy = time.Hour }},
		{"Fade", func(p *Path) { p.Fade = -1 }},
		{"Fade", func(p *Path) { p.Fade, p.Burst = ms, 2 }},
		{"Fade", func(p *Path) { p.Fade, p.Loss = ms, 1 }},
		{"Burst", func(p *Path) { p.Burst = -1 }},
		{"Outages[0]", func(p *Path) { p.Outages = []Outage{{-1, 1}} }},
		{"Outages[0]", func(p *Path) { p.Outages = []Outage{{1, 0}} }},
		{"Outages[1]", func(p *Path) { p.Outages = []Outage{{1, 5}, {3, 5}} }},
	} {
		p := even()
		c.change(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), "Path."+c.field+":") {
			t.Errorf("a bad %s gave %v", c.field, err)
		}
	}
	if err := even().Check(); err != nil {
		t.Error(err)
	}
}

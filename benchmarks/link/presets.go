package link

import (
	"fmt"
	"strings"
	"time"
)

const mbit = 1e6 / 8

// queueFor is a queue that holds what the link sends in d.
func queueFor(rate int64, d time.Duration) int { return int(rate * int64(d) / int64(time.Second)) }

// Presets are the named paths. Their round-trip times are those of the names; the
// queue holds one round-trip time at the link's rate.
func Presets() []Path {
	const ms = time.Millisecond
	path := func(name, about string, rate int64, rtt time.Duration, change func(*Path)) Path {
		p := Path{Name: name, About: about, Rate: rate, Delay: rtt / 2, Queue: queueFor(rate, rtt)}
		if change != nil {
			change(&p)
		}
		return p
	}
	return []Path{
		path("clean", "100 Mbit/s, 50 ms, 50 ms queue", 100*mbit, 50*ms, nil),
		path("loss1", "100 Mbit/s, 50 ms, 1 % loss", 100*mbit, 50*ms, func(p *Path) { p.Loss = 0.01 }),
		path("loss5", "20 Mbit/s, 100 ms, 5 % loss", 20*mbit, 100*ms, func(p *Path) { p.Loss = 0.05 }),
		path("gigabit", "1 Gbit/s, 20 ms, 0.01 % loss, 20 ms queue", 1000*mbit, 20*ms, func(p *Path) { p.Loss = 0.0001 }),
		path("reorder", "100 Mbit/s, 50 ms, 1 % delayed by 10 ms", 100*mbit, 50*ms, func(p *Path) { p.Reorder, p.ReorderBy = 0.01, 10*ms }),
		path("burst", "100 Mbit/s, 50 ms, 1 % loss in bursts of 8 packets", 100*mbit, 50*ms, func(p *Path) { p.Loss, p.Burst = 0.01, 8 }),
		path("fade", "100 Mbit/s, 50 ms, 1 % of the time lost in fades of 1 ms", 100*mbit, 50*ms, func(p *Path) { p.Loss, p.Fade = 0.01, ms }),
		path("ackloss", "100 Mbit/s, 50 ms, 10 % of ACKs lost", 100*mbit, 50*ms, func(p *Path) { p.AckLoss = 0.1 }),
		path("outage", "100 Mbit/s, 50 ms, nothing passes from 4 s to 6 s", 100*mbit, 50*ms, func(p *Path) {
			p.Outages = []Outage{{4 * time.Second, 2 * time.Second}}
		}),
		path("duplicate", "100 Mbit/s, 50 ms, 1 % duplicated", 100*mbit, 50*ms, func(p *Path) { p.Duplicate = 0.01 }),
	}
}

// Find returns the preset of that name, or an error that lists the known ones.
func Find(name string) (Path, error) {
	var names []string
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Path{}, fmt.Errorf("path %q is not one of %s", name, strings.Join(names, ", "))
}

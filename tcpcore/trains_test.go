package tcpcore

import (
	"fmt"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// A system that spoils all of a train but its first segment is found out within seconds.
func TestSpoiledTrains(t *testing.T) {
	for _, name := range congestion.Names() {
		for _, loss := range []float64{0, 0.01} {
			spec := pathSpec{name: fmt.Sprintf("%s, loss %v", name, loss), rate: 50 * mbit, rtt: 20 * ms, queue: 250_000,
				loss: loss, spoil: true, time: 20 * time.Second}
			w := newPathWorld(t, spec, 1, named(t, name))
			w.run()
			in := w.flows[0].snd.e.Info()
			t.Logf("%s: found %d times; %d segments, %d timeouts", spec.name, in.SpoiledTrains, in.SegmentsSent, in.Timeouts)
			if in.SpoiledTrains == 0 {
				t.Errorf("%s: not found out", spec.name)
			}
		}
	}
}

// No congestion is taken for that, whatever it does to trains: queues of a few segments (only
// one that holds a single segment does what a spoiler does), bursts of losses, and heavy loss. (Nor do
// any of the paths of the tables look like it: playPath sees to that.)
func TestTrainsAreNotSpoiled(t *testing.T) {
	var specs []pathSpec
	for _, segments := range []int{2, 3, 5, 10} {
		for _, rate := range []int64{mbit, 20 * mbit} {
			for _, rtt := range []time.Duration{ms, 20 * ms} {
				specs = append(specs, pathSpec{rate: rate, rtt: rtt, queue: segments * 1500})
			}
		}
	}
	for _, loss := range []float64{0.03, 0.1, 0.3} {
		specs = append(specs, pathSpec{rate: 10 * mbit, rtt: 20 * ms, queue: 100_000, loss: loss},
			pathSpec{rate: 10 * mbit, rtt: 20 * ms, queue: 100_000, burst: loss / 10, burstLen: 5 * ms})
	}
	for _, spec := range specs {
		spec.time = 4 * time.Second
		for _, name := range congestion.Names() {
			w := newPathWorld(t, spec, 1, named(t, name))
			w.run()
			if in := w.flows[0].snd.e.Info(); in.SpoiledTrains > 0 {
				t.Errorf("%s: rate %d, RTT %v, queue %d, loss %v, bursts %v: taken for spoiled trains, %d times",
					name, spec.rate, spec.rtt, spec.queue, spec.loss, spec.burst, in.SpoiledTrains)
			}
		}
	}
}

// named makes controllers of a name.
func named(t *testing.T, name string) func() congestion.Controller {
	return func() congestion.Controller {
		c, err := congestion.New(name)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

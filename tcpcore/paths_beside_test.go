package tcpcore

import (
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

// besideShares are the shares of an equal part that the first of two flows has on a path of 50
// Mbit/s, 40 ms and a queue of as much, by seeds, and the part of its segments that is sent again.
func besideShares(t *testing.T, first, second func() congestion.Controller) (share, again float64) {
	const seeds = 2
	for seed := range uint64(seeds) {
		made := 0
		w := newPathWorld(t, pathSpec{name: "beside", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, flows: 2, time: 20 * time.Second}, seed+1,
			func() congestion.Controller { // the senders are established first, in order
				if made++; made == 2 {
					return second()
				}
				return first()
			})
		w.run()
		f, g := w.flows[0], w.flows[1]
		share += 2 * float64(f.got) / float64(f.got+g.got) / seeds
		again += float64(f.snd.e.Info().Retransmits) / float64(f.sent) / seeds
		if name := g.snd.e.Info().CongestionControl; name != second().Name() {
			t.Fatalf("the second flow has %s", name)
		}
	}
	return share, again
}

// TestBBRBeside checks BBR's share beside a flow that keeps the queue full and is deaf to loss,
// beside CUBIC, which must not starve either, and beside itself, where it must not take its own
// losses for another's.
func TestBBRBeside(t *testing.T) {
	v1 := func() congestion.Controller { return new(bbrV1) }
	literal := congestion.NewBBRWith(congestion.BBROptions{Literal: true})
	for _, c := range []struct {
		name             string
		first, second    func() congestion.Controller
		least, most, bad float64
	}{
		{"version 1", congestion.NewBBR, v1, 0.6, 1.2, 0.06},
		{"version 1 by the letter", literal, v1, 0, 0.6, 0.06},
		{"CUBIC", congestion.NewBBR, congestion.NewCubic, 0.67, 1.5, 0.02},
		{"BBR", congestion.NewBBR, congestion.NewBBR, 0.8, 1.2, 0.03},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			share, again := besideShares(t, c.first, c.second)
			t.Logf("%.2f of an equal share, %.2f %% sent again", share, 100*again)
			if share < c.least || share > c.most || again > c.bad {
				t.Errorf("%.2f of an equal share, wanted %.2f to %.2f; %.2f %% sent again, wanted %.0f at most",
					share, c.least, c.most, 100*again, 100*c.bad)
			}
		})
	}
}

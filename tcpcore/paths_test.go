package tcpcore

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/culvert/tcpcore/congestion"
)

var flagUpdate = flag.Bool("update", false, "write testdata/paths.txt anew")

const pathTable = "testdata/paths.txt"

// mbit is a megabit per second in bytes per second.
const mbit = 125_000

// pathSpecs are the rows of the table. A bandwidth-delay product of the first is 250,000
// bytes.
var pathSpecs = []pathSpec{
	{name: "clean", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000},
	{name: "short queue", rate: 50 * mbit, rtt: 40 * ms, queue: 50_000},
	{name: "deep queue", rate: 20 * mbit, rtt: 40 * ms, queue: 1_000_000},
	{name: "CoDel", rate: 50 * mbit, rtt: 40 * ms, queue: 500_000, aqm: coDel},
	{name: "CoDel, ECN", rate: 50 * mbit, rtt: 40 * ms, queue: 500_000, aqm: coDel, ecn: true},
	{name: "threshold, ECN", rate: 50 * mbit, rtt: 40 * ms, queue: 500_000, aqm: threshold, mark: 60_000, ecn: true},
	{name: "loss 0.1 %", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, loss: 0.001},
	{name: "loss 1 %", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, loss: 0.01},
	{name: "loss 1 %, tuned", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, loss: 0.01, tuned: true},
	{name: "loss 5 %", rate: 20 * mbit, rtt: 100 * ms, queue: 250_000, loss: 0.05},
	{name: "loss in bursts, 1 %", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, burst: 0.00125, burstLen: 1900 * time.Microsecond},
	{name: "loss 1 %, no SACK", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, loss: 0.01, noSACK: true},
	{name: "reordering 1 % by 10 ms", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, reorder: 0.01, reorderBy: 10 * ms},
	{name: "the same, no timestamps", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, reorder: 0.01, reorderBy: 10 * ms, noTS: true},
	{name: "reordering 10 % by 30 ms", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, reorder: 0.1, reorderBy: 30 * ms},
	{name: "duplication 1 %", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, dup: 0.01},
	{name: "jitter of 10 ms", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, jitter: 10 * ms},
	{name: "ACK loss 10 %", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, ackLoss: 0.1},
	{name: "ACKs every 10 ms", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, ackEvery: 10 * ms},
	{name: "outage of 2 s", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, outage: [2]time.Duration{3 * time.Second, 5 * time.Second}},
	{name: "the same, MaxRTO 1 s", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, outage: [2]time.Duration{3 * time.Second, 5 * time.Second}, maxRTO: time.Second},
	{name: "50, 10, 50 Mbit/s", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, steps: []rateStep{{2500 * ms, 10 * mbit}, {5000 * ms, 50 * mbit}}},
	{name: "200 Mbit/s, 100 ms", rate: 200 * mbit, rtt: 100 * ms, queue: 2_500_000, time: 4 * time.Second},
	{name: "1 Gbit/s, 1 ms", rate: 1000 * mbit, rtt: ms, queue: 500_000, time: 500 * ms},
	{name: "1 Gbit/s, 100 ms, tuned", rate: 1000 * mbit, rtt: 100 * ms, queue: 12_500_000, tuned: true, time: 4 * time.Second},
	{name: "1 Mbit/s, 100 ms", rate: mbit, rtt: 100 * ms, queue: 25_000, time: 30 * time.Second},
	{name: "two flows", rate: 50 * mbit, rtt: 40 * ms, queue: 250_000, flows: 2, time: 15 * time.Second},
}

// TestPaths plays each congestion control over each path and compares what comes of it
// with the table, so that a change of recovery shows as a difference to be judged. Accept
// one by
//
//	go test ./tcpcore -run TestPaths -update
func TestPaths(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Bulk transfer over simulated paths, 50 Mbit/s and 40 ms with a queue of one bandwidth-delay\n")
	fmt.Fprintf(&b, "# product unless the name says otherwise. Written by go test ./tcpcore -run TestPaths -update.\n")
	fmt.Fprintf(&b, "# used: goodput by what the path could have carried; queue: mean delay in it; again:\n")
	fmt.Fprintf(&b, "# retransmitted segments, and needless: those that had arrived before, both by all segments;\n")
	fmt.Fprintf(&b, "# RTO: timeouts; undone: spurious recoveries and timeouts that were found out.\n")
	fmt.Fprintf(&b, "%-26s %-6s %7s %6s %7s %7s %8s %4s %7s\n", "path", "", "Mbit/s", "used", "queue", "again", "needless", "RTO", "undone")
	names := congestion.Names()
	rows := make([]string, len(pathSpecs)*len(names))
	t.Run("play", func(t *testing.T) {
		for i := range rows {
			spec, name := pathSpecs[i/len(names)], names[i%len(names)]
			t.Run(spec.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				rows[i] = playPath(t, spec, name)
			})
		}
	})
	compareTable(t, pathTable, b.String()+strings.Join(rows, ""))
}

// compareTable compares what comes of a table's paths with what it says, or writes it anew.
func compareTable(t *testing.T, table, text string) {
	t.Helper()
	got := []byte(text)
	if *flagUpdate {
		if err := os.WriteFile(table, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
	if !bytes.Equal(got, want) {
		t.Errorf("the table differs; if that is meant, run it with -update.\n%s", differ(string(want), string(got)))
	}
}

// playPath returns a row.
func playPath(t *testing.T, spec pathSpec, name string) string {
	if spec.time == 0 {
		spec.time = 8 * time.Second
	}
	w := newPathWorld(t, spec, 1, func() congestion.Controller {
		c, err := congestion.New(name)
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
	w.run()
	var got int64
	var sent, spurious int
	var sum Info
	for _, f := range w.flows {
		in := f.snd.e.Info()
		got += f.got
		sent += f.sent
		spurious += f.spurious
		if in.SpoiledTrains > 0 {
			t.Errorf("%s, %s: the path's losses are taken for spoiled trains", spec.name, name)
		}
		sum.Retransmits += in.Retransmits
		sum.Timeouts += in.Timeouts
		sum.SpuriousRecoveries += in.SpuriousRecoveries
		sum.SpuriousTimeouts += in.SpuriousTimeouts
	}
	var row strings.Builder
	fmt.Fprintf(&row, "%-26s %-6s %7.2f %6.3f %5.1fms %6.2f%% %7.3f%% %4d %7d", spec.name, name,
		float64(got)/mbit/spec.time.Seconds(), float64(got)/spec.carries(), w.link.waited.Seconds()*1000/float64(max(1, w.link.sentOn)),
		100*float64(sum.Retransmits)/float64(sent), 100*float64(spurious)/float64(sent), sum.Timeouts,
		sum.SpuriousRecoveries+sum.SpuriousTimeouts)
	if spec.outage[1] > 0 {
		fmt.Fprintf(&row, "  resumed after %.0f ms", (w.flows[0].resumed-pathEpoch-Time(spec.outage[1])).Sub(0).Seconds()*1000)
	}
	if spec.tuned {
		fmt.Fprintf(&row, "  buffers %.1f and %.1f MB", float64(w.flows[0].snd.e.Info().SendBuffer)/1e6, float64(w.flows[0].rcv.e.Info().ReceiveBuffer)/1e6)
	}
	if spec.flows > 1 {
		var all, squares float64
		for _, f := range w.flows {
			all += float64(f.got)
			squares += float64(f.got) * float64(f.got)
		}
		fmt.Fprintf(&row, "  Jain %.3f", all*all/squares/float64(spec.flows))
	}
	return strings.TrimRight(row.String(), " ") + "\n"
}

// carries is how many bytes of data fit through the path in its time.
func (s *pathSpec) carries() float64 {
	at, rate, sum := time.Duration(0), s.rate, 0.0
	for _, st := range append(s.steps[:len(s.steps):len(s.steps)], rateStep{at: s.time}) {
		sum += float64(rate) * (st.at - at).Seconds()
		at, rate = st.at, st.rate
	}
	sum -= float64(s.rate) * (s.outage[1] - s.outage[0]).Seconds()
	return sum * 1420 / (1452 + wireOverhead)
}

// differ returns the lines that differ.
func differ(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for i := range max(len(w), len(g)) {
		var x, y string
		if i < len(w) {
			x = w[i]
		}
		if i < len(g) {
			y = g[i]
		}
		if x != y {
			fmt.Fprintf(&b, "- %s\n+ %s\n", x, y)
		}
	}
	return b.String()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/culvert/benchmarks/stat"
)

// engineName is what -only knows the engine's own benchmarks by.
const engineName = "engine/go-test/tcpcore"

// An engineLine is one Go benchmark of the library, without any system call around it.
type engineLine struct {
	Name          string
	Ns            float64 // per operation, median
	Bytes, Allocs float64 // per operation
}

// Benchmarks that bars are about run as often as there are rounds, others once.
const (
	engineBarred = "^Benchmark(Receive|Send)$"
	engineOthers = "^Benchmark(Parse|Append|Checksum|Ring|Scoreboard|Lookup|OnAck|Pair)$|^BenchmarkACK$/^(in_order|random_blocks|alternating_blocks)$"
)

// engine runs the Go benchmarks. It needs the source of the library.
func engine(ctx context.Context, o options) ([]engineLine, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "example.com/culvert").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return nil, errors.New("the library's source is not at hand")
	}
	length := max(o.time/5, 100*time.Millisecond)
	run := func(pattern string, count int) ([]engineLine, error) {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem",
			"-benchtime", length.String(), "-count", strconv.Itoa(count), "./tcpcore/...", "./transport")
		cmd.Dir, cmd.WaitDelay = dir, time.Second
		out, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("go test: %w: %s", err, lastLine(string(out)))
		}
		return engineLines(string(out)), nil
	}
	barred, err := run(engineBarred, o.rounds)
	if err != nil {
		return nil, err
	}
	others, err := run(engineOthers, 1)
	return append(barred, others...), err
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

var (
	benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(.*)$`)
	bytesField    = regexp.MustCompile(`([\d.]+) B/op`)
	allocsField   = regexp.MustCompile(`([\d.]+) allocs/op`)
)

// engineLines reads what go test prints; of one that ran several times, the medians.
func engineLines(out string) []engineLine {
	var names []string
	all := make(map[string][3][]float64)
	for _, m := range benchmarkLine.FindAllStringSubmatch(out, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
		xs := all[m[1]]
		for i, text := range []string{m[2], submatch(bytesField, m[3]), submatch(allocsField, m[3])} {
			if x, err := strconv.ParseFloat(text, 64); err == nil {
				xs[i] = append(xs[i], x)
			}
		}
		all[m[1]] = xs
	}
	var lines []engineLine
	for _, n := range names {
		xs := all[n]
		lines = append(lines, engineLine{n, stat.Median(xs[0]), stat.Median(xs[1]), stat.Median(xs[2])})
	}
	return lines
}

func submatch(re *regexp.Regexp, s string) string {
	if m := re.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// engineBars are what the engine alone has to reach, by benchmark: those that copy the data
// once, to the reader and into the train.
var engineBars = []struct {
	name, what string
	of         func(engineLine) float64
	want       float64
}{
	{"Receive/lent", "ns per segment received", func(l engineLine) float64 { return l.Ns }, 60},
	{"Send/gathered", "ns per segment sent", func(l engineLine) float64 { return l.Ns }, 40},
	{"Send/in_place", "ns per segment sent", func(l engineLine) float64 { return l.Ns }, 40},
	{"Receive/lent", "allocations per segment received", func(l engineLine) float64 { return l.Allocs }, 0},
	{"Send/in_place", "allocations per segment sent", func(l engineLine) float64 { return l.Allocs }, 0},
}

// judgeEngine looks at each of them that was measured.
func (s *summary) judgeEngine() []verdict {
	var all []verdict
	for _, b := range engineBars {
		for _, l := range s.Engine {
			if l.Name == b.name {
				v := b.of(l)
				all = append(all, verdict{Place: "engine", Work: b.name, What: b.what, Stack: "culvert", Value: v, Want: b.want, AtMost: true, Met: v <= b.want})
			}
		}
	}
	return all
}

// engineTable is the lines as a table.
func (s *summary) engineTable() *table {
	t := new(table)
	t.Title = "the engine alone, one goroutine, no system call (" + engineName + ")"
	t.Head = []string{"Go benchmark", "ns per operation", "bytes allocated", "allocations"}
	for _, l := range s.Engine {
		t.Rows = append(t.Rows, []string{l.Name, number(l.Ns), fmt.Sprintf("%.0f", l.Bytes), fmt.Sprintf("%.0f", l.Allocs)})
	}
	return t
}

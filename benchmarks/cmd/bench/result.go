package main

import (
	"slices"

	"example.com/culvert/benchmarks/stat"
	"example.com/culvert/benchmarks/work"
)

// A result is one measurement. It is what -json writes.
type result struct {
	Place, Work, Stack string
	Round              int
	Client, Server     work.Report
	Void               string `json:",omitempty"` // why it does not count; empty if it does
}

// bytes is what the server read.
func (r *result) bytes() (all float64) {
	for _, n := range r.Server.Bytes {
		all += float64(n)
	}
	return all
}

// goodput is in bytes per second.
func (r *result) goodput() float64 { return over(r.bytes(), r.Server.Seconds) }

// rate is operations per second.
func (r *result) rate() float64 { return over(float64(r.Client.Ops), r.Client.Seconds) }

// cpu is the processor time of both processes, in seconds of it per second.
func (r *result) cpu() float64 {
	return over(r.Client.CPU, r.Client.Seconds) + over(r.Server.CPU, r.Server.Seconds)
}

// cpuPerGB is in seconds per 10^9 bytes, cpuPerOp in seconds.
func (r *result) cpuPerGB() float64 { return over(r.cpu()*1e9, r.goodput()) }
func (r *result) cpuPerOp() float64 { return over(r.cpu(), r.rate()) }

// jain tells how fairly the connections shared.
func (r *result) jain() float64 {
	xs := make([]float64, len(r.Server.Bytes))
	for i, n := range r.Server.Bytes {
		xs[i] = float64(n)
	}
	return stat.Jain(xs)
}

func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// figures are the results of a cell.
type figures []*result

// valid leaves out what does not count.
func (fs figures) valid() figures {
	return slices.DeleteFunc(slices.Clone(fs), func(r *result) bool { return r.Void != "" })
}

// each is a figure of each result that counts.
func (fs figures) each(of func(*result) float64) []float64 {
	var xs []float64
	for _, r := range fs.valid() {
		xs = append(xs, of(r))
	}
	return xs
}

// median is the middle of a figure, 0 if none counts.
func (fs figures) median(of func(*result) float64) float64 { return stat.Median(fs.each(of)) }

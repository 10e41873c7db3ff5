package main

import "fmt"

// A bar is what culvert has to reach: a figure of its own, or its ratio to another
// stack's figure. Both are medians of the same run.
type bar struct {
	place, task   string
	what          string
	of            func(*result) float64
	stack, beside string // no beside is the figure itself
	want          float64
	atMost        bool
}

var bars = []bar{
	{loopback, "bulk-1", "goodput", megabytes, "culvert", "kernel-cubic", 0.6, false},
	{loopback, "bulk-1", "goodput", megabytes, "culvert", "kernel-bbr", 1, false},
	{loopback, "bulk-1", "goodput", megabytes, "culvert-bbr", "kernel-bbr", 1, false},
	{loopback, "bulk-1", "goodput", megabytes, "culvert", "quic-go", 10, false},
	{loopback, "bulk-1", "goodput", megabytes, "culvert", "udp-gso", 0.6, false},
	{loopback, "bulk-1", "goodput", megabytes, "culvert-plain", "udp-plain", 0.9, false},
	{loopback, "bulk-1", "goodput", megabytes, "culvert-single", "udp-single", 0.9, false},
	{loopback, "bulk-1", "goodput", megabytes, "culvert-tls", "kernel-tls", 0.8, false},
	{loopback, "bulk-1", "goodput", megabytes, "culvert-tls", "quic-go", 3, false},
	{veth, "bulk-1", "goodput", megabytes, "culvert", "kernel-cubic", 0.55, false},
	{veth, "bulk-1", "goodput", megabytes, "culvert-bbr", "kernel-bbr", 1.5, false},
	{veth, "bulk-1", "goodput", megabytes, "culvert", "quic-go", 10, false},
	{veth, "bulk-1", "goodput", megabytes, "culvert", "udp-gso", 0.7, false},
	{veth, "bulk-1", "goodput", megabytes, "culvert-plain", "udp-plain", 0.9, false},
	{veth, "bulk-1", "goodput", megabytes, "culvert-single", "udp-single", 0.9, false},
	{loopback, "bulk-256", "goodput", megabytes, "culvert", "kernel-cubic", 0.5, false},
	{loopback, "bulk-256", "Jain index", (*result).jain, "culvert", "", 0.9, false},
	{loopback, "ping-64", "p50", p50, "culvert", "kernel-cubic", 1.3, true},
	{loopback, "ping-64", "p99", p99, "culvert", "kernel-cubic", 1.3, true},
	{loopback, "ping-64", "p50", p50, "culvert", "quic-go", 0.5, true},
	{loopback, "ping-64-apart", "p50", p50, "culvert", "kernel-cubic", 1.3, true},
	{loopback, "ping-64-apart", "p99", p99, "culvert", "kernel-cubic", 1.3, true},
	{loopback, "ping-64-apart", "p50", p50, "culvert", "quic-go", 0.5, true},
	{loopback, "rate", "connections per second", (*result).rate, "culvert", "kernel-cubic", 0.8, false},
	{loopback, "rate", "connections per second", (*result).rate, "culvert", "gvisor", 3, false},
	{loopback, "idle", "bytes for one more, client", clientMemory, "culvert-shared", "", 4096, true},
	{loopback, "idle", "bytes for one more, server", serverMemory, "culvert-shared", "", 4096, true},
	{loopback, "idle", "goroutines, client", clientGoroutines, "culvert-shared", "", 0.01, true},
	{loopback, "idle", "goroutines, server", serverGoroutines, "culvert-shared", "", 0.01, true},
}

// A verdict is what became of a bar.
type verdict struct {
	Place, Work, What, Stack, Beside string
	Value, Want                      float64
	AtMost, Met                      bool
}

// judge looks at each bar of which the figures are known.
func (s *summary) judge() []verdict {
	var all []verdict
	for _, b := range bars {
		own := s.of(b.place, b.task, b.stack).valid()
		if len(own) == 0 {
			continue
		}
		v := verdict{Place: b.place, Work: b.task, What: b.what, Stack: b.stack, Beside: b.beside, Want: b.want, AtMost: b.atMost}
		v.Value = own.median(b.of)
		if b.beside != "" {
			other := s.of(b.place, b.task, b.beside).median(b.of)
			if other == 0 {
				continue
			}
			v.Value /= other
		}
		v.Met = v.Value >= v.Want
		if b.atMost {
			v.Met = v.Value <= v.Want
		}
		all = append(all, v)
	}
	return all
}

func (v verdict) subject() string {
	if v.Beside == "" {
		return v.Stack
	}
	return v.Stack + " : " + v.Beside
}

func (s *summary) barTable() *table {
	t := new(table)
	t.Title = "bars"
	t.Head = []string{"", "measurement", "figure", "stacks", "wanted", "is"}
	for _, v := range s.Bars {
		word, want := "pass", "at least "
		if !v.Met {
			word = "MISSED"
		}
		if v.AtMost {
			want = "at most "
		}
		t.Rows = append(t.Rows, []string{
			word, v.Place + "/" + v.Work, v.What, v.subject(), want + fmt.Sprintf("%g", v.Want), number(v.Value),
		})
	}
	t.Notes = append(t.Notes, fmt.Sprintf("%d of %d bars are missed", s.missed(), len(s.Bars)))
	return t
}

func (s *summary) missed() (n int) {
	for _, v := range s.Bars {
		if !v.Met {
			n++
		}
	}
	return n
}

// number has as many digits as one looks at.
func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

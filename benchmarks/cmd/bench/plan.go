package main

import (
	"fmt"
	"slices"
	"time"

	"example.com/culvert/benchmarks"
	"example.com/culvert/benchmarks/work"
)

// The places where measurements happen.
const (
	loopback = "loopback"
	veth     = "veth"
)

// placeAbout says in the tables what a place is.
var placeAbout = map[string]string{
	loopback: "over the loopback interface",
	veth:     "between two network namespaces, over a veth pair at MTU 1500",
}

// A task is a work with its name, and with the stacks that do it in each place.
type task struct {
	name, about string
	work        work.Work
	stacks      map[string][]string
	cpus        where
	// least is the shortest time that it takes to know anything, quick the same with
	// -quick.
	least, quick time.Duration
}

// where says which CPUs the two processes may use. Left to itself the scheduler has them
// share one or not, by luck and for minutes: a ping-pong then takes 10 us or 80, whoever
// carries it.
type where uint8

const (
	anywhere where = iota
	together       // both on the first CPU
	apart          // the server on the first, the client on the second
)

// cpu is the one for a role, -1 if it may use all.
func (w where) cpu(role string) int {
	switch {
	case w == anywhere:
		return -1
	case w == apart && role == roleClient:
		return 1
	}
	return 0
}

// The groups of stacks that do most things.
var (
	ours    = []string{"culvert", "culvert-bbr"}
	kernels = []string{"kernel-cubic", "kernel-bbr"}
	secure  = []string{"culvert-tls", "kernel-tls", "quic-go"}
	peers   = []string{"kcp-go", "gvisor", "sctp"}
	limits  = []string{"udp-gso", "udp-plain"}

	bulkers = slices.Concat(ours, []string{"culvert-1440", "culvert-plain", "culvert-single"}, kernels, secure, peers, limits, []string{"udp-single"})
	crowds  = slices.Concat(ours, kernels, secure)
	pingers = slices.Concat([]string{"culvert", "kernel-cubic"}, secure, peers, limits)
	few     = []string{"culvert", "kernel-cubic", "quic-go"}
)

// both is for a task that happens on loopback and, with others, across veth.
func both(here, across []string) map[string][]string {
	return map[string][]string{loopback: here, veth: across}
}

// one is for a task that happens on loopback.
func one(here []string) map[string][]string { return both(here, nil) }

// tasks is all that there is to do, in the order of the tables.
var tasks = []task{
	{"bulk-1", "bulk, one connection", work.Work{Kind: work.Bulk, Conns: 1}, both(bulkers, bulkers), anywhere, 0, 0},
	{"bulk-2", "bulk, 2 connections", work.Work{Kind: work.Bulk, Conns: 2}, both(crowds, few), anywhere, 0, 0},
	{"bulk-16", "bulk, 16 connections", work.Work{Kind: work.Bulk, Conns: 16}, both(crowds, few), anywhere, 0, 0},
	{"bulk-256", "bulk, 256 connections", work.Work{Kind: work.Bulk, Conns: 256}, both(crowds, few), anywhere, 3 * time.Second, 400 * time.Millisecond},
	{"ping-64", "ping-pong of 64 bytes, both processes on one CPU", work.Work{Kind: work.Ping, Conns: 1, Size: 64}, both(pingers, pingers), together, 0, 0},
	{"ping-64-apart", "ping-pong of 64 bytes, each process on a CPU of its own", work.Work{Kind: work.Ping, Conns: 1, Size: 64}, one(pingers), apart, 0, 0},
	{"ping-4k", "ping-pong of 4 KiB, both processes on one CPU", work.Work{Kind: work.Ping, Conns: 1, Size: 4096}, both(pingers, few), together, 0, 0},
	{"rate", "connect, 64 bytes each way, close; 8 at once", work.Work{Kind: work.Rate, Conns: 8, Size: 64},
		both(slices.Concat([]string{"culvert", "culvert-shared", "kernel-cubic"}, secure, []string{"kcp-go", "gvisor"}), few), anywhere, 0, 0},
	{"http", "HTTP requests, 64 connections that stay open", work.Work{Kind: work.HTTP, Conns: 64},
		both(slices.Concat([]string{"culvert", "kernel-cubic"}, secure, []string{"gvisor"}), few), anywhere, 0, 0},
	{"wrk", "HTTP requests, 64 connections that stay open, by wrk", work.Work{Kind: work.Wrk, Conns: 64},
		one([]string{"kernel-cubic"}), anywhere, 2 * time.Second, time.Second},
	{"idle", "idle connections", work.Work{Kind: work.Idle, Conns: 2000},
		one([]string{"culvert-shared", "culvert", "kernel-cubic", "kernel-tls", "quic-go", "gvisor"}), anywhere, 2500 * time.Millisecond, 1500 * time.Millisecond},
}

// A cell is one thing that is measured.
type cell struct {
	place string
	task  *task
	stack benchmarks.Stack
}

func (c *cell) name() string { return c.place + "/" + c.task.name + "/" + c.stack.Name }

// plan lists what the command line asks for.
func plan(o options) ([]*cell, error) {
	var cells []*cell
	for _, place := range []string{loopback, veth} {
		for i := range tasks {
			t := tasks[i]
			if o.quick {
				t.least = t.quick
				if t.work.Kind == work.Idle {
					t.work.Conns = 500
				}
			}
			if t.work.Kind == work.Wrk && !work.HasWrk() {
				continue
			}
			for _, name := range t.stacks[place] {
				s, err := benchmarks.Find(name)
				if err != nil {
					continue // not on this system
				}
				if c := (&cell{place, &t, s}); o.only.MatchString(c.name()) {
					cells = append(cells, c)
				}
			}
		}
	}
	if len(cells) == 0 && !o.only.MatchString(engineName) {
		return nil, fmt.Errorf("-only: %q matches nothing that -list knows", o.only)
	}
	return cells, nil
}

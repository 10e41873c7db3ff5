// Package report has what the programs' reports have in common: tables, and the machine.
package report

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// A Machine is where a run took place, as far as the system tells.
type Machine struct {
	System   string // kernel and its version
	CPU      string
	CPUs     int
	Memory   string
	Go       string
	Revision string // of culvert
	Load     string // average of processes that wanted a CPU, before the run
	Peers    []string
}

// Busy reports whether the machine had other things to do before the run.
func (m Machine) Busy() bool {
	var load float64
	if _, err := fmt.Sscan(m.Load, &load); err != nil {
		return false
	}
	return load > float64(m.CPUs)/4
}

// Facts are the machine's names and values, for the head of a page.
func (m Machine) Facts() [][2]string {
	return [][2]string{
		{"revision", m.Revision},
		{"machine", fmt.Sprintf("%s, %d CPUs, memory %s", m.CPU, m.CPUs, m.Memory)},
		{"system", m.System},
		{"Go", m.Go},
		{"peers", strings.Join(m.Peers, ", ")},
		{"load average before the run", m.Load},
	}
}

// BusyWarning is what stands beside figures of a machine that was.
const BusyWarning = "The machine was busy with other things when the run began: do not trust these figures."

// ThisMachine is the one that this runs on, with the versions of those modules that this program
// compares culvert with.
func ThisMachine(peers ...string) Machine {
	m := Machine{
		System: runtime.GOOS + "/" + runtime.GOARCH,
		CPU:    "unknown",
		CPUs:   runtime.NumCPU(),
		Memory: field("/proc/meminfo", "MemTotal"),
		Go:     runtime.Version(),
	}
	if load := strings.Fields(first("/proc/loadavg")); len(load) >= 3 {
		m.Load = strings.Join(load[:3], " ")
	}
	if release := first("/proc/sys/kernel/osrelease"); release != "" {
		m.System = fmt.Sprintf("Linux %s, %s", release, runtime.GOARCH)
	}
	if model := field("/proc/cpuinfo", "model name"); model != "" {
		m.CPU = model
	}
	if out, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=10").Output(); err == nil {
		m.Revision = strings.TrimSpace(string(out))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if slices.Contains(peers, d.Path) {
				m.Peers = append(m.Peers, d.Path+" "+d.Version)
			}
		}
	}
	return m
}

// first is the first line of a file, empty if there is none.
func first(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Scan()
	return strings.TrimSpace(s.Text())
}

// field is the value of the first line "name: value" of a file.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

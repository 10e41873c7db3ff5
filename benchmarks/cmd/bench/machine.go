package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
)

// A machine is where a run took place, as far as the system tells.
type machine struct {
	System   string // kernel and its version
	CPU      string
	CPUs     int
	Memory   string
	Go       string
	Revision string // of culvert
	Load     string // average of processes that wanted a CPU, before the run
	Peers    []string
}

// busy reports whether the machine had other things to do before the run.
func (m machine) busy() bool {
	var load float64
	if _, err := fmt.Sscan(m.Load, &load); err != nil {
		return false
	}
	return load > float64(m.CPUs)/4
}

// busyWarning is what stands beside figures of a machine that was.
const busyWarning = "The machine was busy with other things when the run began: do not trust these figures."

// peerModules are those whose versions matter.
var peerModules = []string{
	"github.com/quic-go/quic-go", "github.com/xtaci/kcp-go/v5", "gvisor.dev/gvisor", "github.com/pion/sctp",
}

func thisMachine() machine {
	m := machine{
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
			for _, p := range peerModules {
				if d.Path == p {
					m.Peers = append(m.Peers, d.Path+" "+d.Version)
				}
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

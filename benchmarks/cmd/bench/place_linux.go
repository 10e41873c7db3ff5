package main

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"example.com/culvert/benchmarks/link"
)

// The addresses of the veth pair.
const (
	vethClient = "10.97.0.1"
	vethServer = "10.97.0.2"
)

// openVeth makes two network namespaces, which go with this process, and a veth pair
// between them, with the system's defaults.
func openVeth() (*place, error) {
	a, err := link.NewNamespace(netip.MustParsePrefix("10.97.1.1/24"))
	if err != nil {
		return nil, err
	}
	b, err := link.NewNamespace(netip.MustParsePrefix("10.97.2.1/24"))
	if err != nil {
		a.Close()
		return nil, err
	}
	p := &place{listen: vethServer + ":0", server: b.Start, client: a.Start, close: func() { a.Close(); b.Close() }}
	var thread int
	err = b.Do(func() error { thread = unix.Gettid(); return nil })
	for _, step := range []struct {
		in   *link.Namespace
		args string
	}{
		{a, "link add veth0 mtu 1500 type veth peer name veth0 mtu 1500 netns " + strconv.Itoa(thread)},
		{a, "address add " + vethClient + "/24 dev veth0"},
		{a, "link set veth0 up"},
		{b, "address add " + vethServer + "/24 dev veth0"},
		{b, "link set veth0 up"},
	} {
		if err != nil {
			break
		}
		err = step.in.Do(func() error {
			out, err := exec.Command("ip", strings.Fields(step.args)...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("ip %s: %w: %s", step.args, err, out)
			}
			return nil
		})
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

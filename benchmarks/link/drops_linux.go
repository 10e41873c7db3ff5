package link

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Drops is how many packets the TUN device itself has dropped so far. It should be
// 0: the emulated queue is what drops.
func (n *Namespace) Drops() (uint64, error) {
	var table []byte
	err := n.Do(func() (err error) {
		table, err = os.ReadFile("/proc/thread-self/net/dev")
		return err
	})
	if err != nil {
		return 0, err
	}
	return deviceDrops(table, "link0")
}

// deviceDrops reads the drops of an interface, both ways, out of /proc/net/dev.
func deviceDrops(table []byte, name string) (uint64, error) {
	for line := range bytes.Lines(table) {
		label, counts, ok := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		if !ok || string(label) != name {
			continue
		}
		fields := bytes.Fields(counts)
		if len(fields) < 12 {
			break
		}
		received, err1 := strconv.ParseUint(string(fields[3]), 10, 64)
		sent, err2 := strconv.ParseUint(string(fields[11]), 10, 64)
		if err1 == nil && err2 == nil {
			return received + sent, nil
		}
	}
	return 0, fmt.Errorf("/proc/net/dev says nothing of %s", name)
}

package tcpcore

import (
	"testing"
	"unsafe"

	"example.com/culvert/tcpcore/congestion"
)

// TestSizes guards what an idle connection costs: what grows an engine shows here. What only
// traffic needs belongs behind a pointer, made on first use.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) < 8 {
		return // pointers are smaller, and so is all of it
	}
	for _, c := range []struct {
		name     string
		size, to uintptr
	}{
		{"Engine", unsafe.Sizeof(Engine{}), 2048 - 8},
		{"TimeWaitRecord", unsafe.Sizeof(TimeWaitRecord{}), 48},
		{"congestion.Cubic", unsafe.Sizeof(congestion.Cubic{}), 256},
	} {
		if c.size > c.to {
			t.Errorf("%s takes %d bytes, more than %d", c.name, c.size, c.to)
		}
	}
}

// TestMaker: engines share a Config until they change it.
func TestMaker(t *testing.T) {
	engine := Maker(Config{NoDelay: true})
	a, b := engine(), engine()
	if a.cfg != b.cfg {
		t.Error("two engines have a Config each")
	}
	a.SetNoDelay(false)
	a.SetBuffers(1000, 1000)
	if a.cfg.NoDelay || !b.cfg.NoDelay || b.cfg.SendBuffer != 0 || !engine().cfg.NoDelay {
		t.Error("what one engine was told, another heard")
	}
}

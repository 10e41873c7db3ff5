package conn

import (
	"testing"
	"unsafe"
)

// TestSizes guards what an idle connection costs beside its engine: 512 bytes are a size in which
// the runtime gives memory out. What only some use belongs behind a pointer, made on first use.
func TestSizes(t *testing.T) {
	const most = 512
	if size := unsafe.Sizeof(core{}) + unsafe.Sizeof(Conn{}) + unsafe.Sizeof(Driver{}); size > most {
		t.Errorf("a connection takes %d bytes, more than %d", size, most)
	}
}

//go:build !linux

package benchmarks

// limitStacks is for Linux only: elsewhere there are no batches to be limited by.
func limitStacks() []Stack { return nil }

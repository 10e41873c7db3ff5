//go:build !linux

package work

func residentBytes() int64 { return 0 } // not told

//go:build !linux

package udpcarrier

// newBatchLink: only Linux has system calls for batches; elsewhere x/net's batches
// are of one message, which package net does as well.
func newBatchLink(*socket) link { return nil }

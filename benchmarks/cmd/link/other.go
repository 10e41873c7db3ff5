//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
)

var errSystem = errors.New("this needs Linux: network namespaces and TUN devices")

func compare(context.Context, options, *plan, io.Writer) error { return errSystem }
func play(context.Context, string, io.Reader, io.Writer) error { return errSystem }
func kernelAvailable() []string                                { return nil }

package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// TestEcho runs the program and looks at what it prints.
func TestEcho(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	main()
	os.Stdout = stdout
	w.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(out), " sent back: hello through the culvert\n") {
		t.Errorf("the program printed %q", out)
	}
}

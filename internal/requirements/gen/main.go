// Gen writes docs/rfc9293.md and docs/rfc-extensions.md from the requirement tables
// and the tests. It may be run anywhere inside of the module.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/culvert/internal/requirements"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	tables, err := requirements.Tables()
	if err != nil {
		return err
	}
	shown, err := requirements.Find(os.DirFS(root))
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(t.Document)), t.Markdown(shown), 0o644); err != nil {
			return err
		}
	}
	// The documents are written all the same: they show what is missing.
	for _, p := range requirements.Problems(tables, shown) {
		fmt.Fprintln(os.Stderr, p)
	}
	return nil
}

// moduleRoot finds the directory of go.mod, here or above.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("not inside of a Go module")
		}
		dir = up
	}
}

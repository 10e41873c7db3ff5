// Package mutation holds no code: its test breaks the engine on purpose, in one
// place at a time, and fails unless the engine's own tests notice. It keeps the
// tests honest: one that no mutant can fail says nothing. A plain run tries the most
// telling mutants; "go test ./internal/mutation -all" tries every one.
package mutation

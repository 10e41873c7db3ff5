// Package packetdrill runs scripts in packetdrill's language against the whole
// stack: transport, listener, conn and the engine, over a wire in memory, in a
// bubble of testing/synctest. A script that speaks of hours takes milliseconds, needs
// no privilege, and two runs of it are the same.
//
// A script is what TCP engineers write down to say what a stack must do: segments
// that arrive (<), segments that must leave (>), system calls and their results, and
// assertions about TCP_INFO, each with its time. Parse reads one; Run plays it and
// returns a Result. docs/testing.md tells how to write one.
//
// What a script asks for and culvert lacks makes it unsupported, by name; it is
// never counted as passed.
//
// Start reading at runner.go.
package packetdrill

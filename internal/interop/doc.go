// Package interop holds the tests in which culvert's TCP over raw IPv4 talks with the
// TCP of the Linux kernel, and with the programs that use it. They have the build tag
// interop and want root and the tools that .ci/run installs for its step of that name:
//
//	go test -tags interop ./internal/interop
//
// Each test has a laboratory of its own (lab_test.go): a namespace "ours", a namespace
// "kernel", and a "middle" one that routes between them, tracks connections, and counts
// what it finds invalid. A case is a row of transfers (transfer_test.go) if it is a
// transfer between two of our programs peer, one on each TCP, under some condition; a
// test of its own in tools_test.go if it is somebody else's program; one in
// ending_test.go if it is about states, in reset_test.go about resets in them, and in
// pmtu_test.go about the path's MTU. These tell both ends step by step what to do
// (drive_test.go). What tshark makes of us is in capture_test.go.
package interop

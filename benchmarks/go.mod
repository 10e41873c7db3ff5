module example.com/culvert/benchmarks

go 1.26

require (
	example.com/culvert v0.0.0
	github.com/quic-go/quic-go v0.65.0
	golang.org/x/sys v0.49.0
)

replace example.com/culvert => ..

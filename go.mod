module example.com/culvert

go 1.26

require (
	github.com/hashicorp/yamux v0.1.2 // indirect
	github.com/pion/transport/v3 v3.1.1 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

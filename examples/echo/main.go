// Command echo is the smallest culvert program: a server that sends back what it
// is sent, and a client that asks it once. Replace transport by net, and it
// speaks the kernel's TCP instead.
package main

import (
	"fmt"
	"io"
	"log"
	"net"

	"example.com/culvert/transport"
)

func main() {
	l, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go serve(l)

	c, err := transport.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	// The process ends after Close, and no kernel delivers what is left: so Close waits for that.
	c.(interface{ SetLinger(int) error }).SetLinger(5)
	defer c.Close()
	fmt.Fprintln(c, "hello through the culvert")
	var answer [100]byte
	n, err := c.Read(answer[:])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s sent back: %s", c.RemoteAddr(), answer[:n])
}

// serve sends every connection's bytes back to it.
func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

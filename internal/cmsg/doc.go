// Package cmsg writes and reads the control messages of a datagram (cmsg(3)).
package cmsg

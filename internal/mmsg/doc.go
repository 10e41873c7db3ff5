// Package mmsg moves datagrams in batches by sendmmsg(2) and recvmmsg(2), and keeps the
// buffers that receiving them takes. Only Linux has both calls.
package mmsg

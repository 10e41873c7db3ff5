package benchmarks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// WriteSize is the size of each Write and of the buffer of each Read, in bytes.
const WriteSize = 256 << 10

// Serve accepts bulk transfers, any number at once, until l is closed. A transfer is eight
// bytes of length, that many bytes, and one byte back when the last has been read.
func Serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		} else if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			sink(c)
		}()
	}
}

// sink serves transfers on c one after another until it ends.
func sink(c net.Conn) error {
	buf := make([]byte, WriteSize)
	for {
		if _, err := io.ReadFull(c, buf[:8]); err != nil {
			return err
		}
		for left := binary.BigEndian.Uint64(buf); left > 0; {
			n, err := c.Read(buf[:min(uint64(len(buf)), left)])
			left -= uint64(n)
			if err != nil && left > 0 {
				return err
			}
		}
		if _, err := c.Write(buf[:1]); err != nil {
			return err
		}
	}
}

// Bulk sends size bytes over c and waits until the other end has read them all.
// It returns how long that took.
func Bulk(c net.Conn, size int64) (time.Duration, error) {
	if size < 0 {
		return 0, fmt.Errorf("size: %d is negative", size)
	}
	buf := make([]byte, WriteSize)
	for i := range buf {
		buf[i] = byte(i * 7)
	}
	begin := time.Now()
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], uint64(size))
	if _, err := c.Write(head[:]); err != nil {
		return 0, err
	}
	for left := size; left > 0; {
		n, err := c.Write(buf[:min(int64(len(buf)), left)])
		if err != nil {
			return 0, err
		}
		left -= int64(n)
	}
	if _, err := io.ReadFull(c, head[:1]); err != nil {
		return 0, fmt.Errorf("waiting for the end: %w", err)
	}
	return time.Since(begin), nil
}

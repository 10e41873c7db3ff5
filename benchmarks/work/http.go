package work

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"time"
)

// get is what wrk sends, too.
const get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

var contentLength = []byte("Content-Length:")

// request returns the operation of HTTP: it sends a request and reads the answer, with
// as little work as a load generator can have.
func request(conn net.Conn) func() error {
	r := bufio.NewReaderSize(conn, 4096)
	out := []byte(get)
	return func() error {
		if _, err := conn.Write(out); err != nil {
			return err
		}
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("the answer begins with %q", line)
		}
		length := -1
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return err
			}
			if line = bytes.TrimSpace(line); len(line) == 0 {
				break
			}
			if rest, ok := bytes.CutPrefix(line, contentLength); ok {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(rest))); err != nil {
					return err
				}
			}
		}
		if length < 0 {
			return errors.New("the answer has no length")
		}
		_, err = r.Discard(length)
		return err
	}
}

// HasWrk reports whether the program is installed.
func HasWrk() bool {
	_, err := exec.LookPath("wrk")
	return err == nil
}

// wrk lets that program ask, for the window's length in whole seconds.
func (c *Client) wrk(ctx context.Context, w Window) Report {
	time.Sleep(time.Until(w.From))
	used, begin := childrenTime(), time.Now()
	seconds := max(1, int(w.To.Sub(w.From).Round(time.Second)/time.Second))
	out, err := exec.CommandContext(ctx, "wrk", "-t2", "--latency", fmt.Sprintf("-c%d", c.work.Conns),
		fmt.Sprintf("-d%ds", seconds), "http://"+c.addr+"/").CombinedOutput()
	if err != nil {
		c.fail(fmt.Errorf("wrk: %w: %s", err, out))
		return Report{}
	}
	_, rest, _ := bytes.Cut(out, []byte("Requests/sec:"))
	field, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte("\n"))
	rate, err := strconv.ParseFloat(string(bytes.TrimSpace(field)), 64)
	if err != nil {
		c.fail(fmt.Errorf("wrk: no rate in %q", out))
	}
	return Report{
		Latency: Quantiles{P50: wrkLatency(out, " 50%"), P90: wrkLatency(out, " 90%"), P99: wrkLatency(out, " 99%")},
		Seconds: float64(seconds), Ops: uint64(rate * float64(seconds)),
		CPU: (childrenTime() - used).Seconds() * float64(seconds) / time.Since(begin).Seconds(),
	}
}

// wrkLatency is a line of wrk's table of latencies, in seconds.
func wrkLatency(out []byte, quantile string) float64 {
	_, rest, _ := bytes.Cut(out, []byte(quantile+" "))
	field, _, _ := bytes.Cut(rest, []byte("\n"))
	d, _ := time.ParseDuration(string(bytes.TrimSpace(field))) // 0 is "not known"
	return d.Seconds()
}

package main

import (
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"example.com/culvert/conn"
	"github.com/xtaci/kcp-go/v5"
)

// kernelAvailable lists the kernel's congestion controls.
func kernelAvailable() []string {
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

// probe asks a connection for its state and its counters.
func probe(c net.Conn) (p point, n counters) {
	switch c := c.(type) {
	case *net.TCPConn:
		raw, err := c.SyscallConn()
		if err != nil {
			return p, n
		}
		var info *unix.TCPInfo
		if raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }) != nil || err != nil {
			return p, n
		}
		p.RTT = (time.Duration(info.Rtt) * time.Microsecond).Seconds()
		p.Cwnd = int(info.Snd_cwnd) * int(info.Snd_mss)
		p.Flight = max(0, int(info.Unacked)-int(info.Sacked)-int(info.Lost)+int(info.Retrans)) * int(info.Snd_mss)
		n = counters{
			Known: true, Segments: uint64(info.Data_segs_out), Bytes: info.Bytes_sent,
			Retransmits: uint64(info.Total_retrans), BytesRetransmitted: info.Bytes_retrans,
			Spurious: uint64(info.Dsack_dups), Timeouts: uint64(info.Total_rto),
		}
	case *conn.Conn:
		info := c.Info()
		p.RTT, p.Cwnd, p.Flight = info.RTT.Seconds(), info.CongestionWindow, info.InFlight
		n = counters{
			Known: true, Segments: info.SegmentsSent, Bytes: info.BytesSent,
			Retransmits: info.Retransmits, BytesRetransmitted: info.BytesRetransmitted, Timeouts: info.Timeouts,
		}
	case *kcp.UDPSession:
		p.RTT = (time.Duration(c.GetSRTT()) * time.Millisecond).Seconds()
	}
	return p, n
}

// duplicates is how many segments came with nothing new, if the connection tells.
func duplicates(c net.Conn) uint64 {
	if c, ok := c.(*conn.Conn); ok {
		return c.Info().DuplicateSegments
	}
	return 0
}

// cpu is what this process has used so far, user and system.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// machineBusy is how long the machine's CPUs together were not idle.
func machineBusy() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	return busyTime(first)
}

// busyTime sums up the first line of /proc/stat, which counts in hundredths of a
// second: user nice system idle iowait irq softirq steal.
func busyTime(line string) time.Duration {
	var sum time.Duration
	for i, field := range strings.Fields(line) {
		n, err := strconv.ParseUint(field, 10, 63)
		if err == nil && i <= 8 && i != 4 && i != 5 {
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}

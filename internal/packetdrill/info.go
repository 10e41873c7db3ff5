package packetdrill

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"example.com/culvert/tcpcore"
)

// connInfo is TCP_INFO of a connection. Of one that the stack has not handed out yet,
// only the state is known.
type connInfo struct {
	tcpcore.Info
	onlyState bool
	bytes     bool // windows are counted in bytes, as FreeBSD does, and not in segments
}

// info asks a connection.
func (r *runner) info(f *flow) (connInfo, error) {
	if f == nil {
		return connInfo{}, fmt.Errorf("there is no connection to ask")
	}
	if f.c == nil {
		for _, g := range r.fds {
			g.poke()
			if g.l != nil && g.tap == f.tap {
				g.fill()
			}
		}
	}
	if f.c != nil {
		return connInfo{Info: f.c.Info().Info, bytes: r.conf.freebsd}, nil
	}
	for _, g := range r.fds {
		if g.flow == f && g.dial != nil {
			return connInfo{Info: tcpcore.Info{State: tcpcore.SynSent}, onlyState: true}, nil
		}
	}
	if f.hasISN && f.hasPeer {
		// It has sent its SYN-ACK, and is not ready to be accepted.
		return connInfo{Info: tcpcore.Info{State: tcpcore.SynReceived}, onlyState: true}, nil
	}
	return connInfo{}, unsupported("TCP_INFO before there is a connection")
}

// linuxState are the numbers of TCP_ESTABLISHED and so on.
var linuxState = map[tcpcore.State]int64{
	tcpcore.Established: 1, tcpcore.SynSent: 2, tcpcore.SynReceived: 3, tcpcore.FinWait1: 4, tcpcore.FinWait2: 5,
	tcpcore.TimeWait: 6, tcpcore.Closed: 7, tcpcore.CloseWait: 8, tcpcore.LastAck: 9, tcpcore.Listen: 10, tcpcore.Closing: 11,
}

// tcpi are the fields of TCP_INFO that Info can answer for exactly.
var tcpi = map[string]func(i *tcpcore.Info) int64{
	"state":          func(i *tcpcore.Info) int64 { return linuxState[i.State] },
	"rto":            func(i *tcpcore.Info) int64 { return i.RTO.Microseconds() },
	"rtt":            func(i *tcpcore.Info) int64 { return i.RTT.Microseconds() },
	"rttvar":         func(i *tcpcore.Info) int64 { return i.RTTVar.Microseconds() },
	"min_rtt":        func(i *tcpcore.Info) int64 { return i.MinRTT.Microseconds() },
	"snd_mss":        func(i *tcpcore.Info) int64 { return int64(i.SendMSS) },
	"rcv_mss":        func(i *tcpcore.Info) int64 { return int64(i.ReceiveMSS) },
	"snd_cwnd":       func(i *tcpcore.Info) int64 { return segments(i.CongestionWindow, i.SendMSS, false) },
	"snd_ssthresh":   func(i *tcpcore.Info) int64 { return segments(i.SlowStartThreshold, i.SendMSS, false) },
	"total_retrans":  func(i *tcpcore.Info) int64 { return int64(i.Retransmits) },
	"bytes_acked":    func(i *tcpcore.Info) int64 { return int64(i.BytesAcked) },
	"bytes_received": func(i *tcpcore.Info) int64 { return int64(i.BytesReceived) },
	"bytes_sent":     func(i *tcpcore.Info) int64 { return int64(i.BytesSent) },
	"bytes_retrans":  func(i *tcpcore.Info) int64 { return int64(i.BytesRetransmitted) },
	"segs_in":        func(i *tcpcore.Info) int64 { return int64(i.SegmentsReceived) },
	"segs_out":       func(i *tcpcore.Info) int64 { return int64(i.SegmentsSent) },
	"snd_wnd":        func(i *tcpcore.Info) int64 { return int64(i.SendWindow) },
	"rcv_wnd":        func(i *tcpcore.Info) int64 { return int64(i.ReceiveWindow) },
	"snd_wscale":     func(i *tcpcore.Info) int64 { return int64(i.SendScale) },
	"rcv_wscale":     func(i *tcpcore.Info) int64 { return int64(i.ReceiveScale) },
	"rcv_ooopack":    func(i *tcpcore.Info) int64 { return int64(i.OutOfOrderSegments) },
	"options": func(i *tcpcore.Info) int64 {
		return bit(i.Timestamps) | bit(i.SACK)<<1 | bit(i.WindowScale)<<2
	},
}

// named are the fields of TCP_INFO that are a field of Info under another name. Those of
// time are in microseconds there.
var named = map[string]string{
	"ca_state": "Recovery", // its values have the numbers of TCP_CA_Open and so on
	"unacked":  "UnackedSegments", "sacked": "SackedSegments", "lost": "LostSegments", "retrans": "RetransmitsInFlight",
	"retransmits": "TimeoutsInARow", "probes": "UnansweredProbes", "backoff": "Backoff", "ato": "DelayedACK",
	"reordering": "ReorderingDegree", "reord_seen": "Reorderings", "notsent_bytes": "NotSent", "dsack_dups": "DSACKs",
	"data_segs_in": "DataSegmentsReceived", "data_segs_out": "DataSegmentsSent",
	"delivered": "SegmentsDelivered", "delivered_ce": "SegmentsDeliveredCE",
	// FreeBSD's
	"snd_rexmitpack": "Retransmits", "rcv_space": "ReceiveWindow",
}

// namedField is such a field; false if there is none for the name.
func namedField(i *tcpcore.Info, name string) (int64, bool) {
	v := reflect.ValueOf(i).Elem().FieldByName(named[name])
	switch {
	case !v.IsValid():
		return 0, false
	case v.CanUint():
		return int64(v.Uint()), true
	case v.Type() == reflect.TypeFor[time.Duration]():
		return max(0, time.Duration(v.Int()).Microseconds()), true
	case name == "reordering":
		return max(3, v.Int()), true // three is what Linux begins with
	}
	return v.Int(), v.CanInt()
}

// segments turns bytes into segments as Linux counts; "no limit" stays what it is there.
func segments(n, mss int, up bool) int64 {
	if n == math.MaxInt {
		return constants["TCP_INFINITE_SSTHRESH"]
	}
	if mss <= 0 {
		return 0
	}
	if up {
		n += mss - 1
	}
	return int64(n / mss)
}

// infoField is one field of TCP_INFO by its name, with tcpi_ or without.
func infoField(i *connInfo, name string) (int64, error) {
	if len(name) > 5 && name[:5] == "tcpi_" {
		name = name[5:]
	}
	f := tcpi[name]
	v, ok := namedField(&i.Info, name)
	if f == nil && !ok {
		return 0, unsupported("tcpi_%s", name)
	}
	if i.onlyState && name != "state" {
		return 0, unsupported("tcpi_%s before the connection is accepted", name)
	}
	if ok {
		return v, nil
	}
	if i.bytes {
		switch name {
		case "snd_cwnd":
			return int64(i.CongestionWindow), nil
		case "snd_ssthresh":
			return int64(min(i.SlowStartThreshold, 0xffff<<14)), nil
		}
	}
	return f(&i.Info), nil
}

// checkInfo compares the fields of TCP_INFO that a script names.
func (r *runner) checkInfo(f *file, want Struct) error {
	if f.flow == nil {
		return unsupported("TCP_INFO of a socket without a connection")
	}
	i, err := r.info(f.flow)
	if err != nil {
		return err
	}
	for _, fl := range want.Fields {
		if fl.Name == "" || isAny(fl.Value) {
			continue
		}
		w, err := eval(fl.Value)
		if err != nil {
			return err
		}
		v, err := infoField(&i, fl.Name)
		if err != nil {
			return err
		}
		if w != v {
			return fmt.Errorf("%s: expected: %d actual: %d", fl.Name, w, v)
		}
	}
	return nil
}

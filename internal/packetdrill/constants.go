package packetdrill

import (
	"net/netip"
	"strings"
)

// constants are the names that scripts use where a number is meant. The numbers are
// Linux's; nothing but this package looks at them.
var constants = map[string]int64{
	"AF_UNSPEC": 0, "AF_UNIX": 1, "AF_LOCAL": 1, "AF_INET": 2, "AF_INET6": 10, "PF_INET": 2, "PF_INET6": 10,
	"SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_RAW": 3, "SOCK_SEQPACKET": 5, "SOCK_NONBLOCK": 0o4000, "SOCK_CLOEXEC": 0o2000000,
	"IPPROTO_IP": 0, "IPPROTO_ICMP": 1, "IPPROTO_TCP": 6, "IPPROTO_UDP": 17, "IPPROTO_IPV6": 41, "IPPROTO_SCTP": 132, "IPPROTO_MPTCP": 262,
	"SOL_IP": 0, "SOL_SOCKET": 1, "SOL_TCP": 6, "SOL_UDP": 17, "SOL_IPV6": 41,
	"INADDR_ANY": 0, "INADDR_LOOPBACK": 0x7f000001, "NULL": 0, "SOMAXCONN": 4096,

	"O_RDONLY": 0, "O_WRONLY": 1, "O_RDWR": 2, "O_NONBLOCK": 0o4000, "O_NDELAY": 0o4000, "O_ASYNC": 0o20000, "O_CLOEXEC": 0o2000000,
	"F_GETFD": 1, "F_SETFD": 2, "F_GETFL": 3, "F_SETFL": 4, "FD_CLOEXEC": 1,
	"FIONREAD": 0x541b, "SIOCINQ": 0x541b, "SIOCOUTQ": 0x5411, "TIOCOUTQ": 0x5411, "SIOCOUTQNSD": 0x894b, "FIONBIO": 0x5421,
	"FIONWRITE": 0x40047714, "FIONSPACE": 0x40047715,
	"SHUT_RD": 0, "SHUT_WR": 1, "SHUT_RDWR": 2,

	"MSG_OOB": 1, "MSG_PEEK": 2, "MSG_DONTROUTE": 4, "MSG_CTRUNC": 8, "MSG_TRUNC": 0x20, "MSG_DONTWAIT": 0x40,
	"MSG_EOR": 0x80, "MSG_WAITALL": 0x100, "MSG_FIN": 0x200, "MSG_SYN": 0x400, "MSG_RST": 0x1000, "MSG_ERRQUEUE": 0x2000, "MSG_NOSIGNAL": 0x4000,
	"MSG_MORE": 0x8000, "MSG_ZEROCOPY": 0x4000000, "MSG_FASTOPEN": 0x20000000, "MSG_EOF": 0x10000000,

	"SO_DEBUG": 1, "SO_REUSEADDR": 2, "SO_TYPE": 3, "SO_ERROR": 4, "SO_DONTROUTE": 5, "SO_BROADCAST": 6, "SO_SNDBUF": 7,
	"SO_RCVBUF": 8, "SO_KEEPALIVE": 9, "SO_OOBINLINE": 10, "SO_PRIORITY": 12, "SO_LINGER": 13, "SO_REUSEPORT": 15,
	"SO_RCVLOWAT": 18, "SO_SNDLOWAT": 19, "SO_RCVTIMEO": 20, "SO_SNDTIMEO": 21, "SO_TIMESTAMP": 29, "SO_ACCEPTCONN": 30,
	"SO_SNDBUFFORCE": 32, "SO_RCVBUFFORCE": 33, "SO_TIMESTAMPNS": 35, "SO_MARK": 36, "SO_TIMESTAMPING": 37, "SO_PROTOCOL": 38,
	"SO_DOMAIN": 39, "SO_BUSY_POLL": 46, "SO_MAX_PACING_RATE": 47, "SO_INCOMING_CPU": 49, "SO_ZEROCOPY": 60, "SO_TXTIME": 61, "SO_TXREHASH": 74,
	"SO_NOSIGPIPE": 0x1022, "SO_USELOOPBACK": 0x1023, "SO_LABEL": 0x1024, "SO_SETFIB": 0x1025,

	"TCP_NODELAY": 1, "TCP_MAXSEG": 2, "TCP_CORK": 3, "TCP_NOPUSH": 3, "TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 6,
	"TCP_SYNCNT": 7, "TCP_LINGER2": 8, "TCP_DEFER_ACCEPT": 9, "TCP_WINDOW_CLAMP": 10, "TCP_INFO": 11, "TCP_QUICKACK": 12,
	"TCP_CONGESTION": 13, "TCP_MD5SIG": 14, "TCP_THIN_LINEAR_TIMEOUTS": 16, "TCP_THIN_DUPACK": 17, "TCP_USER_TIMEOUT": 18,
	"TCP_REPAIR": 19, "TCP_FASTOPEN": 23, "TCP_TIMESTAMP": 24, "TCP_NOTSENT_LOWAT": 25, "TCP_CC_INFO": 26, "TCP_SAVE_SYN": 27,
	"TCP_SAVED_SYN": 28, "TCP_REPAIR_WINDOW": 29, "TCP_FASTOPEN_CONNECT": 30, "TCP_ULP": 31, "TCP_MD5SIG_EXT": 32,
	"TCP_FASTOPEN_KEY": 33, "TCP_FASTOPEN_NO_COOKIE": 34, "TCP_ZEROCOPY_RECEIVE": 35, "TCP_INQ": 36, "TCP_CM_INQ": 36, "TCP_TX_DELAY": 37,
	"TCP_RTO_MAX_MS": 44, "TCP_RTO_MIN_US": 45, "TCP_DELACK_MAX_US": 46,
	"TCP_NOOPT": 0x1008, "TCP_KEEPINIT": 0x1080, "TCP_FUNCTION_BLK": 0x2000, "TCP_REMOTE_UDP_ENCAPS_PORT": 0x1047,
	"TCP_LOG": 0x1022, "TCP_MAXUNACKTIME": 0x1044, "TCP_DELACK": 0x1048, "TCP_FIN_IS_RST": 0x1049,

	"IP_TOS": 1, "IP_TTL": 2, "IP_MTU_DISCOVER": 10, "IP_RECVERR": 11, "IP_RECVTTL": 12, "IP_RECVTOS": 13, "IP_MTU": 14, "IP_FREEBIND": 15,
	"IP_PMTUDISC_DONT": 0, "IP_PMTUDISC_WANT": 1, "IP_PMTUDISC_DO": 2, "IP_PMTUDISC_PROBE": 3, "IP_MINTTL": 21, "IP_TRANSPARENT": 19,
	"IP_BIND_ADDRESS_NO_PORT": 24, "IP_LOCAL_PORT_RANGE": 51,
	"IPV6_V6ONLY": 26, "IPV6_TCLASS": 67, "IPV6_MTU_DISCOVER": 23, "IPV6_MTU": 24, "IPV6_UNICAST_HOPS": 16, "IPV6_RECVERR": 25,
	"IPV6_FLOWINFO_SEND": 33, "IPV6_AUTOFLOWLABEL": 70, "IPV6_PREFER_SRC_PUBLIC": 2, "IPV6_USE_MIN_MTU": 63,
	"IPTOS_LOWDELAY": 0x10, "IPTOS_THROUGHPUT": 8, "IPTOS_RELIABILITY": 4, "IPTOS_MINCOST": 2,

	"POLLIN": 1, "POLLPRI": 2, "POLLOUT": 4, "POLLERR": 8, "POLLHUP": 0x10, "POLLNVAL": 0x20, "POLLRDNORM": 0x40, "POLLRDBAND": 0x80,
	"POLLWRNORM": 0x100, "POLLWRBAND": 0x200, "POLLRDHUP": 0x2000, "POLLINIGNEOF": 0x4000,
	"EPOLLIN": 1, "EPOLLPRI": 2, "EPOLLOUT": 4, "EPOLLERR": 8, "EPOLLHUP": 0x10, "EPOLLRDNORM": 0x40, "EPOLLRDBAND": 0x80,
	"EPOLLWRNORM": 0x100, "EPOLLWRBAND": 0x200, "EPOLLRDHUP": 0x2000, "EPOLLET": 1 << 31, "EPOLLONESHOT": 1 << 30,
	"EPOLL_CTL_ADD": 1, "EPOLL_CTL_DEL": 2, "EPOLL_CTL_MOD": 3, "EPOLL_CLOEXEC": 0o2000000,

	"TCP_ESTABLISHED": 1, "TCP_SYN_SENT": 2, "TCP_SYN_RECV": 3, "TCP_FIN_WAIT1": 4, "TCP_FIN_WAIT2": 5, "TCP_TIME_WAIT": 6,
	"TCP_CLOSE": 7, "TCP_CLOSE_WAIT": 8, "TCP_LAST_ACK": 9, "TCP_LISTEN": 10, "TCP_CLOSING": 11, "TCP_NEW_SYN_RECV": 12,
	"TCPS_CLOSED": 7, "TCPS_LISTEN": 10, "TCPS_SYN_SENT": 2, "TCPS_SYN_RECEIVED": 3, "TCPS_ESTABLISHED": 1, "TCPS_CLOSE_WAIT": 8,
	"TCPS_FIN_WAIT_1": 4, "TCPS_CLOSING": 11, "TCPS_LAST_ACK": 9, "TCPS_FIN_WAIT_2": 5, "TCPS_TIME_WAIT": 6,
	"TCP_CA_Open": 0, "TCP_CA_Disorder": 1, "TCP_CA_CWR": 2, "TCP_CA_Recovery": 3, "TCP_CA_Loss": 4,
	"TCPI_OPT_TIMESTAMPS": 1, "TCPI_OPT_SACK": 2, "TCPI_OPT_WSCALE": 4, "TCPI_OPT_ECN": 8, "TCPI_OPT_ECN_SEEN": 16, "TCPI_OPT_SYN_DATA": 32,
	"SPLICE_F_MOVE": 1, "SPLICE_F_NONBLOCK": 2, "SPLICE_F_MORE": 4, "SPLICE_F_GIFT": 8,
	"O_CREAT": 0o100, "O_TRUNC": 0o1000, "O_APPEND": 0o2000, "O_NOCTTY": 0o400, "O_DIRECT": 0o40000,
	"TCP_INFINITE_SSTHRESH": 0x7fffffff,
}

// eval computes an expression that stands for a number.
func eval(x Expr) (int64, error) {
	switch x := x.(type) {
	case Number:
		return x.Value, nil
	case Float:
		return int64(x.Value), nil
	case Symbol:
		if v, ok := constants[x.Name]; ok {
			return v, nil
		}
		return 0, unsupported("the constant %s", x.Name)
	case Unary:
		v, err := eval(x.X)
		switch x.Op {
		case "-":
			v = -v
		case "~":
			v = ^v
		case "!":
			if v == 0 {
				v = 1
			} else {
				v = 0
			}
		}
		return v, err
	case Binary:
		return evalBinary(x)
	case Apply:
		switch x.Name {
		case "htons", "ntohs", "htonl", "ntohl":
			// Ports and addresses are kept as people write them.
			if len(x.Args) == 1 {
				return eval(x.Args[0])
			}
		}
		return 0, unsupported("the function %s", x.Name)
	case Array:
		// [1] is a pointer to 1.
		if len(x.Items) == 1 {
			return eval(x.Items[0])
		}
	}
	return 0, unsupported("%s where a number is needed", describe(x))
}

func evalBinary(x Binary) (int64, error) {
	a, err := eval(x.X)
	if err != nil {
		return 0, err
	}
	b, err := eval(x.Y)
	if err != nil {
		return 0, err
	}
	switch x.Op {
	case "|":
		return a | b, nil
	case "^":
		return a ^ b, nil
	case "&":
		return a & b, nil
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "<<":
		return a << uint(b&63), nil
	case ">>":
		return a >> uint(b&63), nil
	case "/", "%":
		if b == 0 {
			return 0, unsupported("a division by zero")
		}
		if x.Op == "/" {
			return a / b, nil
		}
		return a % b, nil
	}
	return 0, unsupported("the operator %s", x.Op)
}

// describe names the form of an expression for messages.
func describe(x Expr) string {
	switch x := x.(type) {
	case Ellipsis:
		return "..."
	case String:
		return "a string"
	case Symbol:
		return x.Name
	case Array:
		return "an array"
	case Struct:
		return "a struct"
	case Apply:
		return x.Name + "()"
	}
	return "an expression"
}

// isAny reports whether x is "...", or missing.
func isAny(x Expr) bool {
	if x == nil {
		return true
	}
	if a, ok := x.(Array); ok && len(a.Items) == 1 {
		return isAny(a.Items[0])
	}
	_, ok := x.(Ellipsis)
	return ok
}

// field finds a field of a struct, nil if it is not there. prefix spellings: Linux
// writes sin_port where FreeBSD writes the same.
func (s Struct) field(names ...string) Expr {
	for _, f := range s.Fields {
		for _, n := range names {
			if f.Name == n {
				return f.Value
			}
		}
	}
	return nil
}

// sockaddr reads a struct sockaddr; ok is false if x is "..." or something else.
func sockaddr(x Expr) (a netip.AddrPort, ok bool, err error) {
	s, is := x.(Struct)
	if !is {
		return a, false, nil
	}
	var ip netip.Addr
	switch v := s.field("sin_addr", "sin6_addr", "addr").(type) {
	case Apply:
		if len(v.Args) > 0 {
			if t, is := v.Args[len(v.Args)-1].(String); is {
				ip, _ = netip.ParseAddr(strings.TrimSpace(t.Value))
			}
		}
	case String:
		ip, _ = netip.ParseAddr(v.Value)
	}
	var port int64
	if p := s.field("sin_port", "sin6_port", "port"); p != nil && !isAny(p) {
		if port, err = eval(p); err != nil {
			return a, false, err
		}
	}
	return netip.AddrPortFrom(ip, uint16(port)), true, nil
}

package packetdrill

import (
	"fmt"
	"time"
)

// Pos is a place in a script. Lines and columns begin with 1; a column counts bytes.
type Pos struct {
	File      string
	Line, Col int
}

// String is file:line:col.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// A SyntaxError tells where a script cannot be read, and why.
type SyntaxError struct {
	Pos Pos
	Msg string
}

func (e *SyntaxError) Error() string { return e.Pos.String() + ": " + e.Msg }

// A Script is a parsed file.
type Script struct {
	File    string
	Options []Option
	Events  []*Event
}

// An Option is a line of the head: --name=value.
type Option struct {
	Pos         Pos
	Name, Value string
}

// An Event is one statement: exactly one of the pointers is set.
type Event struct {
	Pos     Pos
	Time    EventTime
	Packet  *Packet
	Call    *Call
	Command *Command
	Code    *Code
}

// TimeKind is how the time of an event is written.
type TimeKind uint8

// The kinds.
const (
	TimeAbsolute TimeKind = iota // 1.5, since the beginning of the script
	TimeRelative                 // +1.5, since the event before
	TimeAny                      // *, whenever it happens
	TimeNone                     // nothing: before the script begins, or with the event before
)

// EventTime is when an event is to happen.
type EventTime struct {
	Kind TimeKind
	At   time.Duration
	// Until ends a range (t~t), valid if Range; as At, it is relative if Kind is.
	Range bool
	Until time.Duration
	// End is when a blocking call returns (t...t), valid if Blocking.
	Blocking bool
	End      time.Duration
}

// Command is a shell command between back quotes.
type Command struct{ Text string }

// Code is what stands between %{ and }%.
type Code struct {
	Pos  Pos // of Text
	Text string
}

// Call is a system call and what it must return.
type Call struct {
	Pos    Pos
	Name   string
	Args   []Expr
	Result Expr
	Errno  string // EAGAIN ..., empty if none is named
	Note   string // between parentheses, for people
}

// An Expr is an argument.
type Expr interface{ expr() }

type (
	// Ellipsis is "...": whatever.
	Ellipsis struct{}
	// Number is an integer in decimal, hexadecimal or octal.
	Number struct{ Value int64 }
	// Float is a number with a fraction.
	Float struct{ Value float64 }
	// String is text between double quotes, escapes resolved.
	String struct{ Value string }
	// Symbol is a name: a constant.
	Symbol struct {
		Pos  Pos
		Name string
	}
	// Binary joins two expressions: | & ^ + - * / % << >>.
	Binary struct {
		Op   string
		X, Y Expr
	}
	// Unary is - ~ or !.
	Unary struct {
		Op string
		X  Expr
	}
	// Apply is name(args): htons, inet_addr, ...
	Apply struct {
		Pos  Pos
		Name string
		Args []Expr
	}
	// Array is [a, b, ...].
	Array struct{ Items []Expr }
	// Struct is {name=value, ...}; items without a name have an empty one.
	Struct struct{ Fields []Field }
	// Field is one item of a Struct. Count is what stands in parentheses behind the
	// name, as in msg_iov(2)=..., nil if nothing does.
	Field struct {
		Name  string
		Count Expr
		Value Expr
	}
)

func (Ellipsis) expr() {}
func (Number) expr()   {}
func (Float) expr()    {}
func (String) expr()   {}
func (Symbol) expr()   {}
func (Binary) expr()   {}
func (Unary) expr()    {}
func (Apply) expr()    {}
func (Array) expr()    {}
func (Struct) expr()   {}

// ECN is what a script says of the two ECN bits.
type ECN uint8

// The ways to say it.
const (
	ECNUnset ECN = iota // nothing said
	ECNNone             // noecn
	ECNECT0
	ECNECT1
	ECNECT01 // either of both
	ECNCE
)

// Proto is what a packet line is about.
type Proto uint8

// The protocols.
const (
	ProtoTCP Proto = iota
	ProtoICMP
	ProtoUDP
	ProtoOther // what Packet.Other names
)

// Packet is one packet line.
type Packet struct {
	Pos     Pos
	Inbound bool
	Proto   Proto
	Other   string // the protocol, if it is none of TCP, UDP and ICMP

	ECN      ECN
	TOS, TTL int // -1 if not written
	HasPorts bool
	Src, Dst uint16
	Encap    []string // outer headers (ipv4, gre, mpls ...), as written
	HasUDP   bool     // /udp(a > b)
	UDPSrc   uint16
	UDPDst   uint16

	Flags   Flags
	Seq     uint32
	Len     int
	HasAck  bool
	Ack     uint32
	Win     int // -1 if not written
	Urg     int // -1 if not written
	Options []TCPOption
	// AnyOptions is <...>: they are not looked at.
	AnyOptions bool
	Payload    []byte // written out as a string; nil if not

	ICMP *ICMP
}

// ICMP is a message about a segment.
type ICMP struct {
	V6     bool
	Words  []string // type and code, as written
	MTU    int      // 0 if not written
	Body   string   // between the brackets
	Seq    uint32   // of the quoted segment, valid if HasSeq
	Len    int
	HasSeq bool
}

// Flags are the control bits, with AE of AccECN as the ninth.
type Flags uint16

// Control bits, as in the header.
const (
	FlagFIN Flags = 1 << iota
	FlagSYN
	FlagRST
	FlagPSH
	FlagACK
	FlagURG
	FlagECE
	FlagCWR
	FlagAE
)

// flagLetters are in the order of the bits; "C" is read as CWR too.
const flagLetters = "FSRP.UEWA"

// String spells the flags as scripts do.
func (f Flags) String() string {
	if f == 0 {
		return "-"
	}
	var b []byte
	// S before F before R ... as people write them: SFRPEWA, then the dot, then U.
	for _, i := range []int{1, 0, 2, 3, 6, 7, 8, 5, 4} {
		if f&(1<<i) != 0 {
			b = append(b, flagLetters[i])
		}
	}
	return string(b)
}

// OptionKind is a TCP option's number.
type OptionKind int

// The options that scripts name.
const (
	OptEOL       OptionKind = 0
	OptNOP       OptionKind = 1
	OptMSS       OptionKind = 2
	OptWScale    OptionKind = 3
	OptSACKPerm  OptionKind = 4
	OptSACK      OptionKind = 5
	OptTS        OptionKind = 8
	OptFO        OptionKind = 34
	OptFOEXP     OptionKind = 254
	OptAny       OptionKind = -1 // ... among others
	OptUnknown   OptionKind = -2 // a name that is not known here; Text has it
	OptMD5       OptionKind = 19
	maxTCPOption            = 40
)

// TCPOption is one option.
type TCPOption struct {
	Pos   Pos
	Kind  OptionKind
	Value uint32 // mss, wscale, TS val
	Ecr   uint32
	// AnyValue and AnyEcr: "..." is written instead of the number.
	AnyValue, AnyEcr bool
	Blocks           []Block // sack
	Data             []byte  // cookie and the like
	Text             string  // as written
}

// Block is one block of a sack option.
type Block struct{ Left, Right uint32 }

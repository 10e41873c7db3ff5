package packetdrill

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// tuple reads one expression, or several with commas between.
func (in *interp) tuple() value {
	v := in.expr()
	in.s.skip()
	if in.s.peek(0) != ',' {
		return v
	}
	list := []value{v}
	for in.s.has(",") {
		if in.s.skip(); in.s.eof() || in.s.peek(0) == ')' {
			break
		}
		list = append(list, in.expr())
		in.s.skip()
	}
	return list
}

// expr reads a conditional expression: a if c else b.
func (in *interp) expr() value {
	if in.depth++; in.depth > maxDepth {
		in.fail(&SyntaxError{in.pos, "this code is nested too deeply"})
	}
	defer func() { in.depth-- }()
	if in.steps--; in.steps < 0 {
		in.unsupported("so much of it")
	}
	v := in.or()
	in.s.skip()
	if !in.s.hasWord("if") {
		return v
	}
	c := in.or()
	in.s.skip()
	if !in.s.hasWord("else") {
		in.fail(&SyntaxError{in.pos, "else is missing"})
	}
	w := in.expr()
	if truth(c) {
		return v
	}
	return w
}

func (in *interp) or() value {
	v := in.and()
	for in.s.skip(); in.s.hasWord("or"); in.s.skip() {
		w := in.and()
		if !truth(v) {
			v = w
		}
	}
	return v
}

func (in *interp) and() value {
	v := in.not()
	for in.s.skip(); in.s.hasWord("and"); in.s.skip() {
		w := in.not()
		if truth(v) {
			v = w
		}
	}
	return v
}

func (in *interp) not() value {
	n := 0
	for in.s.skip(); in.s.hasWord("not"); in.s.skip() {
		n++
	}
	v := in.compare()
	if n == 0 {
		return v
	}
	return truth(v) == (n%2 == 0)
}

// compare reads a chain: a <= b < c.
func (in *interp) compare() value {
	v := in.arith(0)
	var all value
	for {
		in.s.skip()
		op := ""
		for _, o := range []string{"==", "!=", "<=", ">=", "<>", "<", ">"} {
			if in.s.has(o) {
				op = o
				break
			}
		}
		if op == "" {
			switch {
			case in.s.hasWord("in"):
				op = "in"
			case in.s.hasWord("is"):
				op = "=="
				if in.s.skip(); in.s.hasWord("not") {
					op = "!="
				}
			case in.s.wordAhead() == "not":
				in.s.hasWord("not")
				in.s.skip()
				if !in.s.hasWord("in") {
					in.fail(&SyntaxError{in.pos, "in is missing behind not"})
				}
				op = "not in"
			}
		}
		if op == "" {
			if all != nil {
				return all
			}
			return v
		}
		w := in.arith(0)
		ok := in.related(op, v, w)
		if all == nil {
			all = ok
		} else {
			all = truth(all) && ok
		}
		v = w
	}
}

func (in *interp) related(op string, a, b value) bool {
	switch op {
	case "in", "not in":
		found := false
		switch l := b.(type) {
		case []value:
			for _, x := range l {
				found = found || in.related("==", a, x)
			}
		case string:
			s, ok := a.(string)
			found = ok && strings.Contains(l, s)
		default:
			in.unsupported("in of %s", show(b))
		}
		return found == (op == "in")
	}
	if x, ok := a.(string); ok {
		y, ok := b.(string)
		if !ok {
			return op == "!=" || op == "<>"
		}
		return ordered(op, strings.Compare(x, y))
	}
	if a == nil || b == nil {
		return (a == nil && b == nil) == (op == "==")
	}
	x, xok := toInt(a)
	y, yok := toInt(b)
	if xok && yok {
		switch {
		case x < y:
			return ordered(op, -1)
		case x > y:
			return ordered(op, 1)
		}
		return ordered(op, 0)
	}
	f, g := in.float(a), in.float(b)
	switch {
	case f < g:
		return ordered(op, -1)
	case f > g:
		return ordered(op, 1)
	}
	return ordered(op, 0)
}

func ordered(op string, c int) bool {
	switch op {
	case "==":
		return c == 0
	case "!=", "<>":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

var arithOps = [][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "//", "/", "%"}}

func (in *interp) arith(level int) value {
	if level == len(arithOps) {
		return in.unary()
	}
	v := in.arith(level + 1)
	for {
		in.s.skip()
		op := ""
		for _, o := range arithOps[level] {
			if in.s.looking(o) && !(o == "*" && in.s.looking("**")) {
				op = o
				break
			}
		}
		if op == "" {
			return v
		}
		in.s.off += len(op)
		v = in.binary(op, v, in.arith(level+1))
	}
}

// binary computes a op b: in integers if both are, else in floats, as Python does.
func (in *interp) binary(op string, a, b value) value {
	if in.steps--; in.steps < 0 {
		in.unsupported("so much of it")
	}
	if x, ok := a.(string); ok {
		switch y, ok := b.(string); {
		case op == "+" && ok:
			return x + y
		case op == "%":
			return x // only for people
		}
		in.unsupported("%s of a string", op)
	}
	x, xok := toInt(a)
	y, yok := toInt(b)
	if !xok || !yok || op == "/" && y != 0 && x%y != 0 {
		return in.floats(op, in.float(a), in.float(b))
	}
	switch op {
	case "|":
		return x | y
	case "^":
		return x ^ y
	case "&":
		return x & y
	case "<<":
		return x << uint64(y&63)
	case ">>":
		return x >> uint64(y&63)
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	}
	if y == 0 {
		in.fail(fmt.Errorf("ZeroDivisionError"))
	}
	switch op {
	case "%":
		m := x % y
		if m != 0 && (m < 0) != (y < 0) {
			m += y
		}
		return m
	case "//":
		q := x / y
		if x%y != 0 && (x < 0) != (y < 0) {
			q--
		}
		return q
	}
	return x / y
}

func (in *interp) floats(op string, f, g float64) value {
	switch op {
	case "+":
		return f + g
	case "-":
		return f - g
	case "*":
		return f * g
	case "/", "//", "%":
		if g == 0 {
			in.fail(fmt.Errorf("ZeroDivisionError"))
		}
		switch op {
		case "//":
			return math.Floor(f / g)
		case "%":
			return f - g*math.Floor(f/g)
		}
		return f / g
	}
	in.unsupported("%s of fractions", op)
	return nil
}

func (in *interp) unary() value {
	in.s.skip()
	switch c := in.s.peek(0); c {
	case '-', '+', '~':
		if in.depth++; in.depth > maxDepth {
			in.fail(&SyntaxError{in.pos, "this code is nested too deeply"})
		}
		defer func() { in.depth-- }()
		in.s.off++
		v := in.unary()
		if c == '+' {
			return v
		}
		if c == '~' {
			n, ok := toInt(v)
			if !ok {
				in.unsupported("~ of %s", show(v))
			}
			return ^n
		}
		return in.binary("-", int64(0), v)
	}
	v := in.atom()
	in.s.skip()
	if in.s.has("**") {
		w := in.unary()
		x, xok := toInt(v)
		y, yok := toInt(w)
		if p := math.Pow(in.float(v), in.float(w)); !xok || !yok || y < 0 || math.Abs(p) > 1<<53 {
			return p
		}
		n := int64(1)
		for ; y > 0; y-- {
			n *= x
		}
		return n
	}
	return v
}

func (in *interp) atom() value {
	s := &in.s
	s.skip()
	switch c := s.peek(0); {
	case isDigit(c) || c == '.' && isDigit(s.peek(1)):
		return in.number()
	case c == '"' || c == '\'':
		return in.text(c)
	case c == '(' || c == '[':
		s.off++
		s.skip()
		closing := ")"
		if c == '[' {
			closing = "]"
		}
		if s.has(closing) {
			return []value{}
		}
		v := in.tuple()
		if s.skip(); !s.has(closing) {
			in.fail(&SyntaxError{in.pos, "a bracket in the code is not closed"})
		}
		if c == '[' {
			if _, is := v.([]value); !is {
				v = []value{v}
			}
		}
		return v
	case isLetter(c):
		return in.name()
	}
	in.unsupported("it needs an expression, and has %s", s.found())
	return nil
}

func (in *interp) text(quote byte) value {
	s := &in.s
	start := s.off + 1
	for s.off++; !s.eof() && s.src[s.off] != quote; s.off++ {
		if s.src[s.off] == '\\' {
			s.off++
		}
	}
	if s.eof() {
		in.fail(&SyntaxError{in.pos, "a string in the code does not end"})
	}
	s.off++
	return s.src[start : s.off-1]
}

func (in *interp) number() value {
	s := &in.s
	start := s.off
	for !s.eof() && (isHex(s.src[s.off]) || strings.IndexByte(".xXL_", s.src[s.off]) >= 0 ||
		(s.src[s.off] == '-' || s.src[s.off] == '+') && (s.src[s.off-1] == 'e' || s.src[s.off-1] == 'E') && !strings.HasPrefix(s.src[start:], "0x")) {
		s.off++
	}
	t := strings.TrimSuffix(s.src[start:s.off], "L")
	if n, err := strconv.ParseInt(t, 0, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseInt(t, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil {
		in.fail(&SyntaxError{in.pos, strconv.Quote(t) + " in the code is not a number"})
	}
	return f
}

// name reads a variable, or a call of one of Python's functions.
func (in *interp) name() value {
	w := in.s.wordAhead()
	in.s.off += len(w)
	if q := in.s.peek(0); (q == '"' || q == '\'') && len(w) <= 2 {
		return in.text(q) // f"...", r'...' and the like: only for people
	}
	switch w {
	case "True":
		return true
	case "False":
		return false
	case "None":
		return nil
	}
	in.s.skip()
	if in.s.peek(0) == '.' {
		in.unsupported("%s and a method", w)
	}
	if !in.s.has("(") {
		v, ok := in.lookup(w)
		if !ok {
			in.unsupported("the name %s", w)
		}
		return v
	}
	var args []value
	for in.s.skip(); !in.s.has(")"); in.s.skip() {
		if len(args) > 0 && !in.s.has(",") {
			in.fail(&SyntaxError{in.pos, "the arguments of " + w + " do not end"})
		}
		args = append(args, in.expr())
	}
	return in.apply(w, args)
}

func (in *interp) apply(w string, args []value) value {
	if len(args) == 1 {
		if l, ok := args[0].([]value); ok && (w == "min" || w == "max" || w == "sum") {
			args = l
		}
	}
	switch {
	case (w == "min" || w == "max") && len(args) > 0:
		v := args[0]
		for _, x := range args[1:] {
			if in.related(map[string]string{"min": "<", "max": ">"}[w], x, v) {
				v = x
			}
		}
		return v
	case w == "sum":
		v := value(int64(0))
		for _, x := range args {
			v = in.binary("+", v, x)
		}
		return v
	case len(args) != 1:
	case w == "abs":
		if in.related("<", args[0], int64(0)) {
			return in.binary("-", int64(0), args[0])
		}
		return args[0]
	case w == "int":
		if n, ok := toInt(args[0]); ok {
			return n
		}
		return int64(in.float(args[0]))
	case w == "round":
		if n, ok := toInt(args[0]); ok {
			return n
		}
		return int64(math.RoundToEven(in.float(args[0])))
	case w == "float":
		return in.float(args[0])
	case w == "bool":
		return truth(args[0])
	case w == "str" || w == "repr" || w == "hex":
		return show(args[0])
	case w == "print":
		return nil
	case w == "len":
		switch x := args[0].(type) {
		case string:
			return int64(len(x))
		case []value:
			return int64(len(x))
		}
	}
	in.unsupported("the function %s", w)
	return nil
}

func toInt(v value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		return bit(v), true
	}
	return 0, false
}

func (in *interp) float(v value) float64 {
	if n, ok := toInt(v); ok {
		return float64(n)
	}
	f, ok := v.(float64)
	if !ok {
		in.unsupported("arithmetic with %s", show(v))
	}
	return f
}

func truth(v value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []value:
		return len(v) > 0
	}
	return true
}

func show(v value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case []value:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = show(v[i])
		}
		return "(" + strings.Join(parts, ", ") + ")"
	case string:
		return v
	}
	return fmt.Sprint(v)
}

package packetdrill

import (
	"strconv"
	"strings"
)

// call reads name(args) = result ERRNO (note).
func (p *parser) call() *Call {
	c := &Call{Pos: p.here(), Name: p.wordAhead()}
	p.off += len(c.Name)
	p.need("(", "behind the name of a system call")
	p.enter()
	c.Args = p.list(")")
	p.leave()
	p.need("=", "and the result behind a system call")
	c.Result = p.expression()
	p.skip()
	// What follows may be an errno, or the name of a call that has no time of its own.
	if w := p.wordAhead(); isErrno(w) {
		p.off += len(w)
		c.Errno = w
		p.skip()
	}
	if p.peek(0) == '(' {
		start := p.off
		p.off++
		c.Note = p.note(start)
	}
	return c
}

// isErrno tells an errno from the name of a call: E and capitals.
func isErrno(w string) bool {
	return len(w) > 1 && w[0] == 'E' && w == strings.ToUpper(w)
}

// note reads up to the closing parenthesis; pairs within belong to it.
func (p *parser) note(start int) string {
	from, depth := p.off, 1
	for ; !p.eof(); p.off++ {
		switch p.src[p.off] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			p.off++
			return p.src[from : p.off-1]
		}
	}
	p.failAt(start, "this parenthesis is not closed")
	return ""
}

// list reads expressions with commas between them up to the closing bracket.
func (p *parser) list(end string) []Expr {
	var items []Expr
	for p.skip(); !p.has(end); p.skip() {
		if len(items) > 0 {
			if !p.has(",") {
				p.fail("expected \",\" or %q, found %s", end, p.found())
			}
			if p.skip(); p.has(end) { // a comma behind the last one does no harm
				break
			}
		}
		items = append(items, p.expression())
	}
	return items
}

// Operators of expressions by how strongly they bind, weakest first.
var binding = [][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}

func (p *parser) expression() Expr { return p.binary(0) }

func (p *parser) binary(level int) Expr {
	if level == len(binding) {
		return p.unary()
	}
	p.enter()
	defer p.leave()
	x := p.binary(level + 1)
	for {
		p.skip()
		op := p.operator(binding[level])
		if op == "" {
			return x
		}
		x = Binary{op, x, p.binary(level + 1)}
	}
}

// operator passes over one of ops. A sign that begins the next event is none: "+"
// and "*" count only where no result can end, that is not in front of a time.
func (p *parser) operator(ops []string) string {
	for _, op := range ops {
		if !p.looking(op) {
			continue
		}
		if p.depth <= len(binding) && (op == "+" || op == "*" || op == "%") {
			return "" // outside of all brackets: the next event, or its code
		}
		if op == "|" && p.peek(1) == '|' || op == "&" && p.peek(1) == '&' {
			p.fail("%q is not an operator of arguments", p.src[p.off:p.off+2])
		}
		p.off += len(op)
		return op
	}
	return ""
}

// enter and leave bound the depth of recursion.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth*len(binding) {
		p.fail("this is nested too deeply")
	}
}

func (p *parser) leave() { p.depth-- }

func (p *parser) unary() Expr {
	p.skip()
	switch c := p.peek(0); {
	case c == '-' || c == '~' || c == '!' || c == '&':
		p.enter()
		defer p.leave()
		p.off++
		x := p.unary()
		if n, ok := x.(Number); ok && c == '-' {
			return Number{-n.Value}
		}
		return Unary{string(c), x}
	}
	return p.primary()
}

func (p *parser) primary() Expr {
	switch c := p.peek(0); {
	case p.has("..."):
		return Ellipsis{}
	case isDigit(c) || c == '.' && isDigit(p.peek(1)):
		return p.number()
	case c == '"':
		text := p.quoted()
		for p.skip(); p.peek(0) == '"'; p.skip() {
			text += p.quoted()
		}
		p.has("...") // as strace cuts a text short
		return String{text}
	case c == '\'':
		if p.peek(1) != 0 && p.peek(2) == '\'' {
			v := p.peek(1)
			p.off += 3
			return Number{int64(v)}
		}
		p.fail("this character does not end")
	case c == '[':
		p.off++
		p.enter()
		defer p.leave()
		return Array{p.list("]")}
	case c == '{':
		p.off++
		p.enter()
		defer p.leave()
		return p.structure()
	case c == '(':
		p.off++
		p.enter()
		defer p.leave()
		x := p.binary(0)
		p.need(")", "to match the parenthesis")
		// A cast says nothing that matters here.
		if _, ok := x.(Symbol); ok {
			if p.skip(); isLetter(p.peek(0)) || isDigit(p.peek(0)) {
				return p.unary()
			}
		}
		return x
	case isLetter(c):
		return p.name()
	}
	p.fail("expected an argument, found %s", p.found())
	return nil
}

// name reads a symbol, or a function and its arguments.
func (p *parser) name() Expr {
	at := p.here()
	w := p.wordAhead()
	p.off += len(w)
	if p.peek(0) != '(' {
		return Symbol{at, w}
	}
	p.off++
	p.enter()
	defer p.leave()
	return Apply{at, w, p.list(")")}
}

// number reads an integer, or a fraction.
func (p *parser) number() Expr {
	start := p.off
	for isDigit(p.peek(0)) {
		p.off++
	}
	if p.peek(0) == '.' && isDigit(p.peek(1)) {
		p.off++
		for isDigit(p.peek(0)) {
			p.off++
		}
		f, err := strconv.ParseFloat(p.src[start:p.off], 64)
		if err != nil {
			p.failAt(start, "this is not a number")
		}
		return Float{f}
	}
	p.off = start
	v := p.digits("a number")
	// Suffixes of C.
	for c := p.peek(0); c == 'u' || c == 'U' || c == 'l' || c == 'L'; c = p.peek(0) {
		p.off++
	}
	return Number{int64(v)}
}

// structure reads {name=value, ...}.
func (p *parser) structure() Expr {
	var s Struct
	for p.skip(); !p.has("}"); p.skip() {
		if len(s.Fields) > 0 {
			if !p.has(",") {
				p.fail("expected \",\" or \"}\", found %s", p.found())
			}
			if p.skip(); p.has("}") {
				break
			}
		}
		s.Fields = append(s.Fields, p.field())
	}
	return s
}

func (p *parser) field() Field {
	x := p.expression()
	p.skip()
	if p.peek(0) != '=' && p.peek(0) != ':' {
		return Field{Value: x}
	}
	start := p.off
	p.off++
	f := Field{}
	switch n := x.(type) {
	case Symbol:
		f.Name = n.Name
	case Apply:
		f.Name = n.Name
		if len(n.Args) != 1 {
			p.failAt(start, "a field has one count in its parentheses, this has %d", len(n.Args))
		}
		f.Count = n.Args[0]
	default:
		p.failAt(start, "what stands before %q is not the name of a field", p.src[start])
	}
	f.Value = p.expression()
	return f
}

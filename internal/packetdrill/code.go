package packetdrill

import (
	"fmt"
	"strings"
)

// The code between %{ and }% is Python, of which scripts use little: assert, print,
// assignments, if. This is that little; the rest is unsupported.

// value is an int64, a float64, a string, a bool, a []value or nil (None).
type value any

// codeLine is one statement and how deep it is indented.
type codeLine struct {
	indent int
	text   string
	pos    Pos
}

// code runs a block. Variables live as long as the script.
func (r *runner) code(c *Code) (err error) {
	lines, err := codeLines(c)
	if err != nil {
		return err
	}
	defer func() {
		switch b := recover().(type) {
		case nil:
		case codeBail:
			err = b.err
		default:
			panic(b)
		}
	}()
	var info *connInfo
	in := &interp{r: r, steps: maxCodeSteps}
	in.lookup = func(name string) (value, bool) {
		if v, ok := r.vars[name]; ok {
			return v, true
		}
		if strings.HasPrefix(name, "tcpi_") {
			if info == nil {
				i, err := r.info(r.sut)
				if err != nil {
					panic(codeBail{err})
				}
				info = &i
			}
			v, err := infoField(info, name)
			if err != nil {
				panic(codeBail{err})
			}
			return v, true
		}
		v, ok := constants[name]
		return v, ok
	}
	in.block(lines, 0)
	return nil
}

// maxCodeSteps bounds what one block may evaluate.
const maxCodeSteps = 100000

type codeBail struct{ err error }

// codeLines cuts a block into statements. A line that ends within brackets goes on.
func codeLines(c *Code) ([]codeLine, error) {
	var all []codeLine
	var cur strings.Builder
	depth, line := 0, c.Pos.Line
	var start codeLine
	text := strings.TrimRight(c.Text, " \t\r\n")
	for n, raw := range strings.Split(text, "\n") {
		raw = strings.TrimRight(raw, " \t\r;")
		body := strings.TrimLeft(raw, " \t")
		if depth == 0 {
			if body == "" || body[0] == '#' {
				continue
			}
			start = codeLine{indent: len(strings.ReplaceAll(raw[:len(raw)-len(body)], "\t", "        ")), pos: Pos{c.Pos.File, line + n, 1}}
			if n == 0 {
				start.indent = -1 // behind the bracket: whatever the next lines have
			}
		}
		quote := byte(0)
		semi := depth == 0
		for i := 0; i < len(body); i++ {
			ch := body[i]
			switch {
			case quote != 0:
				if ch == '\\' && i+1 < len(body) {
					cur.WriteByte(ch)
					i++
					ch = body[i]
				} else if ch == quote {
					quote = 0
				}
			case ch == '"' || ch == '\'':
				quote = ch
			case ch == '#':
				body = body[:i]
				continue
			case strings.IndexByte("([{", ch) >= 0:
				depth++
			case strings.IndexByte(")]}", ch) >= 0:
				depth--
			case ch == ';' && depth == 0 && semi:
				start.text = strings.TrimSpace(cur.String())
				all = append(all, start)
				cur.Reset()
				continue
			}
			cur.WriteByte(ch)
		}
		if quote != 0 {
			return nil, &SyntaxError{start.pos, "a string in this code does not end"}
		}
		if strings.HasSuffix(cur.String(), "\\") {
			t := strings.TrimSuffix(cur.String(), "\\")
			cur.Reset()
			cur.WriteString(t + " ")
			depth += 1 << 20 // goes on whatever the brackets say
			continue
		}
		depth &= 1<<20 - 1
		if depth > 0 {
			cur.WriteByte(' ')
			continue
		}
		start.text = strings.TrimSpace(cur.String())
		cur.Reset()
		depth = 0
		if start.text != "" {
			all = append(all, start)
		}
	}
	if depth != 0 {
		return nil, &SyntaxError{start.pos, "a bracket in this code is not closed"}
	}
	// The first statement may stand behind the bracket.
	if len(all) > 0 && all[0].indent < 0 {
		all[0].indent = 0
		for i := range all {
			if all[i].indent < 0 {
				all[i].indent = 0
			}
		}
		if len(all) > 1 {
			all[0].indent = all[1].indent
			if strings.HasSuffix(all[0].text, ":") {
				all[0].indent = 0
			}
		}
	}
	return all, nil
}

// interp evaluates.
type interp struct {
	r      *runner
	lookup func(string) (value, bool)
	steps  int
	s      scanner // of the statement at hand
	pos    Pos
	depth  int
}

func (in *interp) fail(err error) { panic(codeBail{err}) }

func (in *interp) unsupported(format string, args ...any) {
	in.fail(unsupported("code: "+format, args...))
}

// block runs the statements that are indented like the first, and returns how many
// lines it took.
func (in *interp) block(lines []codeLine, depth int) int {
	if len(lines) == 0 {
		return 0
	}
	if depth > 20 {
		in.unsupported("blocks within blocks")
	}
	indent := lines[0].indent
	taken := false // an if before this elif or else was true
	i := 0
	for i < len(lines) && lines[i].indent >= indent {
		l := lines[i]
		if l.indent > indent {
			in.fail(&SyntaxError{l.pos, "unexpected indent in the code"})
		}
		in.pos = l.pos
		word, rest := splitWord(l.text)
		switch word {
		case "if", "elif", "else":
			run, inline := in.condition(word, rest, &taken)
			i++
			if inline != "" {
				if run {
					in.statement(codeLine{indent, inline, l.pos})
				}
				break
			}
			n := 0
			for i+n < len(lines) && lines[i+n].indent > indent {
				n++
			}
			if n == 0 {
				in.fail(&SyntaxError{l.pos, "a block must follow"})
			}
			if run {
				in.block(lines[i:i+n], depth+1)
			}
			i += n
		case "for", "while", "def", "class", "try", "with", "lambda", "return", "raise":
			in.unsupported("%s", word)
		default:
			in.statement(l)
			i++
		}
	}
	return i
}

func splitWord(s string) (word, rest string) {
	n := 0
	for n < len(s) && (isLetter(s[n]) || isDigit(s[n])) {
		n++
	}
	return s[:n], strings.TrimSpace(s[n:])
}

// condition evaluates the head of an if, elif or else.
func (in *interp) condition(word, rest string, taken *bool) (run bool, inline string) {
	if word == "else" {
		run, inline = !*taken, strings.TrimSpace(strings.TrimPrefix(rest, ":"))
		*taken = true
		return run, inline
	}
	in.begin(rest)
	v := truth(in.expr())
	in.s.skip()
	if !in.s.has(":") {
		in.fail(&SyntaxError{in.pos, "a colon must follow the condition"})
	}
	inline = strings.TrimSpace(in.s.src[in.s.off:])
	if word == "if" {
		*taken = false
	}
	run = v && !*taken
	*taken = *taken || v
	return run, inline
}

func (in *interp) begin(text string) {
	in.s = *newScanner(in.pos.File, text)
	in.s.bare = true
}

// end complains of what is left of a statement.
func (in *interp) end() {
	in.s.skip()
	if !in.s.eof() {
		in.unsupported("%s is not understood", in.s.found())
	}
}

func (in *interp) statement(l codeLine) {
	word, rest := splitWord(l.text)
	switch word {
	case "assert":
		in.begin(rest)
		v := in.expr()
		msg := ""
		in.s.skip()
		if in.s.has(",") {
			msg = ", " + show(in.tuple())
		}
		in.end()
		if !truth(v) {
			in.fail(&posError{l.pos, fmt.Errorf("AssertionError: %s%s", l.text, msg)})
		}
	case "print", "pass", "import", "from", "global", "del":
		if word == "print" {
			in.begin(rest)
			in.s.skip()
			if !in.s.eof() {
				in.r.trace("print %s", show(in.tuple()))
			}
		}
	default:
		in.assign(l)
	}
}

// assign runs name = value, name += value, or an expression for its own sake.
func (in *interp) assign(l codeLine) {
	word, rest := splitWord(l.text)
	for _, op := range []string{"=", "+=", "-=", "*=", "|=", "&="} {
		if word == "" || !strings.HasPrefix(rest, op) || strings.HasPrefix(rest, "==") {
			continue
		}
		in.begin(rest[len(op):])
		v := in.tuple()
		in.end()
		if op != "=" {
			old, ok := in.lookup(word)
			if !ok {
				in.unsupported("the name %s", word)
			}
			v = in.binary(op[:1], old, v)
		}
		in.r.vars[word] = v
		return
	}
	in.begin(l.text)
	in.tuple()
	in.end()
}

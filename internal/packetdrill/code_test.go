package packetdrill

import (
	"errors"
	"strings"
	"testing"
)

// runCode runs a block without a connection; x is 7 and y is 2.5 in it.
func runCode(text string) error {
	r := &runner{vars: map[string]value{"x": int64(7), "y": 2.5}}
	return r.code(&Code{Pos: Pos{"x.pkt", 1, 1}, Text: text})
}

// TestCodeTrue: assertions that hold.
func TestCodeTrue(t *testing.T) {
	for _, text := range []string{
		" assert True ",
		" assert x == 7, x ",
		" assert 1 < 2 <= 2 < x and not x < 7 or False ",
		" assert x + 3 * 2 == 13 and (x + 3) * 2 == 20 ",
		" assert 7 / 2 == 3.5 and 7 // 2 == 3 and -7 // 2 == -4 and -7 % 3 == 2 ",
		" assert 0x10 | 1 == 0x11 and 6 & 3 == 2 and 5 ^ 1 == 4 and ~0 == -1 and 1 << 4 == 16 and 256 >> 4 == 16 ",
		" assert 2 ** 10 == 1024 and y * 2 == 5 and y > 2 ",
		" assert abs(-3) == 3 and min(2, 1) == 1 and max([1, 5, 2]) == 5 and int(2.9) == 2 and len('abc') == 3 ",
		" assert x in (1, 7) and 3 not in [1, 2] and 'b' in 'abc' ",
		" assert (1 if x > 5 else 2) == 1 ",
		" assert x != 8; assert x is not None ",
		" assert TCP_ESTABLISHED == 1 and TCPI_OPT_SACK | TCPI_OPT_WSCALE == 6 ",
		" z = x * 2\nz += 1\nassert z == 15, 'z is %d' % z",
		"\nassert (x ==\n   7)\nassert x == \\\n  7  # a comment\n",
		"\nif x == 7:\n    assert True\nelif x == 8:\n    assert False\nelse:\n    assert False\n",
		"\nif x > 100: assert False\nelse: assert True\n",
		"\nif x == 7:\n  if y > 100:\n    assert False\n  else:\n    z = 1\nassert z == 1\n",
		" print(x, 'a;b'); print 'old' ; import math",
		" assert 'a;b#c' == \"a;b#c\" ",
		" print(f\"x is {x}\"); print(r'\\d'); assert x == 7, f'x is {x}' ",
		" assert sum([1, 2, 3]) == 6 and round(2.4) == 2 and float(3) == 3.0 ",
	} {
		if err := runCode(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestCodeFalse: assertions that do not hold, and code that is none or not understood.
func TestCodeFalse(t *testing.T) {
	for _, tt := range []struct{ text, reason string }{
		{" assert x == 8, (x, 'no') ", "AssertionError: assert x == 8, (x, 'no'), (7, no)"},
		{" assert x < 7 < 8 ", "AssertionError"},
		{"\nif x == 7:\n    assert False\n", "AssertionError"},
		{" assert 7 // 2 == 4 ", "AssertionError"},
		{" assert 1 / 0 ", "ZeroDivisionError"},
		{" assert (x == 7 ", "not closed"},
		{" assert 'a ", "does not end"},
		{" assert x ~ 3 ", "not understood"},
		{" assert ", "needs an expression"},
		{"\nassert x\n    assert x\n", "unexpected indent"},
		{"\nif x:\nassert x\n", "a block must follow"},
		{" d = {1: 2} ", "unsupported: code: it needs an expression"},
		{" assert x[0] == 1 ", "unsupported: code: \"[0]\" is not understood"},
		{" assert unknown_name ", "unsupported: code: the name unknown_name"},
		{" while True: pass ", "unsupported: code: while"},
		{" assert foo(1) ", "unsupported: code: the function foo"},
		{" assert " + strings.Repeat("(", 1000) + strings.Repeat(")", 1000), "nested too deeply"},
		{" assert " + strings.Repeat("-", 1000) + "1", "nested too deeply"},
	} {
		err := runCode(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.reason)
		}
	}
}

// FuzzCode: no code makes the interpreter panic, or run without end.
func FuzzCode(f *testing.F) {
	f.Add(" assert x == 7, x ")
	f.Add("\nif x == 7:\n    assert True\nelif x == 8:\n    assert False\nelse:\n    z = 1 if x else 2\n")
	f.Add(" assert abs(-3) ** 2 // 2 % 5 | ~1 & 3 << 2 in (1, [2], 'a') ; print('x')")
	f.Fuzz(func(t *testing.T, text string) {
		err := runCode(text)
		var bug codeBail
		if errors.As(err, &bug) {
			t.Fatal("a bailout came out of the interpreter")
		}
	})
}

func (codeBail) Error() string { return "" }

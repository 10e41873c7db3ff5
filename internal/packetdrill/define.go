package packetdrill

import "strings"

// defines are the symbols of --define=NAME=VALUE, which stand for their values in the
// arguments and results of system calls.
func defines(sc *Script) (map[string]Expr, error) {
	var defs map[string]Expr
	for _, o := range sc.Options {
		if o.Name != "define" {
			continue
		}
		name, value, ok := strings.Cut(o.Value, "=")
		if !ok || name == "" {
			return nil, &SyntaxError{o.Pos, "--define: want NAME=VALUE, not " + o.Value}
		}
		// The value is what an argument may be; a call gives it a place.
		def, err := Parse(sc.File, "+0 define("+strings.Trim(value, `"'`)+") = 0")
		if err != nil || len(def.Events) != 1 || def.Events[0].Call == nil || len(def.Events[0].Call.Args) != 1 {
			return nil, &SyntaxError{o.Pos, "--define: the value " + value + " is no argument"}
		}
		if defs == nil {
			defs = make(map[string]Expr)
		}
		defs[name] = def.Events[0].Call.Args[0]
	}
	return defs, nil
}

// substitute puts the values of symbols in their places. A value is not looked at again, so
// the work ends.
func substitute(x Expr, defs map[string]Expr) Expr {
	list := func(items []Expr) []Expr {
		out := make([]Expr, len(items))
		for i := range items {
			out[i] = substitute(items[i], defs)
		}
		return out
	}
	switch x := x.(type) {
	case Symbol:
		if v, ok := defs[x.Name]; ok {
			return v
		}
	case Unary:
		return Unary{x.Op, substitute(x.X, defs)}
	case Binary:
		return Binary{x.Op, substitute(x.X, defs), substitute(x.Y, defs)}
	case Apply:
		return Apply{x.Pos, x.Name, list(x.Args)}
	case Array:
		return Array{list(x.Items)}
	case Struct:
		fields := make([]Field, len(x.Fields))
		for i, f := range x.Fields {
			fields[i] = Field{Name: f.Name, Value: substitute(f.Value, defs)}
			if f.Count != nil {
				fields[i].Count = substitute(f.Count, defs)
			}
		}
		return Struct{fields}
	}
	return x
}

// define replaces the symbols of --define in all calls.
func (sc *Script) define() error {
	defs, err := defines(sc)
	if err != nil || defs == nil {
		return err
	}
	for _, e := range sc.Events {
		if c := e.Call; c != nil {
			for i := range c.Args {
				c.Args[i] = substitute(c.Args[i], defs)
			}
			c.Result = substitute(c.Result, defs)
		}
	}
	return nil
}

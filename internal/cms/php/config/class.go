package config

import (
	"strings"

	"upkeep/internal/cms/php"
)

// isClass reports whether a class declaration begins at i.
func (r *reader) isClass(i int) bool {
	for ; r.tok(i).is("final") || r.tok(i).is("abstract") || r.tok(i).is("readonly"); i++ {
	}
	t := r.tok(i)
	declares := t.is("class") || t.is("trait") || t.is("interface") || t.is("enum")
	return declares && r.tok(i+1).kind == name && !r.tok(i-1).is("::") && !r.tok(i-1).is("->")
}

// class reads the default values of a class's properties. Its methods do not
// run: calling them is what makes a file dynamic.
func (r *reader) class(i, end int) int {
	open := r.find(i, end, "{")
	next := r.match(open, end)
	at := i
	for ; at < open && !r.tok(at).is("class"); at++ {
	}
	class := strings.ToLower(r.tok(at + 1).text)
	for i = open + 1; i < next-1; {
		i = r.member(class, i, next-1)
	}
	return next
}

// member reads one declaration of a class body and returns where it ends.
func (r *reader) member(class string, i, end int) int {
	start := i
	for ; i < end && r.tok(i).kind != variable; i++ {
		switch t := r.tok(i); {
		case t.is("function"):
			return r.method(i, end)
		case t.is("const"), t.is("use"), t.is("case"), t.is(";"):
			return max(r.find(i, end, ";")+1, start+1)
		case t.is("{"), t.is("("), t.is("["):
			i = r.match(i, end) - 1
		}
	}
	stop := r.find(i, end, ";")
	for i < stop {
		next := r.find(i, stop, ",")
		r.property(class, i, next)
		i = next + 1
	}
	return max(stop+1, start+1)
}

// method returns the end of a method, which has a body or none.
func (r *reader) method(i, end int) int {
	stop := r.find(i, end, "{", ";")
	if r.tok(stop).is("{") {
		return r.match(stop, end)
	}
	return stop + 1
}

func (r *reader) property(class string, i, end int) {
	t := r.tok(i)
	if t.kind != variable {
		return
	}
	value := &php.Value{}
	if r.tok(i + 1).is("=") {
		computed, known := r.eval(i+2, end)
		if !known {
			computed = nil
		}
		value = computed
	}
	r.properties[class+"::"+t.text] = &setting{value}
}

package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// node is where one value stands in the text. Offsets are in bytes.
type node struct {
	key int32 // the key's last part; for an array element the value itself
	val int32 // the value; for a [table] or [[table]] its header's bracket
	sub *group
}

// group is what a table or an array holds; one of table and items is used.
type group struct {
	table  map[string]*node
	items  []*node
	header bool // a [table] header of its own was seen, so its position is final
}

func (n *node) group() *group {
	if n.sub == nil {
		n.sub = &group{}
	}
	return n.sub
}

// child returns the value under key, or nil.
func (n *node) child(key string) *node {
	if n.sub == nil {
		return nil
	}
	return n.sub.table[key]
}

// item returns element i, or nil.
func (n *node) item(i int) *node {
	if n.sub == nil || i < 0 || i >= len(n.sub.items) {
		return nil
	}
	return n.sub.items[i]
}

// add puts kid under key unless something is there already (a duplicate, which the parser refuses).
func (n *node) add(key string, kid *node) *node {
	g := n.group()
	if g.table == nil {
		g.table = make(map[string]*node)
	}
	if old := g.table[key]; old != nil {
		return old
	}
	g.table[key] = kid
	return kid
}

// scanner finds positions in TOML text. It runs before the parser, to refuse what the parser would recurse
// into too deeply, and keeps two promises on any text at all: it moves forward at each step, and it accepts
// at least what the parser accepts. Validity is the parser's business.
type scanner struct {
	text     string
	pos      int
	root     *node
	path     Path   // of the key or element being read
	keyBytes int    // total length of the keys in path
	parts    []part // reused by keys
	stopped  bool   // no sense can be made of the rest

	refused    string // why the parser must not see this text, "" if it may
	refusedAt  int
	refusedKey string

	want  int // offset to locate; -1 for none
	found *place
}

// part is one name of a dotted key.
type part struct {
	name string
	at   int32
}

// place is what the scanner was reading at the wanted offset.
type place struct {
	path Path
	node node
	end  int
}

// scan maps text. The scanner is returned for what it refused.
func scan(text string, want int) *scanner {
	s := &scanner{text: text, root: &node{}, want: want}
	s.document()
	return s
}

func (s *scanner) document() {
	table := s.root
	for base := 0; ; s.path = s.path[:base] {
		s.gap()
		switch {
		case s.stopped || s.pos >= len(s.text):
			return
		case s.text[s.pos] == '[':
			table = s.header()
			base = len(s.path)
		default:
			s.pair(table)
		}
		if !s.stopped {
			s.pos += lineLength(s.text[s.pos:])
		}
	}
}

// header reads [a.b] or [[a.b]] and returns the table that the following pairs belong to.
func (s *scanner) header() *node {
	start := s.pos
	s.path, s.keyBytes = s.path[:0], 0
	array := strings.HasPrefix(s.text[s.pos:], "[[")
	s.pos++
	if array {
		s.pos++
	}
	parts := s.keys()
	if parts == nil {
		s.stopped = true
		return s.root
	}
	table := s.root
	for _, p := range parts[:len(parts)-1] {
		table = s.enter(table, p, start)
	}
	last := parts[len(parts)-1]
	if array {
		table = s.appendTable(table, last, start)
	} else {
		table = s.enter(table, last, start)
		if g := table.group(); !g.header { // until now only implied, by [a.b] before [a]
			g.header, table.key, table.val = true, last.at, int32(start)
		}
	}
	s.mark(start, table)
	return table
}

// appendTable starts a new element of the array of tables called p.
func (s *scanner) appendTable(table *node, p part, start int) *node {
	array := table.add(p.name, &node{key: p.at, val: int32(start)})
	elem := &node{key: p.at, val: int32(start), sub: &group{header: true}}
	g := array.group()
	g.items = append(g.items, elem)
	s.push(p.name, start)
	s.push(len(g.items)-1, start)
	return elem
}

// enter goes down to the table called p, the newest one if p is an array of tables; at is where a
// table that is only implied stands.
func (s *scanner) enter(table *node, p part, at int) *node {
	kid := table.add(p.name, &node{key: p.at, val: int32(at)})
	s.push(p.name, int(p.at))
	if kid.sub != nil && len(kid.sub.items) > 0 {
		s.push(len(kid.sub.items)-1, int(p.at))
		return kid.sub.items[len(kid.sub.items)-1]
	}
	return kid
}

// pair reads key = value into table.
func (s *scanner) pair(table *node) {
	start, depth, keyBytes := s.pos, len(s.path), s.keyBytes
	parts := s.keys()
	if parts == nil || s.peek() != '=' {
		s.stopped = true
		return
	}
	s.pos++
	for _, p := range parts[:len(parts)-1] {
		table = s.enter(table, p, int(p.at))
	}
	last := parts[len(parts)-1]
	s.push(last.name, int(last.at))
	s.blank()
	n := &node{key: last.at, val: int32(s.pos)}
	s.value(n)
	table.add(last.name, n)
	s.mark(start, n)
	s.path, s.keyBytes = s.path[:depth], keyBytes
}

// keys reads a dotted key up to what follows it; nil when there is none. The slice is reused.
func (s *scanner) keys() []part {
	s.parts = s.parts[:0]
	for {
		s.blank()
		at := s.pos
		name := ""
		switch c := s.peek(); {
		case c == '"' || c == '\'':
			s.quoted(c)
			if s.stopped {
				return nil
			}
			name = unquoteKey(s.text[at:s.pos])
		default:
			for s.pos < len(s.text) && isBareKey(rune(s.text[s.pos])) {
				s.pos++
			}
			if name = s.text[at:s.pos]; name == "" {
				return nil
			}
		}
		if name == "" { // the library loses array elements after an inline table with such a key
			s.refuse(at, "a key cannot be empty")
			return nil
		}
		s.parts = append(s.parts, part{name, int32(at)})
		s.blank()
		if len(s.parts) > MaxDepth {
			s.refuse(at, fmt.Sprintf("key of more than %d parts (the limit is spec.MaxDepth)", MaxDepth))
			return nil
		}
		if s.peek() != '.' {
			return s.parts
		}
		s.pos++
	}
}

// unquoteKey gives the key that a quoted key stands for. Escapes are rare in keys: the parser reads them.
func unquoteKey(raw string) string {
	inner := raw[1 : len(raw)-1]
	if raw[0] == '\'' || !strings.Contains(inner, `\`) {
		return inner
	}
	var v struct{ K string }
	if _, err := toml.Decode("K = "+raw, &v); err != nil {
		return inner // the parser will refuse it in its place
	}
	return v.K
}

// value reads any value; n takes what is inside it.
func (s *scanner) value(n *node) {
	switch c := s.peek(); c {
	case '[':
		s.array(n)
	case '{':
		s.inlineTable(n)
	case '"', '\'':
		if strings.HasPrefix(s.text[s.pos:], strings.Repeat(string(c), 3)) {
			s.multiline(c)
		} else {
			s.quoted(c)
		}
	default:
		s.bare()
	}
}

func (s *scanner) array(n *node) {
	g := n.group()
	s.pos++
	depth := len(s.path)
	for {
		s.gap()
		if s.stopped || s.peek() == ']' {
			break
		}
		s.push(len(g.items), s.pos)
		elem := &node{key: int32(s.pos), val: int32(s.pos)}
		s.value(elem)
		g.items = append(g.items, elem)
		s.mark(int(elem.val), elem)
		s.path = s.path[:depth]
		s.separator(']')
	}
	s.close()
}

func (s *scanner) inlineTable(n *node) {
	n.group().header = true
	s.pos++
	for {
		s.gap()
		if s.stopped || s.peek() == '}' {
			break
		}
		s.pair(n)
		s.separator('}')
	}
	s.close()
}

// separator passes the comma between two elements, or stays before the closing bracket.
func (s *scanner) separator(end byte) {
	s.gap()
	switch {
	case s.stopped:
	case s.peek() == ',':
		s.pos++
	case s.peek() != end:
		s.stopped = true
	}
}

// close passes a closing bracket.
func (s *scanner) close() {
	if !s.stopped {
		s.pos++
	}
}

// quoted reads a string on one line.
func (s *scanner) quoted(quote byte) {
	for s.pos++; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == quote:
			s.pos++
			return
		case c == '\n':
			s.stopped = true
			return
		case c == '\\' && quote == '"' && s.pos+1 < len(s.text) && s.text[s.pos+1] != '\n':
			s.pos++
		}
	}
	s.stopped = true
}

// multiline reads a string between triple quotes. Its last quotes may belong to it: """a"""" is a".
func (s *scanner) multiline(quote byte) {
	s.pos += 3
	for run := 0; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == quote:
			run++
			continue
		case run >= 3:
			return
		case c == '\\' && quote == '"' && s.pos+1 < len(s.text):
			s.pos++
		}
		run = 0
	}
	s.stopped = !strings.HasSuffix(s.text, strings.Repeat(string(quote), 3))
}

// bare reads a number, a boolean or a date; also what people write when they forget the quotes.
func (s *scanner) bare() {
	end := strings.IndexAny(s.text[s.pos:], ",]}#\n")
	if end < 0 {
		end = len(s.text) - s.pos
	}
	s.pos += len(strings.TrimRight(s.text[s.pos:s.pos+end], " \t\r"))
}

// gap passes blanks, line ends and comments.
func (s *scanner) gap() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		case '#':
			s.pos += lineLength(s.text[s.pos:])
		default:
			return
		}
	}
}

// blank passes blanks within a line.
func (s *scanner) blank() {
	for s.pos < len(s.text) && (s.text[s.pos] == ' ' || s.text[s.pos] == '\t') {
		s.pos++
	}
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos >= len(s.text) {
		s.stopped = true
		return 0
	}
	return s.text[s.pos]
}

// push goes one step down the path, within the limits; at is where the step stands.
func (s *scanner) push(step any, at int) {
	s.path = append(s.path, step)
	if name, ok := step.(string); ok {
		s.keyBytes += len(name)
	}
	switch {
	case len(s.path) > MaxDepth:
		s.refuse(at, fmt.Sprintf("nested more than %d levels deep (the limit is spec.MaxDepth)", MaxDepth))
	case s.keyBytes > MaxKeyBytes:
		s.refuse(at, fmt.Sprintf("full key longer than %d bytes (the limit is spec.MaxKeyBytes)", MaxKeyBytes))
	}
}

func (s *scanner) refuse(at int, why string) {
	if s.refused == "" {
		s.refused, s.refusedAt, s.refusedKey = why, at, pathString(s.path)
	}
	s.stopped = true
}

// mark remembers the innermost thing read around the wanted offset; callers go from the inside out.
func (s *scanner) mark(start int, n *node) {
	if s.found == nil && s.want >= start && s.want <= s.pos {
		s.found = &place{path: slices.Clone(s.path), node: *n, end: s.pos}
	}
}

// lineLength counts the bytes before the end of the line.
func lineLength(text string) int {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return i
	}
	return len(text)
}

package route

import (
	"cmp"
	"slices"
	"strings"
)

// trie finds sets of rules by how a value begins. It never changes.
type trie struct {
	nodes []trieNode // the root is the first
	sets  []uint64   // of words each; the first one is of the rules that any value may meet
	words int
}

// trieNode stands for the bytes on the way to it, which are those of the node
// above and its label. The offsets are in trie.sets.
type trieNode struct {
	label string // all but the root's have one
	heads string // the first bytes of its children's labels
	child int32  // its first child; the others follow
	open  int32  // the rules of a value that begins so
	whole int32  // the rules of a value that is so, and no longer
}

// cursor is how far a value has been followed. The zero value is at the root.
type cursor struct {
	node int32
	at   int32 // how much of the node's label
	open int32 // the set, if the value goes on as no key does
	lost bool  // it does
}

// The bytes of a value as a trie compares them.
var exact, folded [256]byte

func init() {
	for i := range 256 {
		exact[i], folded[i] = byte(i), lower(byte(i))
	}
}

func (t *trie) step(c cursor, b byte) cursor {
	if c.lost {
		return c
	}
	n := &t.nodes[c.node]
	if int(c.at) == len(n.label) {
		i := strings.IndexByte(n.heads, b)
		if i < 0 {
			c.lost = true
			return c
		}
		c.node, c.at = n.child+int32(i), 0
		n = &t.nodes[c.node]
	} else if n.label[c.at] != b {
		c.lost = true
		return c
	}
	if c.at++; int(c.at) == len(n.label) {
		c.open = n.open
	}
	return c
}

// feed follows bytes from a cursor.
func (t *trie) feed(c cursor, b []byte, as *[256]byte) cursor {
	for _, x := range b {
		if c = t.step(c, as[x]); c.lost {
			break
		}
	}
	return c
}

// feedBack follows bytes from the last to the first, in lower case.
func (t *trie) feedBack(c cursor, b []byte) cursor {
	for i := len(b) - 1; i >= 0 && !c.lost; i-- {
		c = t.step(c, folded[b[i]])
	}
	return c
}

// set returns a set by its offset.
func (t *trie) set(offset int32) []uint64 { return t.sets[offset : int(offset)+t.words] }

// found returns the rules of a value that ends at the cursor.
func (t *trie) found(c cursor) []uint64 {
	if n := &t.nodes[c.node]; !c.lost && int(c.at) == len(n.label) {
		return t.set(n.whole)
	}
	return t.set(c.open)
}

// narrow takes out of a set the rules that a value doesn't meet.
func (t *trie) narrow(set []uint64, c cursor) { intersect(set, t.found(c)) }

// widen adds to a set the rules that a value may meet.
func (t *trie) widen(set []uint64, c cursor) {
	for i, w := range t.found(c) {
		set[i] |= w
	}
}

// entry says that a value with the key may meet the rule.
type entry struct {
	key
	rule int
}

// trieBuilder makes a trie.
type trieBuilder struct {
	always  []uint64 // the rules that any value may meet
	entries []entry
	trie    trie
}

func (b *trieBuilder) build() *trie {
	slices.SortStableFunc(b.entries, func(x, y entry) int { return cmp.Compare(x.text, y.text) })
	b.trie.words = len(b.always)
	b.trie.nodes = make([]trieNode, 1)
	open := b.keep(b.always)
	b.fill(0, b.entries, 0, open)
	return &b.trie
}

// keep stores a set and returns its offset.
func (b *trieBuilder) keep(set []uint64) int32 {
	at := len(b.trie.sets)
	b.trie.sets = append(b.trie.sets, set...)
	return int32(at)
}

// fill makes the node at an index from the entries that begin as it does, in depth
// bytes. open is the set of the node above.
func (b *trieBuilder) fill(node int, entries []entry, depth int, open int32) {
	n := trieNode{label: b.trie.nodes[node].label, open: open, whole: open}
	own := 0
	for own < len(entries) && len(entries[own].text) == depth {
		own++
	}
	if own > 0 {
		begins := slices.Clone(b.trie.set(open))
		var ends []uint64
		for _, e := range entries[:own] {
			if !e.whole {
				begins[e.rule/64] |= 1 << (e.rule % 64)
			}
		}
		ends = slices.Clone(begins)
		for _, e := range entries[:own] {
			ends[e.rule/64] |= 1 << (e.rule % 64)
		}
		n.open, n.whole = b.keep(begins), b.keep(ends)
	}
	entries = entries[own:]

	var groups [][]entry
	var heads []byte
	for len(entries) > 0 {
		head, size := entries[0].text[depth], 1
		for size < len(entries) && entries[size].text[depth] == head {
			size++
		}
		heads = append(heads, head)
		groups = append(groups, entries[:size])
		entries = entries[size:]
	}
	n.heads, n.child = string(heads), int32(len(b.trie.nodes))
	b.trie.nodes[node] = n
	b.trie.nodes = append(b.trie.nodes, make([]trieNode, len(groups))...)
	for i, g := range groups {
		label := common(g[0].text, g[len(g)-1].text)[depth:] // they are sorted
		child := int(n.child) + i
		b.trie.nodes[child].label = label
		b.fill(child, g, depth+len(label), n.open)
	}
}

// common returns what two texts begin with.
func common(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

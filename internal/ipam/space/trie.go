package space

// node is a block with something taken in it.
//
// A leaf has no children and is wholly taken. Any other node has two: one in
// each half, each the smallest block that holds all that is taken in that half;
// what of the half lies outside of it is free.
type node struct {
	key   key
	child [2]uint32 // indexes into trie.nodes; 0: none
	bits  uint8
	max   uint8 // length of the largest free block within: the smallest number; full if there is none
}

// full is the max of a leaf: longer than any block.
const full = 255

func (n *node) leaf() bool { return n.child[0] == 0 }

// trie is the nodes of all of a space's CIDRs. Index 0 is no node.
type trie struct {
	nodes  []node
	unused uint32 // first of the nodes out of use, each of which has the next as child[0]; 0: none
	used   int    // how many nodes are in use
}

func (t *trie) add(n node) uint32 {
	t.used++
	if i := t.unused; i != 0 {
		t.unused = t.nodes[i].child[0]
		t.nodes[i] = n
		return i
	}
	if len(t.nodes) == 0 {
		t.nodes = append(t.nodes, node{})
	}
	t.nodes = append(t.nodes, n)
	return uint32(len(t.nodes) - 1)
}

// drop takes a node out of use; what it held is gone.
func (t *trie) drop(i uint32) {
	t.used--
	t.nodes[i] = node{child: [2]uint32{t.unused}}
	t.unused = i
}

// fewNodes is how many nodes are kept whether or not they are used: 32 KiB.
const fewNodes = 1024

// sparse says whether under a quarter of the nodes is used. Moving those costs
// less than dropping the others did, so that dropping stays cheap on average.
func (t *trie) sparse() bool { return len(t.nodes) > fewNodes && t.used < len(t.nodes)/4 }

// move copies the nodes under i to another trie and returns their root there.
func (t *trie) move(i uint32, to *trie) uint32 {
	if i == 0 {
		return 0
	}
	n := t.nodes[i]
	at := to.add(n)
	if !n.leaf() {
		low := t.move(n.child[0], to)
		high := t.move(n.child[1], to)
		to.nodes[at].child = [2]uint32{low, high}
	}
	return at
}

// largest returns the length of the largest free block in the region of n bits
// whose trie is i.
func (t *trie) largest(i uint32, n uint8) uint8 {
	switch {
	case i == 0:
		return n
	case t.nodes[i].bits > n:
		return n + 1 // the half of the region that doesn't hold the node
	}
	return t.nodes[i].max
}

// settle works out a node's max from its children's, and makes two taken halves
// one taken whole.
func (t *trie) settle(i uint32) {
	n := &t.nodes[i]
	a, b := n.child[0], n.child[1]
	n.max = min(t.largest(a, n.bits+1), t.largest(b, n.bits+1))
	if n.max == full {
		t.drop(a)
		t.drop(b)
		n.child = [2]uint32{}
	}
}

// path is the nodes from a root down to where a change was made.
type path struct {
	at [129]uint32
	n  int
}

func (p *path) push(i uint32) {
	p.at[p.n] = i
	p.n++
}

// replace puts i in the place that below had under the last node of the path and
// settles the path; it returns the root.
func (t *trie) replace(p *path, root, below, i uint32) uint32 {
	if p.n == 0 {
		return i
	}
	n := &t.nodes[p.at[p.n-1]]
	if n.child[0] == below {
		n.child[0] = i
	} else {
		n.child[1] = i
	}
	for p.n > 0 {
		p.n--
		t.settle(p.at[p.n])
	}
	return root
}

// take adds the block to the trie under root; false if any of it is taken.
func (t *trie) take(root uint32, k key, bits uint8) (uint32, bool) {
	leaf := node{key: k, bits: bits, max: full}
	var p path
	i := root
	for i != 0 {
		n := &t.nodes[i]
		shared := min(n.key.common(k), n.bits, bits)
		switch {
		case shared == bits, shared == n.bits && n.leaf():
			return root, false // the block holds the node, or lies in a leaf
		case shared < n.bits:
			// They part company above the node: a new one joins them.
			join := node{key: k.masked(shared), bits: shared}
			side := k.bit(shared)
			join.child[side] = t.add(leaf)
			join.child[1-side] = i
			j := t.add(join)
			t.settle(j)
			return t.replace(&p, root, i, j), true
		}
		p.push(i)
		i = n.child[k.bit(n.bits)]
	}
	return t.add(leaf), true // of an empty trie: every other node has two children
}

// release takes the block out of the trie under root; false unless all of it is
// taken, which means that a leaf holds it.
func (t *trie) release(root uint32, k key, bits uint8) (uint32, bool) {
	var p path
	i := root
	for {
		if i == 0 {
			return root, false
		}
		n := &t.nodes[i]
		if n.bits > bits || n.key.common(k) < n.bits {
			return root, false
		}
		if n.leaf() {
			break
		}
		p.push(i)
		i = n.child[k.bit(n.bits)]
	}
	if t.nodes[i].bits == bits {
		return t.remove(&p, root, i), true
	}
	t.carve(i, k, bits)
	return t.replace(&p, root, i, i), true
}

// remove drops a leaf: its sibling takes the place of their parent.
func (t *trie) remove(p *path, root, i uint32) uint32 {
	t.drop(i)
	if p.n == 0 {
		return 0
	}
	p.n--
	parent := p.at[p.n]
	sibling := t.nodes[parent].child[0]
	if sibling == i {
		sibling = t.nodes[parent].child[1]
	}
	t.drop(parent)
	return t.replace(p, root, parent, sibling)
}

// carve makes the leaf i a node of what is left of it without the block: one
// leaf for each bit between them, from the smallest up.
func (t *trie) carve(i uint32, k key, bits uint8) {
	top := t.nodes[i].bits
	rest := uint32(0)
	for b := bits; b > top; b-- {
		side := k.bit(b - 1)
		sibling := k.masked(b - 1)
		if side == 0 {
			sibling = sibling.with(b - 1)
		}
		leaf := t.add(node{key: sibling, bits: b, max: full})
		if rest == 0 {
			rest = leaf
			continue
		}
		join := node{key: k.masked(b - 1), bits: b - 1}
		join.child[side], join.child[1-side] = rest, leaf
		rest = t.add(join)
		t.settle(rest)
	}
	// The leaf keeps its index, so that whatever points at it stays right.
	t.nodes[i] = t.nodes[rest]
	t.drop(rest)
}

// free says whether no part of the block is taken.
func (t *trie) free(root uint32, k key, bits uint8) bool {
	for i := root; i != 0; {
		n := &t.nodes[i]
		shared := min(n.key.common(k), n.bits, bits)
		switch {
		case shared == bits, shared == n.bits && n.leaf():
			return false
		case shared < n.bits:
			return true
		}
		i = n.child[k.bit(n.bits)]
	}
	return true
}

// lowest returns the lowest free block of the length in the CIDR.
func (t *trie) lowest(c cidr, length uint8) (key, bool) {
	if t.largest(c.root, c.bits) > length {
		return key{}, false
	}
	k, n := c.key, c.bits
	if c.root == 0 {
		return k, true
	}
	nodes := t.nodes
	nd := &nodes[c.root]
	for {
		// The region (k, n) has room, and nd is what is taken in it.
		if nd.bits > n {
			// All of the region but nd is free. nd is in the way of the region's
			// first block if they share the bits that both of them have.
			end := min(nd.bits, length)
			if nd.key.common(k) < end {
				return k, true // nd begins beyond the first block
			}
			if nd.max > length {
				return k.with(end - 1), true // the block after nd, or after the block with nd in it
			}
			n = nd.bits
		}
		// Both halves have something taken, so that a block for which there is room
		// is smaller than a half. It fits into a half that its node doesn't fill.
		low := &nodes[nd.child[0]]
		n++
		if low.bits > n || low.max <= length {
			nd = low
			continue
		}
		k, nd = k.with(n-1), &nodes[nd.child[1]]
	}
}

// lowestFrom returns the lowest free block of the length in the region, not
// below from, where c is a CIDR or a part of one with the whole CIDR's trie, and
// from is where a block of the length may begin.
func (t *trie) lowestFrom(c cidr, length uint8, from key) (key, bool) {
	// A region inside the CIDR: its trie is that of the node which it holds, or
	// which holds it.
	i := c.root
	for i != 0 {
		n := &t.nodes[i]
		shared := min(n.key.common(c.key), n.bits, c.bits)
		if shared < min(n.bits, c.bits) {
			i = 0 // they part company: the region is free
			break
		}
		if n.bits >= c.bits {
			break
		}
		if n.leaf() {
			return key{}, false
		}
		i = n.child[c.key.bit(n.bits)]
	}
	return t.searchFrom(i, c.key, c.bits, length, from)
}

// searchFrom looks in the region (k, n) with the trie i. It goes down along from,
// and from there once more at most: a region that is wholly above from and has
// room isn't searched in vain.
func (t *trie) searchFrom(i uint32, k key, n, length uint8, from key) (key, bool) {
	if last, more := k.after(n); more && !from.less(last) {
		return key{}, false // the whole region lies below from
	}
	if t.largest(i, n) > length {
		return key{}, false
	}
	if i == 0 {
		if k.less(from) {
			return from, true
		}
		return k, true
	}
	low, high := t.halves(i, n)
	if found, ok := t.searchFrom(low, k, n+1, length, from); ok {
		return found, true
	}
	return t.searchFrom(high, k.with(n), n+1, length, from)
}

// halves returns the tries of a region's two halves.
func (t *trie) halves(i uint32, n uint8) (low, high uint32) {
	nd := &t.nodes[i]
	if nd.bits == n {
		return nd.child[0], nd.child[1]
	}
	if nd.key.bit(n) == 0 {
		return i, 0
	}
	return 0, i
}

func (t *trie) lowestTaken(i uint32) (key, uint8) {
	for !t.nodes[i].leaf() {
		i = t.nodes[i].child[0]
	}
	return t.nodes[i].key, t.nodes[i].bits
}

// each calls yield for every leaf in order; false if it wanted no more.
func (t *trie) each(i uint32, yield func(key, uint8) bool) bool {
	n := t.nodes[i]
	if n.leaf() {
		return yield(n.key, n.bits)
	}
	return t.each(n.child[0], yield) && t.each(n.child[1], yield)
}

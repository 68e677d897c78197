package space

// Nodes returns how many nodes are in use, and how many there is memory for.
func (s *Space) Nodes() (used, kept int) { return s.trie.used, len(s.trie.nodes) }

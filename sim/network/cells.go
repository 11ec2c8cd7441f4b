package network

// A cell counts and lists the crossings of one link by one group's transfers. The
// cells of a link are its row, those of a group its column. Cells without
// crossings do not exist, so that both stay short.
type cell struct {
	link     *link
	group    *group
	count    int
	first    *crossing
	row, col int // position in the link's row and the group's column
}

// entry is a cell and what it is looked up by: the id of the group in a row, of
// the link in a column.
type entry struct {
	id   int32
	cell *cell
}

// crossing is a place at which a transfer's path crosses a link.
type crossing struct {
	flow       *flow
	link       *link
	cell       *cell
	prev, next *crossing
}

// cellOf returns the cell of a link and a group, and makes it if need be. It
// searches the shorter of row and column: a group has few links when it has few
// transfers, a link few groups when few links hold up its transfers.
func (n *Network) cellOf(l *link, g *group) *cell {
	if len(l.row) <= len(g.col) {
		for i := range l.row {
			if l.row[i].id == g.id {
				return l.row[i].cell
			}
		}
	} else {
		for i := range g.col {
			if g.col[i].id == l.id {
				return g.col[i].cell
			}
		}
	}
	var c *cell
	if k := len(n.cells); k > 0 {
		c = n.cells[k-1]
		n.cells = n.cells[:k-1]
	} else {
		c = &cell{}
	}
	c.link, c.group, c.row, c.col = l, g, len(l.row), len(g.col)
	l.row = append(l.row, entry{g.id, c})
	g.col = append(g.col, entry{l.id, c})
	return c
}

// drop takes an empty cell out of its row and its column.
func (n *Network) drop(c *cell) {
	row, col := c.link.row, c.group.col
	last := row[len(row)-1]
	row[c.row] = last
	last.cell.row = c.row
	c.link.row = row[:len(row)-1]
	last = col[len(col)-1]
	col[c.col] = last
	last.cell.col = c.col
	c.group.col = col[:len(col)-1]
	c.link, c.group = nil, nil
	n.cells = append(n.cells, c)
}

// attach puts a transfer's crossings into the cells of its group.
func (n *Network) attach(f *flow) {
	for i := range f.cross {
		x := &f.cross[i]
		c := n.cellOf(x.link, f.group)
		x.cell, x.prev, x.next = c, nil, c.first
		if c.first != nil {
			c.first.prev = x
		}
		c.first = x
		c.count++
	}
}

// detach takes them out again.
func (n *Network) detach(f *flow) {
	for i := range f.cross {
		x := &f.cross[i]
		c := x.cell
		if x.prev != nil {
			x.prev.next = x.next
		} else {
			c.first = x.next
		}
		if x.next != nil {
			x.next.prev = x.prev
		}
		x.cell, x.prev, x.next = nil, nil, nil
		if c.count--; c.count == 0 {
			n.drop(c)
		}
	}
}

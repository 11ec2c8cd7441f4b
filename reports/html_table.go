package reports

import (
	"fmt"
	"image/color"
)

// htmlTable is a table of the page.
type htmlTable struct {
	Label  string // for screen readers
	Folded string // what to click on to unfold it; "": it is open
	Wide   bool
	Head   []htmlHead
	Rows   [][]htmlCell
}

type htmlHead struct {
	Name  string
	Right bool
}

// htmlCell is text, with a colour in front of it if it has one; or bars, which the text
// describes.
type htmlCell struct {
	Text   string
	Colour string
	Class  string
	Bars   []htmlBar
}

// htmlBar is a part of a bar that is 100 wide.
type htmlBar struct {
	Name, Colour string
	X, Width     float64
}

// tableOf makes a table of one for the terminal.
func tableOf(label string, g *grid) *htmlTable {
	t := &htmlTable{Label: label}
	for _, c := range g.columns {
		t.Head = append(t.Head, htmlHead{c.name, c.right})
	}
	for _, row := range g.rows {
		t.add(row...)
	}
	return t
}

// add appends a row of text.
func (t *htmlTable) add(cells ...string) {
	row := make([]htmlCell, len(cells))
	for i, text := range cells {
		row[i] = htmlCell{Text: text, Class: t.class(i, text)}
	}
	t.Rows = append(t.Rows, row)
}

// class says how a cell is set: numbers to the right, short words on one line.
func (t *htmlTable) class(column int, text string) string {
	switch {
	case t.Head[column].Right:
		return "right"
	case cellsOf(text) <= 26:
		return "short"
	}
	return "name"
}

// stacked lays shares of one side by side, as far as there is room.
func stacked(text string, parts ...htmlBar) htmlCell {
	at := 0.0
	cell := htmlCell{Text: text}
	for _, p := range parts {
		p.X, p.Width = at, max(0, min(p.Width, 100-at))
		if p.Width > 0 {
			at += p.Width
			p.X, p.Width = hundredth(p.X), hundredth(p.Width)
			cell.Bars = append(cell.Bars, p)
		}
	}
	if len(cell.Bars) == 0 { // else the cell would be text
		cell.Bars = []htmlBar{{Name: "nothing", Colour: "var(--idle)"}}
	}
	return cell
}

// hundredth rounds what is drawn: more digits are no use to anyone.
func hundredth(v float64) float64 { return float64(int64(v*100+0.5)) / 100 }

// cssColour is a colour for style sheets.
func cssColour(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

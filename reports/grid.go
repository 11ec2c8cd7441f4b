package reports

import (
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Widths of tables, in terminal cells.
const (
	defaultWidth = 80
	minWidth     = 60 // below it tables would lose their numbers
	minElastic   = 8  // what is left of a name that has to shrink
	columnGap    = 2
)

// grid is a table for the terminal: columns two spaces apart, a line under the
// header, no borders, no colour.
type grid struct {
	columns []column
	rows    [][]string
}

type column struct {
	name    string
	right   bool // numbers
	elastic bool // names, which may be shortened to fit
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// widths returns the width that every column takes.
func (g *grid) widths() []int {
	ws := make([]int, len(g.columns))
	for i, c := range g.columns {
		ws[i] = text.StringWidthWithoutEscSequences(c.name)
		for _, row := range g.rows {
			ws[i] = max(ws[i], text.StringWidthWithoutEscSequences(row[i]))
		}
	}
	return ws
}

// natural is the width of the grid with nothing shortened.
func (g *grid) natural() int { return total(g.widths()) }

func total(widths []int) int {
	sum := columnGap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// tight is the least width to which fit can bring the grid.
func (g *grid) tight() int {
	ws := g.widths()
	for i, c := range g.columns {
		if c.elastic {
			ws[i] = min(ws[i], max(minElastic, text.StringWidthWithoutEscSequences(c.name)))
		}
	}
	return total(ws)
}

// fit shortens cells of elastic columns, the widest column first, until the
// grid is at most width wide or nothing more can give.
func (g *grid) fit(width int) {
	ws := g.widths()
	for total(ws) > width {
		widest := -1
		for i, c := range g.columns {
			floor := max(minElastic, text.StringWidthWithoutEscSequences(c.name))
			if c.elastic && ws[i] > floor && (widest < 0 || ws[i] > ws[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		ws[widest]--
	}
	for i, c := range g.columns {
		if c.elastic {
			for _, row := range g.rows {
				row[i] = shortenText(row[i], ws[i])
			}
		}
	}
}

// render writes the grid, at most width wide where its columns allow it.
func (g *grid) render(w io.Writer, width int) error {
	g.fit(width)
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.Options{SeparateHeader: true, DoNotRenderSeparatorWhenEmpty: true}
	style.Format = table.FormatOptions{}
	style.Box.PaddingLeft = ""
	style.Box.PaddingRight = strings.Repeat(" ", columnGap)
	t.SetStyle(style)
	// A column that is wide enough may still be wrapped by no one: fit did it.
	configs := make([]table.ColumnConfig, len(g.columns))
	header := make(table.Row, len(g.columns))
	named := false
	for i, c := range g.columns {
		configs[i] = table.ColumnConfig{Number: i + 1}
		if c.right {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
		header[i] = c.name
		named = named || c.name != ""
	}
	t.SetColumnConfigs(configs)
	if named {
		t.AppendHeader(header)
	}
	for _, cells := range g.rows {
		row := make(table.Row, len(cells))
		for i, cell := range cells {
			row[i] = cell
		}
		t.AppendRow(row)
	}
	for line := range strings.Lines(t.Render()) {
		line = strings.TrimRight(line, " \n")
		// The rule under the header is as wide as the padding of the last column.
		if strings.Trim(line, "─") == "" {
			line = strings.TrimSuffix(line, strings.Repeat("─", columnGap))
		}
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// shortenText cuts the middle out of s so that it takes at most width cells.
func shortenText(s string, width int) string {
	if text.StringWidthWithoutEscSequences(s) <= width {
		return s
	}
	if width < 1 {
		return ""
	}
	runes := []rune(s)
	head, tail := 0, 0
	used := 1 // the ellipsis
	for head+tail < len(runes) {
		// The front gets the odd cell: names differ at the front more than at the end.
		r := runes[head]
		if head > tail {
			r = runes[len(runes)-1-tail]
		}
		n := text.RuneWidthWithoutEscSequences(string(r))
		if used+n > width {
			break
		}
		used += n
		if head > tail {
			tail++
		} else {
			head++
		}
	}
	return string(runes[:head]) + "…" + string(runes[len(runes)-tail:])
}

// wrap breaks s into lines at most width wide, at spaces where it can.
func wrap(s string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text.WrapSoft(s, width)) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

// Paragraph sets text beside its name, as wide as Summary is.
func Paragraph(name, content string, width int) string {
	const indent = 12
	if width == 0 {
		width = defaultWidth
	}
	var b strings.Builder
	for line := range strings.Lines(wrap(content, max(width, minWidth)-indent)) {
		b.WriteString("  " + text.Pad(name, indent-2, ' ') + line)
		name = ""
	}
	return b.String()
}

// flow joins parts by " · " into lines at most width wide.
func flow(parts []string, width int) string {
	const sep = " · "
	var b strings.Builder
	used := 0
	for _, p := range parts {
		p = shortenText(p, width)
		n := text.StringWidthWithoutEscSequences(p)
		switch {
		case used == 0:
		case used+len([]rune(sep))+n <= width:
			b.WriteString(sep)
			used += len([]rune(sep))
		default:
			b.WriteString("\n")
			used = 0
		}
		b.WriteString(p)
		used += n
	}
	return b.String() + "\n"
}

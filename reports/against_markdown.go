package reports

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"strings"
)

// AgainstMarkdown writes a comparison as GitHub-flavoured Markdown, for a pull request
// or the summary of a CI job: the verdict, a table of what moved, what was not compared.
func AgainstMarkdown(w io.Writer, a *Against) error {
	b := bufio.NewWriter(w)
	mark := "✅"
	if a.Failed() {
		mark = "❌"
	}
	fmt.Fprintf(b, "### %s stowage bench\n\n%s, against `%s` of stowage %s.\n", mark, markdown(a.Conclusion()), strings.ReplaceAll(printable(a.Baseline), "`", "'"), markdown(a.Old))
	head := false
	for i := range a.Rows {
		r := &a.Rows[i]
		if r.Verdict == Same && r.Metric.Name != SearchTime {
			continue
		}
		if !head {
			fmt.Fprint(b, "\n| experiment | metric | old | new | delta | p | n | better/worse | verdict |\n|---|---|--:|--:|--:|--:|--:|--:|---|\n")
			head = true
		}
		old, now := r.values()
		verdict := markdown(r.verdictText())
		if r.Verdict == Worsened {
			verdict = "**" + verdict + "**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %d | %s | %s |\n", markdown(r.experiment()), markdown(r.Metric.Name),
			markdown(old), markdown(now), r.delta(), r.probability(), r.N, r.directions(), verdict)
	}
	markdownNotes(b, "Not compared", a.Faults)
	markdownNotes(b, "Notes", a.Notes)
	return b.Flush()
}

func markdownNotes(w io.Writer, title string, notes []AgainstNote) {
	if len(notes) == 0 {
		return
	}
	fmt.Fprintf(w, "\n**%s**\n\n", title)
	for _, n := range notes {
		fmt.Fprintf(w, "- %s\n", markdown(n.Text))
	}
}

// markdown makes text mean itself in a cell of a table.
func markdown(s string) string {
	s = html.EscapeString(printable(s))
	for _, c := range []string{`\`, "`", "*", "_", "|", "[", "]", "~", "#", "@"} {
		if c == "#" || c == "@" {
			s = strings.ReplaceAll(s, " "+c, ` \`+c)
			continue
		}
		s = strings.ReplaceAll(s, c, `\`+c)
	}
	return s
}

package reports

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

func TestCodePage(t *testing.T) {
	for s, want := range map[string]string{"v100 × 4 · a…b – 5 µs €": "v100 \xd7 4 \xb7 a\x85b \x96 5 \xb5s \x80", "": ""} {
		if got, ok := codePage(s); got != want || !ok {
			t.Errorf("codePage(%q) = %q, %t, want %q", s, got, ok, want)
		}
	}
	for _, s := range []string{"日本 →", "λ", "ő", "\u009d"} {
		if got, ok := codePage(s); ok {
			t.Errorf("codePage(%q) = %q", s, got)
		}
	}
}

// Outlines take the room that text takes, and stand where it stands.
func TestOutlines(t *testing.T) {
	f := font.DefaultCache.Lookup(sans, 20)
	path, err := outlines(f, vg.Point{X: 100, Y: 50}, "λόγος Đż")
	if err != nil {
		t.Fatal(err)
	}
	lo, hi := vg.Point{X: 1e9, Y: 1e9}, vg.Point{}
	for _, c := range path {
		lo.X, lo.Y = min(lo.X, c.Pos.X), min(lo.Y, c.Pos.Y)
		if c.Type != vg.CloseComp {
			hi.X, hi.Y = max(hi.X, c.Pos.X), max(hi.Y, c.Pos.Y)
		}
	}
	end := 100 + f.Width("λόγος Đż")
	if hi.X > end+1 || hi.X < end-3 {
		t.Errorf("outlines end at %v, text at %v", hi.X, end)
	}
	if hi.Y < 60 || hi.Y > 70 { // capitals of 20 points are 14 to 15 high, and the dot is above
		t.Errorf("outlines are %v above the base line", hi.Y-50)
	}
}

// Names in Greek and in Chinese: what the font has is drawn in a PDF too, and what it has
// not is said.
func TestNamesBeyondLatin(t *testing.T) {
	r := typicalResult()
	r.Title = "Μοντέλο 模型"
	r.Scheme.LayerNames[0], r.Scheme.LayerNames[1] = "嵌入层", "вложение"
	if got, want := Undrawable(Run{Label: "型x", Result: r}), "型模嵌入层"; got != want {
		t.Errorf("it says that %q cannot be drawn, want %q", got, want)
	}
	if got := Undrawable(Run{Label: "Größe λ", Result: typicalResult()}); got != "" {
		t.Errorf("it says that %q cannot be drawn", got)
	}
	s, err := NewSheet("layers", []Run{{Label: "λ", Result: r}})
	if err != nil {
		t.Fatal(err)
	}
	draw := func() []byte { return render(t, func(w *bytes.Buffer) error { return s.Render(w, "pdf") }) }
	first := draw()
	if !bytes.Equal(first, draw()) {
		t.Error("two drawings differ")
	}
	if _, err := exec.LookPath("pdftotext"); err != nil {
		t.Skip("no pdftotext: the page is not looked at")
	}
	path := filepath.Join(t.TempDir(), "layers.pdf")
	if *pictures != "" {
		path = filepath.Join(*pictures, "layers.pdf")
	}
	if err := os.WriteFile(path, first, 0o666); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("pdftotext", path, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "fc1") {
		t.Errorf("the text of the page lacks fc1:\n%s", text)
	}
}

package reports

import (
	"bytes"
	"io"
	"sync"
	"time"

	"codeberg.org/go-pdf/fpdf"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgpdf"
)

// fixPDF makes PDFs functions of what is drawn: the library stamps the time of day, and
// lists resources in the order of a map.
var fixPDF = sync.OnceFunc(func() {
	fpdf.SetDefaultCreationDate(time.Unix(0, 0).UTC())
	fpdf.SetDefaultModificationDate(time.Unix(0, 0).UTC())
	fpdf.SetDefaultCatalogSort(true)
})

func renderPDF(w io.Writer, p picture) error {
	fixPDF()
	c := pdfCanvas{vgpdf.New(p.w, p.h)}
	p.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// pdfCanvas is a vgpdf.Canvas that can write. That one hands on UTF-8 where its fonts have
// the code page 1252: text beyond it, as Greek, is drawn as outlines, which cannot be
// searched for. It asks for bold fonts under another style than it registers them, and
// embeds the same file for all: so what is bold elsewhere is not in a PDF.
type pdfCanvas struct{ *vgpdf.Canvas }

// FillString implements vg.Canvas.
func (c pdfCanvas) FillString(f font.Face, at vg.Point, s string) {
	if f.Font.Weight == xfont.WeightBold {
		f = font.DefaultCache.Lookup(sans, f.Font.Size)
	}
	if text, ok := codePage(s); ok {
		c.Canvas.FillString(f, at, text)
		return
	}
	path, err := outlines(f, at, s)
	if err != nil {
		panic(err) // the font is compiled in
	}
	c.Fill(path)
}

package eval

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// SVGHead begins every plot.
const SVGHead = `<svg id="noecho-eval" `

// The plot in pixels.
const (
	svgWidth = 820
	svgLabel = 230 // where the bars begin
	svgBar   = 430 // a bar of all
	svgRow   = 18
	svgTop   = 84 // where the rows begin
)

// svgStyle follows the colour scheme of the page around the plot, dark or light.
const svgStyle = `<style>
text{font:12px system-ui,sans-serif;fill:#1f2328}
.h{font-size:15px;font-weight:600}.g{font-weight:600}.s{fill:#59636e}.n{text-anchor:end}
.t{fill:#eaeef2}.y{fill:#1a7f5a}.x{fill:#b35900}.b{fill:#cf222e}.f{fill:#1f2328}
@media(prefers-color-scheme:dark){
text{fill:#e6edf3}.s{fill:#9198a1}
.t{fill:#2a313c}.y{fill:#3fb98a}.x{fill:#db8b3a}.b{fill:#f85149}.f{fill:#e6edf3}}
</style>
`

// WriteSVG draws a bar for each row, the share of the words that were withheld, and a
// mark for the share of the passages that were found. The plot has no background, so it
// is readable on a light page and on a dark one, and no scripts.
func (r *Report) WriteSVG(w io.Writer) error {
	b := bufio.NewWriter(w)
	height := svgTop
	r.eachRow(func(string) { height += svgRow }, func(*Row) { height += svgRow })
	fmt.Fprintf(b, `%sxmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="eval-title eval-desc">`+"\n",
		SVGHead, svgWidth, height+svgRow, svgWidth, height+svgRow)
	fmt.Fprintf(b, "<title id=\"eval-title\">How detection holds against disguises</title>\n<desc id=\"eval-desc\">%s</desc>\n%s", escape(r.summary()), svgStyle)
	fmt.Fprintf(b, `<text class="h" x="0" y="18">How detection holds against disguises</text>`+"\n")
	fmt.Fprintf(b, `<text class="s" x="0" y="38">%d words a passage, windows of %d words, seed %d</text>`+"\n", r.Words, r.N, r.Seed)
	legend(b)
	y := svgTop
	r.eachRow(func(group string) {
		y += svgRow
		fmt.Fprintf(b, `<text class="g" x="0" y="%d">%s</text>`+"\n", y-5, escape(group))
	}, func(row *Row) {
		y += svgRow
		row.draw(b, y)
	})
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

// legend draws the meaning of the colours.
func legend(w io.Writer) {
	x := 0
	for _, e := range []struct{ class, text string }{
		{"y", "words withheld"}, {"x", "words withheld, disguise not covered"}, {"b", "does not hold"}, {"f", "passages found"},
	} {
		width := 12
		if e.class == "f" {
			width = 3
		}
		fmt.Fprintf(w, `<rect class="%s" x="%d" y="52" width="%d" height="12"/><text class="s" x="%d" y="62">%s</text>`+"\n", e.class, x, width, x+width+6, e.text)
		x += width + 24 + 7*len(e.text)
	}
}

// draw draws a row whose lower edge is y.
func (r *Row) draw(w io.Writer, y int) {
	class := "y"
	switch {
	case r.Broken() != "":
		class = "b"
	case !r.Covered():
		class = "x"
	}
	top := y - svgRow + 4
	fmt.Fprintf(w, `<text x="12" y="%d">%s</text><rect class="t" x="%d" y="%d" width="%d" height="10"/>`, y-5, escape(r.Name), svgLabel, top, svgBar)
	if r.Withheld > 0 {
		fmt.Fprintf(w, `<rect class="%s" x="%d" y="%d" width="%.1f" height="10"/>`, class, svgLabel, top, svgBar*r.WithheldShare())
	}
	fmt.Fprintf(w, `<rect class="f" x="%.1f" y="%d" width="3" height="14"/>`, svgLabel+svgBar*r.FoundShare()-1.5, top-2)
	fmt.Fprintf(w, `<text class="n" x="%d" y="%d">%s</text><text class="s n" x="%d" y="%d">%s</text>`+"\n",
		svgLabel+svgBar+62, y-5, percent(r.Withheld, r.Words), svgWidth, y-5, escape(r.Verdict()))
}

// escape writes text for XML.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

package noecho_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A box is one package of the picture in docs/architecture.svg. Its position is written
// here by hand; its arrows and its internal packages are read from the code.
type box struct {
	pkg     string
	caption string
	area    string // colour: "proxy", "detect", "index", "" for the others
	floor   int    // from the ground, 0
	x, w    int    // left edge and width
	open    bool   // other Go programs may import it

	within  []string // names of the internal packages below it
	out, in []*arrow
	imports map[string]bool
	top     int
}

// An arrow is an import: from the bottom of one box to the top of a lower one.
type arrow struct {
	from, to *box
	x1, x2   int
	track    int // y of its horizontal part
}

// boxes places the packages. An arrow goes straight down from a box as far as the
// box that it leads to lies below it, so boxes above each other need no bends.
func boxes() []*box {
	return []*box{
		{pkg: "cmd/noecho", caption: "commands and wiring", floor: 5, x: 20, w: 1130},
		{pkg: "proxy", caption: "HTTP: listener, guard, routes, upstream, admin plane, reload", area: "proxy", floor: 4, x: 274, w: 426},
		{pkg: "proxy/relay", caption: "one answer: queue, channels, writer", area: "proxy", floor: 2, x: 428, w: 272},
		{pkg: "eval", caption: "disguises, alarms", floor: 2, x: 716, w: 120},
		{pkg: "index/build", caption: "builds and merges index files", area: "index", floor: 3, x: 880, w: 270, open: true},
		{pkg: "proxy/policy", caption: "rules and budgets", area: "proxy", floor: 3, x: 30, w: 290},
		{pkg: "proxy/wire/api", caption: "one file a family", area: "proxy", floor: 1, x: 280, w: 160},
		{pkg: "detect", caption: "text to spans", area: "detect", floor: 1, x: 570, w: 160, open: true},
		{pkg: "index/inventory", caption: "rows about a person", area: "index", floor: 2, x: 860, w: 200},
		{pkg: "index", caption: "reads an index", area: "index", floor: 1, x: 920, w: 100, open: true},
		{pkg: "proxy/alert", caption: "events and sinks", area: "proxy", floor: 0, x: 30, w: 140},
		{pkg: "proxy/config", caption: "YAML to one value", area: "proxy", floor: 2, x: 184, w: 150},
		{pkg: "proxy/wire", caption: "framing, places, cuts", area: "proxy", floor: 0, x: 390, w: 160},
		{pkg: "ngram", caption: "text to words to hashes", floor: 0, x: 570, w: 160, open: true},
		{pkg: "index/corpus", caption: "files to records", area: "index", floor: 0, x: 750, w: 146},
		{pkg: "console", caption: "pages about alerts", floor: 4, x: 116, w: 150},
		{pkg: "govern", caption: "requests, dates", floor: 4, x: 1044, w: 106},
		{pkg: "audit", caption: "signed log", floor: 4, x: 20, w: 88},
		{pkg: "index/key", caption: "keys", area: "index", floor: 0, x: 906, w: 100},
		{pkg: "index/identify", caption: "identifiers in text", area: "index", floor: 0, x: 1010, w: 160},
	}
}

const (
	boxHeight  = 60
	floorPitch = 122
	topFloor   = 5
	pageWidth  = 1200
	pageHeight = 24 + topFloor*floorPitch + boxHeight + 62
)

// TestPicture keeps docs/architecture.svg equal to the imports of the code; with
// -update it draws the picture anew.
func TestPicture(t *testing.T) {
	t.Parallel()
	const name = "docs/architecture.svg"
	sources, err := readSources(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	placed, err := place(boxes(), sources)
	if err != nil {
		t.Fatal(err)
	}
	want := draw(placed)
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the imports say; run `make docs`", name)
	}
}

// place gives the boxes their arrows, and returns an error if a part of the picture
// would not be legible.
func place(all []*box, sources []source) ([]*box, error) {
	byName := map[string]*box{}
	for _, b := range all {
		byName[b.pkg], b.imports = b, map[string]bool{}
		b.top = 24 + (topFloor-b.floor)*floorPitch
		if room := b.w - 16; len(b.pkg)*9 > room || len(b.caption)*6 > room {
			return nil, fmt.Errorf("picture: the text of %s is wider than its box", b.pkg)
		}
	}
	for _, s := range sources {
		if err := read(s, byName); err != nil {
			return nil, err
		}
	}
	for _, b := range all {
		for _, to := range slices.Sorted(maps.Keys(b.imports)) {
			if !implied(b, to, byName) {
				a := &arrow{from: b, to: byName[to]}
				b.out, a.to.in = append(b.out, a), append(a.to.in, a)
			}
		}
	}
	for _, b := range all {
		for _, a := range b.out {
			if a.to.floor >= b.floor {
				return nil, fmt.Errorf("picture: %s imports %s, which is no lower: move a box", b.pkg, a.to.pkg)
			}
			a.x1 = min(max(a.to.x+a.to.w/2, b.x+24), b.x+b.w-24)
			a.x2 = min(max(a.x1, a.to.x+24), a.to.x+a.to.w-24)
		}
	}
	for _, b := range all {
		if err := route(b, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// read adds the imports of one file. A package under internal/ belongs to the box of
// the folder above. Programs and measurements have no box.
func read(s source, byName map[string]*box) error {
	pkg, below, _ := strings.Cut(s.pkg, "/internal/")
	if s.test() || s.pkg == "." || strings.HasPrefix(s.pkg, "bench/") || strings.HasPrefix(s.pkg, "internal/") ||
		s.file.Name.Name == "main" && s.pkg != "cmd/noecho" {
		return nil
	}
	b := byName[pkg]
	if b == nil {
		return fmt.Errorf("picture: %s has no box; give it one", s.pkg)
	}
	if below != "" && !slices.Contains(b.within, below) {
		b.within = append(b.within, below)
	}
	for _, spec := range s.file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		ours, found := strings.CutPrefix(imported, moduleName+"/")
		if to, _, _ := strings.Cut(ours, "/internal/"); found && to != pkg && byName[to] != nil {
			b.imports[to] = true
		}
	}
	return nil
}

// implied reports whether a longer chain of imports also leads from b to a package.
func implied(b *box, to string, byName map[string]*box) bool {
	for between := range b.imports {
		if between != to && reaches(byName[between], to, byName) {
			return true
		}
	}
	return false
}

func reaches(b *box, to string, byName map[string]*box) bool {
	for next := range b.imports {
		if next == to || reaches(byName[next], to, byName) {
			return true
		}
	}
	return false
}

// route spreads the ends of the arrows over the edges of a box, gives those with a
// bend a height of their own, and looks for boxes in their way.
func route(b *box, all []*box) error {
	slices.SortFunc(b.out, func(p, q *arrow) int { return p.x1 - q.x1 })
	for i, a := range b.out {
		if i > 0 {
			a.x1 = max(a.x1, b.out[i-1].x1+18)
		}
		a.track = a.to.top - 22
		for a.x1 != a.x2 && slices.ContainsFunc(all, func(c *box) bool { return slices.ContainsFunc(c.out, a.meets) }) {
			a.track -= 14
		}
		for _, c := range all {
			if c.top > b.top && c.top < a.to.top && a.x1 > c.x-8 && a.x1 < c.x+c.w+8 {
				return fmt.Errorf("picture: the arrow from %s to %s goes through %s: move a box", b.pkg, a.to.pkg, c.pkg)
			}
		}
	}
	return nil
}

// meets reports whether the horizontal parts of two arrows would touch.
func (a *arrow) meets(b *arrow) bool {
	return a != b && b.x1 != b.x2 && a.track == b.track &&
		min(a.x1, a.x2) < max(b.x1, b.x2)+12 && min(b.x1, b.x2) < max(a.x1, a.x2)+12
}

// draw writes the picture. Its colours follow those of the reader's system.
func draw(all []*box) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="t">
<title id="t">The packages of noecho; an arrow leads from a package to one that it imports</title>
<style>
text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; text-anchor: middle }
.page { fill: #ffffff; stroke: #d1d9e0 }
.name { font-size: 14px; font-weight: 600 }
.say { font-size: 11.5px; fill: #59636e }
.in { font-size: 10.5px; fill: #818b98; font-style: italic }
.box { fill: #f6f8fa; stroke: #b7bfc8; stroke-width: 1.2 }
.proxy { fill: #e8f1fd; stroke: #6fa3e0 }
.detect { fill: #e6f6ea; stroke: #5fb377 }
.index { fill: #fdf3e1; stroke: #d9a54a }
.open { stroke-width: 2.6 }
.halo { fill: none; stroke: #ffffff; stroke-width: 7 }
.line { fill: none; stroke: #7d8590; stroke-width: 1.5 }
.head { fill: #7d8590 }
.note { text-anchor: start }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.page { fill: #0d1117; stroke: #3d444d }
.say { fill: #9198a1 }
.in { fill: #7d8590 }
.box { fill: #1c2128; stroke: #59636e }
.proxy { fill: #12243d; stroke: #4585d4 }
.detect { fill: #10291a; stroke: #3f9a5b }
.index { fill: #2e2210; stroke: #b5832c }
.halo { stroke: #0d1117 }
}
</style>
<rect class="page" x="0.5" y="0.5" width="%d" height="%d" rx="10"/>
`, pageWidth, pageHeight, pageWidth-1, pageHeight-1)
	for _, from := range all {
		for _, a := range from.out {
			a.draw(&b)
		}
	}
	for _, p := range all {
		p.draw(&b)
	}
	legend(&b)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// draw writes an arrow: straight, or with two rounded bends above its end. The wide
// line beneath it, in the colour of the page, separates it from the arrows that it
// crosses.
func (a *arrow) draw(b *bytes.Buffer) {
	from, to := a.from.top+boxHeight, a.to.top-7
	d := fmt.Sprintf("M%d %dV%d", a.x1, from, to)
	if a.x1 != a.x2 {
		r := 9
		if a.x2 < a.x1 {
			r = -r
		}
		d = fmt.Sprintf("M%d %dV%dq0 9 %d 9H%dq%d 0 %d 9V%d", a.x1, from, a.track-9, r, a.x2-r, r, r, to)
	}
	fmt.Fprintf(b, "<path class=\"halo\" d=\"%s\"/><path class=\"line\" d=\"%s\"/>", d, d)
	fmt.Fprintf(b, "<path class=\"head\" d=\"M%d %dl-4.5 -9h9z\"/>\n", a.x2, a.to.top-1)
}

func (p *box) draw(b *bytes.Buffer) {
	class := "box"
	if p.area != "" {
		class += " " + p.area
	}
	if p.open {
		class += " open"
	}
	middle, line := p.x+p.w/2, p.top+26
	if len(p.within) > 0 {
		line -= 6
	}
	fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n", class, p.x, p.top, p.w, boxHeight)
	fmt.Fprintf(b, "<text class=\"name\" x=\"%d\" y=\"%d\">%s</text><text class=\"say\" x=\"%d\" y=\"%d\">%s</text>\n", middle, line, p.pkg, middle, line+18, p.caption)
	if len(p.within) > 0 {
		slices.Sort(p.within)
		fmt.Fprintf(b, "<text class=\"in\" x=\"%d\" y=\"%d\">internal: %s</text>\n", middle, line+33, strings.Join(p.within, ", "))
	}
}

// legend explains the borders and the arrows below the boxes.
func legend(b *bytes.Buffer) {
	y := pageHeight - 30
	fmt.Fprintf(b, "<rect class=\"box open\" x=\"30\" y=\"%d\" width=\"26\" height=\"16\" rx=\"4\"/>\n", y-12)
	fmt.Fprintf(b, "<text class=\"say note\" x=\"66\" y=\"%d\">thick border: other Go programs may import it</text>\n", y)
	fmt.Fprintf(b, "<path class=\"line\" d=\"M400 %dH424\"/><path class=\"head\" d=\"M432 %dl-9 -4.5v9z\"/>\n", y-4, y-4)
	fmt.Fprintf(b, "<text class=\"say note\" x=\"442\" y=\"%d\">imports; an arrow that a chain of others implies is left out</text>\n", y)
}

// TestPictureSees checks that the drawing refuses packages that it cannot show.
func TestPictureSees(t *testing.T) {
	t.Parallel()
	sources, err := readSources(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func([]*box) []*box{
		"has no box":         func(all []*box) []*box { return all[:len(all)-1] },
		"wider than its box": func(all []*box) []*box { all[0].w = 60; return all },
		"which is no lower":  func(all []*box) []*box { all[1].floor = 0; return all },
		"goes through":       func(all []*box) []*box { all[6].x = 430; return all },
	} {
		if _, err := place(change(boxes()), sources); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

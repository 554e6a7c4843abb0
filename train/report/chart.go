package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/pipa-uda/pipa/train/infer"
)

type point struct {
	x int
	y float64
}

// series is a line over iterations, of at least two points.
type series []point

// maxPoints are more than a chart has pixels.
const maxPoints = 2000

// thinned is s with at most maxPoints of its points, the first and the last
// among them.
func (s series) thinned() series {
	if len(s) <= maxPoints {
		return s
	}
	out := make(series, maxPoints)
	for i := range out {
		out[i] = s[i*(len(s)-1)/(maxPoints-1)]
	}
	return out
}

// The size of a chart in its own units; the page scales it.
const (
	chartWidth, chartHeight             = 360, 170
	marginLeft, marginRight             = 46, 10
	marginTop, marginBottom             = 10, 24
	plotWidth, plotHeight               = chartWidth - marginLeft - marginRight, chartHeight - marginTop - marginBottom
	matrixCell, matrixLabel, matrixHead = 22, 92, 92
)

// svg draws the line with gridlines at round values.
func (s series) svg(title string) template.HTML {
	low, high := s[0].y, s[0].y
	for _, p := range s {
		low, high = min(low, p.y), max(high, p.y)
	}
	ticks := roundTicks(low, high, 4)
	low, high = min(low, ticks[0]), max(high, ticks[len(ticks)-1])
	first, last := s[0].x, s[len(s)-1].x
	x := func(v float64) float64 {
		return marginLeft + plotWidth*(v-float64(first))/float64(max(last-first, 1))
	}
	y := func(v float64) float64 { return marginTop + plotHeight*(high-v)/max(high-low, 1e-300) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s, from %s at iteration %d to %s at %d">`, chartWidth, chartHeight,
		template.HTMLEscapeString(title), short(s[0].y), first, short(s[len(s)-1].y), last)
	for _, t := range ticks {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, marginLeft, chartWidth-marginRight, y(t), y(t))
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`, marginLeft-6, y(t)+4, short(t))
	}
	for _, t := range roundTicks(float64(first), float64(last), 4) {
		if t < float64(first) || t > float64(last) {
			continue
		}
		anchor := "middle"
		if x(t) > chartWidth-marginRight-12 {
			anchor = "end"
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="%s">%s</text>`, x(t), chartHeight-6, anchor, short(t))
	}
	b.WriteString(`<polyline class="line" points="`)
	for _, p := range s {
		fmt.Fprintf(&b, "%.1f,%.1f ", x(float64(p.x)), y(p.y))
	}
	b.WriteString(`"/>`)
	// Each point tells its values under the pointer.
	for _, p := range s {
		fmt.Fprintf(&b, `<circle class="hit" cx="%.1f" cy="%.1f" r="6"><title>iteration %d: %s</title></circle>`, x(float64(p.x)), y(p.y), p.x, short(p.y))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// roundTicks are about n round values that cover low to high.
func roundTicks(low, high float64, n int) []float64 {
	if !(high > low) {
		high = low + max(math.Abs(low)*0.1, 1e-9)
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(n))))
	// Beyond what float64 tells apart there are no round values.
	if !(step > 0 && step <= math.MaxFloat64/16) || math.Abs(low)/step > 1<<50 || math.Abs(high)/step > 1<<50 {
		return []float64{low, high}
	}
	for _, m := range []float64{2, 2.5, 2} { // 2, 5, 10 times
		if (high-low)/step <= float64(n)+0.5 {
			break
		}
		step *= m
	}
	var ticks []float64
	for i := math.Floor(low/step + 1e-9); ; i++ {
		ticks = append(ticks, i*step)
		if i*step >= high-1e-9*step {
			return ticks
		}
	}
}

// short is a number in few characters.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a < 1e-12:
		return "0"
	case a >= 10000:
		return fmt.Sprintf("%.4gk", v/1000)
	case a < 0.001:
		return strings.Replace(fmt.Sprintf("%.2g", v), "e-0", "e-", 1)
	}
	return fmt.Sprintf("%.4g", v)
}

// manyClasses make a matrix of so many cells that those without pixels are left
// out.
const manyClasses = 40

// matrix draws the confusion matrix: rows are labels, shaded by the share of
// their pixels that each prediction has.
func matrix(r *infer.Result) template.HTML {
	n := len(r.Classes)
	width, height := matrixLabel+n*matrixCell+matrixHead/2, matrixHead+n*matrixCell+8
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" class="matrix" role="img" aria-label="confusion matrix, rows are labels, columns predictions">`, width, height)
	for i, name := range r.Classes {
		name = template.HTMLEscapeString(name)
		at := i*matrixCell + matrixCell/2
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, matrixLabel-6, matrixHead+at+4, name)
		fmt.Fprintf(&b, `<text transform="translate(%d %d) rotate(-60)">%s</text>`, matrixLabel+at+3, matrixHead-6, name)
	}
	for i := range n {
		var total int64
		for _, v := range r.Confusion[i*n : (i+1)*n] {
			total += v
		}
		for j := range n {
			share := 0.0
			if total > 0 {
				share = float64(r.Confusion[i*n+j]) / float64(total)
			}
			if n > manyClasses && share < 0.0005 {
				continue
			}
			fmt.Fprintf(&b, `<rect class="cell" x="%d" y="%d" width="%d" height="%d" style="--share:%.3f"><title>%s taken for %s: %.1f %%</title></rect>`,
				matrixLabel+j*matrixCell, matrixHead+i*matrixCell, matrixCell-2, matrixCell-2, share, template.HTMLEscapeString(r.Classes[i]), template.HTMLEscapeString(r.Classes[j]), 100*share)
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

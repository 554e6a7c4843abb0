package main

import (
	"fmt"
	"math"
	"strings"
)

// chart is an SVG: a row for each recipe with its seeds as dots, their mean as
// a line and one standard deviation to both sides as a bar.
func chart(results []scores) string {
	const width, left, right, top, row = 720, 130, 90, 34, 34
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range results {
		m, sd := meanDeviation(s.miou)
		for _, v := range append([]float64{m - sd, m + sd}, s.miou...) {
			low, high = min(low, v), max(high, v)
		}
	}
	low, high = math.Floor(low), math.Ceil(high)
	x := func(v float64) float64 { return left + (v-low)/(high-low)*(width-left-right) }
	bottom := top + row*len(results)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, bottom+30, width, bottom+30)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, bottom+30)
	fmt.Fprintf(&b, `<text x="%d" y="20" fill="#1a1a1a" font-weight="bold">mIoU on the fixtures' target, in %%</text>`+"\n", 12)
	for v := low; v <= high; v++ {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#e4e4e4"/>`+"\n", x(v), top, x(v), bottom)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#666666" text-anchor="middle">%.0f</text>`+"\n", x(v), bottom+18, v)
	}
	for i, s := range results {
		y := float64(top + row*i + row/2)
		m, sd := meanDeviation(s.miou)
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" fill="#1a1a1a" text-anchor="end">%s</text>`+"\n", left-12, y+4, s.recipe)
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="12" fill="#4e79a7" opacity="0.25"/>`+"\n", x(m-sd), y-6, x(m+sd)-x(m-sd))
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#4e79a7" stroke-width="3"/>`+"\n", x(m), y-9, x(m), y+9)
		for _, v := range s.miou {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" fill="#f28e2b" stroke="#ffffff"/>`+"\n", x(v), y)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" fill="#1a1a1a">%.1f ± %.1f</text>`+"\n", width-right+12, y+4, m, sd)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

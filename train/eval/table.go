package eval

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Table formats results in percent, one class a line, then the means: over 19,
// 16 and 13 classes for those of Cityscapes. Several results stand side by side
// with their IoU; one alone has its accuracies beside it, and their means.
func Table(classes []string, names []string, scores []Scores) string {
	type column struct {
		head  string
		class func(k int) float64
		mean  func(classes []int) float64
		all   float64
	}
	head := "IoU in %"
	var columns []column
	for i, s := range scores {
		columns = append(columns, column{names[i], func(k int) float64 { return s.IoU[k] }, s.Mean, s.AllPixels})
	}
	if len(scores) == 1 {
		s := scores[0]
		head = names[0] + ", in %"
		columns[0].head = "IoU"
		columns = append(columns, column{"accuracy", func(k int) float64 { return s.Accuracy[k] }, s.MeanAccuracy, math.NaN()})
	}
	type meanRow struct {
		head    string
		classes []int
	}
	means := []meanRow{{"mIoU", nil}}
	if AreCityscapes(classes) {
		means = []meanRow{{"mIoU (19)", nil}, {"mIoU (16)", Synthia16}, {"mIoU* (13)", Synthia13}}
	}

	width := max(len("mIoU* (13)"), utf8.RuneCountInString(head))
	for _, c := range classes {
		width = max(width, utf8.RuneCountInString(c))
	}
	var b strings.Builder
	line := func(head string, cell func(column) string) {
		fmt.Fprintf(&b, "%-*s", width, head)
		for _, c := range columns {
			fmt.Fprintf(&b, "  %*s", max(7, utf8.RuneCountInString(c.head)), cell(c))
		}
		b.WriteByte('\n')
	}
	percent := func(v float64) string {
		if math.IsNaN(v) {
			return "-"
		}
		return fmt.Sprintf("%.2f", 100*v)
	}
	line(head, func(c column) string { return c.head })
	for k, name := range classes {
		line(name, func(c column) string { return percent(c.class(k)) })
	}
	for _, m := range means {
		line(m.head, func(c column) string { return percent(c.mean(m.classes)) })
	}
	line("all pixels", func(c column) string { return percent(c.all) })
	return b.String()
}

// Command uda prints the ablation's table from the run directories that
// scripts/bench-uda leaves, mean and standard deviation over seeds, and draws
// its plot.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/pipa-uda/pipa/train/infer"
)

func main() {
	runs := flag.String("runs", "build/uda", "folder of the runs")
	recipes := flag.String("recipes", "", "recipes, in the table's order")
	seeds := flag.String("seeds", "", "seeds")
	plot := flag.String("plot", "", "SVG file for a plot of the means")
	flag.Parse()
	var results []scores
	for recipe := range strings.FieldsSeq(*recipes) {
		s := scores{recipe: recipe}
		for seed := range strings.FieldsSeq(*seeds) {
			text, err := os.ReadFile(filepath.Join(*runs, recipe+"-"+seed, "result.json"))
			if err != nil {
				log.Fatal(err)
			}
			var r infer.Result
			if err := json.Unmarshal(text, &r); err != nil {
				log.Fatalf("%s, seed %s: %v", recipe, seed, err)
			}
			s.add(r)
		}
		results = append(results, s)
	}
	fmt.Print(table(results))
	if *plot != "" {
		if err := os.WriteFile(*plot, []byte(chart(results)), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// scores are one recipe's, over the seeds, in percent.
type scores struct {
	recipe  string
	classes []string
	miou    []float64
	iou     [][]float64 // by class, then seed
}

func (s *scores) add(r infer.Result) {
	s.classes = r.Classes
	s.miou = append(s.miou, 100*float64(r.MIoU))
	if s.iou == nil {
		s.iou = make([][]float64, len(r.IoU))
	}
	for k, v := range r.IoU {
		s.iou[k] = append(s.iou[k], 100*float64(v))
	}
}

// table is Markdown: the means over all classes, then class by class.
func table(results []scores) string {
	var b strings.Builder
	row := func(head string, cell func(scores) string) {
		fmt.Fprintf(&b, "| %s |", head)
		for _, s := range results {
			fmt.Fprintf(&b, " %s |", cell(s))
		}
		b.WriteByte('\n')
	}
	row("IoU in %", func(s scores) string { return s.recipe })
	b.WriteString("| --- |" + strings.Repeat(" ---: |", len(results)) + "\n")
	row("**mIoU**", func(s scores) string { m, sd := meanDeviation(s.miou); return fmt.Sprintf("**%.1f ± %.1f**", m, sd) })
	row("by seed", func(s scores) string {
		var each []string
		for _, v := range s.miou {
			each = append(each, fmt.Sprintf("%.1f", v))
		}
		return strings.Join(each, ", ")
	})
	if len(results) == 0 {
		return b.String()
	}
	for k, class := range results[0].classes {
		row(class, func(s scores) string { m, _ := meanDeviation(s.iou[k]); return fmt.Sprintf("%.1f", m) })
	}
	return b.String()
}

// meanDeviation is the mean and the sample standard deviation.
func meanDeviation(v []float64) (mean, deviation float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		deviation += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(deviation / float64(max(len(v)-1, 1)))
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/urfave/cli/v2"
)

type formatsOptions struct {
	name           string // of the one to show; empty lists all
	markdown, json bool
}

func formatsCommand() *cli.Command {
	return &cli.Command{
		Name:      "formats",
		Usage:     "list the datasets that are read as downloaded, or show one",
		ArgsUsage: "[FORMAT]",
		Description: "Lists classes, splits, labels, licenses, whether these allow commercial use, and where to get the data. With a\n" +
			"FORMAT all about it: its files, its splits, and which values of its labels are which class.\n\n" +
			"   pipa formats acdc",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "markdown", Usage: "print docs/datasets-supported.md"},
			jsonFlag(),
		},
		Action: action(formatsOptionsOf, runFormats),
	}
}

func formatsOptionsOf(c *cli.Context) (o formatsOptions, err error) {
	args, err := arguments(c)
	if err != nil {
		return o, err
	}
	o.markdown, o.json = c.Bool("markdown"), c.Bool("json")
	if len(args) > 0 {
		o.name = args[0]
	}
	if o.markdown && (o.json || o.name != "") {
		return o, usagef("--markdown prints the page of all formats: leave out %s", map[bool]string{true: "--json", false: o.name}[o.json])
	}
	return o, nil
}

func runFormats(_ context.Context, o formatsOptions) error {
	all := formats.Layouts()
	if o.name != "" {
		l, err := formats.Named(o.name)
		if err != nil {
			return err
		}
		all = []formats.Layout{l}
	}
	switch {
	case o.json:
		return formatsJSON(all)
	case o.markdown:
		return printText(formatsPage(all))
	case o.name != "":
		return printText(formatText(all[0]))
	}
	return printText(formatsTable(all))
}

// formatsTable is a line for each layout.
func formatsTable(all []formats.Layout) string {
	rows := [][]string{{"FORMAT", "CLASSES", "SPLITS", "LABELS", "COMMERCIAL USE", "LICENSE"}}
	for _, l := range all {
		rows = append(rows, []string{l.Name, classesOf(l), splitsOf(l), labelsOf(l), yes(l.Commercial), l.License})
	}
	return aligned(rows) + "\nFiles, values and where to get one: pipa formats FORMAT. Others are read by a class map (docs/custom-data.md).\n"
}

// formatsPage is docs/datasets-supported.md.
func formatsPage(all []formats.Layout) string {
	var b strings.Builder
	b.WriteString(`# Datasets that are read as downloaded

<!-- Made by: pipa formats --markdown -->

` + "`pipa formats NAME`" + ` shows a format's files and values. A dataset that is not here is read by a
[class map](custom-data.md), or becomes one more file of ` + "`formats/`" + ` ([extending.md](extending.md)).

Most are read as Cityscapes' 19 classes. Those with classes of their own keep them, and have a second format whose name
ends in -19, the same folder read as the 19; where several maps to the 19 are in use, each has its name. What has none of
the 19's names is ignored. Land from above and ways off the road have no such form.

Whether a license allows commercial use is what its authors say, in a word, and no legal advice: read it before you use
the data.

| format | classes | splits | labels | license | commercial use |
| --- | --- | --- | --- | --- | --- |
`)
	for _, l := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | [%s](%s) | %s |\n", l.Name, classesOf(l), splitsOf(l), labelsOf(l), l.License, l.URL, yes(l.Commercial))
	}
	b.WriteString("\n## Notes\n\n")
	for _, l := range all {
		if l.Note != "" {
			fmt.Fprintf(&b, "* `%s`: %s\n", l.Name, l.Note)
		}
	}
	b.WriteString(`
A folder alone, ` + "`pipa check FOLDER`" + `, is recognized by the folders in it. Formats with the same ones have to be named,
` + "`FORMAT:FOLDER`" + `: the error says which these are.
`)
	return b.String()
}

// formatText is all about one layout.
func formatText(l formats.Layout) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", l.Name, classesOf(l))
	for _, line := range [][2]string{{"from", l.URL}, {"license", l.License}, {"commercial use", yes(l.Commercial)}, {"note", l.Note}} {
		if line[1] != "" && (l.Map.Text == "" || line[0] == "note") {
			fmt.Fprintf(&b, "%s: %s\n", line[0], line[1])
		}
	}
	rows := [][]string{{"SPLIT", "IMAGES", "LABELS"}}
	for _, s := range l.Splits {
		files := "none"
		for i, lb := range s.Labels {
			if i == 0 {
				files = lb.Files
			} else {
				files += " or " + lb.Files
			}
		}
		if s.Lists != nil {
			files += ", listed in " + strings.Join(s.Lists, " or ")
		}
		rows = append(rows, []string{s.Name, s.Images, files})
	}
	b.WriteString("\n" + aligned(rows))
	for _, lb := range kindsOf(l) {
		rows := [][]string{{"TRAIN ID", "CLASS", strings.ToUpper(string(lb.Encoding.Codec))}}
		for t, name := range l.Classes {
			rows = append(rows, []string{strconv.Itoa(t), name, valuesOf(lb.Encoding, raster.TrainID(t))})
		}
		ignored := valuesOf(lb.Encoding, raster.Ignore)
		if lb.Encoding.OthersIgnored {
			ignored = strings.TrimSuffix("all others "+ignored, " ")
		}
		b.WriteString("\n" + aligned(append(rows, []string{"255", "ignored", ignored})))
	}
	return b.String()
}

// aligned are rows as the lines of a table.
func aligned(rows [][]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t")) // to memory
	}
	_ = w.Flush()
	return b.String()
}

// kindsOf are a layout's kinds of labels, each once.
func kindsOf(l formats.Layout) []formats.Labels {
	var kinds []formats.Labels
	for _, s := range l.Splits {
		for _, lb := range s.Labels {
			if !slices.ContainsFunc(kinds, func(k formats.Labels) bool { return fmt.Sprint(k.Encoding) == fmt.Sprint(lb.Encoding) }) {
				kinds = append(kinds, lb)
			}
		}
	}
	return kinds
}

// valuesOf are an encoding's values for a train ID.
func valuesOf(e labels.Encoding, want raster.TrainID) string {
	var ids []int
	for id, t := range e.IDs {
		if t == want {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var colors []string
	for c, t := range e.Colors {
		if t == want {
			colors = append(colors, fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]))
		}
	}
	slices.Sort(colors)
	words := strings.Fields(strings.Trim(fmt.Sprint(ids), "[]"))
	return strings.Join(append(words, colors...), " ")
}

// classesOf says how many classes, and whether they are Cityscapes'.
func classesOf(l formats.Layout) string {
	if slices.Equal(l.Classes, raster.CityscapesClasses()) {
		return "Cityscapes' 19"
	}
	return fmt.Sprintf("%d of its own", len(l.Classes))
}

// splitsOf are the splits, those of variants in a word.
func splitsOf(l formats.Layout) string {
	names := l.SplitNames()
	if plain := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return strings.Contains(n, "_") }); len(names) > 6 && len(plain) > 0 {
		return strings.Join(plain, ", ") + fmt.Sprintf(" and %d more", len(names)-len(plain))
	}
	return strings.Join(names, ", ")
}

// labelsOf says what is in the labels.
func labelsOf(l formats.Layout) string {
	words := map[labels.Codec]string{
		labels.Bytes: "ids", labels.IDs: "ids", labels.Red: "ids in red", labels.Red16: "ids in red, 16 bits", labels.Colors: "colors",
	}
	kinds := kindsOf(l)
	if len(kinds) == 0 {
		return "none"
	}
	return words[kinds[0].Encoding.Codec]
}

func yes(b bool) string { return map[bool]string{true: "yes", false: "no"}[b] }

// formatsJSON prints a line for each layout.
func formatsJSON(all []formats.Layout) error {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, l := range all {
		line := struct {
			Name       string   `json:"name"`
			Classes    []string `json:"classes"`
			Splits     []string `json:"splits"`
			Labels     string   `json:"labels"`
			License    string   `json:"license"`
			Commercial bool     `json:"commercial"`
			URL        string   `json:"url"`
			Note       string   `json:"note,omitempty"`
		}{l.Name, l.Classes, l.SplitNames(), labelsOf(l), l.License, l.Commercial, l.URL, l.Note}
		if err := out.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

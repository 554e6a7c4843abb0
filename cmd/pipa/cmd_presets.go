package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/urfave/cli/v2"
)

type presetsOptions struct {
	name string // of the one to show; empty lists them
	json bool
}

func presetsCommand() *cli.Command {
	return &cli.Command{
		Name:  "presets",
		Usage: "list the published recipes, or show one",
		Description: `Presets are named by a pair of datasets, gta2cs (GTA5 to Cityscapes) or syn2cs (SYNTHIA to Cityscapes), and a recipe. A recipe alone, such as daformer-pipa, is for any other pair, which "pipa train" is given as --source FORMAT:DIR and --target FORMAT:DIR. Those that begin with fixture- are small enough for a CPU.

Losses are those beside the source's cross-entropy: mixed, of self-training on ClassMix images; features, the distance to ImageNet's; pixel and patch, PiPa's contrasts; masked, MIC's consistency.

   pipa presets
   pipa presets show gta2cs-daformer-pipa`,
		UsageText: "[options]",
		Flags:     []cli.Flag{jsonFlag()},
		Action:    action(listPresetsOptionsOf, runListPresets),
		Subcommands: []*cli.Command{{
			Name:        "show",
			Usage:       "print a preset's resolved YAML",
			ArgsUsage:   "PRESET",
			Description: "   pipa presets show gta2cs-daformer-pipa",
			Action:      action(showPresetOptionsOf, runShowPreset),
		}},
	}
}

func listPresetsOptionsOf(c *cli.Context) (presetsOptions, error) {
	o := presetsOptions{json: c.Bool("json")}
	if c.NArg() > 0 {
		return o, usagef("presets has no command %q: to see a preset: pipa presets show %s", c.Args().First(), c.Args().First())
	}
	return o, nil
}

// A presetRow is what a preset is, in short.
type presetRow struct {
	Name       string   `json:"name"`
	Source     string   `json:"source"`
	Target     string   `json:"target,omitempty"`
	Encoder    string   `json:"encoder"`
	Crop       [2]int   `json:"crop"` // height, width
	Iterations int      `json:"iterations"`
	Losses     []string `json:"losses"` // beside the source's
}

func presetRows() (rows []presetRow, err error) {
	for _, name := range config.Names() {
		c, err := config.Preset(name)
		if err != nil {
			return nil, err
		}
		r := presetRow{name, c.Source.Format, c.Target.Format, c.Network.Encoder, c.Source.Crop, c.Iterations, []string{}}
		for _, l := range []struct {
			name string
			on   bool
		}{
			{"mixed", c.Adapt.Enabled}, {"features", c.FeatureDistance.Weight > 0}, {"pixel", c.Pixel.Weight > 0},
			{"patch", c.Patch.Weight > 0}, {"masked", c.Masked.Weight > 0},
		} {
			if l.on {
				r.Losses = append(r.Losses, l.name)
			}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func runListPresets(_ context.Context, o presetsOptions) error {
	rows, err := presetRows()
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(rows)
	}
	text := "preset\tencoder\tcrop\tsteps\tlosses\n"
	for _, r := range rows {
		losses := strings.Join(r.Losses, "+")
		if losses == "" {
			losses = "-"
		}
		text += fmt.Sprintf("%s\t%s\t%dx%d\t%d\t%s\n", r.Name, r.Encoder, r.Crop[0], r.Crop[1], r.Iterations, losses)
	}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, err = io.WriteString(table, text)
	if err := errors.Join(err, table.Flush()); err != nil {
		return err
	}
	return printText(b.String())
}

func showPresetOptionsOf(c *cli.Context) (presetsOptions, error) {
	args, err := arguments(c)
	if err != nil {
		return presetsOptions{}, err
	}
	return presetsOptions{name: args[0]}, nil
}

func runShowPreset(_ context.Context, o presetsOptions) error {
	cfg, err := config.Preset(o.name)
	if err != nil {
		return otherwise(exitUsage, err)
	}
	text, err := cfg.YAML()
	if err != nil {
		return err
	}
	return printText(string(text))
}

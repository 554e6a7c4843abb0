package main

import (
	"context"
	"strings"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/urfave/cli/v2"
)

type presetsOptions struct{ name string } // of the one to show; empty lists them

func presetsCommand() *cli.Command {
	return &cli.Command{
		Name:        "presets",
		Usage:       "list the published recipes, or show one",
		Description: "   pipa presets show gta2cs-daformer-pipa",
		Action:      action(listPresetsOptionsOf, runListPresets),
		Subcommands: []*cli.Command{{
			Name:        "show",
			Usage:       "print a preset's resolved YAML",
			Description: "   pipa presets show gta2cs-daformer-pipa",
			ArgsUsage:   "PRESET",
			Action:      action(showPresetOptionsOf, runShowPreset),
		}},
	}
}

func listPresetsOptionsOf(c *cli.Context) (o presetsOptions, err error) {
	if c.NArg() > 0 {
		return o, usagef("presets has no command %q: did you mean: pipa presets show %s?", c.Args().First(), c.Args().First())
	}
	return o, nil
}

func runListPresets(context.Context, presetsOptions) error {
	return printText(strings.Join(config.Names(), "\n") + "\n")
}

func showPresetOptionsOf(c *cli.Context) (presetsOptions, error) {
	args, err := arguments(c)
	if err != nil {
		return presetsOptions{}, err
	}
	return presetsOptions{args[0]}, nil
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

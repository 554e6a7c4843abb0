package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/weights"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
	"github.com/urfave/cli/v2"
)

type listWeightsOptions struct {
	weightsOptions
	raw, json bool
}

type convertWeightsOptions struct {
	weightsOptions
	report string // a file of all that happened; empty writes none
	force  bool
	output output
}

// weightsOptions name a network in a file, a folder or an index of shards.
type weightsOptions struct {
	path    string
	teacher bool // instead of the student
}

func weightsCommand() *cli.Command {
	teacher := &cli.BoolFlag{Name: "teacher", Usage: "the teacher (ema_model, state_dict_ema) instead of the student"}
	return &cli.Command{
		Name:        "weights",
		Usage:       "list and convert network weights",
		Description: weights.Sources + "\n\n   pipa weights ls mit_b5.pth\n   pipa weights convert mit_b5.pth -o mit_b5.safetensors",
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return cli.ShowSubcommandHelp(c)
			}
			return unknownCommand(c, c.Command.Subcommands)
		},
		Subcommands: []*cli.Command{
			{
				Name:      "ls",
				Usage:     "list names, types and shapes",
				ArgsUsage: "FILE",
				Description: `Says which network is in a file, a folder or an index of shards, and lists its tensors. What was left out is said on standard error.

   pipa weights ls mit_b5.pth`,
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "raw", Usage: "the file's own names instead of pipa's"}, teacher, jsonFlag()},
				Action: action(listWeightsOptionsOf, runListWeights),
			},
			{
				Name:      "convert",
				Usage:     "write safetensors under pipa's names",
				ArgsUsage: "FILE",
				Description: `Reads .pth files (never executing them) and safetensors of SegFormer, Hugging Face, mmsegmentation, timm, segmentation-models-pytorch, DAFormer, HRDA, MIC and PiPa. Floats are written as float32.

   pipa weights convert mit_b5.pth -o mit_b5.safetensors`,
				Flags:  []cli.Flag{teacher, &cli.StringFlag{Name: "report", Usage: "write to `FILE` what every tensor became, what was left out and what is missing"}, outFlag(), forceFlag()},
				Action: action(convertWeightsOptionsOf, runConvertWeights),
			},
		},
	}
}

func weightsOptionsOf(c *cli.Context) (o weightsOptions, err error) {
	args, err := arguments(c)
	if err != nil {
		return o, err
	}
	return weightsOptions{args[0], c.Bool("teacher")}, onThisMachine(c.Command.HelpName, args[0], "file")
}

func listWeightsOptionsOf(c *cli.Context) (o listWeightsOptions, err error) {
	o.raw, o.json = c.Bool("raw"), c.Bool("json")
	o.weightsOptions, err = weightsOptionsOf(c)
	return o, err
}

func convertWeightsOptionsOf(c *cli.Context) (o convertWeightsOptions, err error) {
	if o.weightsOptions, err = weightsOptionsOf(c); err != nil {
		return o, err
	}
	if o.report, o.force = c.String("report"), c.Bool("force"); o.report != "" {
		if err := mayWrite("--report", o.report, o.force); err != nil {
			return o, err
		}
	}
	o.output, err = binaryOutputOf(c)
	return o, err
}

// open reads the file, and says on stderr which network it has and what was left
// out.
func (o weightsOptions) open() (f *weights.File, network *safetensors.File, err error) {
	if f, err = weights.Open(o.path); err != nil {
		return nil, nil, otherwise(exitBadData, err)
	}
	network = f.Student
	if o.teacher {
		if network = f.Teacher; network == nil {
			return nil, nil, usagef("read weights %s: it has no teacher beside its student", o.path)
		}
	}
	for _, line := range f.Summary() {
		slog.Info(line)
	}
	return f, network, nil
}

// allTensors reads all of a file's tensors.
func allTensors(f *safetensors.File) ([]safetensors.Tensor, error) {
	var tensors []safetensors.Tensor
	for _, name := range f.Names() {
		t, err := f.Tensor(name)
		if err != nil {
			return nil, otherwise(exitBadData, err)
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}

func runConvertWeights(_ context.Context, o convertWeightsOptions) error {
	f, network, err := o.open()
	if err != nil {
		return err
	}
	tensors, err := allTensors(network)
	if err != nil {
		return err
	}
	if o.report != "" {
		report := func(w io.Writer) error { _, err := io.WriteString(w, f.Report()); return err }
		if err := files.Write(o.report, o.force, report); err != nil {
			return err
		}
	}
	return o.output.write(func(w io.Writer) error { return safetensors.Write(w, map[string]string{"format": "pt"}, tensors) })
}

// listed are the tensors to list, without their data.
func (o listWeightsOptions) listed() (tensors []safetensors.Tensor, err error) {
	if !o.raw {
		_, network, err := o.open()
		if err != nil {
			return nil, err
		}
		return allTensors(network)
	}
	f, err := weights.Read(o.path)
	if err != nil {
		return nil, otherwise(exitBadData, err)
	}
	if tensors, err = allTensors(f); err != nil {
		return nil, err
	}
	for _, s := range f.Skipped {
		tensors = append(tensors, safetensors.Tensor{Name: s.Name, DType: s.DType, Shape: s.Shape})
	}
	return tensors, nil
}

func runListWeights(_ context.Context, o listWeightsOptions) error {
	tensors, err := o.listed()
	if err != nil {
		return err
	}
	type row struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Shape []int  `json:"shape"`
	}
	var rows []row
	elements, width := 0, 0
	for _, t := range tensors {
		rows = append(rows, row{t.Name, t.DType, t.Shape})
		elements += t.Len()
		width = min(max(width, len(t.Name)), maxPadding)
	}
	if o.json {
		return printJSON(rows)
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%-*s  %-4s  %v\n", width, r.Name, r.Type, r.Shape)
	}
	fmt.Fprintf(&b, "%s, %d elements\n", count(len(rows), "tensor"), elements)
	return printText(b.String())
}

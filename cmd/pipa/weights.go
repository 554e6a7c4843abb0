package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pipa-uda/pipa/train/weights"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
	"github.com/urfave/cli/v2"
)

func weightsCommand() *cli.Command {
	teacher := &cli.BoolFlag{Name: "teacher", Usage: "the teacher (ema_model, state_dict_ema) instead of the student"}
	return &cli.Command{
		Name:        "weights",
		Usage:       "list and convert network weights",
		Description: weights.Sources + "\n\n   pipa weights convert mit_b5.pth -o mit_b5.safetensors",
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return cli.ShowSubcommandHelp(c)
			}
			return unknownCommand(c, c.Command.Subcommands)
		},
		Subcommands: []*cli.Command{
			{
				Name:      "ls",
				Usage:     "names, types and shapes",
				ArgsUsage: "FILE",
				Description: "Which network is in a file, a folder or an index of shards, and its tensors.\n" +
					"What was left out is said on stderr.\n\n   pipa weights ls mit_b5.pth",
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "raw", Usage: "the file's own names instead of pipa's"}, teacher, jsonFlag()},
				Action: listWeights,
			},
			{
				Name:      "convert",
				Usage:     "write safetensors under pipa's names",
				ArgsUsage: "FILE",
				Description: "Reads .pth files (never executing them) and safetensors of SegFormer, Hugging Face,\n" +
					"mmsegmentation, timm, segmentation-models-pytorch, DAFormer, HRDA, MIC and PiPa.\n" +
					"Floats are written as float32.\n\n   pipa weights convert mit_b5.pth -o mit_b5.safetensors",
				Flags: []cli.Flag{teacher, &cli.StringFlag{Name: "report", Usage: "write to `FILE` what every tensor became, what was left out and what is missing"}, outFlag(), forceFlag()},
				Action: func(c *cli.Context) error {
					args, err := arguments(c)
					if err != nil {
						return err
					}
					tensors, err := openWeights(c, args[0])
					if err != nil {
						return err
					}
					return output(c, func(w io.Writer) error { return safetensors.Write(w, map[string]string{"format": "pt"}, tensors) })
				},
			},
		},
	}
}

// openWeights opens a file's student or teacher, and says on stderr what it is
// and what was left out.
func openWeights(c *cli.Context, path string) ([]safetensors.Tensor, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	network := f.Student
	if c.Bool("teacher") {
		if network = f.Teacher; network == nil {
			return nil, fmt.Errorf("read weights %s: it has no teacher beside its student", path)
		}
	}
	if name := c.String("report"); name != "" {
		if err := os.WriteFile(name, []byte(f.Report()), 0o666); err != nil {
			return nil, fmt.Errorf("write the report: %w", err)
		}
	}
	for _, line := range f.Summary() {
		fmt.Fprintln(os.Stderr, line)
	}
	return all(network)
}

func all(f *safetensors.File) ([]safetensors.Tensor, error) {
	var tensors []safetensors.Tensor
	for _, name := range f.Names() {
		t, err := f.Tensor(name)
		if err != nil {
			return nil, err
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}

func listWeights(c *cli.Context) error {
	args, err := arguments(c)
	if err != nil {
		return err
	}
	var tensors []safetensors.Tensor
	if c.Bool("raw") {
		f, err := weights.Read(args[0])
		if err != nil {
			return err
		}
		if tensors, err = all(f); err != nil {
			return err
		}
		for _, s := range f.Skipped {
			tensors = append(tensors, safetensors.Tensor{Name: s.Name, DType: s.DType, Shape: s.Shape})
		}
	} else if tensors, err = openWeights(c, args[0]); err != nil {
		return err
	}
	type row struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Shape []int  `json:"shape"`
	}
	var rows []row
	var b strings.Builder
	elements, width := 0, 0
	for _, t := range tensors {
		rows = append(rows, row{t.Name, t.DType, t.Shape})
		elements += t.Len()
		width = min(max(width, len(t.Name)), maxPadding)
	}
	if c.Bool("json") {
		return printJSON(rows)
	}
	for _, r := range rows {
		fmt.Fprintf(&b, "%-*s  %-4s  %v\n", width, r.Name, r.Type, r.Shape)
	}
	fmt.Fprintf(&b, "%s, %d elements\n", count(len(rows), "tensor"), elements)
	_, err = os.Stdout.WriteString(b.String())
	return closedPipe(err)
}

package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/urfave/cli/v2"
)

type doctorOptions struct {
	version string // of pipa
	json    bool
}

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say what is here, and how to get what is missing",
		Description: `Every data command works without libtorch; training needs it. The exit code is 2 where it is missing.

   pipa doctor`,
		Flags:  []cli.Flag{jsonFlag()},
		Action: action(doctorOptionsOf, runDoctor),
	}
}

func doctorOptionsOf(c *cli.Context) (doctorOptions, error) {
	_, err := arguments(c)
	return doctorOptions{c.App.Version, c.Bool("json")}, err
}

func runDoctor(_ context.Context, o doctorOptions) error {
	h := health{
		Version: o.version, Platform: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(),
		Formats: formats.Names(), Codecs: []string{"png", "jpeg"},
	}
	lib, missing := torch.Load("")
	if missing != nil {
		h.Problem = missing.Error()
	} else {
		h.Torch = &backing{lib.Path(), lib.Version(), lib.Threads(), lib.CUDADevices(), lib.Backends(), lib.OneDNN()}
	}
	var err error
	if o.json {
		err = printJSON(h)
	} else {
		err = printText(h.text())
	}
	if missing != nil && err == nil {
		err = fmt.Errorf("training is not possible here: %w", otherwise(exitUsage, missing))
	}
	return err
}

// health is what doctor finds.
type health struct {
	Version  string   `json:"version"`
	Platform string   `json:"platform"`
	Cores    int      `json:"cores"`
	Formats  []string `json:"formats"`
	Codecs   []string `json:"codecs"`
	Torch    *backing `json:"torch"` // null where there is none
	Problem  string   `json:"problem,omitempty"`
}

// backing is the libtorch backend.
type backing struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Threads int    `json:"threads"`
	CUDA    int    `json:"cuda_devices"`
	// Ranks are the c10d backends by which several processes train together.
	Ranks []string `json:"c10d_backends"`
	// OneDNN is false where it is missing or computes wrongly.
	OneDNN bool `json:"onednn"`
}

func (h health) text() string {
	var b columns
	b.paragraph("pipa", "%s, %s, %s", h.Version, h.Platform, count(h.Cores, "core"))
	b.paragraph("formats", "%s", strings.Join(h.Formats, ", "))
	b.paragraph("codecs", "%s", strings.Join(h.Codecs, ", "))
	if h.Torch == nil {
		b.paragraph("libtorch", "missing")
		return b.String()
	}
	without := ""
	if !h.Torch.OneDNN {
		without = ", slow on a CPU: its oneDNN is missing, or computes convolutions wrongly"
	}
	b.paragraph("libtorch", "%s, %s%s", h.Torch.Version, count(h.Torch.Threads, "CPU thread"), without)
	b.paragraph("backend", "%s", h.Torch.Path)
	if len(h.Torch.Ranks) > 0 {
		b.paragraph("c10d", "%s", strings.Join(h.Torch.Ranks, ", "))
	} else {
		b.paragraph("c10d", "none: one process at a time (for more, install Gloo's headers, Debian's libgloo-dev, or NCCL's, and rebuild the backend)")
	}
	if h.Torch.CUDA > 0 {
		b.paragraph("devices", "cpu, %s", count(h.Torch.CUDA, "CUDA device"))
	} else {
		b.paragraph("devices", "cpu (this libtorch sees no CUDA device)")
	}
	return b.String()
}

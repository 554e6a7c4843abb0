package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/urfave/cli/v2"
)

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

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:        "doctor",
		Usage:       "what is here, and how to get what is missing",
		Description: "Every data command works without libtorch; training needs it. Exit code 1 where it is missing.\n\n   pipa doctor",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			h := health{
				Version: c.App.Version, Platform: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(),
				Formats: formats.Names(), Codecs: []string{"png", "jpeg"},
			}
			lib, err := torch.Load("")
			if err != nil {
				h.Problem = err.Error()
			} else {
				h.Torch = &backing{lib.Path(), lib.Version(), lib.Threads(), lib.CUDADevices(), lib.Backends(), lib.OneDNN()}
			}
			if c.Bool("json") {
				if err := printJSON(h); err != nil {
					return err
				}
			} else if _, err := fmt.Print(h.text()); err != nil {
				return closedPipe(err)
			}
			if h.Torch == nil {
				return fmt.Errorf("training is not possible here: %w", err)
			}
			return nil
		},
	}
}

func (h health) text() string {
	var b strings.Builder
	line := func(key, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", key, fmt.Sprintf(format, args...))
	}
	line("pipa", "%s, %s, %s", h.Version, h.Platform, count(h.Cores, "core"))
	line("formats", "%s", strings.Join(h.Formats, ", "))
	line("codecs", "%s", strings.Join(h.Codecs, ", "))
	if h.Torch == nil {
		line("libtorch", "missing")
		return b.String()
	}
	without := ""
	if !h.Torch.OneDNN {
		without = ", slow on a CPU: its oneDNN is missing, or computes convolutions wrongly"
	}
	line("libtorch", "%s, %s%s", h.Torch.Version, count(h.Torch.Threads, "CPU thread"), without)
	line("backend", "%s", h.Torch.Path)
	if len(h.Torch.Ranks) > 0 {
		line("c10d", "%s", strings.Join(h.Torch.Ranks, ", "))
	} else {
		line("c10d", "none: one process at a time (for more, install Gloo's headers, Debian's libgloo-dev, or NCCL's, and rebuild the backend)")
	}
	if h.Torch.CUDA > 0 {
		line("devices", "cpu, %s", count(h.Torch.CUDA, "CUDA device"))
	} else {
		line("devices", "cpu (this libtorch sees no CUDA device)")
	}
	return b.String()
}

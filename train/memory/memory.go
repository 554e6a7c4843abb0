package memory

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// A Plan says what a configuration will ask for, before anything starts.
type Plan struct {
	Batches    []BatchShape `json:"batches"`
	Parameters []ParamCount `json:"parameters"`
	// State is what stays from step to step: the networks, the gradients, the
	// optimizer's two moments, and the patch contrast's bank.
	State int64 `json:"state_bytes"`
	// Inputs are the normalized images and labels of a step.
	Inputs int64 `json:"input_bytes"`
	// Phases are the parts of a step, in order, with the most each holds at once
	// beyond state and inputs. Only one of them does at a time.
	Phases []Phase `json:"phases"`
	Peak   int64   `json:"peak_bytes"` // state, inputs and the largest phase
}

// BatchShape is one tensor of a step's batch as it comes from the data.
type BatchShape struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	Bytes int64  `json:"bytes"`
}

// ParamCount are one network's numbers of parameters.
type ParamCount struct {
	Name    string `json:"name"`
	Count   int64  `json:"count"`
	Trained bool   `json:"trained"`
}

// Phase is one part of a step.
type Phase struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// New works out the plan of a configuration that is valid but for the places of
// data, for a number of classes and what a program brings, which the configuration
// names. No data and no weights are read. The phases are
// run on the CPU at three small sizes with what libtorch allocates counted, and
// extrapolated: activations grow with the pixels, attention and the patch
// contrast with their square. The crops of a pair are taken to overlap in full
// and to be confident everywhere, which is the most they can ask for. A GPU's
// libraries add their workspaces, typically 0.5 to 1 GB.
func New(ctx context.Context, lib *torch.Lib, cfg config.Config, classes int, custom method.Custom) (*Plan, error) {
	if err := check(cfg, custom.Encoder); err != nil {
		return nil, err
	}
	cfg.Network.Weights, cfg.Network.Init = "", ""
	if cfg.Threads > 0 {
		if err := lib.SetThreads(cfg.Threads); err != nil {
			return nil, err
		}
	}
	p := &Plan{}
	err := lib.Run(torch.CPU, func(root *torch.Scope) error {
		m, err := method.New(root, cfg, classes, custom)
		if err != nil {
			return err
		}
		p.count(m, cfg)
		p.shapes(cfg)
		curves, err := measure(ctx, root, m, cfg, classes)
		if err != nil {
			return err
		}
		for _, c := range curves {
			p.Phases = append(p.Phases, Phase{c.name, int64(max(c.at(c.full), 0))})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("plan memory: %w", err)
	}
	largest := slices.MaxFunc(p.Phases, func(a, b Phase) int { return int(a.Bytes - b.Bytes) })
	p.Peak = p.State + p.Inputs + largest.Bytes
	return p, nil
}

// check validates a configuration whose data need not be there yet.
func check(cfg config.Config, custom network.Encoder) error {
	for _, dir := range []*string{&cfg.Source.Dir, &cfg.Target.Dir, &cfg.Network.Weights} {
		if *dir == "" {
			*dir = "any"
		}
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	a, err := network.Of(cfg.Network, custom)
	if err != nil {
		return err
	}
	return cfg.Fits(a.Geometry())
}

// count adds up the parameters and the state.
func (p *Plan) count(m *method.Method, cfg config.Config) {
	size := func(entries []nn.Entry) (count int64) {
		for _, e := range entries {
			count += int64(e.Tensor.Numel())
		}
		return count
	}
	add := func(name string, store *nn.Store, trained bool) {
		if store == nil {
			return
		}
		copies := int64(1)
		if trained {
			copies = 4 // with gradient and two moments
		}
		p.Parameters = append(p.Parameters, ParamCount{name, size(store.Parameters()), trained})
		p.State += 4 * (size(store.Entries()) + (copies-1)*size(store.Parameters()))
	}
	add("student", m.StudentStore, true)
	add("teacher", m.TeacherStore, false)
	add("frozen encoder", m.FrozenStore, false)
	if c := cfg.Patch; c.Weight > 0 {
		entry := int64(2*c.Negatives) * int64(4*c.Dim+8)
		p.State += int64(c.Steps-1) * entry
	}
}

// shapes lists a step's tensors.
func (p *Plan) shapes(cfg config.Config) {
	add := func(name string, shape ...int) {
		n := int64(1)
		for _, d := range shape {
			n *= int64(d)
		}
		p.Batches = append(p.Batches, BatchShape{name, shape, n})
		if len(shape) == 4 {
			p.Inputs += 4 * n // normalized, in float32
		} else {
			p.Inputs += 8 * n // labels in int64
		}
	}
	side := func(name string, c config.Data) { add(name, c.Batch, c.Crop[0], c.Crop[1], 3) }
	side("source image", cfg.Source)
	add("source label", cfg.Source.Batch, cfg.Source.Crop[0], cfg.Source.Crop[1])
	if cfg.Adapt.Enabled {
		side("target image", cfg.Target)
	}
	if c := cfg.Patch; c.Weight > 0 {
		for _, name := range []string{"crop pair image_a", "crop pair image_b"} {
			add(name, c.Batch, c.Crop, c.Crop, 3)
		}
	}
}

// curve is a phase's memory as a parabola through three measurements.
type curve struct {
	name string
	full float64 // pixels of an image in the configured step
	x, y []float64
}

func (c *curve) at(x float64) float64 {
	// Newton's divided differences.
	d01 := (c.y[1] - c.y[0]) / (c.x[1] - c.x[0])
	d12 := (c.y[2] - c.y[1]) / (c.x[2] - c.x[1])
	d012 := (d12 - d01) / (c.x[2] - c.x[0])
	return c.y[0] + d01*(x-c.x[0]) + d012*(x-c.x[0])*(x-c.x[1])
}

// unit is the length that sizes are rounded to: the least multiple of what the
// network's are that is worth measuring.
func unit(m *method.Method) int {
	const worth = 32
	k := m.Student.Multiple()
	return (worth + k - 1) / k * k
}

// sides are the heights of the images that the phases are measured on.
func sides(unit int, c config.Config) []int {
	if h := c.Network.HRDA; h.Enabled() {
		// Autograd holds the gradients of the first use of the shared parameters
		// until the second's arrive: sizes below these are ruled by that.
		unit *= max(c.Source.Crop[0]/h.Crop[0], 2)
		return []int{2 * unit, 5 * unit, 6 * unit, 7 * unit}
	}
	return []int{2 * unit, 3 * unit, 4 * unit, 6 * unit}
}

// measure runs the phases of a step on made-up inputs of three small sizes.
func measure(ctx context.Context, root *torch.Scope, m *method.Method, full config.Config, classes int) ([]*curve, error) {
	defer m.Forget()
	unit := unit(m)
	var curves []*curve
	for i, side := range sides(unit, full) {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		cfg := scaled(full, side, unit)
		var phases []measured
		if err := root.Run(func(s *torch.Scope) (err error) {
			phases, err = measurePhases(s, m.Scaled(cfg), cfg, classes)
			return err
		}); err != nil {
			return nil, err
		}
		for k, p := range phases {
			if i == 0 { // the first run allocates the gradients, which are state
				curves = append(curves, &curve{name: p.Name, full: float64(p.pixels(full))})
				continue
			}
			curves[k].x, curves[k].y = append(curves[k].x, float64(p.pixels(cfg))), append(curves[k].y, float64(p.Bytes))
		}
	}
	return curves, nil
}

// scaled is a configuration with images of another height, and all else that
// counts pixels in proportion.
func scaled(c config.Config, height, unit int) config.Config {
	f := float64(height) / float64(c.Source.Crop[0])
	to := func(length, multiple int) int {
		return max(int(math.Round(float64(length)*f/float64(multiple)))*multiple, multiple)
	}
	share := func(n int) int { return max(int(float64(n)*f*f), 1) }
	c.Patch.Negatives = share(c.Patch.Negatives)
	c.Pixel.MaxViews, c.Pixel.MaxSamples = share(c.Pixel.MaxViews), max(share(c.Pixel.MaxSamples), 64)
	c.Patch.Crop = to(c.Patch.Crop, unit)
	c.Patch.Threshold = 0
	for _, size := range []*[2]int{&c.Source.Crop, &c.Target.Crop, &c.Network.HRDA.Crop} {
		if size[0] > 0 {
			*size = [2]int{to(size[0], unit), to(size[1], unit)}
		}
	}
	c.Adapt.IgnoreTop, c.Adapt.IgnoreBottom = 0, 0
	c.Masked.Block = to(c.Masked.Block, 1)
	return c
}

// measured is a phase with what its memory depends on.
type measured struct {
	Phase
	pixels func(config.Config) int
}

// measurePhases runs every phase once and reports the most it held.
func measurePhases(s *torch.Scope, m *method.Method, cfg config.Config, classes int) (phases []measured, err error) {
	in := madeUp(s, cfg, classes, m.Student.Shape().Strides[0])
	look := method.Look{Probe: cfg.ProbeEvery > 0, Picture: cfg.PanelsEvery > 0} // as the steps that need most
	for _, p := range m.Begin(s, in, m.Draw(in, 0), look).Phases() {
		if err := s.Lib().CountMemory(func(peak func() int64) error {
			if err := p.Run(); err != nil {
				return err
			}
			phases = append(phases, measured{Phase{p.Name, peak()}, p.Pixels})
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return phases, nil
}

// madeUp are inputs of the configured size: noise, labeled with all classes in
// turn, so that each has its share of the feature pixels, which lie stride apart, and
// pairs of crops that overlap in full.
func madeUp(s *torch.Scope, cfg config.Config, classes, stride int) (in method.Inputs) {
	noise := func(n, h, w int) *torch.Tensor { return s.Zeros(torch.Float32, n, 3, h, w).NormalInPlace(0, 1) }
	n, h, w := cfg.Source.Batch, cfg.Source.Crop[0], cfg.Source.Crop[1]
	in.Source.Labels = make([]uint8, n*h*w)
	for i := range in.Source.Labels {
		cell := i%(h*w)/w/stride*(w/stride) + i%w/stride
		in.Source.Labels[i] = uint8(cell % classes)
	}
	in.Source.Image = noise(n, h, w)
	in.Source.Label = s.Wrap(in.Source.Labels, n, h, w).To(torch.Int64)
	if cfg.Adapt.Enabled {
		in.Target = noise(n, h, w)
	}
	if c := cfg.Patch; c.Weight > 0 {
		crops := func() (set method.Crops) {
			set.Image = noise(c.Batch, c.Crop, c.Crop)
			for range c.Batch {
				set.Overlap = append(set.Overlap, raster.Box{Y1: c.Crop, X1: c.Crop})
				set.Flip = append(set.Flip, false)
			}
			return set
		}
		in.Pairs = &method.Pairs{A: crops(), B: crops()}
	}
	return in
}

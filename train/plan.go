package train

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/uda"
)

// A Plan says what a configuration will ask for, before anything starts.
type Plan struct {
	Batches    []BatchShape `json:"batches"`
	Parameters []ParamCount `json:"parameters"`
	// State is what stays from step to step: the networks, the gradients, the
	// optimizer's two moments, and the patch contrast's bank.
	State int64 `json:"state_bytes"`
	// Inputs are the normalised images and labels of a step.
	Inputs int64 `json:"input_bytes"`
	// Phases are the parts of a step, in order, with the most each holds at once
	// beyond state and inputs. Only one of them does at a time.
	Phases []PhaseMemory `json:"phases"`
	Peak   int64         `json:"peak_bytes"` // state, inputs and the largest phase
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

// PhaseMemory is one part of a step.
type PhaseMemory struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// PlanMemory works out a plan. No data and no weights are read. The phases are
// run on the CPU at three small sizes with what libtorch allocates counted, and
// extrapolated: activations grow with the pixels, attention and the patch
// contrast with their square. The crops of a pair are taken to overlap in full
// and to be confident everywhere, which is the most they can ask for. A GPU's
// libraries add their workspaces, typically 0.5 to 1 GB.
func PlanMemory(ctx context.Context, lib *torch.Lib, cfg config.Config) (*Plan, error) {
	valid := cfg
	for _, dir := range []*string{&valid.Source.Dir, &valid.Target.Dir, &valid.Network.Weights} {
		if *dir == "" {
			*dir = "any"
		}
	}
	if err := valid.Validate(); err != nil {
		return nil, err
	}
	if err := valid.Fits(geometry(valid.Network)); err != nil {
		return nil, err
	}
	cfg.Network.Weights = ""
	if cfg.Threads > 0 {
		if err := lib.SetThreads(cfg.Threads); err != nil {
			return nil, err
		}
	}
	p := &Plan{}
	err := lib.Run(torch.CPU, func(root *torch.Scope) error {
		names, err := plannedClasses(cfg)
		if err != nil {
			return err
		}
		t := &trainer{cfg: cfg, lib: lib, root: root, names: names, classes: len(names)}
		if t.networks, err = buildNetworks(root, cfg, t.classes); err != nil {
			return err
		}
		p.count(t.networks, cfg)
		p.shapes(cfg)
		curves, err := t.measure(ctx)
		if err != nil {
			return err
		}
		for _, c := range curves {
			p.Phases = append(p.Phases, PhaseMemory{c.name, int64(max(c.at(c.full), 0))})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("plan memory: %w", err)
	}
	largest := slices.MaxFunc(p.Phases, func(a, b PhaseMemory) int { return int(a.Bytes - b.Bytes) })
	p.Peak = p.State + p.Inputs + largest.Bytes
	return p, nil
}

// count adds up the parameters and the state.
func (p *Plan) count(n *networks, cfg config.Config) {
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
	add("student", n.studentStore, true)
	add("teacher", n.teacherStore, false)
	add("frozen encoder", n.frozenStore, false)
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
			p.Inputs += 4 * n // normalised, in float32
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

// The parts of a step that are measured.
const (
	sourcePhase = "source losses"
	labelPhase  = "pseudo-labels"
	mixedPhase  = "mixed loss"
	maskedPhase = "masked loss"
	patchPhase  = "patch loss"
)

// measure runs the phases of a step on made-up inputs of three small sizes.
func (t *trainer) measure(ctx context.Context) ([]*curve, error) {
	full, student, teacher := t.cfg, t.student, t.networks.teacher
	defer func() {
		t.cfg, t.student, t.networks.teacher = full, student, teacher
		t.studentStore.ClearGrads()
	}()
	sides := []int{64, 96, 128, 192}
	if c := full.Network.HRDA; c.Enabled() {
		// Autograd holds the gradients of the first use of the shared parameters
		// until the second's arrive: sizes below these are ruled by that.
		unit := 32 * max(full.Source.Crop[0]/c.Crop[0], 2)
		sides = []int{2 * unit, 5 * unit, 6 * unit, 7 * unit}
	}
	var curves []*curve
	for i, side := range sides {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		t.cfg = scaled(full, side)
		if t.cfg.Network.HRDA.Enabled() {
			t.student.hrda = student.hrda.WithCrop(t.cfg.Network.HRDA.Crop)
			if teacher.hrda != nil {
				t.networks.teacher.hrda = teacher.hrda.WithCrop(t.cfg.Network.HRDA.Crop)
			}
		}
		var phases []PhaseMemory
		if err := t.root.Run(func(s *torch.Scope) (err error) {
			phases, err = t.measurePhases(s)
			return err
		}); err != nil {
			return nil, err
		}
		for k, ph := range phases {
			if i == 0 { // the first run allocates the gradients, which are state
				curves = append(curves, &curve{name: ph.Name, full: pixels(full, ph.Name)})
				continue
			}
			curves[k].x, curves[k].y = append(curves[k].x, pixels(t.cfg, ph.Name)), append(curves[k].y, float64(ph.Bytes))
		}
	}
	return curves, nil
}

// pixels are those of an image in a phase.
func pixels(c config.Config, phase string) float64 {
	if phase == patchPhase {
		return float64(c.Patch.Crop * c.Patch.Crop)
	}
	return float64(c.Source.Crop[0] * c.Source.Crop[1])
}

// scaled is the configuration with images of another height, and all else that
// counts pixels in proportion.
func scaled(c config.Config, height int) config.Config {
	f := float64(height) / float64(c.Source.Crop[0])
	to := func(length, multiple int) int {
		return max(int(math.Round(float64(length)*f/float64(multiple)))*multiple, multiple)
	}
	share := func(n int) int { return max(int(float64(n)*f*f), 1) }
	c.Patch.Negatives = share(c.Patch.Negatives)
	c.Pixel.MaxViews, c.Pixel.MaxSamples = share(c.Pixel.MaxViews), max(share(c.Pixel.MaxSamples), 64)
	c.Patch.Crop = to(c.Patch.Crop, 32)
	c.Patch.Threshold = 0
	for _, size := range []*[2]int{&c.Source.Crop, &c.Target.Crop, &c.Network.HRDA.Crop} {
		if size[0] > 0 {
			*size = [2]int{to(size[0], 32), to(size[1], 32)}
		}
	}
	c.Adapt.IgnoreTop, c.Adapt.IgnoreBottom = 0, 0
	c.Masked.Block = to(c.Masked.Block, 1)
	return c
}

// measurePhases runs every phase once and reports the most it held.
func (t *trainer) measurePhases(s *torch.Scope) (phases []PhaseMemory, err error) {
	in := t.madeUp(s)
	d, v := t.draw(in), newStepValues()
	v.scope = s
	var pseudo uda.PseudoLabels
	phase := func(name string, f func(c *torch.Scope) error) {
		if err != nil {
			return
		}
		err = t.lib.CountMemory(func(peak func() int64) error {
			if err := s.Run(f); err != nil {
				return err
			}
			phases = append(phases, PhaseMemory{name, peak()})
			return nil
		})
	}
	phase(sourcePhase, func(c *torch.Scope) error { return t.sourceLosses(in.source.in(c), d, &v) })
	if t.cfg.Adapt.Enabled {
		phase(labelPhase, func(c *torch.Scope) error {
			return c.NoGrad(func(c *torch.Scope) error {
				pseudo = t.label(in.in(c)).In(s)
				return nil
			})
		})
		phase(mixedPhase, func(c *torch.Scope) error {
			t.mixedLoss(in.in(c), pseudo.In(c), d, &v)
			return nil
		})
	}
	if t.cfg.Masked.Weight > 0 {
		phase(maskedPhase, func(c *torch.Scope) error {
			x := in.source.in(c)
			t.maskedLoss(x.image, x.label, nil, d, &v)
			return nil
		})
	}
	if in.pairs != nil {
		phase(patchPhase, func(c *torch.Scope) error {
			_, err := t.patchLoss(in.pairs.in(c), d, &v)
			return err
		})
	}
	return phases, err
}

// madeUp are inputs of the configured size: noise, labelled with all classes in
// turn, so that each has its share of the feature pixels, and pairs of crops
// that overlap in full.
func (t *trainer) madeUp(s *torch.Scope) (in inputs) {
	noise := func(n, h, w int) *torch.Tensor { return s.Zeros(torch.Float32, n, 3, h, w).NormalInPlace(0, 1) }
	n, h, w := t.cfg.Source.Batch, t.cfg.Source.Crop[0], t.cfg.Source.Crop[1]
	in.source.labels = make([]uint8, n*h*w)
	for i := range in.source.labels {
		cell := i%(h*w)/w/4*(w/4) + i%w/4
		in.source.labels[i] = uint8(cell % t.classes)
	}
	in.source.image = noise(n, h, w)
	in.source.label = s.Wrap(in.source.labels, n, h, w).To(torch.Int64)
	if t.cfg.Adapt.Enabled {
		in.target = noise(n, h, w)
	}
	if c := t.cfg.Patch; c.Weight > 0 {
		crops := func() (set cropSet) {
			set.image = noise(c.Batch, c.Crop, c.Crop)
			for range c.Batch {
				set.overlap = append(set.overlap, raster.Box{Y1: c.Crop, X1: c.Crop})
				set.flip = append(set.flip, false)
			}
			return set
		}
		in.pairs = &pairs{a: crops(), b: crops()}
	}
	return in
}

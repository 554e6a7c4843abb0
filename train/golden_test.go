package train

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/logs"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
	"github.com/pipa-uda/pipa/train/uda"
)

// goldenConfig is the released code with the numbers of a case.
func goldenConfig(t *testing.T, c *golden.Case) config.Config {
	t.Helper()
	golden.Fixed(c, "num_heads", [4]int{1, 2, 5, 8})
	golden.Fixed(c, "sr_ratios", [4]int{8, 4, 2, 1})
	golden.Fixed(c, "mlp_ratios", [4]int{4, 4, 4, 4})
	golden.Fixed(c, "ignore_index", raster.Ignore)
	golden.Fixed(c, "ignore_label", -1) // the released code contrasts 255 like a class: the official mode
	golden.Fixed(c, "negatives_chunk", 8000)
	golden.Fixed(c, "bank_entries_before", 0)
	golden.Fixed(c, "optimizer_step_before", 0)
	golden.Fixed(c, "eps", 1e-8)
	golden.Fixed(c, "encoder_lr_mult", 1.0)
	golden.Fixed(c, "norm_decay_mult", 0.0)
	cfg, err := config.Resolve("gta2cs-daformer-pipa", "", []string{"network.encoder=mit", "network.weights=none", "pixel.mode=official", "patch.mode=official"})
	if err != nil {
		t.Fatal(err)
	}
	number, count := golden.Param[float64], golden.Param[int]
	dims, project := golden.Param[[]int](c, "embed_dims"), golden.Param[[]int](c, "project_dims")
	golden.Fixed(c, "pixel_head_width", dims[0]+dims[1]+dims[2]+dims[3])

	n := &cfg.Network
	n.Weights, n.Dims, n.Depths = "", dims, golden.Param[[]int](c, "depths")
	n.Channels, n.Dropout, n.DropPath = count(c, "head_channels"), number(c, "dropout"), number(c, "drop_path")
	if golden.Param[string](c, "kind") == "dacs_hrda" {
		golden.Fixed(c, "scales", [2]float64{0.5, 1})
		golden.Fixed(c, "lr_loss_weight", 0.0)
		n.HRDA = config.HRDA{Crop: golden.Param[[2]int](c, "hr_crop"), DetailWeight: number(c, "hr_loss_weight")}
	}
	a := &cfg.Adapt
	a.EMA, a.Threshold = number(c, "ema_alpha"), number(c, "pseudo_threshold")
	a.IgnoreTop, a.IgnoreBottom = count(c, "ignore_rows_top"), count(c, "ignore_rows_bottom")
	cfg.FeatureDistance = config.FeatureDistance{Weight: number(c, "feature_distance_weight"), Classes: golden.Param[[]int](c, "feature_distance_classes"), Ratio: number(c, "feature_distance_ratio")}
	p := &cfg.Pixel
	p.Weight, p.Temperature, p.BaseTemperature = number(c, "pixel_contrast_weight"), number(c, "pixel_temperature"), number(c, "pixel_base_temperature")
	p.MaxSamples, p.MaxViews, p.Dim = count(c, "max_samples"), count(c, "max_views"), count(c, "pixel_projection")
	q := &cfg.Patch
	q.Weight, q.Temperature, q.Threshold = number(c, "weight_unsup"), number(c, "temperature"), number(c, "pos_thresh")
	q.Start, q.Negatives, q.Dim = count(c, "patch_start_iter"), count(c, "selected_per_crop"), project[len(project)-1]
	o := &cfg.Optimizer
	o.LR, o.Betas, o.WeightDecay, o.HeadMultiplier = number(c, "lr"), golden.Param[[2]float64](c, "betas"), number(c, "weight_decay"), number(c, "head_lr_mult")
	return cfg
}

// goldenTrainer has the golden weights, the teacher's and the frozen encoder's
// scaled by the case's factors.
func goldenTrainer(t *testing.T, s *torch.Scope, in *golden.Case) *trainer {
	t.Helper()
	cfg, weights := goldenConfig(t, in), in.Part("weights")
	m, err := method.New(s, cfg, golden.Param[int](in, "num_classes"), method.Custom{})
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) *torch.Tensor {
		for _, full := range []string{"weight." + name, name} {
			if weights.Has(full) {
				return torchtest.Tensor(s, weights, full)
			}
		}
		t.Fatalf("no golden weight for %s", name)
		return nil
	}
	fill := func(store *nn.Store, factor float64) {
		for _, e := range store.Entries() {
			v := value(e.Name)
			if factor != 1 && v.DType() == torch.Float32 {
				v = v.Mul(factor)
			}
			if err := s.NoGrad(func(c *torch.Scope) error { e.Tensor.In(c).CopyInPlace(v); return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(m.StudentStore, golden.Param[float64](in, "student_factor"))
	fill(m.TeacherStore, golden.Param[float64](in, "teacher_factor"))
	fill(m.FrozenStore, golden.Param[float64](in, "frozen_factor"))
	m.Judge.Dropout = cfg.Network.Dropout
	tr := &trainer{cfg: cfg, lib: s.Lib(), root: s, method: m, window: logs.NewWindow()}
	tr.optimizer, tr.schedule = newOptimizer(s, m, cfg)
	return tr
}

// goldenInputs are a step's tensors and fixed draws.
func goldenInputs(s *torch.Scope, in *golden.Case, withPairs bool) (method.Inputs, method.Draws) {
	label := torchtest.Tensor(s, in, "label").Squeeze(1)
	x := method.Inputs{Source: method.Images{Image: torchtest.Tensor(s, in, "image"), Label: label.To(torch.Int64), Labels: label.To(torch.Uint8).Bytes()}, Target: torchtest.Tensor(s, in, "target_image")}
	d := method.Draws{}
	if golden.Param[string](in, "kind") == "dacs_hrda" {
		golden.Fixed(in, "valid_pseudo_mask", true)
		x.Valid = torchtest.Tensor(s, in, "valid_pseudo_mask").Squeeze(1).To(torch.Float32)
		box := func(name string) raster.Box {
			b := golden.Param[[4]int](in, name)
			return raster.Box{Y0: b[0], Y1: b[1], X0: b[2], X1: b[3]}
		}
		d.SourceBox, d.MixedBox = box("crop_box_source"), box("crop_box_mix")
	}
	for i := range x.Target.Dim(0) {
		var classes []raster.TrainID
		for _, c := range in.Ints("mix_chosen" + string(rune('0'+i))) {
			classes = append(classes, raster.TrainID(c))
		}
		d.Classes = append(d.Classes, classes)
	}
	if !withPairs {
		return x, d
	}
	pair := torchtest.Tensor(s, in, "pair")
	x.Pairs = &method.Pairs{}
	flips := in.Must("flip").Data // like the pair, [image][crop]
	n := pair.Dim(0)
	for i, c := range []*method.Crops{&x.Pairs.A, &x.Pairs.B} {
		c.Image = pair.Select(1, i).Contiguous()
		corner := func(name string, k, row int) int { return int(in.Ints(name + string(rune('1'+i)))[2*row+k]) }
		for row := range n {
			c.Overlap = append(c.Overlap, raster.Box{Y0: corner("ul", 0, row), X0: corner("ul", 1, row), Y1: corner("br", 0, row), X1: corner("br", 1, row)})
			c.Flip = append(c.Flip, flips[2*row+i] != 0)
		}
	}
	d.NegativesA, d.NegativesB = in.Ints("selected1"), in.Ints("selected2")
	return x, d
}

// TestStepMatchesThePublishedStep runs whole training steps of the released
// code from its weights and draws: losses, labels, gradients, the teacher and
// the updated parameters. The cases lie away from every edge, such as the
// threshold of a confidence, where the last bits of a convolution, which differ
// by processor, would decide.
func TestStepMatchesThePublishedStep(t *testing.T) {
	for _, path := range append(golden.Files(t, "dacs_daf"), golden.Files(t, "dacs_hrda")...) {
		for _, step := range golden.Load(t, path).Parts("local_iter") {
			t.Run(filepath.Base(path)+"/"+step, func(t *testing.T) {
				in := golden.Load(t, path)
				torchtest.Run(t, func(s *torch.Scope) { checkStep(t, s, in, in.Part(step)) })
			})
		}
	}
}

func checkStep(t *testing.T, s *torch.Scope, in, want *golden.Case) {
	t.Helper()
	tr := goldenTrainer(t, s, in)
	tr.iteration = golden.Param[int](want, "local_iter")
	golden.Fixed(want, "ema_factor", min(1-1/float64(tr.iteration+1), tr.cfg.Adapt.EMA))
	withPatches := golden.Param[bool](want, "patch_loss")
	if withPatches != (tr.iteration >= tr.cfg.Patch.Start) {
		t.Errorf("the patch contrast starts at iteration %d, the step is iteration %d", tr.cfg.Patch.Start, tr.iteration)
	}
	x, d := goldenInputs(s, in, withPatches)

	v, err := tr.method.Gradients(s, x, d, tr.iteration, method.Look{})
	if err != nil {
		t.Fatal(err)
	}
	near := func(name string, got float64) {
		golden.NearRelative(t, name, []float32{float32(got)}, want.Floats(name), 1e-5)
	}
	near("back.source", v.Losses["source"]+v.Losses["source_detail"]+v.Losses["pixel"])
	near("back.feature_distance", v.Losses["feature_distance"])
	near("back.mix_total", v.Losses["mixed"]+v.Losses["mixed_detail"]+v.Losses["patch"])
	if withPatches {
		near("patch_loss_weighted", v.Losses["patch"])
	}
	checkGradients(t, s, tr, want)

	// The first update moves every element by the rate times its gradient's
	// sign, whatever its size: it is compared from the published gradients.
	for _, e := range tr.method.StudentStore.Parameters() {
		if name := gradName(want, e.Name); name != "" {
			e.Tensor.SetGrad(torchtest.Tensor(s, want, name))
		}
	}
	if err := tr.optimizer.Step(tr.cfg.Optimizer.LR); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, e := range tr.method.StudentStore.Parameters() {
		for _, name := range []string{"after.model." + e.Name, "after." + e.Name} {
			if want.Has(name) {
				compared++
				golden.NearRelative(t, name, e.Tensor.Float32s(), want.Floats(name), 2e-6)
			}
		}
	}
	if withPatches && compared == 0 {
		t.Error("no updated parameter was compared")
	}
	checkBuffers(t, tr.method.StudentStore, want, "after.model.")
	if !in.Has("labelled_image") { // a batch more, which only moves the released teacher's statistics
		checkBuffers(t, tr.method.TeacherStore, want, "after.ema_model.")
	}
	checkTeacher(t, tr, want)
	checkMix(t, s, in, want)
}

// checkBuffers compares the running statistics that the case has, but for those
// of the contrast heads: the released code runs them on the mixed images too,
// where nothing is contrasted.
func checkBuffers(t *testing.T, store *nn.Store, want *golden.Case, prefix string) {
	t.Helper()
	for _, e := range store.Entries() {
		if name := prefix + e.Name; e.Buffer && want.Has(name) && !contrastHead(e.Name) {
			golden.NearRelative(t, name, e.Tensor.To(torch.Float32).Float32s(), want.Floats(name), 7e-6)
		}
	}
}

func contrastHead(parameter string) bool {
	return strings.HasPrefix(parameter, "cls_head.") || strings.HasPrefix(parameter, "proj_head.")
}

// gradName is the case's name for a parameter's gradient, or empty.
func gradName(want *golden.Case, parameter string) string {
	for _, name := range []string{"grad.model." + parameter, "grad." + parameter} {
		if want.Has(name) {
			return name
		}
	}
	return ""
}

// gradientTolerance is the files', relative to a gradient's largest element.
const gradientTolerance = 6e-5

// checkGradients compares the gradients that the case has, and every
// parameter's gradient norm.
func checkGradients(t *testing.T, s *torch.Scope, tr *trainer, want *golden.Case) {
	t.Helper()
	for _, e := range tr.method.StudentStore.Parameters() {
		name := gradName(want, e.Name)
		if name == "" {
			continue
		}
		if g := e.Tensor.Grad(s); g == nil {
			t.Errorf("%s has no gradient", e.Name)
		} else {
			golden.NearRelative(t, name, g.Float32s(), want.Floats(name), gradientTolerance)
		}
	}
	names, norms := namedNumbers(t, want, "gradnorm")
	for i, name := range names {
		p := tr.method.StudentStore.Get(strings.TrimPrefix(name, "model."))
		if p == nil {
			t.Errorf("there is no parameter %s", name)
			continue
		}
		g := p.Grad(s)
		if g == nil {
			t.Errorf("%s has no gradient, want one of norm %v", name, norms[i])
			continue
		}
		if got := g.Norm().Item(); math.Abs(got-float64(norms[i])) > 2*gradientTolerance*float64(norms[i])+1e-5 {
			t.Errorf("gradient of %s has norm %v, want %v", name, got, norms[i])
		}
	}
}

func namedNumbers(t *testing.T, c *golden.Case, kind string) (names []string, numbers []float32) {
	t.Helper()
	key, tensor := kind+"_names", kind
	if kind == "ema" {
		tensor = "ema_paramsum"
	}
	if err := json.Unmarshal([]byte(c.Metadata[key]), &names); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return names, c.Floats(tensor)
}

// checkTeacher compares the averaged parameters. (The released teacher also
// carries the contrast heads, which it never uses; ours does not.)
func checkTeacher(t *testing.T, tr *trainer, want *golden.Case) {
	t.Helper()
	names, sums := namedNumbers(t, want, "ema")
	compared := 0
	for i, name := range names {
		p := tr.method.TeacherStore.Get(name)
		if p == nil {
			if !contrastHead(name) {
				t.Errorf("the teacher has no %s", name)
			}
			continue
		}
		compared++
		if got := p.To(torch.Float64).Sum().Item(); math.Abs(got-float64(sums[i])) > 2e-4*max(1, math.Abs(float64(sums[i]))) {
			t.Errorf("teacher's %s adds up to %v, want %v", name, got, sums[i])
		}
	}
	if compared == 0 {
		t.Error("no parameter of the teacher was compared")
	}
}

// checkMix compares pseudo-labels and mixed images, which a step does not
// return, on a trainer of its own.
func checkMix(t *testing.T, s *torch.Scope, in, want *golden.Case) {
	t.Helper()
	tr := goldenTrainer(t, s, in)
	if err := tr.method.EMA.Update(golden.Param[int](want, "local_iter")); err != nil {
		t.Fatal(err)
	}
	x, d := goldenInputs(s, in, false)
	pseudo := tr.method.Label(x)
	mixed := uda.Mix(x.Source.Image, x.Source.Label, x.Target, pseudo, d.Classes)
	for name, got := range map[string]*torch.Tensor{"mixed_label": mixed.Label, "pseudo_label": pseudo.Label} {
		differ := 0
		for i, v := range got.To(torch.Uint8).Bytes() {
			if v != want.Must(name).Data[i] {
				differ++
			}
		}
		if differ > 0 {
			t.Errorf("%s differs in %d pixels", name, differ)
		}
	}
	golden.NearRelative(t, "mixed_weight", mixed.Weight.Float32s(), want.Floats("mixed_weight"), 2e-6)
	if want.Has("mixed_image") {
		golden.NearRelative(t, "mixed_image", mixed.Image.Narrow(0, 0, 1).Float32s(), want.Floats("mixed_image"), 2e-6)
	}
}

package train

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
	"github.com/pipa-uda/pipa/train/uda"
)

// goldenConfig is the released DAFormer variant at the golden files' sizes.
func goldenConfig(t *testing.T, weights *golden.Case) config.Config {
	t.Helper()
	cfg, err := config.Resolve("gta2cs-daformer-pipa", "", []string{
		"network.encoder=mit", "network.depths=[1, 2, 2, 1]", "network.drop_path=0", "network.dropout=0",
		"adapt.threshold=0.9", "adapt.ignore_top=4", "adapt.ignore_bottom=9",
		"feature_distance.weight=0.005", "feature_distance.ratio=0.75", "network.weights=none",
		"pixel.mode=official", "patch.mode=official", "patch.weight=0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	dim := func(name string) int { return weights.Must(name).Shape[0] }
	cfg.Network.Weights = ""
	for _, stage := range []string{"1", "2", "3", "4"} {
		cfg.Network.Dims = append(cfg.Network.Dims, dim("weight.backbone.norm"+stage+".weight"))
	}
	classifier := "weight.decode_head.conv_seg.weight"
	if hrda := "weight.decode_head.head.conv_seg.weight"; weights.Has(hrda) {
		classifier = hrda
		cfg.Network.HRDA = config.HRDA{Crop: [2]int{64, 64}, DetailWeight: 0.1}
		cfg.Adapt.IgnoreTop, cfg.Adapt.IgnoreBottom = 0, 0 // it has the margins' mask instead
		cfg.Patch.Weight = 0.01
	}
	cfg.Network.Channels = weights.Must(classifier).Shape[1]
	cfg.Pixel.Dim, cfg.Patch.Dim = dim("weight.proj_head.proj.2.weight"), dim("project.2.weight")
	return cfg
}

// goldenTrainer has the golden weights: the teacher begins at 0.9 and the frozen
// encoder at 0.95 times the student's.
func goldenTrainer(t *testing.T, s *torch.Scope, weights *golden.Case) *trainer {
	t.Helper()
	cfg := goldenConfig(t, weights)
	m, err := method.New(s, cfg, 19)
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
	fill(m.StudentStore, 1)
	fill(m.TeacherStore, 0.9)
	fill(m.FrozenStore, 0.95)
	m.Judge.Dropout = 0
	tr := &trainer{cfg: cfg, lib: s.Lib(), root: s, method: m, window: newWindow()}
	tr.optimizer, tr.schedule = newOptimizer(s, m, cfg)
	return tr
}

// goldenInputs are a step's tensors and fixed draws.
func goldenInputs(s *torch.Scope, in *golden.Case, withPairs bool) (method.Inputs, method.Draws) {
	label := torchtest.Tensor(s, in, "label").Squeeze(1)
	x := method.Inputs{Source: method.Images{Image: torchtest.Tensor(s, in, "image"), Label: label.To(torch.Int64), Labels: label.To(torch.Uint8).Bytes()}, Target: torchtest.Tensor(s, in, "target_image")}
	d := method.Draws{}
	if in.Has("valid_pseudo_mask") {
		x.Valid = torchtest.Tensor(s, in, "valid_pseudo_mask").Squeeze(1).To(torch.Float32)
		box := func(name string) raster.Box {
			b := in.Ints(name)
			return raster.Box{Y0: int(b[0]), Y1: int(b[1]), X0: int(b[2]), X1: int(b[3])}
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
	flips := in.Must("flip").Data
	n := pair.Dim(0)
	for i, c := range []*method.Crops{&x.Pairs.A, &x.Pairs.B} {
		c.Image = pair.Select(1, i).Contiguous()
		corner := func(name string, k, row int) int { return int(in.Ints(name + string(rune('1'+i)))[2*row+k]) }
		for row := range n {
			c.Overlap = append(c.Overlap, raster.Box{Y0: corner("ul", 0, row), X0: corner("ul", 1, row), Y1: corner("br", 0, row), X1: corner("br", 1, row)})
			c.Flip = append(c.Flip, flips[i*n+row] != 0)
		}
	}
	d.NegativesA, d.NegativesB = in.Ints("selected1"), in.Ints("selected2")
	return x, d
}

// TestStepMatchesThePublishedStep runs whole training steps of the released
// code from its weights and draws: losses, labels, gradients, the teacher and
// the updated parameters.
//
// An activation can lie so close to 0 that the last bits of a convolution, which
// differ by processor, decide the side of its ReLU it is on. So a process of its
// own runs them, by oneDNN's AVX2 kernels.
func TestStepMatchesThePublishedStep(t *testing.T) {
	if os.Getenv("DNNL_MAX_CPU_ISA") == "" {
		c := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), "DNNL_MAX_CPU_ISA=AVX2")
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v:\n%s", err, out)
		}
		return
	}
	for _, path := range append(golden.Files(t, "dacs_daf"), golden.Files(t, "dacs_hrda")...) {
		c := golden.Load(t, path)
		for step, iteration := range map[string]int{"stepA": 3, "stepB": 10001} {
			want := c.TryPart(step)
			if want == nil {
				continue // only the first step's file is small enough to be committed
			}
			t.Run(filepath.Base(path)+"/"+step, func(t *testing.T) {
				torchtest.Run(t, func(s *torch.Scope) { checkStep(t, s, c, c.Part("weights"), want, iteration) })
			})
		}
	}
}

func checkStep(t *testing.T, s *torch.Scope, in, weights, want *golden.Case, iteration int) {
	t.Helper()
	tr := goldenTrainer(t, s, weights)
	tr.iteration = iteration
	withPatches := want.Has("patch_loss_weighted")
	x, d := goldenInputs(s, in, withPatches)

	v, err := tr.method.Gradients(s, x, d, iteration, method.Look{})
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
	checkTeacher(t, tr, want)
	checkMix(t, s, in, weights, want, iteration)
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
			if !strings.HasPrefix(name, "cls_head.") && !strings.HasPrefix(name, "proj_head.") {
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
func checkMix(t *testing.T, s *torch.Scope, in, weights, want *golden.Case, iteration int) {
	t.Helper()
	tr := goldenTrainer(t, s, weights)
	if err := tr.method.EMA.Update(iteration); err != nil {
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

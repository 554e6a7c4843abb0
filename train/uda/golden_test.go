package uda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

func TestTeacherFollowsParametersOnly(t *testing.T) {
	torchtest.Golden(t, "ema", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		build := func() *nn.Store {
			store := nn.NewStore(s)
			for _, name := range golden.Param[[]string](c, "parameters") {
				store.Root().Param(name, nn.Constant(0), c.Must("ema.init."+name).Shape...)
			}
			store.Root().Buffer("buffer", 0, torch.Float32, 1)
			return store
		}
		set := func(store *nn.Store, prefix string) {
			if err := s.NoGrad(func(s *torch.Scope) error {
				for _, e := range store.Parameters() {
					e.Tensor.In(s).CopyInPlace(torchtest.Tensor(s, c, prefix+e.Name))
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		teacher, student := build(), build()
		student.Get("buffer").FillInPlace(5)
		rule, err := NewTeacher(s, teacher, student, golden.Param[float64](c, "ema_alpha"))
		if err != nil {
			t.Fatal(err)
		}
		set(student, "model.step1.")
		if err := rule.Update(0); err != nil {
			t.Fatal(err)
		}
		if !teacher.Get("p0").Equal(student.Get("p0")) {
			t.Error("at iteration 0 the teacher is not a copy")
		}
		set(teacher, "ema.init.")
		for i, iteration := range golden.Param[[]int](c, "local_iters") {
			set(student, fmt.Sprintf("model.step%d.", i+1))
			if err := rule.Update(iteration); err != nil {
				t.Fatal(err)
			}
			for _, e := range teacher.Parameters() {
				name := fmt.Sprintf("ema.after%d.%s", i+1, e.Name)
				golden.NearRelative(t, name, e.Tensor.Float32s(), c.Floats(name), 2e-6)
			}
		}
		if got := teacher.Get("buffer").Item(); got != 0 {
			t.Errorf("the teacher's buffer became %v", got)
		}
	})
}

func TestPseudoLabels(t *testing.T) {
	torchtest.Golden(t, "pseudo_label", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		p := Label(torchtest.Tensor(s, c, "logits"), golden.Param[float64](c, "pseudo_threshold"), golden.Param[int](c, "ignore_rows_top"), golden.Param[int](c, "ignore_rows_bottom"), nil)
		if !slices.Equal(p.Label.Int64s(), c.Ints("pseudo_label")) {
			t.Error("the labels differ")
		}
		golden.Near(t, "probability", p.Probability.Float32s(), c.Floats("pseudo_prob"), 4e-6)
		golden.Near(t, "weight", p.Weight.Float32s(), c.Floats("pseudo_weight"), 4e-7)
	})
}

func TestPseudoLabelsOfMirroredImages(t *testing.T) {
	torchtest.Golden(t, "vfm_pseudo", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		valid := torchtest.Tensor(s, c, "margin_mask").Ne(golden.Param[int](c, "margin_value")).To(torch.Float32)
		threshold := golden.Param[float64](c, "pseudo_threshold")
		p := LabelMirrored(torchtest.Tensor(s, c, "logits_image"), torchtest.Tensor(s, c, "logits_mirrored"), valid, threshold, nil)
		if !slices.Equal(p.Label.Int64s(), c.Ints("pseudo_label")) {
			t.Error("the labels differ")
		}
		golden.Near(t, "probability", p.Probability.Float32s(), c.Floats("pseudo_prob"), 3e-6)
		golden.Near(t, "weight", p.Weight.Float32s(), c.Floats("pseudo_weight"), 3e-7)
		if got, want := p.Confident.Item()*float64(p.Label.Numel()), float64(c.Ints("confident_count")[0]); math.Abs(got-want) > 0.01 {
			t.Errorf("%v pixels are confident, want %v", got, want)
		}
	})
}

// TestClassMix: the two recipes differ in the weight of pasted pixels without a
// class, for which no loss is computed.
func TestClassMix(t *testing.T) {
	torchtest.Golden(t, "class_mix", checkClassMix)
	torchtest.Golden(t, "vfm_mix", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		golden.Fixed(c, "source_weight_valid", 1)
		golden.Fixed(c, "source_weight_ignored", 0)
		golden.Fixed(c, "ignore_index", int(raster.Ignore))
		label := torchtest.Tensor(s, c, "label")
		pseudo := PseudoLabels{Label: torchtest.Tensor(s, c, "pseudo_label"), Weight: torchtest.Tensor(s, c, "pseudo_weight")}
		m := Mix(torchtest.Tensor(s, c, "image"), label, torchtest.Tensor(s, c, "target_image"), pseudo, chosen(c))
		if !slices.Equal(m.Mask.Int64s(), c.Ints("mask")) {
			t.Error("the mask differs")
		}
		if !slices.Equal(m.Label.Int64s(), c.Ints("mixed_label")) {
			t.Error("the label differs")
		}
		golden.Near(t, "image", m.Image.Float32s(), c.Floats("mixed_image"), 0)
		weight := m.Weight.MaskedFill(m.Mask.LogicalAnd(label.Eq(int(raster.Ignore))), 0)
		golden.Near(t, "weight", weight.Float32s(), c.Floats("mixed_weight"), 0)
		var candidates []int64
		for v := range 256 {
			if slices.Contains(c.Ints("label"), int64(v)) {
				candidates = append(candidates, int64(v))
			}
		}
		if !slices.Equal(candidates, c.Ints("classes_in_batch")) {
			t.Errorf("candidates are %v, want %v", candidates, c.Ints("classes_in_batch"))
		}
	})
}

// chosen is what a case's images paste.
func chosen(c *golden.Case) (classes [][]raster.TrainID) {
	for i := range golden.Param[int](c, "batch") {
		var ids []raster.TrainID
		for _, v := range c.Ints(fmt.Sprintf("chosen%d", i)) {
			ids = append(ids, raster.TrainID(v))
		}
		classes = append(classes, ids)
	}
	return classes
}

func checkClassMix(t *testing.T, s *torch.Scope, c *golden.Case) {
	golden.Fixed(c, "source_weight_valid", 1)
	golden.Fixed(c, "source_weight_ignored", 1)
	label := torchtest.Tensor(s, c, "label").Squeeze(1)
	classes := chosen(c)
	pseudo := PseudoLabels{Label: torchtest.Tensor(s, c, "pseudo_label"), Weight: torchtest.Tensor(s, c, "pseudo_weight")}
	m := Mix(torchtest.Tensor(s, c, "image"), label, torchtest.Tensor(s, c, "target_image"), pseudo, classes)
	for i := range classes {
		name := func(s string) string { return fmt.Sprintf("%s%d", s, i) }
		if !slices.Equal(m.Mask.Select(0, i).Int64s(), c.Ints(name("mask"))) {
			t.Errorf("mask %d differs", i)
		}
		if !slices.Equal(m.Label.Select(0, i).Int64s(), c.Ints(name("mixed_label"))) {
			t.Errorf("label %d differs", i)
		}
		golden.Near(t, name("image"), m.Image.Select(0, i).Float32s(), c.Floats(name("mixed_image")), 0)
		golden.Near(t, name("weight"), m.Weight.Select(0, i).Float32s(), c.Floats(name("mixed_weight")), 0)
	}

	present := bytesOf(c.Ints("label"))
	want := golden.Param[int](c, "chosen_per_image")
	for i, chosen := range ChooseClasses(present, 3, rand.New(rand.NewPCG(1, 2))) {
		if len(chosen) != want || len(slices.Compact(slices.Clone(chosen))) != want {
			t.Errorf("image %d pastes %v, want %d different classes", i, chosen, want)
		}
		for _, class := range chosen {
			if !slices.Contains(present, byte(class)) {
				t.Errorf("image %d pastes class %d, which the batch lacks", i, class)
			}
		}
	}
}

func bytesOf(v []int64) []uint8 {
	out := make([]uint8, len(v))
	for i, x := range v {
		out[i] = uint8(x)
	}
	return out
}

func TestStrongAugmentation(t *testing.T) {
	torchtest.Golden(t, "strong_aug", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		image := torchtest.Tensor(s, c, "image")
		golden.Fixed(c, "mean", Mean)
		golden.Fixed(c, "std", Std)
		size := golden.Param[[2]int](c, "kernel_size")
		if ky, kx := KernelSize(image.Dim(2)), KernelSize(image.Dim(3)); ky != size[0] || kx != size[1] {
			t.Errorf("kernel of %dx%d, want %v", ky, kx, size)
		}
		golden.Near(t, "blurred", Blur(image, golden.Param[float64](c, "sigma")).Float32s(), c.Floats("blurred"), 7e-6)
		golden.Near(t, "jittered", Jitter(image, golden.Param[[4]float64](c, "factors"), golden.Param[[4]int](c, "order")).Float32s(), c.Floats("jittered"), 3e-5)
	})
}

// TestWeakAndStrongJitterOfVFM: torchvision's jitter, and the blur after it; each
// image has its own draws.
func TestWeakAndStrongJitterOfVFM(t *testing.T) {
	torchtest.Golden(t, "vfm_aug", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		images := torchtest.Tensor(s, c, "image")
		type draw struct {
			Order   [4]int     `json:"order"`
			Factors [4]float64 `json:"factors"`
			Sigma   float64    `json:"sigma"`
		}
		all := golden.Param[map[string][]draw](c, "draws")
		kernel := golden.Param[struct {
			Size [2]int `json:"kernel_size"`
		}](c, "strong").Size
		if ky, kx := KernelSize(images.Dim(2)), KernelSize(images.Dim(3)); ky != kernel[0] || kx != kernel[1] {
			t.Errorf("kernel of %dx%d, want %v", ky, kx, kernel)
		}
		for name, tolerance := range map[string]float64{"weak": 7e-6, "strong": 3e-6} {
			var out []*torch.Tensor
			for i, d := range all[name] {
				x := ColorJitter(images.Narrow(0, i, 1), d.Factors, d.Order)
				if d.Sigma > 0 {
					x = Blur(x, d.Sigma)
				}
				out = append(out, x)
			}
			golden.Near(t, name, torch.Cat(0, out...).Float32s(), c.Floats(name), tolerance)
		}
	})
}

func TestDrawsAreInRange(t *testing.T) {
	a := StrongAugmentation{Jitter: 0.2, JitterChance: 0.8, BlurChance: 0.5}
	rng := rand.New(rand.NewPCG(3, 4))
	jitters, blurs := 0, 0
	const n = 2000
	for range n {
		d := a.Draw(2, rng)
		if d.Jitter {
			jitters++
		}
		if d.Blur {
			blurs++
		}
		for _, i := range d.Images {
			for k, f := range i.Factors {
				center := 1.0
				if k == 3 {
					center = 0
				}
				if f < center-0.2 || f > center+0.2 {
					t.Fatalf("factor %d is %v", k, f)
				}
			}
			if i.Sigma < 0.15 || i.Sigma > 1.15 {
				t.Fatalf("sigma %v", i.Sigma)
			}
		}
	}
	if p := float64(jitters) / n; p < 0.75 || p > 0.85 {
		t.Errorf("jittered %v of the batches, want about 0.8", p)
	}
	if p := float64(blurs) / n; p < 0.45 || p > 0.55 {
		t.Errorf("blurred %v of the batches, want about 0.5", p)
	}
}

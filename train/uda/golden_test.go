package uda

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

func each(t *testing.T, kind string, f func(t *testing.T, s *torch.Scope, c *golden.Case)) {
	t.Helper()
	for _, path := range golden.Files(t, kind) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := golden.Load(t, path)
			torchtest.Run(t, func(s *torch.Scope) { f(t, s, c) })
		})
	}
}

func TestTeacherFollowsParametersOnly(t *testing.T) {
	each(t, "ema", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		build := func() *nn.Store {
			store := nn.NewStore(s)
			for i := 0; c.Has(fmt.Sprintf("ema.init.p%d", i)); i++ {
				store.Root().Param(fmt.Sprintf("p%d", i), nn.Constant(0), c.Must(fmt.Sprintf("ema.init.p%d", i)).Shape...)
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
		rule, err := NewTeacher(s, teacher, student, float64(c.Floats("alpha")[0]))
		if err != nil {
			t.Fatal(err)
		}
		set(student, "model.step1.")
		if err := rule.Update(0); err != nil {
			t.Fatal(err)
		}
		if !teacher.Get("p0").Equal(student.Get("p0")) {
			t.Error("at iteration 0 the teacher is no copy")
		}
		set(teacher, "ema.init.")
		start := int(c.Ints("start_iter")[0])
		last := 1
		for c.Has(fmt.Sprintf("model.step%d.p0", last+1)) {
			last++
		}
		for i := 1; i <= last; i++ {
			set(student, fmt.Sprintf("model.step%d.", i))
			if err := rule.Update(start + i - 1); err != nil {
				t.Fatal(err)
			}
			for _, e := range teacher.Parameters() {
				name := fmt.Sprintf("ema.after%d.%s", i, e.Name)
				// Some recordings hold the last step's values under every step's
				// name; only the last is compared then.
				if i < last && slices.Equal(c.Floats(name), c.Floats(fmt.Sprintf("ema.after%d.%s", last, e.Name))) {
					continue
				}
				golden.NearRelative(t, name, e.Tensor.Float32s(), c.Floats(name), 2e-6)
			}
		}
		if got := teacher.Get("buffer").Item(); got != 0 {
			t.Errorf("the teacher's buffer became %v", got)
		}
	})
}

func TestPseudoLabels(t *testing.T) {
	each(t, "pseudo_label", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		margins := c.Ints("ignore_top_bottom")
		p := Label(torchtest.Tensor(s, c, "logits"), float64(c.Floats("threshold")[0]), int(margins[0]), int(margins[1]), nil)
		if !slices.Equal(p.Label.Int64s(), c.Ints("pseudo_label")) {
			t.Error("the labels differ")
		}
		golden.Near(t, "probability", p.Probability.Float32s(), c.Floats("pseudo_prob"), 4e-6)
		golden.Near(t, "weight", p.Weight.Float32s(), c.Floats("pseudo_weight"), 4e-7)
	})
}

func TestClassMix(t *testing.T) {
	each(t, "class_mix", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		label := torchtest.Tensor(s, c, "label").Squeeze(1)
		var classes [][]raster.TrainID
		for i := 0; c.Has(fmt.Sprintf("chosen%d", i)); i++ {
			var chosen []raster.TrainID
			for _, v := range c.Ints(fmt.Sprintf("chosen%d", i)) {
				chosen = append(chosen, raster.TrainID(v))
			}
			classes = append(classes, chosen)
		}
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
		want := (len(c.Ints("classes_in_batch")) + 1) / 2
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
	})
}

func bytesOf(v []int64) []uint8 {
	out := make([]uint8, len(v))
	for i, x := range v {
		out[i] = uint8(x)
	}
	return out
}

func TestStrongAugmentation(t *testing.T) {
	each(t, "strong_aug", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		image := torchtest.Tensor(s, c, "image")
		size := c.Ints("kernel_size_yx")
		if ky, kx := KernelSize(image.Dim(2)), KernelSize(image.Dim(3)); int64(ky) != size[0] || int64(kx) != size[1] {
			t.Errorf("kernel of %dx%d, want %v", ky, kx, size)
		}
		golden.Near(t, "blurred", Blur(image, float64(c.Floats("sigma")[0])).Float32s(), c.Floats("blurred"), 7e-6)
		var factors [4]float64
		var order [4]int
		for i := range factors {
			factors[i], order[i] = float64(c.Floats("factors")[i]), int(c.Ints("order")[i])
		}
		golden.Near(t, "jittered", Jitter(image, factors, order).Float32s(), c.Floats("jittered"), 3e-5)
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
				centre := 1.0
				if k == 3 {
					centre = 0
				}
				if f < centre-0.2 || f > centre+0.2 {
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

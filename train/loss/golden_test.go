package loss

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// each runs f on every golden case of a kind.
func each(t *testing.T, kind string, f func(t *testing.T, s *torch.Scope, c *golden.Case)) {
	t.Helper()
	for _, path := range golden.Files(t, kind) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := golden.Load(t, path)
			torchtest.Run(t, func(s *torch.Scope) { f(t, s, c) })
		})
	}
}

func bytesOf(v []int64) []uint8 {
	out := make([]uint8, len(v))
	for i, x := range v {
		out[i] = uint8(x)
	}
	return out
}

var published = PixelContrast{Temperature: 0.1, BaseTemperature: 0.07, MaxSamples: 1024, MaxViews: 100, IgnoreAsClass: true}

func TestCrossEntropy(t *testing.T) {
	each(t, "cross_entropy", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		label := torchtest.Tensor(s, c, "label")
		for name, weight := range map[string]*torch.Tensor{"unweighted": nil, "weighted": torchtest.Tensor(s, c, "pixel_weight")} {
			logits := torchtest.Tensor(s, c, "logits").SetRequiresGrad(true)
			l := CrossEntropy(logits, label, weight)
			l.Backward()
			golden.NearRelative(t, name+".loss", l.Float32s(), c.Floats(name+".loss"), 2e-6)
			golden.NearRelative(t, name+".grad", logits.Grad(s).Float32s(), c.Floats(name+".grad.logits"), 3e-6)
		}
		golden.Near(t, "accuracy", Accuracy(torchtest.Tensor(s, c, "logits"), label).Float32s(), c.Floats("acc"), 1e-5)
	})
}

func TestPixelContrastValue(t *testing.T) {
	each(t, "pixel_contrast", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		feats := torchtest.Tensor(s, c, "feats").SetRequiresGrad(true)
		rows, views, dim := feats.Dim(0), feats.Dim(1), feats.Dim(2)
		class := torchtest.Tensor(s, c, "labels").To(torch.Int64).Unsqueeze(1).Expand(rows, views).Reshape(-1)
		l := published.contrast(feats.Reshape(-1, dim), class)
		l.Backward()
		golden.NearRelative(t, "loss", l.Float32s(), c.Floats("loss"), 3e-6)
		golden.NearRelative(t, "grad.feats", feats.Grad(s).Float32s(), c.Floats("grad.feats"), 5e-6)
	})
}

func TestPixelSampling(t *testing.T) {
	each(t, "pixel_sampling", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		embed := torchtest.Tensor(s, c, "embed").SetRequiresGrad(true)
		h, w := embed.Dim(2), embed.Dim(3)
		shape := c.Must("label").Shape
		low := ShrinkLabels(bytesOf(c.Ints("label")), shape[1], shape[2], raster.Box{Y1: shape[1], X1: shape[2]}, h, w)
		if !slices.Equal(low, bytesOf(c.Ints("label_low"))) {
			t.Error("the label at feature size differs")
		}
		a, err := published.Sample(low, torchtest.Tensor(s, c, "predict").To(torch.Uint8), nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := int(c.Ints("n_view")[0]); a.Views != want {
			t.Fatalf("%d views, want %d", a.Views, want)
		}
		rows, selected := c.Ints("rows"), c.Ints("selected")
		if len(rows) != 7*len(a.Images) {
			t.Fatalf("%d rows, want %d", len(a.Images), len(rows)/7)
		}
		predict, pixels := c.Ints("predict"), a.Pixels.Int64s()
		for r, image := range a.Images {
			row := rows[7*r : 7*r+7]
			if int64(image) != row[0] || int64(a.Classes[r]) != row[1] {
				t.Errorf("row %d is class %d of image %d, want %d of %d", r, a.Classes[r], image, row[1], row[0])
			}
			hard := 0
			for _, p := range pixels[r*a.Views : (r+1)*a.Views] {
				if predict[p] != int64(a.Classes[r]) {
					hard++
				}
			}
			if int64(hard) != row[5] {
				t.Errorf("row %d keeps %d hard pixels, want %d", r, hard, row[5])
			}
			// The recorded choice is replayed for the value.
			for v := range a.Views {
				pixels[r*a.Views+v] = int64(image*h*w) + selected[r*a.Views+v]
			}
		}
		a.Pixels = s.FromInt64(pixels, len(pixels))
		l := published.Loss(embed, a)
		l.Backward()
		golden.NearRelative(t, "loss", l.Float32s(), c.Floats("loss"), 3e-6)
		golden.NearRelative(t, "grad.embed", embed.Grad(s).Float32s(), c.Floats("grad.embed"), 4e-6)
	})
}

func TestPixelBookkeeping(t *testing.T) {
	each(t, "pixel_bookkeeping", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		for k := 0; c.Has(fmt.Sprintf("case%d.n_view", k)); k++ {
			name := func(s string) string { return fmt.Sprintf("case%d.%s", k, s) }
			area := c.Must(name("label_low")).Shape[1] * c.Must(name("label_low")).Shape[2]
			a, err := published.Sample(bytesOf(c.Ints(name("label_low"))), torchtest.Tensor(s, c, name("predict")).To(torch.Uint8), nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := int(c.Ints(name("n_view"))[0]); a.Views != want {
				t.Fatalf("case %d: %d views, want %d", k, a.Views, want)
			}
			if !slices.EqualFunc(a.Classes, c.Ints(name("classes")), func(id raster.TrainID, want int64) bool { return int64(id) == want }) {
				t.Errorf("case %d: classes %v, want %v", k, a.Classes, c.Ints(name("classes")))
			}
			if a.Pixels == nil {
				continue
			}
			want := c.Ints(name("selected"))
			for i, p := range a.Pixels.Int64s() {
				if row := i / a.Views; p-int64(a.Images[row]*area) != want[i] {
					t.Fatalf("case %d row %d view %d is pixel %d of image %d, want %d", k, row, i%a.Views, p, a.Images[row], want[i])
				}
			}
		}
	})
}

// patchView reads view 1 or 2 of a patch contrast case.
func patchView(s *torch.Scope, c *golden.Case, k int) View {
	name := func(s string) string { return fmt.Sprintf("%s%d", s, k) }
	ul, br, flip := c.Ints(name("ul")), c.Ints(name("br")), c.Ints("flip")
	v := View{
		Features:   torchtest.Tensor(s, c, name("feat")).SetRequiresGrad(true),
		Classes:    torchtest.Tensor(s, c, name("label")),
		Confidence: torchtest.Tensor(s, c, name("conf")),
		Negatives:  c.Ints(name("selected")),
	}
	for i := range len(ul) / 2 {
		v.Overlap = append(v.Overlap, raster.Box{Y0: int(ul[2*i]), X0: int(ul[2*i+1]), Y1: int(br[2*i]), X1: int(br[2*i+1])})
		v.Flip = append(v.Flip, flip[2*i+k-1] != 0)
	}
	return v
}

// threshold finds which of the thresholds in use a case was made with: it is
// the one that gives the recorded number of positives.
func threshold(t *testing.T, s *torch.Scope, c *golden.Case) float64 {
	t.Helper()
	var want int64
	for _, v := range append(c.Ints("pos_mask1"), c.Ints("pos_mask2")...) {
		want += v
	}
	for _, th := range []float64{0.9, 0.75} {
		r, err := PatchContrast{Temperature: 0.1, Threshold: th, Stride: 8, Steps: 3}.Loss(patchView(s, c, 1), patchView(s, c, 2), Bank{})
		if err != nil {
			t.Fatal(err)
		}
		if int64(r.Positives.Item()) == want {
			return th
		}
	}
	t.Fatalf("no threshold gives %d positives", want)
	return 0
}

func TestPatchContrast(t *testing.T) {
	each(t, "patch_contrast", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		contrast := PatchContrast{Temperature: 0.1, Threshold: threshold(t, s, c), Stride: 8, Steps: 3}
		a, b := patchView(s, c, 1), patchView(s, c, 2)
		var bank Bank
		for i := 0; c.Has(fmt.Sprintf("bank%d.feat", i)); i++ {
			bank.Entries = append(bank.Entries, BankEntry{torchtest.Tensor(s, c, fmt.Sprintf("bank%d.feat", i)), torchtest.Tensor(s, c, fmt.Sprintf("bank%d.label", i))})
		}
		r, err := contrast.Loss(a, b, bank)
		if err != nil {
			t.Fatal(err)
		}
		const weight = 0.1
		l := r.Loss.Mul(weight)
		l.Backward()
		golden.NearRelative(t, "loss_unsup", l.Float32s(), c.Floats("loss_unsup"), 3e-6)
		for name, v := range map[string]View{"grad.feat1": a, "grad.feat2": b} {
			golden.NearRelative(t, name, v.Features.Grad(s).Float32s(), c.Floats(name), 5e-6)
		}
		if err := bank.Push(s, r.Negatives, 3); err != nil {
			t.Fatal(err)
		}
		for i, want := range c.Ints("bank_sizes_after") {
			if got := bank.Entries[i].Features.Dim(0); int64(got) != want {
				t.Errorf("bank entry %d has %d rows afterwards, want %d", i, got, want)
			}
		}
	})
}

func TestFeatureDistance(t *testing.T) {
	things := FeatureDistance{Classes: []int{6, 7, 11, 12, 13, 14, 15, 16, 17, 18}, Ratio: 0.75, Labels: 19}
	each(t, "feature_distance", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		feat := torchtest.Tensor(s, c, "feat").SetRequiresGrad(true)
		label := torchtest.Tensor(s, c, "label").Squeeze(1)
		if got := things.CellLabel(label, feat.Dim(2), feat.Dim(3)); !slices.Equal(got.Int64s(), c.Ints("gt_rescaled")) {
			t.Error("the label at feature size differs")
		}
		if got := things.Mask(label, feat.Dim(2), feat.Dim(3)); !slices.Equal(got.Int64s(), c.Ints("mask")) {
			t.Error("the mask differs")
		}
		const weight = 0.005
		l := things.Loss(feat, torchtest.Tensor(s, c, "imnet_feat"), label).Mul(weight)
		l.Backward()
		want := c.Floats("loss")
		if want[0] != want[0] { // the published code's NaN of an empty mask is our 0
			want[0] = 0
		}
		golden.NearRelative(t, "loss", l.Float32s(), want, 3e-6)
		golden.NearRelative(t, "grad.feat", feat.Grad(s).Float32s(), c.Floats("grad.feat"), 5e-6)
	})
}

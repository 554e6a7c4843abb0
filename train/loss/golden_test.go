package loss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

func bytesOf(v []int64) []uint8 {
	out := make([]uint8, len(v))
	for i, x := range v {
		out[i] = uint8(x)
	}
	return out
}

// pixelContrast is the released code's with a case's temperatures and counts.
func pixelContrast(c *golden.Case) PixelContrast {
	return PixelContrast{Temperature: golden.Param[float64](c, "temperature"), BaseTemperature: golden.Param[float64](c, "base_temperature"),
		MaxSamples: golden.Param[int](c, "max_samples"), MaxViews: golden.Param[int](c, "max_views"), IgnoreAsClass: ignoredIsAClass(c)}
}

// ignoredIsAClass: the released code takes another label than 255 for the one
// to ignore.
func ignoredIsAClass(c *golden.Case) bool {
	return golden.Param[int](c, "ignore_label") != int(raster.Ignore)
}

func TestCrossEntropy(t *testing.T) {
	torchtest.Golden(t, "cross_entropy", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		golden.Fixed(c, "loss_weight", 1.0)
		golden.Fixed(c, "ignore_index", raster.Ignore)
		golden.Fixed(c, "align_corners", false)
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
	torchtest.Golden(t, "pixel_contrast", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		feats := torchtest.Tensor(s, c, "feats").SetRequiresGrad(true)
		rows, views, dim := feats.Dim(0), feats.Dim(1), feats.Dim(2)
		class := torchtest.Tensor(s, c, "labels").To(torch.Int64).Unsqueeze(1).Expand(rows, views).Reshape(-1)
		contrast := PixelContrast{Temperature: golden.Param[float64](c, "temperature"), BaseTemperature: golden.Param[float64](c, "base_temperature")}
		l := contrast.contrast(feats.Reshape(-1, dim), class)
		l.Backward()
		golden.NearRelative(t, "loss", l.Float32s(), c.Floats("loss"), 3e-6)
		golden.NearRelative(t, "grad.feats", feats.Grad(s).Float32s(), c.Floats("grad.feats"), 5e-6)
	})
}

func TestPixelSampling(t *testing.T) {
	torchtest.Golden(t, "pixel_sampling", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		contrast, inOrder := pixelContrast(c), golden.Param[string](c, "permutation") == "identity"
		embed := torchtest.Tensor(s, c, "embed").SetRequiresGrad(true)
		h, w := embed.Dim(2), embed.Dim(3)
		shape := c.Must("label").Shape
		low := ShrinkLabels(bytesOf(c.Ints("label")), shape[1], shape[2], raster.Box{Y1: shape[1], X1: shape[2]}, h, w)
		if !slices.Equal(low, bytesOf(c.Ints("label_low"))) {
			t.Error("the label at feature size differs")
		}
		a, err := contrast.Sample(low, torchtest.Tensor(s, c, "predict").To(torch.Uint8), nil)
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
			// A random choice is replayed for the value.
			for v := range a.Views {
				want := int64(image*h*w) + selected[r*a.Views+v]
				if inOrder && pixels[r*a.Views+v] != want {
					t.Errorf("row %d, view %d is pixel %d, want %d", r, v, pixels[r*a.Views+v], want)
				}
				pixels[r*a.Views+v] = want
			}
		}
		a.Pixels = s.FromInt64(pixels, len(pixels))
		l := contrast.Loss(embed, a)
		l.Backward()
		golden.NearRelative(t, "loss", l.Float32s(), c.Floats("loss"), 3e-6)
		golden.NearRelative(t, "grad.embed", embed.Grad(s).Float32s(), c.Floats("grad.embed"), 4e-6)
	})
}

func TestPixelBookkeeping(t *testing.T) {
	torchtest.Golden(t, "pixel_bookkeeping", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		golden.Fixed(c, "permutation", "identity")
		contrast := PixelContrast{MaxSamples: golden.Param[int](c, "max_samples"), MaxViews: golden.Param[int](c, "max_views"), IgnoreAsClass: ignoredIsAClass(c)}
		for k := range golden.Param[int](c, "case_count") {
			name := func(s string) string { return fmt.Sprintf("case%d.%s", k, s) }
			area := c.Must(name("label_low")).Shape[1] * c.Must(name("label_low")).Shape[2]
			a, err := contrast.Sample(bytesOf(c.Ints(name("label_low"))), torchtest.Tensor(s, c, name("predict")).To(torch.Uint8), nil)
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

func TestPatchContrast(t *testing.T) {
	torchtest.Golden(t, "patch_contrast", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		golden.Fixed(c, "negatives_chunk", steadied)
		keep := golden.Param[int](c, "bank_keep")
		contrast := PatchContrast{Temperature: golden.Param[float64](c, "temperature"), Threshold: golden.Param[float64](c, "pos_thresh"), Stride: golden.Param[int](c, "overlap_stride"), Steps: keep}
		a, b := patchView(s, c, 1), patchView(s, c, 2)
		var bank Bank
		for i := range golden.Param[int](c, "bank_entries_before") {
			bank.Entries = append(bank.Entries, BankEntry{torchtest.Tensor(s, c, fmt.Sprintf("bank%d.feat", i)), torchtest.Tensor(s, c, fmt.Sprintf("bank%d.label", i))})
		}
		r, err := contrast.Loss(a, b, bank)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := int(r.Positives.Item()), golden.Param[int](c, "positives"); got != want {
			t.Errorf("%d anchors count, want %d", got, want)
		}
		l := r.Loss.Mul(golden.Param[float64](c, "weight_unsup"))
		l.Backward()
		golden.NearRelative(t, "loss_unsup", l.Float32s(), c.Floats("loss_unsup"), 3e-6)
		for name, v := range map[string]View{"grad.feat1": a, "grad.feat2": b} {
			golden.NearRelative(t, name, v.Features.Grad(s).Float32s(), c.Floats(name), 5e-6)
		}
		if err := bank.Push(s, r.Negatives, keep); err != nil {
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
	torchtest.Golden(t, "feature_distance", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		golden.Fixed(c, "ignore_index", raster.Ignore)
		things := FeatureDistance{Classes: golden.Param[[]int](c, "feature_distance_classes"), Ratio: golden.Param[float64](c, "feature_distance_ratio"), Labels: golden.Param[int](c, "num_classes")}
		feat := torchtest.Tensor(s, c, "feat").SetRequiresGrad(true)
		label := torchtest.Tensor(s, c, "label").Squeeze(1)
		if got := things.CellLabel(label, feat.Dim(2), feat.Dim(3)); !slices.Equal(got.Int64s(), c.Ints("gt_rescaled")) {
			t.Error("the label at feature size differs")
		}
		if got := things.Mask(label, feat.Dim(2), feat.Dim(3)); !slices.Equal(got.Int64s(), c.Ints("mask")) {
			t.Error("the mask differs")
		}
		l := things.Loss(feat, torchtest.Tensor(s, c, "imnet_feat"), label).Mul(golden.Param[float64](c, "feature_distance_weight"))
		l.Backward()
		want := c.Floats("loss")
		if want[0] != want[0] { // the published code's NaN of an empty mask is our 0
			want[0] = 0
		}
		golden.NearRelative(t, "loss", l.Float32s(), want, 3e-6)
		golden.NearRelative(t, "grad.feat", feat.Grad(s).Float32s(), c.Floats("grad.feat"), 5e-6)
	})
}

// TestCellsOfCropsThatAreNotMultiples compares cells with a plain count: of
// crops whose sides are multiples of the map's stride, 32, and of others, at
// which the released code goes on (96×104) or stops (104×96, 160×104).
func TestCellsOfCropsThatAreNotMultiples(t *testing.T) {
	d := FeatureDistance{Classes: []int{1}, Ratio: 0.75, Labels: 3}
	for _, size := range [][2]int{{96, 128}, {96, 104}, {104, 96}, {160, 104}, {33, 64}, {720, 1280}} {
		height, width := size[0], size[1]
		h, w := (height+31)/32, (width+31)/32
		rng := rand.New(rand.NewPCG(uint64(height), uint64(width)))
		labels := make([]uint8, height*width)
		for i := range labels { // blocks of one class, with some noise
			class := []uint8{0, 1, 2, 255}[(i/width/44*3+i%width/44)%4]
			if rng.IntN(12) == 0 {
				class = uint8(rng.IntN(3))
			}
			labels[i] = class
		}
		side := width / w
		want, known := make([]int64, h*w), 0
		for i := range want {
			want[i] = 255
			y, x := i/w, i%w
			if (y+1)*side > height || (x+1)*side > width {
				continue
			}
			var count [256]int
			for p := range side * side {
				count[labels[(y*side+p/side)*width+x*side+p%side]]++
			}
			for class := range 3 {
				if count[class]*4 >= side*side*3 {
					want[i] = int64(class)
					known++
				}
			}
		}
		if known == 0 {
			t.Errorf("%dx%d: no cell shows one class", height, width)
		}
		torchtest.Run(t, func(s *torch.Scope) {
			label := s.FromUint8(labels, 1, height, width).To(torch.Int64)
			if got := d.CellLabel(label, h, w); !slices.Equal(got.Int64s(), want) {
				t.Errorf("%dx%d: cells %v, want %v", height, width, got.Int64s(), want)
			}
			student, frozen := s.Zeros(torch.Float32, 1, 2, h, w).Add(1), s.Zeros(torch.Float32, 1, 2, h, w)
			if l := d.Loss(student, frozen, label).Item(); math.IsNaN(l) {
				t.Errorf("%dx%d: loss %v", height, width, l)
			}
		})
	}
}

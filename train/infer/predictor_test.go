package infer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
	"github.com/pipa-uda/pipa/train/traintest"
)

// untrained is a small network with the values it begins with.
func untrained(t *testing.T, s *torch.Scope, set ...string) *network.Network {
	t.Helper()
	if err := s.Lib().Seed(1); err != nil {
		t.Fatal(err)
	}
	a, err := network.Of(traintest.Config(t, set...).Network, nil)
	if err != nil {
		t.Fatal(err)
	}
	net, err := a.New(nn.NewStore(s).Root(), 5)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// networkKinds are what a predictor is tested with.
var networkKinds = map[string][]string{
	"one scale":  nil,
	"two scales": {"network.hrda={crop: [32, 32], detail_weight: 0.1}"},
}

// noise is an image that looks like nothing else.
func noise(h, w int) raster.Raster {
	r := raster.New(h, w, 3)
	rng := pipeline.NewKey(1, 0, "noise", fmt.Sprint(h, "x", w)).Rand()
	for i := range r.Pix() {
		r.Pix()[i] = byte(rng.IntN(256))
	}
	return r
}

func mirrored(r raster.Raster) raster.Raster {
	out := raster.New(r.Height(), r.Width(), r.Channels())
	for y := range r.Height() {
		for x := range r.Width() {
			copy(out.Row(y)[3*x:3*x+3], r.Row(y)[3*(r.Width()-1-x):])
		}
	}
	return out
}

// near fails where probabilities differ by more than rounding.
func near(t *testing.T, what string, got, want *torch.Tensor) {
	t.Helper()
	if !slices.Equal(got.Shape(), want.Shape()) {
		t.Fatalf("%s: shape %v, want %v", what, got.Shape(), want.Shape())
	}
	if d := got.Sub(want).Abs().Max().Item(); !(d < 2e-5) {
		t.Errorf("%s: probabilities differ by up to %v", what, d)
	}
}

// TestPredictorLaws holds what is the same however an image is looked at.
func TestPredictorLaws(t *testing.T) {
	for name, set := range networkKinds {
		t.Run(name, func(t *testing.T) {
			torchtest.Run(t, func(s *torch.Scope) {
				net := untrained(t, s, set...)
				if err := s.NoGrad(func(s *torch.Scope) error {
					image := noise(67, 130)
					of := func(i config.Inference, r raster.Raster) *torch.Tensor {
						return Predictor{Net: net, How: i}.scores(s, r)
					}
					whole := of(config.Inference{}, image)

					near(t, "a window of the image's size", of(config.Inference{Window: [2]int{67, 130}, Stride: [2]int{32, 32}}, image), whole)
					near(t, "a window larger than the image", of(config.Inference{Window: [2]int{512, 512}, Stride: [2]int{512, 512}}, image), whole)
					near(t, "the scale 1", of(config.Inference{Scales: []float64{1}}, image), whole)
					near(t, "the image's size as the one to fit", of(config.Inference{Resize: [2]int{67, 130}}, image), whole)

					windows := config.Inference{Window: [2]int{48, 48}, Stride: [2]int{32, 32}}
					one := of(windows, image)
					windows.Batch = 3
					near(t, "three windows at once", of(windows, image), one)

					both := config.Inference{Flip: true, Scales: []float64{0.75, 1.25}, Window: [2]int{64, 64}, Stride: [2]int{32, 32}}
					near(t, "both sides of a mirrored image", of(both, mirrored(image)), of(both, image).Flip(3))

					// Test-time augmentation is the mean of what it looks at.
					var sum *torch.Tensor
					for _, scale := range []float64{0.5, 1, 1.5} {
						look := config.Inference{Scales: []float64{scale}}
						for _, p := range []*torch.Tensor{of(look, image), of(look, mirrored(image)).Flip(3)} {
							if sum == nil {
								sum = p
							} else {
								sum = sum.Add(p)
							}
						}
					}
					near(t, "scales and sides", of(config.Inference{Scales: []float64{0.5, 1, 1.5}, Flip: true}, image), sum.Div(6))
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestAnySizeIsPredicted: the probabilities have the image's size and add up to
// 1, in one piece or in windows.
func TestAnySizeIsPredicted(t *testing.T) {
	for name, set := range networkKinds {
		t.Run(name, func(t *testing.T) {
			torchtest.Run(t, func(s *torch.Scope) {
				net := untrained(t, s, set...)
				for _, size := range [][2]int{{1, 1}, {1, 200}, {7, 31}, {33, 65}, {95, 47}, {61, 103}} {
					for _, how := range []config.Inference{{}, {Resize: [2]int{40, 80}}, {Window: [2]int{50, 70}, Stride: [2]int{21, 33}, Batch: 2}, {Scales: []float64{0.3, 1.7}, Flip: true}} {
						err := s.NoGrad(func(s *torch.Scope) error {
							p := Predictor{Net: net, How: how}.scores(s, noise(size[0], size[1]))
							if want := []int64{1, 5, int64(size[0]), int64(size[1])}; !slices.Equal(p.Shape(), want) {
								t.Errorf("%v, %+v: shape %v", size, how, p.Shape())
							}
							if d := p.SumDim(false, 1).Sub(1).Abs().Max().Item(); !(d < 1e-5) {
								t.Errorf("%v, %+v: probabilities add up to 1 but for %v", size, how, d)
							}
							return nil
						})
						if err != nil {
							t.Errorf("%v, %+v: %v", size, how, err)
						}
					}
				}
			})
		})
	}
}

// TestTwoScalesOfAnotherStride: DeepLab's logits have stride 8.
func TestTwoScalesOfAnotherStride(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		net := untrained(t, s, "network.encoder=resnet50", "network.decoder=deeplabv2", "network.hrda={crop: [64, 64], detail_weight: 0.1}", "patch.weight=0")
		if err := s.NoGrad(func(s *torch.Scope) error {
			if p := (Predictor{Net: net, How: config.Inference{}}).scores(s, noise(45, 73)); !slices.Equal(p.Shape(), []int64{1, 5, 45, 73}) {
				t.Errorf("shape %v", p.Shape())
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

// TestSizesAreThoseOfMultiScaleFlipAug: mmsegmentation 0.x multiplies the size
// to fit, or the image's own, by the ratio, rounds down, and keeps the image's
// ratio (mmcv's rescale_size rounds).
func TestSizesAreThoseOfMultiScaleFlipAug(t *testing.T) {
	for _, c := range []struct {
		h, w   int
		resize [2]int
		scale  float64
		want   [2]int
	}{
		{1024, 2048, [2]int{512, 1024}, 1, [2]int{512, 1024}},
		{1024, 2048, [2]int{512, 1024}, 0.75, [2]int{384, 768}},
		{1024, 2048, [2]int{}, 1.75, [2]int{1792, 3584}},
		{375, 1242, [2]int{}, 1.25, [2]int{468, 1550}},
		{1052, 1914, [2]int{720, 1280}, 1, [2]int{704, 1280}},
		{2, 3, [2]int{}, 0.25, [2]int{1, 1}},
	} {
		h, w := size(config.Inference{Resize: c.resize}, c.h, c.w, c.scale)
		if got := [2]int{h, w}; got != c.want {
			t.Errorf("%dx%d to fit %v at %v: %v, want %v", c.h, c.w, c.resize, c.scale, got, c.want)
		}
	}
}

func TestInferenceNamesWhatCannotWork(t *testing.T) {
	for want, i := range map[string]config.Inference{
		"resize is [0 5]":    {Resize: [2]int{0, 5}},
		"window is [5 0]":    {Window: [2]int{5, 0}},
		"stride is [0 0]":    {Window: [2]int{5, 5}},
		"stride is [5 6]":    {Window: [2]int{5, 5}, Stride: [2]int{5, 6}},
		"a scale is 0":       {Scales: []float64{1, 0}},
		"a scale is NaN":     {Scales: []float64{math.NaN()}},
		"stride is [1 0]":    {Window: [2]int{5, 5}, Stride: [2]int{1, 0}},
		"batch is -1":        {Batch: -1},
		"a scale is +Inf, w": {Scales: []float64{math.Inf(1)}},
	} {
		if err := i.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", i, err, want)
		}
	}
}

// TestWindowsAreFreedAsTheyGo: what is held does not grow with their number.
func TestWindowsAreFreedAsTheyGo(t *testing.T) {
	lib := traintest.Lib(t)
	peak := func(stride int) (bytes int64) {
		if err := lib.Run(torch.CPU, func(s *torch.Scope) error {
			net := untrained(t, s)
			return lib.CountMemory(func(peak func() int64) error {
				return s.NoGrad(func(s *torch.Scope) error {
					Predictor{Net: net, How: config.Inference{Window: [2]int{64, 64}, Stride: [2]int{stride, stride}}}.scores(s, noise(128, 256))
					bytes = peak()
					return nil
				})
			})
		}); err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	if few, many := peak(64), peak(16); many > few+few/10 {
		t.Errorf("8 windows hold up to %d bytes, 65 hold %d", few, many)
	}
}

// TestLargeImagesAreSeenInBands: an image that is larger than a piece has the
// probabilities that it has in one piece, band for band, however it is looked at.
func TestLargeImagesAreSeenInBands(t *testing.T) {
	for name, how := range map[string]config.Inference{
		"whole":            {},
		"smaller":          {Resize: [2]int{40, 80}},
		"larger":           {Resize: [2]int{150, 300}},
		"windows":          {Window: [2]int{48, 64}, Stride: [2]int{24, 40}, Batch: 2},
		"windows, smaller": {Resize: [2]int{60, 100}, Window: [2]int{32, 32}, Stride: [2]int{20, 30}},
		"augmented":        {Scales: []float64{0.5, 1, 1.7}, Flip: true, Window: [2]int{40, 60}, Stride: [2]int{40, 30}},
		"augmented, whole": {Scales: []float64{0.5, 1.3}, Flip: true},
	} {
		t.Run(name, func(t *testing.T) {
			torchtest.Run(t, func(s *torch.Scope) {
				net, image := untrained(t, s), noise(95, 131)
				if err := s.NoGrad(func(s *torch.Scope) error {
					want := Predictor{Net: net, How: how}.scores(s, image)
					at, bands := 0, 0
					err := Predictor{Net: net, How: how, piece: 8 * 1310}.visit(s, image, func(s *torch.Scope, y int, got *torch.Tensor) error {
						if y != at {
							t.Errorf("a band begins at %d, want %d", y, at)
						}
						near(t, fmt.Sprint("rows from ", y), got, want.In(s).Narrow(2, y, got.Dim(2)))
						at, bands = y+got.Dim(2), bands+1
						return nil
					})
					if at != 95 || bands < 8 {
						t.Errorf("%d bands end at %d", bands, at)
					}
					return err
				}); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestMemoryOfAPhotoIsBounded: what an image in windows takes grows with its width and
// the window's height, and not with its own.
func TestMemoryOfAPhotoIsBounded(t *testing.T) {
	lib := traintest.Lib(t)
	peak := func(height int) (bytes int64) {
		if err := lib.Run(torch.CPU, func(s *torch.Scope) error {
			net := untrained(t, s)
			return lib.CountMemory(func(peak func() int64) error {
				return s.NoGrad(func(s *torch.Scope) error {
					p := Predictor{Net: net, How: config.Inference{Window: [2]int{64, 64}, Stride: [2]int{64, 64}}, piece: 1 << 13}
					_, err := p.predict(s, pipeline.Sample{Image: noise(height, 128)}, PredictOptions{})
					bytes = peak()
					return err
				})
			})
		}); err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	if low, high := peak(256), peak(1024); high > low+low/10 {
		t.Errorf("an image of 256 rows takes up to %d bytes, one of 1024 rows %d", low, high)
	}
}

// TestTooLargeIsSaidBeforeItIsSeen: a network is not shown more pixels than it may see.
func TestTooLargeIsSaidBeforeItIsSeen(t *testing.T) {
	image := raster.New(10, 20, 3)
	for want, how := range map[string]config.Inference{
		"as 12000x6000, 72 megapixels, as a whole, and may see 16":     {Resize: [2]int{6000, 12000}},
		"as 60000x30000, 1800 megapixels, in windows, and may see 100": {Resize: [2]int{60000, 60000}, Window: [2]int{64, 64}, Stride: [2]int{32, 32}},
		"as 6400x3200, 20 megapixels, as a whole":                      {Resize: [2]int{400, 800}, Scales: []float64{1, 8}},
	} {
		var large *SizeError
		if err := (Predictor{How: how}).check(image); !errors.As(err, &large) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", how, err, want)
		}
	}
	if err := (Predictor{How: config.Inference{Resize: [2]int{4096, 4096}}}).check(image); err != nil {
		t.Error(err)
	}
}

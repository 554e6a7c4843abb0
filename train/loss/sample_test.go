package loss

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// TestAnchorsAreDrawnByTheRules holds the choice that is made on the device
// to the rules, told again in plain Go, for drawn labels and predictions.
func TestAnchorsAreDrawnByTheRules(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		rng := rand.New(rand.NewPCG(1, 2))
		met := map[string]int{}
		for range 200 {
			images, h, w, classes := 1+rng.IntN(3), 3+rng.IntN(8), 3+rng.IntN(8), 1+rng.IntN(4)
			c := PixelContrast{MaxSamples: 4 + rng.IntN(60), MaxViews: 1 + rng.IntN(12)}
			label, predict := make([]uint8, images*h*w), make([]uint8, images*h*w)
			agree := rng.Float64()
			for i := range label {
				label[i] = uint8(rng.IntN(classes + 1))
				if label[i] == uint8(classes) {
					label[i] = uint8(raster.Ignore)
				}
				if predict[i] = label[i]; rng.Float64() > agree {
					predict[i] = uint8(rng.IntN(classes))
				}
			}
			a, err := c.Sample(label, s.FromUint8(predict, images, h, w), rng)
			if err != nil {
				t.Fatal(err)
			}
			if a.Pixels == nil {
				met["none"]++
				continue
			}
			if a.Views != min(c.MaxSamples/len(a.Images), c.MaxViews) {
				t.Fatalf("%d views in %d rows of at most %d anchors", a.Views, len(a.Images), c.MaxSamples)
			}
			chosen := a.Pixels.Int64s()
			if len(chosen) != len(a.Images)*a.Views {
				t.Fatalf("%d anchors for %d rows of %d views", len(chosen), len(a.Images), a.Views)
			}
			for row, image := range a.Images {
				hard, easy := 0, 0
				for i := image * h * w; i < (image+1)*h*w; i++ {
					if raster.TrainID(label[i]) == a.Classes[row] && predict[i] != label[i] {
						hard++
					} else if raster.TrainID(label[i]) == a.Classes[row] {
						easy++
					}
				}
				if hard+easy <= c.MaxViews {
					t.Fatalf("class %d of image %d takes part with %d pixels of more than %d", a.Classes[row], image, hard+easy, c.MaxViews)
				}
				want, kind := hard, "few hard"
				switch {
				case 2*hard >= a.Views && 2*easy >= a.Views:
					want, kind = a.Views/2, "halves"
				case 2*hard >= a.Views:
					want, kind = a.Views-easy, "few easy"
				}
				met[kind]++
				mine, got := chosen[row*a.Views:(row+1)*a.Views], 0
				for i, p := range mine {
					if p < int64(image*h*w) || p >= int64((image+1)*h*w) || raster.TrainID(label[p]) != a.Classes[row] || slices.Contains(mine[:i], p) {
						t.Fatalf("anchor %d of class %d in image %d is not another pixel of it: %v", p, a.Classes[row], image, mine)
					}
					if predict[p] != label[p] {
						got++
					}
				}
				if got != want {
					t.Fatalf("%d of %d views are hard, want %d, of %d hard and %d easy pixels", got, a.Views, want, hard, easy)
				}
			}
		}
		for _, kind := range []string{"none", "halves", "few hard", "few easy"} {
			if met[kind] == 0 {
				t.Errorf("no drawn case is of the kind %q: %v", kind, met)
			}
		}
	})
}

// TestEveryPixelMayBecomeAnAnchor: over many draws all hard pixels of a class
// are chosen about equally often, and all easy ones.
func TestEveryPixelMayBecomeAnAnchor(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		label := slices.Repeat([]uint8{3}, 40)
		predict := slices.Concat(slices.Repeat([]uint8{3}, 25), slices.Repeat([]uint8{1}, 15))
		c := PixelContrast{MaxSamples: 10, MaxViews: 10}
		rng, times := rand.New(rand.NewPCG(3, 4)), make([]int, 40)
		const draws = 2000
		for range draws {
			a, err := c.Sample(label, s.FromUint8(predict, 1, 5, 8), rng)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range a.Pixels.Int64s() {
				times[p]++
			}
		}
		for p, n := range times {
			expected := draws * 5 / 25
			if predict[p] != 3 {
				expected = draws * 5 / 15
			}
			// Six standard deviations of a binomial count.
			if d := n - expected; d*d > 36*expected {
				t.Errorf("pixel %d is chosen %d times, want about %d", p, n, expected)
			}
		}
	})
}

// TestShrinkLabels: as interpolate does it, for sizes that do not divide too.
func TestShrinkLabels(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		rng := rand.New(rand.NewPCG(5, 6))
		for range 100 {
			n, height, width := 1+rng.IntN(2), 1+rng.IntN(90), 1+rng.IntN(90)
			label := make([]uint8, n*height*width)
			for i := range label {
				label[i] = uint8(rng.IntN(256))
			}
			box := raster.Box{Y0: rng.IntN(height), X0: rng.IntN(width)}
			box.Y1, box.X1 = box.Y0+1+rng.IntN(height-box.Y0), box.X0+1+rng.IntN(width-box.X0)
			h, w := 1+rng.IntN(40), 1+rng.IntN(40)
			part := s.FromUint8(label, n, height, width).Narrow(1, box.Y0, box.Height()).Narrow(2, box.X0, box.Width())
			want := part.Unsqueeze(1).To(torch.Float32).UpsampleNearest(h, w).To(torch.Uint8).Contiguous().Bytes()
			if got := ShrinkLabels(label, height, width, box, h, w); !slices.Equal(got, want) {
				t.Fatalf("%v of %dx%d at %dx%d: %v, want %v", box, height, width, h, w, got, want)
			}
		}
	})
}

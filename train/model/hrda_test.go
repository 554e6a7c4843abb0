package model

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// hrdaCase is a network with golden weights.
type hrdaCase struct {
	net    *HRDA
	pixels *PixelProjection
	judge  *PixelClassifier
	store  *nn.Store
	crop   [2]int
	box    raster.Box
}

func newHRDACase(t *testing.T, s *torch.Scope, in *golden.Case) hrdaCase {
	t.Helper()
	golden.Fixed(in, "scales", [2]float64{contextScale, 1})
	golden.Fixed(in, "attention_classwise", true)
	encoderSizes := mitConfig(in)
	dims := encoderSizes.Dims
	classes, channels := golden.Param[int](in, "num_classes"), golden.Param[int](in, "head_channels")
	golden.Fixed(in, "attention_embed_dim", channels)
	golden.Fixed(in, "pixel_head_width", dims[0]+dims[1]+dims[2]+dims[3])
	store := nn.NewStore(s)
	p := store.Root()
	encoder, err := NewMixTransformer(p.Sub("backbone"), encoderSizes)
	if err != nil {
		t.Fatal(err)
	}
	config := DAFormerConfig{Classes: classes, Channels: channels, Dropout: golden.Param[float64](in, "dropout")}
	head := p.Sub("decode_head")
	shared := Segmentor{encoder, NewDAFormerHead(head.Sub("head"), dims, config)}
	attention := NewDAFormerHead(head.Sub("scale_attention"), dims, config.AttentionConfig())
	b := golden.Param[[4]int](in, "crop_box")
	c := hrdaCase{store: store, box: raster.Box{Y0: b[0], Y1: b[1], X0: b[2], X1: b[3]}, crop: golden.Param[[2]int](in, "hr_crop")}
	c.net = NewHRDA(shared, attention, c.crop, 4)
	c.pixels = NewPixelProjection(p, dims, golden.Param[int](in, "pixel_projection"))
	c.judge = NewPixelClassifier(p, dims, classes)
	load(t, s, store, in.Weights())
	return c
}

// TestHRDATrainsAsPublished: features, logits and attention at both scales,
// the losses of both stages, and their gradients.
func TestHRDATrainsAsPublished(t *testing.T) {
	for _, stage := range []string{"stage1", "stage2"} {
		t.Run(stage, func(t *testing.T) {
			torchtest.Golden(t, "hrda", func(t *testing.T, s *torch.Scope, in *golden.Case) { checkHRDAStage(t, s, in, stage) })
		})
	}
}

func checkHRDAStage(t *testing.T, s *torch.Scope, in *golden.Case, stage string) {
	golden.Fixed(in, "lr_loss_weight", 0.0)
	want := in.Part("train")
	k := newHRDACase(t, s, in)
	x := torchtest.Tensor(s, in, "image")
	label := torchtest.Tensor(s, in, "label").Squeeze(1).To(torch.Int64)
	out := k.net.ForwardCrop(x, k.box, nn.Teaching) // batch statistics, no dropout
	near := func(name string, got *torch.Tensor) {
		if want.Has("train." + name) {
			golden.NearRelative(t, name, got.Float32s(), want.Floats("train."+name), 1.5e-5)
		}
	}
	near("lr_image", k.net.Context(x))
	for i, name := range []string{"feat1", "feat2", "feat3", "feat4"} {
		near("lr_"+name, out.Context.Features[i])
		near("hr_"+name, out.Detail.Features[i])
	}
	near("lr_logits_raw", out.Context.Logits)
	near("hr_logits", out.Detail.Logits)
	near("attention_raw", out.Attention)
	near("lr_logits_masked", out.Weighted)
	near("fused_logits", out.Logits)

	var weight *torch.Tensor
	if stage == "stage2" {
		weight = torchtest.Tensor(s, in, "pixel_weight")
	}
	fused, detail := loss.MultiScale(out.Logits, out.Detail.Logits, label, weight, k.box, golden.Param[float64](in, "hr_loss_weight"))
	near(stage+".decode.hr.loss_seg", detail)
	total := fused.Add(detail)
	if stage == "stage1" {
		joined := JoinFeatures(out.Detail.Features)
		embed := k.pixels.Forward(joined, nn.Teaching)
		near("pixel_embed", embed)
		predicted := k.judge.Forward(joined, nn.Teaching).Argmax(1, false)
		contrast := officialPixelContrast(t, embed, predicted, label)
		near("pixel_contrast", contrast)
		fused = fused.Add(contrast.Mul(golden.Param[float64](in, "pixel_contrast_weight")))
		total = fused.Add(detail)
	}
	near(stage+".decode.loss_seg", fused)
	near(stage+".total", total)
	total.Backward()
	if grads := in.TryPart("grad"); grads != nil {
		if checkGrads(t, s, k.store, grads, "train."+stage+".grad.", 4e-5) == 0 {
			t.Error("no gradient was compared")
		}
		if stage == "stage1" && checkBuffers(t, k.store, grads, "train.after.", 3e-6) == 0 {
			t.Error("no running statistic was compared")
		}
	}
}

// officialPixelContrast samples as the released code does, with its random
// permutations replaced by the identity: the label of the whole image against
// the crop's features.
func officialPixelContrast(t *testing.T, embed, predicted, label *torch.Tensor) *torch.Tensor {
	t.Helper()
	h, w := embed.Dim(2), embed.Dim(3)
	low := loss.ShrinkLabels(label.To(torch.Uint8).Bytes(), label.Dim(1), label.Dim(2), raster.Box{Y1: label.Dim(1), X1: label.Dim(2)}, h, w)
	contrast := loss.PixelContrast{Temperature: 0.1, BaseTemperature: 0.07, MaxSamples: 1024, MaxViews: 100, IgnoreAsClass: true}
	anchors, err := contrast.Sample(low, predicted.To(torch.Uint8), nil)
	if err != nil {
		t.Fatal(err)
	}
	return contrast.Loss(embed, anchors)
}

// TestHRDAInfersAsPublished: overlapping windows of the detail, and the sliding
// window over a larger image.
func TestHRDAInfersAsPublished(t *testing.T) {
	torchtest.Golden(t, "hrda", func(t *testing.T, s *torch.Scope, in *golden.Case) {
		k := newHRDACase(t, s, in)
		near := func(c *golden.Case, name string, got *torch.Tensor) {
			golden.NearRelative(t, name, got.Float32s(), c.Floats(name), 1.2e-5)
		}
		even := func(x *torch.Tensor) *torch.Tensor {
			return x.Slice(2, 0, x.Dim(2), 2).Slice(3, 0, x.Dim(3), 2)
		}
		err := s.NoGrad(func(s *torch.Scope) error {
			if want := in.TryPart("eval"); want != nil {
				x := torchtest.Tensor(s, in, "image")
				out := k.net.Forward(x, nn.Scoring)
				near(want, "eval.fused_logits", out.Logits)
				near(want, "eval.hr_logits", out.Detail.Logits)
				near(want, "eval.lr_logits_scaled", out.Weighted)
				near(want, "eval.attention_raw", out.Attention)
				near(want, "eval.logits_even", even(out.Logits.UpsampleBilinear(x.Dim(2), x.Dim(3), false)))

				var boxes []int64
				for _, b := range Windows(x.Dim(2), x.Dim(3), k.crop, [2]int{k.crop[0] / 2, k.crop[1] / 2}) {
					boxes = append(boxes, int64(b.Y0), int64(b.Y1), int64(b.X0), int64(b.X1))
				}
				if got, want := boxes, want.Ints("eval.hr_boxes"); !reflect.DeepEqual(got, want) {
					t.Errorf("windows %v, want %v", got, want)
				}
			}
			want := in.TryPart("slide")
			if want == nil {
				return nil
			}
			logits := Slide(torchtest.Tensor(s, in, "slide.image"), golden.Param[[2]int](in, "slide_crop"), golden.Param[[2]int](in, "slide_stride"), 2, func(x *torch.Tensor) *torch.Tensor {
				return k.net.Forward(x, nn.Scoring).Logits.UpsampleBilinear(x.Dim(2), x.Dim(3), false)
			})
			near(want, "slide.logits_even", even(logits))
			differ := 0
			for i, v := range logits.Argmax(1, false).To(torch.Uint8).Bytes() {
				if v != byte(want.Ints("slide.prob_argmax")[i]) {
					differ++
				}
			}
			if differ > 3 { // near ties
				t.Errorf("%d pixels have another class", differ)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestCropBoxStaysInside: corners are multiples of 8, the box lies inside, and
// as published the largest offset never comes.
func TestCropBoxStaysInside(t *testing.T) {
	h := NewHRDA(Segmentor{}, nil, [2]int{512, 512}, 4)
	rng := rand.New(rand.NewPCG(1, 2))
	largest := 0
	for range 2000 {
		b := h.CropBox(1024, 1024, rng.IntN)
		if b.Y0%8 != 0 || b.X0%8 != 0 || b.Y0 < 0 || b.X0 < 0 || b.Y1 > 1024 || b.X1 > 1024 || b.Y1-b.Y0 != 512 || b.X1-b.X0 != 512 {
			t.Fatalf("box %v", b)
		}
		largest = max(largest, b.Y0, b.X0)
	}
	if largest != 504 {
		t.Errorf("largest offset %d, want 504", largest)
	}
	if b := h.CropBox(512, 512, rng.IntN); b != (raster.Box{Y1: 512, X1: 512}) {
		t.Errorf("box %v of an image of the crop's size", b)
	}
}

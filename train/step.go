package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/uda"
)

// stepValues are what a step reports.
type stepValues struct {
	losses    map[string]float64 // weighted as they enter the total
	confident float64
	lr        float64
}

// images are one side's minibatch on the device.
type images struct {
	image  *torch.Tensor // [N,3,H,W], normalised
	label  *torch.Tensor // [N,H,W] int64; nil for the target
	labels []uint8       // the label's bytes on the host
}

// step is one iteration of the method, in its order: teacher, source, feature
// distance, pseudo-label, mix, patches, update. The gradients of the losses add
// up over the backward passes.
func (t *trainer) step(b stepBatch) (stepValues, error) {
	v := stepValues{losses: map[string]float64{}, lr: t.cfg.Optimizer.LR * t.schedule.Factor(t.iteration)}
	if err := t.lib.Seed(t.key("device").Uint64()); err != nil {
		return v, err
	}
	if t.cfg.Adapt.Enabled {
		if err := t.teacher.Update(t.iteration); err != nil {
			return v, err
		}
	}
	err := t.root.Run(func(s *torch.Scope) error {
		source, err := load(s, b.source, "image", "label")
		if err != nil {
			return err
		}
		if err := t.sourceLosses(s, source, v.losses); err != nil {
			return err
		}
		if b.target != nil {
			target, err := load(s, b.target, "image", "")
			if err != nil {
				return err
			}
			if v.confident, err = t.mixedLoss(s, source, target, v.losses); err != nil {
				return err
			}
		}
		if b.pairs != nil {
			if err := t.patchLoss(s, b.pairs, v.losses); err != nil {
				return err
			}
		}
		for name, l := range v.losses {
			if math.IsNaN(l) || math.IsInf(l, 0) {
				return fmt.Errorf("loss %s is %v; the last checkpoint is good: try a lower optimizer.lr in a new run", name, l)
			}
		}
		return nil
	})
	if err != nil {
		t.studentStore.ClearGrads()
		return v, err
	}
	return v, t.optimizer.Step(v.lr)
}

// key names the draws of this iteration.
func (t *trainer) key(what string) pipeline.Key {
	return pipeline.NewKey(t.cfg.Seed, uint64(t.iteration), "train", what)
}

// load sends a batch's image column, and its label column unless it is empty,
// to the scope's device as they lie in memory, and normalises there.
func load(s *torch.Scope, b *pipeline.Batch, image, label string) (images, error) {
	pix, shape, err := b.Tensor(image)
	if err != nil {
		return images{}, err
	}
	out := images{image: normalize(s.Wrap(pix, shape[:]...))}
	if label == "" {
		return out, nil
	}
	if out.labels, shape, err = b.Tensor(label); err != nil {
		return images{}, err
	}
	out.label = s.Wrap(out.labels, shape[:3]...).ToDevice(s.Device()).To(torch.Int64)
	return out, nil
}

// normalize turns uint8 [N,H,W,3] into float32 [N,3,H,W] around the ImageNet
// mean.
func normalize(pix *torch.Tensor) *torch.Tensor {
	s := pix.Scope()
	vector := func(v [3]float64) *torch.Tensor {
		return s.FromFloat32([]float32{float32(v[0]), float32(v[1]), float32(v[2])}, 1, 3, 1, 1)
	}
	return pix.ToDevice(s.Device()).To(torch.Float32).Permute(0, 3, 1, 2).Sub(vector(uda.Mean)).Div(vector(uda.Std)).Contiguous()
}

// sourceLosses is the supervised part: cross entropy, PiPa's pixel contrast and
// DAFormer's feature distance, with one backward pass.
func (t *trainer) sourceLosses(s *torch.Scope, source images, losses map[string]float64) error {
	out := t.student.Forward(source.image, nn.Training)
	parts := map[string]*torch.Tensor{"source": loss.CrossEntropy(out.Logits, source.label, nil)}
	if t.cfg.Pixel.Weight > 0 {
		l, err := t.pixelLoss(out, source)
		if err != nil {
			return err
		}
		parts["pixel"] = l.Mul(t.cfg.Pixel.Weight)
	}
	if t.cfg.FeatureDistance.Weight > 0 {
		d := loss.FeatureDistance{Classes: t.cfg.FeatureDistance.Classes, Ratio: t.cfg.FeatureDistance.Ratio, Labels: t.classes}
		frozen := t.frozen.Forward(source.image, nn.Scoring)
		parts["feature_distance"] = d.Loss(out.Features[3], frozen[3], source.label).Mul(t.cfg.FeatureDistance.Weight)
	}
	backward(parts, losses)
	return nil
}

// pixelLoss contrasts the source's feature pixels.
func (t *trainer) pixelLoss(out model.Output, source images) (*torch.Tensor, error) {
	p := t.cfg.Pixel
	contrast := loss.PixelContrast{Temperature: p.Temperature, BaseTemperature: p.BaseTemperature, MaxSamples: p.MaxSamples, MaxViews: p.MaxViews, IgnoreAsClass: p.Mode == "official"}
	joined := model.JoinFeatures(out.Features)
	embed := t.pixelHead.Forward(joined, nn.Training)
	logits := out.Logits
	if t.pixelClassifier != nil {
		logits = t.pixelClassifier.Forward(joined.Detach(), nn.Training)
	}
	h, w := embed.Dim(2), embed.Dim(3)
	low := source.label.Unsqueeze(1).To(torch.Float32).UpsampleNearest(h, w).Squeeze(1).To(torch.Uint8)
	predicted := logits.Argmax(1, false).To(torch.Uint8)
	both := torch.Stack(0, low, predicted).Bytes() // the one wait for the device
	anchors, err := contrast.Sample(both[:len(both)/2], both[len(both)/2:], h*w, t.key("pixel").Rand())
	if err != nil {
		return nil, err
	}
	return contrast.Loss(embed, anchors), nil
}

// mixedLoss is the self-training part: the teacher labels the target, ClassMix
// pastes half of the source's classes over it, and the student learns from the
// disturbed mixture.
func (t *trainer) mixedLoss(s *torch.Scope, source, target images, losses map[string]float64) (confident float64, err error) {
	a := t.cfg.Adapt
	h, w := target.image.Dim(2), target.image.Dim(3)
	logits := t.networks.teacher.Forward(target.image, nn.Teaching).Logits.UpsampleBilinear(h, w, false)
	pseudo := uda.Label(logits, a.Threshold, a.IgnoreTop, a.IgnoreBottom)
	n := target.image.Dim(0)
	mixed := uda.Mix(source.image, source.label, target.image, pseudo, uda.ChooseClasses(source.labels, n, t.key("classmix").Rand()))
	strong := uda.StrongAugmentation{Jitter: a.Jitter, JitterChance: a.JitterChance, BlurChance: a.BlurChance}
	image := uda.Apply(mixed.Image, strong.Draw(n, t.key("strong").Rand()))
	out := t.student.Forward(image, nn.Training)
	backward(map[string]*torch.Tensor{"mixed": loss.CrossEntropy(out.Logits, mixed.Label, mixed.Weight)}, losses)
	return pseudo.Confident.Item(), nil
}

// patchStride is the scale of the maps that the patch contrast compares: the
// decoder's stride of 4, averaged over 2×2.
const patchStride = 8

// patchLoss contrasts the overlap of two crops. In paper mode the student makes
// the features and the teacher says which pixels to trust; in official mode the
// teacher makes the features and a random classifier judges them, so that only
// the projection learns (METHOD 2.4, D1 and D2).
func (t *trainer) patchLoss(s *torch.Scope, pairs *pipeline.Batch, losses map[string]float64) error {
	p := t.cfg.Patch
	a, err := load(s, pairs, "image_a", "")
	if err != nil {
		return err
	}
	b, err := load(s, pairs, "image_b", "")
	if err != nil {
		return err
	}
	both := torch.Cat(0, a.image, b.image)
	judge := t.networks.teacher.Forward(both, nn.Teaching)
	var fused, logits *torch.Tensor
	if p.Mode == "official" {
		fused = judge.Fused.AvgPool2d(2, 2)
		logits = t.patchClassifier.Forward(fused).Detach()
	} else {
		fused = t.student.Forward(both, nn.Training).Fused.AvgPool2d(2, 2)
	}
	var confidence, class *torch.Tensor
	if logits != nil {
		confidence, class = logits.Softmax(1).MaxDim(1, false)
	} else {
		confidence, class = judge.Logits.Softmax(1).AvgPool2d(2, 2).MaxDim(1, false)
	}
	embed := t.patchHead.Forward(fused)
	n := pairs.Len()
	va, vb := t.patchView(embed, class, confidence, 0, n, "a"), t.patchView(embed, class, confidence, n, n, "b")
	for i := range n {
		pair, err := pairs.Pair(i)
		if err != nil {
			return err
		}
		for v, c := range map[*loss.View]pipeline.Crop{&va: pair.A, &vb: pair.B} {
			box := c.Overlap
			if c.Flip {
				box = box.FlipX(c.Image.Width())
			}
			v.Overlap = append(v.Overlap, box)
			v.Flip = append(v.Flip, c.Flip)
		}
	}
	contrast := loss.PatchContrast{Temperature: p.Temperature, Threshold: p.Threshold, Stride: patchStride, Steps: p.Steps}
	r, err := contrast.Loss(va, vb, t.bank)
	if err != nil {
		return err
	}
	backward(map[string]*torch.Tensor{"patch": r.Loss.Mul(p.Weight)}, losses)
	return t.bank.Push(t.root, r.Negatives, p.Steps-1)
}

// patchView takes one crop's half of the maps, with its negatives drawn.
func (t *trainer) patchView(embed, class, confidence *torch.Tensor, from, n int, name string) loss.View {
	v := loss.View{Features: embed.Narrow(0, from, n), Classes: class.Narrow(0, from, n), Confidence: confidence.Narrow(0, from, n)}
	cells := n * embed.Dim(2) * embed.Dim(3)
	v.Negatives = sample(t.key("patch "+name).Rand(), cells, min(t.cfg.Patch.Negatives, cells))
	return v
}

// sample draws k of 0..n-1 without replacement.
func sample(rng *rand.Rand, n, k int) []int64 {
	items := rng.Perm(n)[:k]
	out := make([]int64, k)
	for i, v := range items {
		out[i] = int64(v)
	}
	return out
}

// backward adds the gradients of the parts' sum and notes their values. A part
// without a graph, such as a contrast that found nothing, counts 0.
func backward(parts map[string]*torch.Tensor, losses map[string]float64) {
	var total *torch.Tensor
	for _, name := range []string{"source", "pixel", "feature_distance", "mixed", "patch"} { // always added in one order
		l, ok := parts[name]
		if !ok {
			continue
		}
		losses[name] = l.Item()
		if total == nil {
			total = l
		} else {
			total = total.Add(l)
		}
	}
	if total.RequiresGrad() {
		total.Backward()
	}
}

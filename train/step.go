package train

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/uda"
)

// stepValues are what a step reports.
type stepValues struct {
	losses    map[string]float64 // weighted as they enter the total
	norms     map[string]float64 // of each loss's gradient in the encoder, where the step was probed
	panel     []pipeline.Sample  // what the step's picture shows, where it is drawn
	confident float64
	lr        float64
	last      string // the loss whose backward pass is the step's last

	// waiting are the losses, and trusted confident, as the device will have
	// them, in the step's scope: they are read together when all its work is
	// queued. trusted is nil without a target.
	scope   *torch.Scope
	waiting map[string]*torch.Tensor
	trusted *torch.Tensor
}

func newStepValues() stepValues {
	return stepValues{losses: map[string]float64{}, norms: map[string]float64{}, waiting: map[string]*torch.Tensor{}}
}

// later notes a loss that the device has yet to compute.
func (v *stepValues) later(name string, loss *torch.Tensor) {
	v.waiting[name] = loss.Detach().In(v.scope)
}

// read waits for the device and takes the values, the losses summed over the
// ranks.
func (v *stepValues) read(group *torch.Group) error {
	names := slices.Sorted(maps.Keys(v.waiting))
	return v.scope.NoGrad(func(s *torch.Scope) error {
		number := func(t *torch.Tensor) *torch.Tensor { return t.In(s).To(torch.Float64).Reshape(1) }
		shares := make([]*torch.Tensor, len(names))
		for i, name := range names {
			shares[i] = number(v.waiting[name])
		}
		all := group.Sum(torch.Cat(0, shares...))
		if v.trusted != nil {
			all = torch.Cat(0, all, number(v.trusted))
		}
		values := all.Float64s()
		for i, name := range names {
			v.losses[name] = values[i]
		}
		if v.trusted != nil {
			v.confident = values[len(names)]
		}
		return nil
	})
}

// inputs are what one step computes on: normalised tensors on the device. The
// target's and the pairs' are nil in steps that have none.
type inputs struct {
	source images
	target *torch.Tensor // [N,3,H,W]
	valid  *torch.Tensor // [N,H,W] float, 0 in the target's margins; nil where all counts
	pairs  *pairs
}

// images are a labelled minibatch on the device.
type images struct {
	image  *torch.Tensor // [N,3,H,W], normalised
	label  *torch.Tensor // [N,H,W] int64
	labels []uint8       // the labels of all ranks' images on the host
}

// pairs are overlapping crops on the device, as stored: flipped where flip says
// so, with the overlap before flipping.
type pairs struct {
	a, b cropSet
}

type cropSet struct {
	image   *torch.Tensor // [N,3,S,S]
	overlap []raster.Box
	flip    []bool
}

// in is the same tensors in another scope, without the pairs.
func (x inputs) in(s *torch.Scope) inputs {
	out := inputs{source: x.source.in(s), target: x.target.In(s)}
	if x.valid != nil {
		out.valid = x.valid.In(s)
	}
	return out
}

func (x images) in(s *torch.Scope) images { return images{x.image.In(s), x.label.In(s), x.labels} }

func (p *pairs) in(s *torch.Scope) *pairs {
	out := *p
	out.a.image, out.b.image = p.a.image.In(s), p.b.image.In(s)
	return &out
}

// draws are a step's random choices that are made on the host. They are drawn
// for the images of all ranks, and those of other ranks' dropped, but for the
// negatives.
type draws struct {
	classes                [][]raster.TrainID // that ClassMix pastes, by image
	strong                 uda.Draws
	sourceBox, mixedBox    raster.Box // HRDA's detail
	masked                 uda.Draws  // the target's disturbance before it is masked
	maskedBox              raster.Box
	blocks                 uda.Blocks // that masked consistency keeps
	anchors                *rand.Rand // samples the pixel contrast's; nil takes the first of each kind
	negativesA, negativesB []int64    // of the patch contrast, cells of each crop's maps
}

// step is one iteration: it loads the batch, makes the draws, adds up the
// gradients and updates the student.
func (t *trainer) step(b stepBatch) (stepValues, error) {
	v := newStepValues()
	v.lr = t.cfg.Optimizer.LR * t.schedule.Factor(t.iteration)
	if err := t.lib.Seed(t.key("device").Uint64()); err != nil {
		return v, err
	}
	err := t.root.Run(func(s *torch.Scope) error {
		in, err := loadInputs(s, b)
		if err != nil {
			return err
		}
		if t.group != nil { // alone, the host has them all without asking the device
			in.source.labels = t.group.Gather(in.source.label.To(torch.Uint8)).Bytes()
		}
		return t.gradients(s, in, t.draw(in), &v)
	})
	if err != nil {
		t.studentStore.ClearGrads()
		t.student.reset()
		return v, err
	}
	return v, t.optimizer.Step(v.lr)
}

// draw makes the step's choices from its keys. Every rank draws for the whole
// batch, so that an image's choices do not depend on the number of ranks.
func (t *trainer) draw(in inputs) draws {
	d := draws{anchors: t.key("pixel").Rand()}
	h, w := in.source.image.Dim(2), in.source.image.Dim(3)
	if hrda := t.student.hrda; hrda != nil {
		d.sourceBox = hrda.CropBox(h, w, t.key("source box").Rand().IntN)
		d.mixedBox = hrda.CropBox(h, w, t.key("mixed box").Rand().IntN)
		d.maskedBox = hrda.CropBox(h, w, t.key("masked box").Rand().IntN)
	}
	n := in.source.image.Dim(0)
	first, all := t.group.Rank()*n, t.group.Size()*n
	strong := uda.StrongAugmentation{Jitter: t.cfg.Adapt.Jitter, JitterChance: t.cfg.Adapt.JitterChance, BlurChance: t.cfg.Adapt.BlurChance}
	if in.target != nil {
		d.classes = uda.ChooseClasses(in.source.labels, all, t.key("classmix").Rand())[first : first+n]
		d.strong = strong.Draw(all, t.key("strong").Rand()).Of(first, n)
	}
	if m := t.cfg.Masked; m.Weight > 0 {
		d.masked = strong.Draw(all, t.key("masked").Rand()).Of(first, n)
		d.blocks = uda.BlockMask{Block: m.Block, Ratio: m.Ratio}.Draw(all, h, w, t.key("blocks").Rand()).Of(first, n)
	}
	if in.pairs != nil {
		side := in.pairs.a.image.Dim(2) / patchStride
		if t.cfg.Patch.Mode == "official" && t.student.hrda != nil {
			side = in.pairs.a.image.Dim(2) / 2
		}
		cells := t.group.Size() * in.pairs.a.image.Dim(0) * side * side
		d.negativesA = sample(t.key("patch a").Rand(), cells, min(t.cfg.Patch.Negatives, cells))
		d.negativesB = sample(t.key("patch b").Rand(), cells, min(t.cfg.Patch.Negatives, cells))
	}
	return d
}

// gradients is the method, in its order: teacher, source, feature distance,
// pseudo-label, mix, patches. The gradients of the losses add up over the
// backward passes, each of which frees its activations before the next begins,
// and over the ranks, during the last.
func (t *trainer) gradients(s *torch.Scope, in inputs, d draws, v *stepValues) error {
	v.scope = s
	masked := t.cfg.Masked.Weight > 0 && (in.target != nil || !t.cfg.Adapt.Enabled)
	switch {
	case in.pairs != nil:
		v.last = "patch"
	case masked:
		v.last = "masked"
	case in.target != nil:
		v.last = "mixed"
	default:
		v.last = "source"
	}
	if t.cfg.Adapt.Enabled {
		if err := t.teacher.Update(t.iteration); err != nil {
			return err
		}
	}
	if err := s.Run(func(c *torch.Scope) error { return t.sourceLosses(in.source.in(c), d, v) }); err != nil {
		return err
	}
	var err error
	switch {
	case in.target != nil:
		err = t.targetLosses(s, in, d, v)
	case masked:
		err = s.Run(func(c *torch.Scope) error {
			source := in.source.in(c)
			t.maskedLoss(source.image, source.label, nil, d, v)
			return nil
		})
	}
	if err != nil {
		return err
	}
	var negatives *loss.BankEntry
	if in.pairs != nil {
		if err := s.Run(func(c *torch.Scope) error {
			n, err := t.patchLoss(in.pairs.in(c), d, v)
			if err == nil {
				negatives = &loss.BankEntry{Features: n.Features.In(s), Classes: n.Classes.In(s)}
			}
			return err
		}); err != nil {
			return err
		}
	}
	t.reducer.Finish()
	// A loss that is no number must not reach the weights, so that this waits for
	// the device before the update: the step's one wait.
	if err := v.read(t.group); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(v.losses)) {
		if l := v.losses[name]; math.IsNaN(l) || math.IsInf(l, 0) {
			return badLossError{name, l}
		}
	}
	if negatives != nil {
		return t.bank.Push(t.root, *negatives, t.cfg.Patch.Steps-1)
	}
	return nil
}

// badLossError says that a loss is no finite number.
type badLossError struct {
	loss  string
	value float64
}

func (e badLossError) Error() string {
	return fmt.Sprintf("loss %s is %v; the last checkpoint is good: try a lower optimizer.lr in a new run, or on_bad_loss=skip", e.loss, e.value)
}

// finite tells whether everything the student carries from step to step still
// is, on all ranks: a batch norm's running statistics, say, are spoilt by a
// single NaN.
func (t *trainer) finite() bool {
	spoilt, err := t.group.Any(t.root, !t.finiteHere())
	return err == nil && !spoilt
}

func (t *trainer) finiteHere() bool {
	for _, e := range t.studentStore.Entries() {
		if e.Tensor.DType() != torch.Float32 {
			continue
		}
		ok := true
		if err := t.root.NoGrad(func(s *torch.Scope) error {
			ok = e.Tensor.In(s).IsFinite().All().Item() != 0
			return nil
		}); err != nil || !ok {
			return false
		}
	}
	return true
}

// key names the draws of this iteration.
func (t *trainer) key(what string) pipeline.Key {
	return pipeline.NewKey(t.cfg.Seed, uint64(t.iteration), "train", what)
}

// loadInputs sends a step's batches to the scope's device as they lie in memory,
// and normalises there.
func loadInputs(s *torch.Scope, b stepBatch) (in inputs, err error) {
	if in.source.image, err = load(s, b.source, "image"); err != nil {
		return in, err
	}
	labels, shape, err := b.source.Tensor("label")
	if err != nil {
		return in, err
	}
	in.source.labels = labels
	in.source.label = s.Wrap(labels, shape[:3]...).Upload().To(torch.Int64)
	if b.target != nil {
		if in.target, err = load(s, b.target, "image"); err != nil {
			return in, err
		}
		if b.target.Header().Labelled {
			margins, shape, err := b.target.Tensor("label")
			if err != nil {
				return in, err
			}
			in.valid = s.Wrap(margins, shape[:3]...).Upload().Ne(int(raster.Ignore)).To(torch.Float32)
		}
	}
	if b.pairs != nil {
		in.pairs, err = loadPairs(s, b.pairs)
	}
	return in, err
}

func load(s *torch.Scope, b *pipeline.Batch, column string) (*torch.Tensor, error) {
	pix, shape, err := b.Tensor(column)
	if err != nil {
		return nil, err
	}
	return normalize(s.Wrap(pix, shape[:]...)), nil
}

func loadPairs(s *torch.Scope, b *pipeline.Batch) (p *pairs, err error) {
	p = &pairs{}
	if p.a.image, err = load(s, b, "image_a"); err != nil {
		return nil, err
	}
	if p.b.image, err = load(s, b, "image_b"); err != nil {
		return nil, err
	}
	for i := range b.Len() {
		row, err := b.Pair(i)
		if err != nil {
			return nil, err
		}
		p.a.add(row.A)
		p.b.add(row.B)
	}
	return p, nil
}

func (c *cropSet) add(crop pipeline.Crop) {
	box := crop.Overlap
	if crop.Flip {
		box = box.FlipX(crop.Image.Width())
	}
	c.overlap, c.flip = append(c.overlap, box), append(c.flip, crop.Flip)
}

// normalize turns uint8 [N,H,W,3] into float32 [N,3,H,W] around the ImageNet
// mean.
func normalize(pix *torch.Tensor) *torch.Tensor {
	s := pix.Scope()
	vector := func(v [3]float64) *torch.Tensor {
		return s.FromFloat32([]float32{float32(v[0]), float32(v[1]), float32(v[2])}, 1, 3, 1, 1)
	}
	pix = pix.Upload().To(torch.Float32).Permute(0, 3, 1, 2).Sub(vector(uda.Mean)).Div(vector(uda.Std))
	if s.Device() == torch.CPU {
		return pix.Contiguous()
	}
	// A GPU's convolutions are faster with the channels last, as images lie, and
	// hand that on.
	return pix
}

// sourceLosses is the supervised part: cross entropy, PiPa's pixel contrast and
// DAFormer's feature distance, with one backward pass.
func (t *trainer) sourceLosses(source images, d draws, v *stepValues) error {
	out := t.student.train(source.image, d.sourceBox)
	parts := map[string]*torch.Tensor{}
	out.supervise(parts, "source", source.label, nil, t.cfg.Network.HRDA.DetailWeight)
	if t.cfg.Pixel.Weight > 0 {
		l, err := t.pixelLoss(out, source, d.anchors)
		if err != nil {
			return err
		}
		parts["pixel"] = l.Mul(t.cfg.Pixel.Weight)
	}
	if t.cfg.FeatureDistance.Weight > 0 {
		distance := loss.FeatureDistance{Classes: t.cfg.FeatureDistance.Classes, Ratio: t.cfg.FeatureDistance.Ratio, Labels: t.classes, Group: t.group}
		image := source.image
		if t.student.hrda != nil {
			image = t.student.hrda.Context(image)
		}
		var frozen [4]*torch.Tensor
		t.autocast(image, func() { frozen = t.frozen.Forward(image, nn.Scoring) })
		parts["feature_distance"] = distance.Loss(out.coarse[3].To(torch.Float32), frozen[3].To(torch.Float32), source.label).Mul(t.cfg.FeatureDistance.Weight)
	}
	t.backward(parts, v)
	return nil
}

// pixelLoss contrasts the source's feature pixels. Under HRDA they are those of
// the detail, with the label cropped alike; the released code compares them
// with the label of the whole image (METHOD D10).
func (t *trainer) pixelLoss(out pass, source images, rng *rand.Rand) (*torch.Tensor, error) {
	p := t.cfg.Pixel
	contrast := loss.PixelContrast{Temperature: p.Temperature, BaseTemperature: p.BaseTemperature, MaxSamples: p.MaxSamples, MaxViews: p.MaxViews, IgnoreAsClass: p.Mode == "official", Group: t.group}
	logits := out.fine.Logits
	var embed *torch.Tensor
	t.autocast(logits, func() {
		joined := model.JoinFeatures(out.fine.Features)
		embed = t.pixelHead.Forward(joined, t.student.mode(nn.Training)).To(torch.Float32)
		if t.pixelClassifier != nil {
			logits = t.pixelClassifier.Forward(joined.Detach(), t.student.mode(nn.Training))
		}
	})
	height, width := source.label.Dim(1), source.label.Dim(2)
	box := out.shown(height, width)
	if p.Mode == "official" {
		box = raster.Box{Y1: height, X1: width}
	}
	low := loss.ShrinkLabels(source.labels, height, width, box, embed.Dim(2), embed.Dim(3))
	anchors, err := contrast.Sample(low, t.group.Gather(logits.Argmax(1, false).To(torch.Uint8)), rng)
	if err != nil {
		return nil, err
	}
	return contrast.Loss(embed, anchors), nil
}

// targetLosses is the self-training part: the teacher labels the target, and
// the student learns from the target mixed with the source, and from the
// target with blocks hidden.
func (t *trainer) targetLosses(s *torch.Scope, in inputs, d draws, v *stepValues) error {
	var pseudo uda.PseudoLabels
	if err := s.NoGrad(func(c *torch.Scope) error {
		pseudo = t.label(in.in(c)).In(s)
		return nil
	}); err != nil {
		return err
	}
	v.trusted = pseudo.Confident.In(v.scope)
	if err := s.Run(func(c *torch.Scope) error {
		t.mixedLoss(in.in(c), pseudo.In(c), d, v)
		return nil
	}); err != nil || t.cfg.Masked.Weight == 0 {
		return err
	}
	return s.Run(func(c *torch.Scope) error {
		t.maskedLoss(in.target.In(c), pseudo.Label.In(c), pseudo.Weight.In(c), d, v)
		return nil
	})
}

// label is the teacher's verdict on target images.
func (t *trainer) label(in inputs) uda.PseudoLabels {
	a := t.cfg.Adapt
	pseudo := uda.Label(t.networks.teacher.predict(in.target, nn.Teaching), a.Threshold, a.IgnoreTop, a.IgnoreBottom, t.group)
	if in.valid != nil {
		pseudo.Weight = pseudo.Weight.Mul(in.valid)
	}
	return pseudo
}

// mixedLoss pastes half of the source's classes over the target, disturbs the
// mixture and learns from it (DACS).
func (t *trainer) mixedLoss(in inputs, pseudo uda.PseudoLabels, d draws, v *stepValues) {
	mixed := uda.Mix(in.source.image, in.source.label, in.target, pseudo, d.classes)
	t.notePanel(in, pseudo, mixed, v)
	parts := map[string]*torch.Tensor{}
	t.student.train(uda.Apply(mixed.Image, d.strong), d.mixedBox).supervise(parts, "mixed", mixed.Label, mixed.Weight, t.cfg.Network.HRDA.DetailWeight)
	t.backward(parts, v)
}

// maskedLoss learns labels from images with blocks hidden (MIC): of the target,
// or of the source where there is no adaptation.
func (t *trainer) maskedLoss(image, label, weight *torch.Tensor, d draws, v *stepValues) {
	parts := map[string]*torch.Tensor{}
	masked := d.blocks.Apply(uda.Apply(image, d.masked))
	t.student.train(masked, d.maskedBox).supervise(parts, "masked", label, weight, t.cfg.Network.HRDA.DetailWeight)
	parts["masked"] = parts["masked"].Mul(t.cfg.Masked.Weight)
	t.backward(parts, v)
}

// patchStride is the scale of the maps that the patch contrast compares: the
// decoder's stride of 4, averaged over 2×2.
const patchStride = 8

// patchLoss contrasts the overlap of two crops. In paper mode the student makes
// the features and the teacher says which pixels to trust; in official mode the
// teacher makes the features and a random classifier judges them, so that only
// the projection learns (METHOD 2.4, D1 and D2). It returns the step's
// negatives, for the bank.
func (t *trainer) patchLoss(in *pairs, d draws, v *stepValues) (*loss.BankEntry, error) {
	p := t.cfg.Patch
	var a, b patchMaps
	if p.Mode == "official" {
		// One crop after the other: each is normalised by its own batch.
		a, b = t.officialMaps(in.a.image), t.officialMaps(in.b.image)
	} else {
		a, b = t.paperMaps(torch.Cat(0, in.a.image, in.b.image)).halves()
	}
	contrast := loss.PatchContrast{Temperature: p.Temperature, Threshold: p.Threshold, Stride: patchStride, Steps: p.Steps, Group: t.group}
	r, err := contrast.Loss(a.view(in.a, d.negativesA), b.view(in.b, d.negativesB), t.bank)
	if err != nil {
		return nil, err
	}
	t.backward(map[string]*torch.Tensor{"patch": r.Loss.Mul(p.Weight)}, v)
	return &r.Negatives, nil
}

// patchMaps are what the patch contrast compares, at patchStride.
type patchMaps struct{ embed, class, confidence *torch.Tensor }

func (t *trainer) paperMaps(crops *torch.Tensor) patchMaps {
	judged := t.networks.teacher.forward(crops, nn.Teaching).Logits.Softmax(1).AvgPool2d(2, 2)
	confidence, class := judged.MaxDim(1, false)
	twice := nn.Training
	twice.Views = 2
	fused := t.student.forward(crops, twice).Fused.AvgPool2d(2, 2)
	return patchMaps{t.project(fused), class, confidence}
}

// officialMaps are at half the crop's size under HRDA, where the released code
// contrasts the teacher's logits, and are cut at patchStride all the same
// (METHOD D7 and D8).
func (t *trainer) officialMaps(crops *torch.Tensor) patchMaps {
	var fused *torch.Tensor
	if t.student.hrda != nil {
		fused = t.networks.teacher.predict(crops, nn.Teaching).AvgPool2d(2, 2)
	} else {
		fused = t.networks.teacher.forward(crops, nn.Teaching).Fused.AvgPool2d(2, 2)
	}
	fused = fused.To(torch.Float32)
	confidence, class := t.patchClassifier.Forward(fused).Detach().Softmax(1).MaxDim(1, false)
	return patchMaps{t.project(fused), class, confidence}
}

// project is what the patch contrast compares of a fused map.
func (t *trainer) project(fused *torch.Tensor) (embed *torch.Tensor) {
	t.autocast(fused, func() { embed = t.patchHead.Forward(fused) })
	return embed.To(torch.Float32)
}

// autocast calls f, whose operations join x's scope, in the network's
// precision.
func (t *trainer) autocast(x *torch.Tensor, f func()) {
	x.Scope().Autocast(t.cfg.Network.BFloat16(), f)
}

// halves splits the maps of a batch of all first crops and all second ones.
func (m patchMaps) halves() (a, b patchMaps) {
	n := m.embed.Dim(0) / 2
	half := func(from int) patchMaps {
		return patchMaps{m.embed.Narrow(0, from, n), m.class.Narrow(0, from, n), m.confidence.Narrow(0, from, n)}
	}
	return half(0), half(n)
}

func (m patchMaps) view(c cropSet, negatives []int64) loss.View {
	return loss.View{Features: m.embed, Classes: m.class, Confidence: m.confidence, Overlap: c.overlap, Flip: c.flip, Negatives: negatives}
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

// lossNames are all losses, in the order they are added.
var lossNames = []string{"source", "source_detail", "pixel", "feature_distance", "mixed", "mixed_detail", "masked", "masked_detail", "patch"}

// backward adds the gradients of the parts' sum and notes their values. A part
// without a graph, such as a contrast that found nothing, counts 0.
func (t *trainer) backward(parts map[string]*torch.Tensor, v *stepValues) {
	var total *torch.Tensor
	for _, name := range lossNames {
		l, ok := parts[name]
		if !ok {
			continue
		}
		v.later(name, l)
		if t.probing() && l.RequiresGrad() {
			v.norms[name] = t.encoderNorm(l)
		}
		if total == nil {
			total = l
		} else {
			total = total.Add(l)
		}
	}
	if total.RequiresGrad() {
		// What a tape recomputes is not in the graph: it is reduced afterwards.
		if _, last := parts[v.last]; last && t.student.tape == nil {
			t.reducer.Arm(total)
		}
		total.Backward()
	}
	t.student.backward(total.Scope(), false)
}

// probing tells whether this iteration measures gradients.
func (t *trainer) probing() bool { return t.cfg.ProbeEvery > 0 && t.iteration%t.cfg.ProbeEvery == 0 }

// encoderNorm is the Euclidean norm of a loss's gradient in the encoder's
// parameters. What gradients there are already is left as it is.
func (t *trainer) encoderNorm(l *torch.Tensor) float64 {
	s := l.Scope()
	var before []*torch.Tensor
	parameters := t.studentStore.Parameters()
	for _, e := range parameters {
		g := e.Tensor.Grad(s)
		if g != nil {
			g = g.Clone()
		}
		before = append(before, g)
	}
	t.studentStore.ClearGrads()
	l.BackwardRetain()
	t.student.backward(s, true)
	t.reducer.Finish()
	sum := 0.0
	for i, e := range parameters {
		if g := e.Tensor.Grad(s); g != nil && strings.HasPrefix(e.Name, "backbone.") {
			n := g.Norm().Item()
			sum += n * n
		}
		e.Tensor.SetGrad(before[i])
	}
	return math.Sqrt(sum)
}

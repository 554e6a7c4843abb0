package config

import (
	"fmt"
	"math"
	"slices"
)

// A ValueError is a key whose value cannot work.
type ValueError struct {
	Field string // the key, with its sections: patch.weight
	Value any
	Want  string // what it may be, and why
}

func (e *ValueError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("configuration: %s is empty, want %s", e.Field, e.Want)
	}
	return fmt.Sprintf("configuration: %s is %v, want %s", e.Field, e.Value, e.Want)
}

// checker keeps the first check that fails.
type checker struct{ err *ValueError }

func (k *checker) that(ok bool, field string, value any, want string) {
	if !ok && k.err == nil {
		k.err = &ValueError{field, value, want}
	}
}

// Numbers, which neither NaN nor an infinity is.
func (k *checker) unit(field string, v float64) { k.that(v >= 0 && v <= 1, field, v, "0 to 1") }
func (k *checker) positive(field string, v float64) {
	k.that(v > 0 && !math.IsInf(v, 0), field, v, "more than 0")
}
func (k *checker) natural(field string, v float64) {
	k.that(v >= 0 && !math.IsInf(v, 0), field, v, "0 or more")
}

// The most that counts and sizes may be, far beyond what is trained: a configuration
// may come from elsewhere, and is checked before anything is allocated by it.
const (
	mostCount  = 1 << 30 // of iterations, samples and the like
	mostSide   = 1 << 16 // of an image, in pixels
	mostPixels = 100_000_000
	mostWide   = 1 << 14 // channels
	mostDeep   = 1 << 9  // blocks of a stage
	mostBatch  = 1 << 12
	mostThread = 1 << 10
)

// least checks a count.
func (k *checker) least(field string, v, least int) { k.within(field, v, least, mostCount) }

// within checks a number that has a most of its own.
func (k *checker) within(field string, v, least, most int) {
	want := fmt.Sprintf("at least %d", least)
	if least == 0 {
		want = "0 or more"
	}
	if v > most {
		want = fmt.Sprintf("at most %d", most)
	}
	k.that(v >= least && v <= most, field, v, want)
}

// size checks the height and the width of images, which may be zeros.
func (k *checker) size(field string, v [2]int) {
	sides := v[0] >= 0 && v[1] >= 0 && v[0] <= mostSide && v[1] <= mostSide
	k.that(sides && v[0]*v[1] <= mostPixels, field, v, fmt.Sprintf("a height and a width of at most %d, and %d pixels", mostSide, mostPixels))
}

func (k *checker) result() error {
	if k.err == nil {
		return nil // and no pointer that is nil in an error that is not
	}
	return k.err
}

// Validate names the first key whose value cannot work, as a [ValueError]. What
// depends on the network is asked by [Config.Fits].
func (c *Config) Validate() error {
	k := &checker{}
	k.least("iterations", c.Iterations, 1)
	k.least("log_every", c.LogEvery, 1)
	k.least("panels_every", c.PanelsEvery, 0)
	k.least("probe_every", c.ProbeEvery, 0)
	k.that(slices.Contains([]string{"stop", "skip"}, c.OnBadLoss), "on_bad_loss", c.OnBadLoss, "stop or skip")
	k.within("threads", c.Threads, 0, mostThread)
	c.Network.check(k)
	c.Optimizer.check(k)
	c.RareClasses.check(k)
	c.Adapt.check(k)
	c.FeatureDistance.check(k)
	c.Pixel.check(k)
	c.Patch.check(k)
	c.Masked.check(k)
	c.Eval.check(k)
	k.least("checkpoint.every", c.Checkpoint.Every, 1)
	k.least("checkpoint.keep", c.Checkpoint.Keep, 1)
	c.Source.check(k, "source")
	if c.Adapt.Enabled {
		c.Target.check(k, "target")
	}
	c.together(k)
	return k.result()
}

// together checks what sections ask of each other.
func (c *Config) together(k *checker) {
	k.that(c.Target.Stats == "", "target.stats", c.Target.Stats, "empty: classes are drawn in the source alone")
	k.that(c.RareClasses.Temperature == 0 || !c.Source.Streamed(), "rare_classes.temperature", c.RareClasses.Temperature, "0 where the source is a stream: its order is given")
	k.that(c.FeatureDistance.Weight == 0 || c.Network.Weights != "", "feature_distance.weight", c.FeatureDistance.Weight,
		"network.weights set, or 0: the distance is to the features of ImageNet weights")
	k.that(c.Patch.Weight == 0 || c.Adapt.Enabled, "patch.weight", c.Patch.Weight, "0 where adapt.enabled is false: its labels come from the teacher")
	h := c.Network.HRDA.Crop
	k.that(h[0] <= c.Source.Crop[0] && h[1] <= c.Source.Crop[1], "network.hrda.crop", h, "at most source.crop")
	if !c.Adapt.Enabled {
		return
	}
	rows := c.Adapt.IgnoreTop + c.Adapt.IgnoreBottom
	k.that(rows < c.Target.Crop[0], "adapt.ignore_top + ignore_bottom", rows, "less than the target crop's height")
	k.that(c.Source.Crop == c.Target.Crop && c.Source.Batch == c.Target.Batch, "target.crop and target.batch", c.Target.Crop, "equal to the source's: the images are mixed")
}

func (c Data) check(k *checker, side string) {
	k.that(c.Given(), side+".dir", c.Dir, "the dataset's folder")
	k.within(side+".batch", c.Batch, 1, mostBatch)
	k.size(side+".resize", c.Resize)
	k.size(side+".crop", c.Crop)
	k.that(c.Crop[0] > 0 && c.Crop[1] > 0, side+".crop", c.Crop, "a height and a width")
	k.unit(side+".flip", c.Flip)
	k.that(c.Order == "permutation" || c.Order == "window", side+".order", c.Order, "permutation or window")
	k.that(c.CatMaxRatio > 0 && c.CatMaxRatio <= 1, side+".cat_max_ratio", c.CatMaxRatio, "more than 0, up to 1")
}

func (c RareClasses) check(k *checker) {
	k.natural("rare_classes.temperature", c.Temperature)
	k.that(c.MinPixels >= 0, "rare_classes.min_pixels", c.MinPixels, "0 or more")
	k.natural("rare_classes.min_crop_ratio", c.MinCropRatio)
}

func (c Network) check(k *checker) {
	k.that(slices.Contains([]string{"float32", "bfloat16"}, c.Precision), "network.precision", c.Precision, "float32 or bfloat16")
	k.within("network.channels", c.Channels, 1, mostWide)
	for _, v := range c.Dims {
		k.within("network.dims", v, 1, mostWide)
	}
	for _, v := range c.Depths {
		k.within("network.depths", v, 1, mostDeep)
	}
	k.unit("network.dropout", c.Dropout)
	k.unit("network.drop_path", c.DropPath)
	h := c.HRDA
	k.size("network.hrda.crop", h.Crop)
	k.that(h.Crop[0] >= 0 && h.Crop[1] >= 0 && (h.Crop[0] > 0) == (h.Crop[1] > 0), "network.hrda.crop", h.Crop, "a height and a width, or zeros")
	k.unit("network.hrda.detail_weight", h.DetailWeight)
}

func (c Optimizer) check(k *checker) {
	k.positive("optimizer.lr", c.LR)
	k.that(c.Betas[0] >= 0 && c.Betas[0] < 1 && c.Betas[1] >= 0 && c.Betas[1] < 1, "optimizer.betas", c.Betas, "two numbers of 0 up to, not including, 1")
	k.natural("optimizer.weight_decay", c.WeightDecay)
	k.natural("optimizer.head_multiplier", c.HeadMultiplier)
	k.least("optimizer.warmup", c.Warmup, 0)
	k.natural("optimizer.warmup_ratio", c.WarmupRatio)
	k.natural("optimizer.power", c.Power)
}

func (c Adapt) check(k *checker) {
	k.least("adapt.start", c.Start, 0)
	k.that(c.EMA >= 0 && c.EMA < 1, "adapt.ema", c.EMA, "0 up to, not including, 1")
	k.unit("adapt.threshold", c.Threshold)
	if c.Enabled {
		k.least("adapt.ignore_top", c.IgnoreTop, 0)
		k.least("adapt.ignore_bottom", c.IgnoreBottom, 0)
	}
	k.that(slices.Min(c.Margins[:]) >= 0, "adapt.margins", c.Margins, "0 or more")
	k.unit("adapt.jitter", c.Jitter)
	k.unit("adapt.jitter_chance", c.JitterChance)
	k.unit("adapt.blur_chance", c.BlurChance)
}

func (c FeatureDistance) check(k *checker) {
	k.natural("feature_distance.weight", c.Weight)
	if c.Weight > 0 {
		k.unit("feature_distance.ratio", c.Ratio)
	}
}

// mode checks which way of a contrast is taken.
func (k *checker) mode(field, v string) {
	k.that(v == Paper || v == Official, field, v, Paper+" or "+Official)
}

func (c Pixel) check(k *checker) {
	k.natural("pixel.weight", c.Weight)
	if c.Weight == 0 {
		return
	}
	k.mode("pixel.mode", c.Mode)
	k.positive("pixel.temperature", c.Temperature)
	k.positive("pixel.base_temperature", c.BaseTemperature)
	k.within("pixel.max_samples", c.MaxSamples, 1, 1<<20)
	k.within("pixel.max_views", c.MaxViews, 1, 1<<20)
	k.within("pixel.dim", c.Dim, 1, mostWide)
}

func (c Patch) check(k *checker) {
	k.natural("patch.weight", c.Weight)
	k.least("patch.start", c.Start, 0)
	if c.Weight == 0 {
		return
	}
	k.mode("patch.mode", c.Mode)
	k.that(slices.Contains([]string{"target", "mixed"}, c.Image), "patch.image", c.Image, "target or mixed")
	k.that(c.Pairs == "" || c.Image == "target", "patch.image", c.Image, "target where patch.pairs says where the pairs come from")
	k.within("patch.batch", c.Batch, 1, mostBatch)
	k.within("patch.crop", c.Crop, 1, mostSide/8)
	k.within("patch.base", c.Base, 1, mostSide)
	for _, v := range append(c.Scale[:], c.IoU[:]...) {
		k.that(!math.IsNaN(v) && !math.IsInf(v, 0), "patch.scale and patch.iou", [2][2]float64{c.Scale, c.IoU}, "finite numbers")
	}
	k.positive("patch.temperature", c.Temperature)
	k.unit("patch.threshold", c.Threshold)
	k.within("patch.negatives", c.Negatives, 1, 1<<20)
	k.within("patch.steps", c.Steps, 1, 1<<16)
	k.within("patch.dim", c.Dim, 1, mostWide)
}

func (c Masked) check(k *checker) {
	k.natural("masked.weight", c.Weight)
	k.unit("masked.ratio", c.Ratio)
	if c.Weight > 0 {
		k.within("masked.block", c.Block, 1, mostSide)
	}
}

func (c Eval) check(k *checker) {
	k.that(c.Every >= -1, "eval.every", c.Every, "0 or more, or -1 for no score")
	k.size("eval.resize", c.Resize)
	k.size("eval.window", c.Window)
	k.that(c.Inference().Validate() == nil, "eval.resize, eval.window and eval.stride", [3][2]int{c.Resize, c.Window, c.Stride},
		"sizes of at least 1, the stride no larger than the window; or a zero resize, or a zero window")
}

// Geometry is what sizes depend on of a network, which has it from its encoder
// and its decoder.
type Geometry struct {
	Multiple int  // what the sides of images to train on are multiples of, and those of HRDA's detail
	Stride   int  // of the decoder's maps
	Fused    bool // whether the decoder has a map that the patch contrast can compare
}

// Fits names the first size, as a [ValueError], that a network of this geometry
// cannot be trained on.
func (c *Config) Fits(g Geometry) error {
	k := &checker{}
	multiple := func(field string, side [2]int) {
		k.that(side[0]%g.Multiple == 0 && side[1]%g.Multiple == 0, field, side, fmt.Sprintf("multiples of %d, the encoder's stride", g.Multiple))
	}
	multiple("source.crop", c.Source.Crop)
	if c.Adapt.Enabled {
		multiple("target.crop", c.Target.Crop)
	}
	if c.Network.HRDA.Enabled() {
		multiple("network.hrda.crop", c.Network.HRDA.Crop)
	}
	if c.Patch.Weight > 0 {
		k.that(g.Fused, "patch.weight", c.Patch.Weight, fmt.Sprintf("0 with decoder %s, which has no fused map to contrast", c.Network.Decoder))
		// What is compared are means of 2×2 cells of the decoder's map.
		k.that(c.Patch.Crop%(2*g.Stride) == 0, "patch.crop", c.Patch.Crop, fmt.Sprintf("a multiple of %d", 2*g.Stride))
	}
	return k.result()
}

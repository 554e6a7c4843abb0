package train

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats"
)

// Config is everything that decides what a run computes. It is what a preset
// names, what config.yaml in a run directory holds, and what a checkpoint's
// configuration hash covers. Sizes are [height, width] in pixels.
type Config struct {
	Seed       uint64 `yaml:"seed"`
	Iterations int    `yaml:"iterations"`

	Source DataConfig `yaml:"source"`
	Target DataConfig `yaml:"target"`

	RareClasses RareClassConfig `yaml:"rare_classes"`

	Network   NetworkConfig   `yaml:"network"`
	Optimizer OptimizerConfig `yaml:"optimizer"`

	Adapt           AdaptConfig           `yaml:"adapt"`
	FeatureDistance FeatureDistanceConfig `yaml:"feature_distance"`
	Pixel           PixelConfig           `yaml:"pixel"`
	Patch           PatchConfig           `yaml:"patch"`
	Masked          MaskedConfig          `yaml:"masked"`

	Eval       EvalConfig       `yaml:"eval"`
	Checkpoint CheckpointConfig `yaml:"checkpoint"`
	LogEvery   int              `yaml:"log_every"` // iterations between two lines of metrics.jsonl
	// PanelsEvery is the iterations between two pictures of what the network
	// learns from, in panels/; 0 draws none.
	PanelsEvery int `yaml:"panels_every"`
	// ProbeEvery is the iterations between two measurements of the norm of each
	// loss's gradient in the encoder, which take a backward pass for each loss; 0
	// measures none.
	ProbeEvery int    `yaml:"probe_every"`
	OnBadLoss  string `yaml:"on_bad_loss"` // stop, or skip the step, when a loss is NaN or infinite
	Threads    int    `yaml:"threads"`     // CPU threads of the tensor library; 0 = its default. Part of what makes a CPU run repeatable bit for bit.
}

// DataConfig says which samples one side of the adaptation sees, and how they
// are cut (METHOD 3.1).
type DataConfig struct {
	Format      string  `yaml:"format"` // gta, synthia, cityscapes, or folder:MAP.yaml for own data by their class map
	Dir         string  `yaml:"dir"`    // dataset root, which a class map may say instead; or a stream: "-" or a precomputed dataset
	Split       string  `yaml:"split"`
	Batch       int     `yaml:"batch"`
	Resize      [2]int  `yaml:"resize,flow"` // the image is scaled, keeping its ratio, to fit this; [0, 0] keeps the size
	Crop        [2]int  `yaml:"crop,flow"`
	CatMaxRatio float64 `yaml:"cat_max_ratio"` // a crop is redrawn while one class covers this share of it; 1 accepts all
	Flip        float64 `yaml:"flip"`          // probability of mirroring
	// Order of a precomputed dataset: permutation, of all rows, or window, of a
	// few files at a time, for storage that is read best from the front.
	Order string `yaml:"order"`
}

// RareClassConfig is DAFormer's rare class sampling of the source (METHOD 3.1):
// it needs the statistics that "pipa stats" writes into the source's folder.
// Temperature 0 switches it off.
type RareClassConfig struct {
	Temperature  float64 `yaml:"temperature"`
	MinPixels    int64   `yaml:"min_pixels"`     // a sample is eligible for a class with more pixels than this
	MinCropRatio float64 `yaml:"min_crop_ratio"` // a crop is redrawn, up to ten times, until it has more than MinPixels times this
}

// NetworkConfig names encoder and decoder. Encoder "mit" is a MiT of any size;
// "mit-b0" to "mit-b5", "resnet50" and "resnet101" have the published sizes.
type NetworkConfig struct {
	Encoder   string  `yaml:"encoder"`
	Dims      []int   `yaml:"dims,flow,omitempty"`   // encoder "mit": channels of the four stages
	Depths    []int   `yaml:"depths,flow,omitempty"` // encoder "mit": blocks of the four stages
	DropPath  float64 `yaml:"drop_path"`
	Decoder   string  `yaml:"decoder"`   // daformer, daformer-aspp, daformer-conv1, segformer, or deeplabv2
	Channels  int     `yaml:"channels"`  // of the decoder's fused map
	Dropout   float64 `yaml:"dropout"`   // before the classifier, by channel
	Weights   string  `yaml:"weights"`   // encoder weights to start from; empty starts from the published initialisation
	Precision string  `yaml:"precision"` // float32, or bfloat16 for autocast

	// Checkpointing drops the student's encoder activations and computes them
	// again in the backward pass: less memory, more time, the same result.
	Checkpointing bool `yaml:"checkpointing"`

	// SyncBatchNorm gives batch norms the statistics of the whole batch, not of
	// each rank's part of it.
	SyncBatchNorm bool `yaml:"sync_batch_norm"`

	HRDA HRDAConfig `yaml:"hrda"`
}

func (c NetworkConfig) bfloat16() bool { return c.Precision == "bfloat16" }

// HRDAConfig sees images at two scales (METHOD 3.6). A zero crop switches it
// off.
type HRDAConfig struct {
	Crop         [2]int  `yaml:"crop,flow"`     // of the detail, in pixels of the full image
	DetailWeight float64 `yaml:"detail_weight"` // of the detail's own loss; the fused loss has the rest
}

func (c HRDAConfig) enabled() bool { return c.Crop[0] > 0 }

// OptimizerConfig is AdamW with the method's groups and schedule (METHOD 3.3).
type OptimizerConfig struct {
	LR             float64    `yaml:"lr"`
	Betas          [2]float64 `yaml:"betas,flow"`
	WeightDecay    float64    `yaml:"weight_decay"`
	HeadMultiplier float64    `yaml:"head_multiplier"` // on the rate of parameters whose name contains "head"
	Warmup         int        `yaml:"warmup"`          // iterations of linear warm-up
	WarmupRatio    float64    `yaml:"warmup_ratio"`
	Power          float64    `yaml:"power"` // of the polynomial decay
}

// AdaptConfig is the self-training of DACS and DAFormer (METHOD 3.2). With
// Enabled false the run is source-only.
type AdaptConfig struct {
	Enabled bool `yaml:"enabled"`
	// Start is the first iteration with the mixed loss. The published recipes
	// have 0: their encoder comes pretrained, and labels the target from the
	// start. A network trained from nothing needs to learn the source first.
	Start        int     `yaml:"start"`
	EMA          float64 `yaml:"ema"`           // the teacher's momentum
	Threshold    float64 `yaml:"threshold"`     // a pixel counts as confident from this probability on
	IgnoreTop    int     `yaml:"ignore_top"`    // crop rows whose pseudo-label weighs 0 …
	IgnoreBottom int     `yaml:"ignore_bottom"` // … at the top (sky) and at the bottom (bonnet)
	// Margins are the pixels [top, bottom, left, right] of the resized image,
	// before it is cropped, whose pseudo-label weighs 0 (HRDA).
	Margins      [4]int  `yaml:"margins,flow"`
	Jitter       float64 `yaml:"jitter"` // strength of the mixed image's colour jitter
	JitterChance float64 `yaml:"jitter_chance"`
	BlurChance   float64 `yaml:"blur_chance"`
}

// FeatureDistanceConfig ties the encoder to frozen ImageNet features on thing
// classes (DAFormer). Weight 0 switches it off.
type FeatureDistanceConfig struct {
	Weight  float64 `yaml:"weight"`
	Classes []int   `yaml:"classes,flow"`
	Ratio   float64 `yaml:"ratio"` // share of a cell its label must cover
}

// PixelConfig is PiPa's pixel contrast on source images (METHOD 2.2). Weight
// 0 switches it off.
type PixelConfig struct {
	Weight          float64 `yaml:"weight"`
	Mode            string  `yaml:"mode"` // paper or official
	Temperature     float64 `yaml:"temperature"`
	BaseTemperature float64 `yaml:"base_temperature"`
	MaxSamples      int     `yaml:"max_samples"`
	MaxViews        int     `yaml:"max_views"` // per class and image; also the least pixels a class must have
	Dim             int     `yaml:"dim"`       // of the projection
}

// MaskedConfig is MIC's masked image consistency (METHOD 3.7): on the target
// with the teacher's labels, or on the source where adapt is disabled. Weight 0
// switches it off.
type MaskedConfig struct {
	Weight float64 `yaml:"weight"`
	Block  int     `yaml:"block"` // side of a hidden block in pixels
	Ratio  float64 `yaml:"ratio"` // share of the blocks that are hidden
}

// PatchConfig is PiPa's patch contrast on overlapping crops of the target
// (METHOD 2.2, and 1 for the modes). Weight 0 switches it off.
type PatchConfig struct {
	Weight      float64    `yaml:"weight"`
	Mode        string     `yaml:"mode"`  // paper or official
	Start       int        `yaml:"start"` // first iteration with the loss
	Image       string     `yaml:"image"` // what pairs are cut from as it goes: target images, or mixed ones (ClassMix of a source and a target crop)
	Pairs       string     `yaml:"pairs"` // a precomputed pair dataset to take them from instead
	Batch       int        `yaml:"batch"`
	Crop        int        `yaml:"crop"` // side of a crop
	Base        int        `yaml:"base"` // the long side is drawn from scale times this
	Scale       [2]float64 `yaml:"scale,flow"`
	IoU         [2]float64 `yaml:"iou,flow"`
	Temperature float64    `yaml:"temperature"`
	Threshold   float64    `yaml:"threshold"` // a positive's partner must be this confident
	Negatives   int        `yaml:"negatives"` // drawn per crop and step
	Steps       int        `yaml:"steps"`     // of negatives the bank keeps
	Dim         int        `yaml:"dim"`
}

// EvalConfig says how a network is scored on the target's val split.
type EvalConfig struct {
	Every  int    `yaml:"every"` // iterations; 0 scores at the end only
	Split  string `yaml:"split"`
	Resize [2]int `yaml:"resize,flow"` // the network sees the image at this size, keeping its ratio; [0, 0] keeps it
	Window [2]int `yaml:"window,flow"` // of a sliding window over that; [0, 0] sees the whole at once
	Stride [2]int `yaml:"stride,flow"` // of the window
}

// CheckpointConfig says how often state is saved, and how much of it is kept.
type CheckpointConfig struct {
	Every int `yaml:"every"`
	Keep  int `yaml:"keep"`
}

// Validate names the first field whose value cannot work.
func (c *Config) Validate() error {
	type check struct {
		ok    bool
		field string
		value any
		want  string
	}
	unit := func(f float64) bool { return f >= 0 && f <= 1 }
	checks := []check{
		{c.Iterations > 0, "iterations", c.Iterations, "at least 1"},
		{c.LogEvery > 0, "log_every", c.LogEvery, "at least 1"},
		{c.PanelsEvery >= 0, "panels_every", c.PanelsEvery, "0 or more"},
		{c.ProbeEvery >= 0, "probe_every", c.ProbeEvery, "0 or more"},
		{slices.Contains([]string{"stop", "skip"}, c.OnBadLoss), "on_bad_loss", c.OnBadLoss, "stop or skip"},
		{c.Threads >= 0, "threads", c.Threads, "0 or more"},
		{slices.Contains([]string{"float32", "bfloat16"}, c.Network.Precision), "network.precision", c.Network.Precision, "float32 or bfloat16"},
		{slices.Contains(decoders, c.Network.Decoder), "network.decoder", c.Network.Decoder, "one of " + strings.Join(decoders, ", ")},
		{c.Network.Channels > 0, "network.channels", c.Network.Channels, "at least 1"},
		{unit(c.Network.Dropout), "network.dropout", c.Network.Dropout, "0 to 1"},
		{unit(c.Network.DropPath), "network.drop_path", c.Network.DropPath, "0 to 1"},
		{c.Optimizer.LR > 0, "optimizer.lr", c.Optimizer.LR, "more than 0"},
		{c.Optimizer.Warmup >= 0, "optimizer.warmup", c.Optimizer.Warmup, "0 or more"},
		{c.RareClasses.Temperature >= 0, "rare_classes.temperature", c.RareClasses.Temperature, "0 or more"},
		{c.RareClasses.Temperature == 0 || !c.Source.streamed(), "rare_classes.temperature", c.RareClasses.Temperature, "0 where the source is a stream: its order is given"},
		{c.RareClasses.MinPixels >= 0, "rare_classes.min_pixels", c.RareClasses.MinPixels, "0 or more"},
		{c.RareClasses.MinCropRatio >= 0, "rare_classes.min_crop_ratio", c.RareClasses.MinCropRatio, "0 or more"},
		{c.Adapt.Start >= 0, "adapt.start", c.Adapt.Start, "0 or more"},
		{c.Patch.Start >= 0, "patch.start", c.Patch.Start, "0 or more"},
		{c.Adapt.EMA >= 0 && c.Adapt.EMA < 1, "adapt.ema", c.Adapt.EMA, "0 up to, not including, 1"},
		{unit(c.Adapt.Threshold), "adapt.threshold", c.Adapt.Threshold, "0 to 1"},
		{c.Adapt.IgnoreTop >= 0 && c.Adapt.IgnoreBottom >= 0 && c.Adapt.IgnoreTop+c.Adapt.IgnoreBottom < c.Target.Crop[0] || !c.Adapt.Enabled,
			"adapt.ignore_top + ignore_bottom", c.Adapt.IgnoreTop + c.Adapt.IgnoreBottom, "less than the target crop's height"},
		{unit(c.Adapt.Jitter), "adapt.jitter", c.Adapt.Jitter, "0 to 1"},
		{unit(c.Adapt.JitterChance), "adapt.jitter_chance", c.Adapt.JitterChance, "0 to 1"},
		{unit(c.Adapt.BlurChance), "adapt.blur_chance", c.Adapt.BlurChance, "0 to 1"},
		{c.FeatureDistance.Weight >= 0, "feature_distance.weight", c.FeatureDistance.Weight, "0 or more"},
		{c.FeatureDistance.Weight == 0 || c.Network.Weights != "", "feature_distance.weight", c.FeatureDistance.Weight, "network.weights set, or 0: the distance is to the features of ImageNet weights (such as nvidia/mit-b5 from huggingface.co, given with --set network.weights=FILE)"},
		{c.Pixel.Weight >= 0, "pixel.weight", c.Pixel.Weight, "0 or more"},
		{c.Patch.Weight >= 0, "patch.weight", c.Patch.Weight, "0 or more"},
		{c.Patch.Weight == 0 || c.Network.Decoder != "deeplabv2", "patch.weight", c.Patch.Weight, "0 with decoder deeplabv2, which has no fused map to contrast"},
		{c.Patch.Weight == 0 || c.Adapt.Enabled, "patch.weight", c.Patch.Weight, "0 where adapt.enabled is false: its labels come from the teacher"},
		{c.Masked.Weight >= 0, "masked.weight", c.Masked.Weight, "0 or more"},
		{c.Masked.Weight == 0 || c.Masked.Block > 0, "masked.block", c.Masked.Block, "at least 1"},
		{unit(c.Masked.Ratio), "masked.ratio", c.Masked.Ratio, "0 to 1"},
		{slices.Min(c.Adapt.Margins[:]) >= 0, "adapt.margins", c.Adapt.Margins, "0 or more"},
		{c.Network.HRDA.Crop[0]%32 == 0 && c.Network.HRDA.Crop[1]%32 == 0 && (c.Network.HRDA.Crop[0] > 0) == (c.Network.HRDA.Crop[1] > 0), "network.hrda.crop", c.Network.HRDA.Crop, "two multiples of 32, or zeros"},
		{c.Network.HRDA.Crop[0] <= c.Source.Crop[0] && c.Network.HRDA.Crop[1] <= c.Source.Crop[1], "network.hrda.crop", c.Network.HRDA.Crop, "at most source.crop"},
		{unit(c.Network.HRDA.DetailWeight), "network.hrda.detail_weight", c.Network.HRDA.DetailWeight, "0 to 1"},
		{c.Eval.Inference().Validate() == nil, "eval.resize, eval.window and eval.stride", [3][2]int{c.Eval.Resize, c.Eval.Window, c.Eval.Stride}, "sizes of at least 1, the stride no larger than the window; or a zero resize, or a zero window"},
		{c.Eval.Every >= 0, "eval.every", c.Eval.Every, "0 or more"},
		{c.Checkpoint.Every > 0, "checkpoint.every", c.Checkpoint.Every, "at least 1"},
		{c.Checkpoint.Keep > 0, "checkpoint.keep", c.Checkpoint.Keep, "at least 1"},
	}
	sides := []struct {
		name string
		d    *DataConfig
	}{{"source", &c.Source}}
	if c.Adapt.Enabled {
		sides = append(sides, struct {
			name string
			d    *DataConfig
		}{"target", &c.Target})
		checks = append(checks, check{c.Source.Crop == c.Target.Crop && c.Source.Batch == c.Target.Batch, "target.crop and target.batch", c.Target.Crop, "equal to the source's: the images are mixed"})
	}
	for _, s := range sides {
		checks = append(checks,
			check{s.d.given(), s.name + ".dir", s.d.Dir, fmt.Sprintf("the dataset's folder (--%s DIR)", s.name)},
			check{s.d.Batch > 0, s.name + ".batch", s.d.Batch, "at least 1"},
			check{s.d.Crop[0] > 0 && s.d.Crop[1] > 0 && s.d.Crop[0]%32 == 0 && s.d.Crop[1]%32 == 0, s.name + ".crop", s.d.Crop, "multiples of 32, the encoder's stride"},
			check{unit(s.d.Flip), s.name + ".flip", s.d.Flip, "0 to 1"},
			check{s.d.Order == "permutation" || s.d.Order == "window", s.name + ".order", s.d.Order, "permutation or window"},
			check{s.d.CatMaxRatio > 0 && s.d.CatMaxRatio <= 1, s.name + ".cat_max_ratio", s.d.CatMaxRatio, "more than 0, up to 1"},
		)
	}
	mode := func(m string) bool { return m == "paper" || m == "official" }
	if p := c.Pixel; p.Weight > 0 {
		checks = append(checks,
			check{mode(p.Mode), "pixel.mode", p.Mode, "paper or official"},
			check{p.Temperature > 0, "pixel.temperature", p.Temperature, "more than 0"},
			check{p.BaseTemperature > 0, "pixel.base_temperature", p.BaseTemperature, "more than 0"},
			check{p.MaxSamples > 0, "pixel.max_samples", p.MaxSamples, "at least 1"},
			check{p.MaxViews > 0, "pixel.max_views", p.MaxViews, "at least 1"},
			check{p.Dim > 0, "pixel.dim", p.Dim, "at least 1"})
	}
	if p := c.Patch; p.Weight > 0 {
		checks = append(checks,
			check{mode(p.Mode), "patch.mode", p.Mode, "paper or official"},
			check{slices.Contains([]string{"target", "mixed"}, p.Image), "patch.image", p.Image, "target or mixed"},
			check{p.Pairs == "" || p.Image == "target", "patch.image", p.Image, "target where patch.pairs says where the pairs come from"},
			check{p.Batch > 0, "patch.batch", p.Batch, "at least 1"},
			check{p.Crop > 0 && p.Crop%8 == 0, "patch.crop", p.Crop, "a multiple of 8"},
			check{p.Temperature > 0, "patch.temperature", p.Temperature, "more than 0"},
			check{unit(p.Threshold), "patch.threshold", p.Threshold, "0 to 1"},
			check{p.Negatives > 0, "patch.negatives", p.Negatives, "at least 1"},
			check{p.Steps > 0, "patch.steps", p.Steps, "at least 1"},
			check{p.Dim > 0, "patch.dim", p.Dim, "at least 1"})
	}
	for _, k := range checks {
		if !k.ok {
			return fmt.Errorf("configuration: %s is %v, want %s", k.field, k.value, k.want)
		}
	}
	return nil
}

// absolute makes the data paths independent of the working directory, so that
// a run can be resumed from anywhere.
func (c *Config) absolute() error {
	for _, p := range []*string{&c.Source.Dir, &c.Target.Dir, &c.Patch.Pairs, &c.Network.Weights} {
		if *p == "" || *p == "-" || strings.HasPrefix(*p, "/dev/") {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return fmt.Errorf("resolve %s: %w", *p, err)
		}
		*p = abs
	}
	for _, p := range []*string{&c.Source.Format, &c.Target.Format} {
		mapFile, own := ownMap(*p)
		if !own {
			continue
		}
		abs, err := filepath.Abs(mapFile)
		if err != nil {
			return fmt.Errorf("resolve %s: %w", *p, err)
		}
		*p = formats.Own + ":" + abs
	}
	return nil
}

// ownMap is the class map of a format of own data.
func ownMap(format string) (mapFile string, own bool) {
	return strings.CutPrefix(format, formats.Own+":")
}

// given tells whether the side has data: a folder or stream, or a class map
// that says where they lie.
func (c DataConfig) given() bool {
	_, own := ownMap(c.Format)
	return own || c.Dir != ""
}

// streamed tells whether the samples come as a stream on standard input or
// through a pipe.
func (c DataConfig) streamed() bool { return c.Dir == "-" || strings.HasPrefix(c.Dir, "/dev/") }

package config

// Config is everything that decides what a run computes. It is what a preset
// names, what config.yaml in a run directory holds, and what a checkpoint's
// configuration hash covers. Sizes are [height, width] in pixels. What each key
// means is also said in [Reference], for those who write YAML.
type Config struct {
	Seed       uint64 `yaml:"seed"`
	Iterations int    `yaml:"iterations"`

	Source Data `yaml:"source"`
	Target Data `yaml:"target"`

	RareClasses RareClasses `yaml:"rare_classes"`

	Network   Network   `yaml:"network"`
	Optimizer Optimizer `yaml:"optimizer"`

	Adapt           Adapt           `yaml:"adapt"`
	FeatureDistance FeatureDistance `yaml:"feature_distance"`
	Pixel           Pixel           `yaml:"pixel"`
	Patch           Patch           `yaml:"patch"`
	Masked          Masked          `yaml:"masked"`

	// Losses are the names of those that a program brings, in a run of its own.
	Losses []string `yaml:"losses,flow,omitempty"`

	Eval       Eval       `yaml:"eval"`
	Checkpoint Checkpoint `yaml:"checkpoint"`
	LogEvery   int        `yaml:"log_every"` // iterations between two lines of metrics.jsonl
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

// Data says which samples one side of the adaptation sees, and how they are cut
// (docs/method.md, Resizing and cropping).
type Data struct {
	Format string `yaml:"format"` // a layout that ships, such as gta, or folder:MAP.yaml for a custom dataset by its class map
	Dir    string `yaml:"dir"`    // dataset root, which a class map may say instead; or a stream: "-" or a precomputed dataset
	Split  string `yaml:"split"`
	// Stats is the file of the source's class statistics, where they do not lie in
	// its folder; empty is there, or beside the run where that cannot be written.
	Stats       string  `yaml:"stats,omitempty"`
	Batch       int     `yaml:"batch"`
	Resize      [2]int  `yaml:"resize,flow"` // the image is scaled, keeping its ratio, to fit this; [0, 0] keeps the size
	Crop        [2]int  `yaml:"crop,flow"`
	CatMaxRatio float64 `yaml:"cat_max_ratio"` // a crop is redrawn while one class covers this share of it; 1 accepts all
	Flip        float64 `yaml:"flip"`          // probability of mirroring
	// Order of a precomputed dataset: permutation, of all rows, or window, of a
	// few files at a time, for storage that is read best from the front.
	Order string `yaml:"order"`
}

// RareClasses is DAFormer's rare class sampling of the source (docs/method.md,
// Rare class sampling): it needs the source's class statistics, which a
// run counts where there are none.
// Temperature 0 switches it off.
type RareClasses struct {
	Temperature  float64 `yaml:"temperature"`
	MinPixels    int64   `yaml:"min_pixels"`     // a sample is eligible for a class with more pixels than this
	MinCropRatio float64 `yaml:"min_crop_ratio"` // a crop is redrawn, up to ten times, until it has more than MinPixels times this
}

// Network names encoder and decoder. Encoder "mit" is a MiT of any size;
// the others have the published sizes.
type Network struct {
	Encoder  string  `yaml:"encoder"`
	Dims     []int   `yaml:"dims,flow,omitempty"`   // encoder "mit": channels of the four stages
	Depths   []int   `yaml:"depths,flow,omitempty"` // encoder "mit": blocks of the four stages
	DropPath float64 `yaml:"drop_path"`
	Decoder  string  `yaml:"decoder"`  // daformer, daformer-aspp, daformer-conv1, segformer, or deeplabv2
	Channels int     `yaml:"channels"` // of the decoder's fused map
	Dropout  float64 `yaml:"dropout"`  // before the classifier, by channel
	Weights  string  `yaml:"weights"`  // encoder weights to start from; empty starts from the published initialization
	// Init is a whole network to start from, a file's or a run's, its teacher too
	// where it has one; empty starts from the encoder's weights alone.
	Init      string `yaml:"init,omitempty"`
	Precision string `yaml:"precision"` // float32, or bfloat16 for autocast

	// Checkpointing drops the student's encoder activations and computes them
	// again in the backward pass: less memory, more time, the same result.
	Checkpointing bool `yaml:"checkpointing"`

	// SyncBatchNorm gives batch norms the statistics of the whole batch, not of
	// each rank's part of it.
	SyncBatchNorm bool `yaml:"sync_batch_norm"`

	HRDA HRDA `yaml:"hrda"`
}

// BFloat16 reports whether operations that can be are computed in bfloat16.
func (c Network) BFloat16() bool { return c.Precision == "bfloat16" }

// HRDA sees images at two scales (docs/method.md, HRDA). A zero crop switches it
// off.
type HRDA struct {
	Crop         [2]int  `yaml:"crop,flow"`     // of the detail, in pixels of the full image
	DetailWeight float64 `yaml:"detail_weight"` // of the detail's own loss; the fused loss has the rest
}

// Enabled reports whether there are two scales.
func (c HRDA) Enabled() bool { return c.Crop[0] > 0 }

// Optimizer is AdamW with the method's groups and schedule (docs/method.md,
// Optimizer and schedule).
type Optimizer struct {
	LR             float64    `yaml:"lr"`
	Betas          [2]float64 `yaml:"betas,flow"`
	WeightDecay    float64    `yaml:"weight_decay"`
	HeadMultiplier float64    `yaml:"head_multiplier"` // on the rate of parameters whose name contains "head"
	Warmup         int        `yaml:"warmup"`          // iterations of linear warm-up
	WarmupRatio    float64    `yaml:"warmup_ratio"`
	Power          float64    `yaml:"power"` // of the polynomial decay
}

// Adapt is the self-training of DACS and DAFormer (docs/method.md,
// Training step). With Enabled false the run is source-only.
type Adapt struct {
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
	Jitter       float64 `yaml:"jitter"` // strength of the mixed image's color jitter
	JitterChance float64 `yaml:"jitter_chance"`
	BlurChance   float64 `yaml:"blur_chance"`
}

// FeatureDistance ties the encoder to frozen ImageNet features on thing classes
// (docs/method.md, Feature distance). Weight 0 switches it off.
type FeatureDistance struct {
	Weight  float64 `yaml:"weight"`
	Classes []int   `yaml:"classes,flow"`
	Ratio   float64 `yaml:"ratio"` // share of a cell its label must cover
}

// The ways of the contrasts (docs/method.md, Paper and official mode): as the
// paper describes them, or as the released code computes them.
const (
	Paper    = "paper"
	Official = "official"
)

// Pixel is PiPa's pixel contrast on source images (docs/method.md, Pixel
// contrast). Weight 0 switches it off.
type Pixel struct {
	Weight          float64 `yaml:"weight"`
	Mode            string  `yaml:"mode"` // Paper or Official
	Temperature     float64 `yaml:"temperature"`
	BaseTemperature float64 `yaml:"base_temperature"`
	MaxSamples      int     `yaml:"max_samples"`
	MaxViews        int     `yaml:"max_views"` // per class and image; also the least pixels a class must have
	Dim             int     `yaml:"dim"`       // of the projection
}

// Masked is MIC's masked image consistency (docs/method.md, Masked
// consistency): on the target with the teacher's labels, or on the source where
// adapt is disabled. Weight 0 switches it off.
type Masked struct {
	Weight float64 `yaml:"weight"`
	Block  int     `yaml:"block"` // side of a hidden block in pixels
	Ratio  float64 `yaml:"ratio"` // share of the blocks that are hidden
}

// Patch is PiPa's patch contrast on overlapping crops of the target
// (docs/method.md, Patch contrast). Weight 0 switches it off.
type Patch struct {
	Weight      float64    `yaml:"weight"`
	Mode        string     `yaml:"mode"`  // Paper or Official
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

// Eval says how a network is scored on the target's val split.
type Eval struct {
	Every  int    `yaml:"every"` // iterations; 0 scores at the end only, -1 never
	Split  string `yaml:"split"`
	Resize [2]int `yaml:"resize,flow"` // the network sees the image at this size, keeping its ratio; [0, 0] keeps it
	Window [2]int `yaml:"window,flow"` // of a sliding window over that; [0, 0] sees the whole at once
	Stride [2]int `yaml:"stride,flow"` // of the window
}

// Checkpoint says how often state is saved, and how much of it is kept.
type Checkpoint struct {
	Every int `yaml:"every"`
	Keep  int `yaml:"keep"`
}

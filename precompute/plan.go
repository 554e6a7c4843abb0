package precompute

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/internal/wait"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/zeebo/xxh3"
)

// planFormat marks a plan, and the version of what its fields mean. Plans of
// format 1 have no rules, which are 0 then.
const (
	planFormat  = "pipa-plan/2"
	planFormat1 = "pipa-plan/1"
)

// PlanFile is the plan's copy in a dataset's folder.
const PlanFile = "plan.json"

// Job says what to make. Options of other kinds are nil.
type Job struct {
	Kind pipeline.Kind `json:"kind"`
	Seed uint64        `json:"seed"`
	// Epoch is the first pass over the inputs, Epochs their number: each draws
	// anew. A row of pass e is the one that the stage makes in epoch e.
	Epoch  uint64 `json:"epoch"`
	Epochs int    `json:"epochs"`

	// Samples is done to the source's samples, Target to those they are mixed
	// with.
	Samples *augment.Options `json:"samples,omitempty"` // kinds sample, where nil leaves them as they are, mix, and pairs of mixes
	Target  *augment.Options `json:"target,omitempty"`  // kind mix, and pairs of mixes
	Pairs   *crops.Options   `json:"pairs,omitempty"`   // kind pair
}

// Mixes reports whether rows are made of two images.
func (j Job) Mixes() bool { return j.Target != nil }

// Validate names the field that is wrong.
func (j Job) Validate() error {
	if j.Epochs < 1 || j.Epochs > 1e6 {
		return fmt.Errorf("plan: epochs is %d, want 1 to a million", j.Epochs)
	}
	fits := map[pipeline.Kind]bool{
		pipeline.KindSample: j.Target == nil && j.Pairs == nil,
		pipeline.KindMix:    j.Samples != nil && j.Target != nil && j.Pairs == nil,
		pipeline.KindPair:   (j.Samples == nil) == (j.Target == nil) && j.Pairs != nil,
	}
	if !fits[j.Kind] {
		return fmt.Errorf("plan: the options do not fit the kind %q", j.Kind)
	}
	for _, o := range []*augment.Options{j.Samples, j.Target} {
		if o != nil {
			if err := o.Validate(); err != nil {
				return fmt.Errorf("plan: %w", err)
			}
		}
	}
	if j.Pairs != nil {
		if err := j.Pairs.Validate(); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
	}
	if j.Mixes() && (j.Samples.Crop[0] == 0 || j.Samples.Crop != j.Target.Crop) {
		return fmt.Errorf("plan: images are mixed at one size: crop source and target alike")
	}
	return nil
}

// A Plan is what every process of a job works by. It is not changed once made.
type Plan struct {
	Format string `json:"format"`
	Digest string `json:"digest"` // xxh3-64 of all that decides the rows: not where inputs lie, nor what was left out
	// Rules is the version of what a row is, [loader.Rules] when the plan was made.
	Rules int `json:"rules,omitempty"`
	Job
	Shards    int    `json:"shards"`
	Batch     int    `json:"batch"`                // rows of a record batch
	MaxPixels int    `json:"max_pixels,omitempty"` // the most that an image may declare; 0 means raster.MaxPixels
	Source    Input  `json:"source"`
	Mixed     *Input `json:"mixed,omitempty"` // the target, into which the source is mixed: one row for each of its images
}

// An Input is one dataset as it was when the plan was made.
type Input struct {
	Format      string        `json:"format"`
	Map         string        `json:"map,omitempty"` // the class map of a custom dataset, its YAML
	Dir         string        `json:"dir"`           // where it lay; another place may be given to Run
	Split       string        `json:"split"`
	Unlabeled   bool          `json:"unlabelled"`
	Items       []Item        `json:"items"`
	Quarantined []Quarantined `json:"quarantined"`
}

// An Item is one good sample.
type Item struct {
	ID    string `json:"id"`
	Image Seal   `json:"image"`
	Label *Seal  `json:"label,omitempty"` // nil where the input is unlabeled
}

// A Seal is a file's size and xxh3-64.
type Seal struct {
	Bytes int64  `json:"bytes"`
	XXH3  string `json:"xxh3"`
}

func sealOf(data []byte) Seal { return Seal{int64(len(data)), fmt.Sprintf("%016x", xxh3.Hash(data))} }

// Quarantined is a sample that the plan leaves out, and why.
type Quarantined struct {
	ID     string `json:"id"`
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// CheckPixels fails where the plan lets images declare more than maxPixels; 0 means
// [raster.MaxPixels]. A plan may come from elsewhere, and its own number is no
// reason to take memory.
func (p *Plan) CheckPixels(maxPixels int) error {
	if maxPixels == 0 {
		maxPixels = raster.MaxPixels
	}
	if p.MaxPixels > maxPixels {
		return &PixelLimitError{Plan: p.MaxPixels, Limit: maxPixels}
	}
	return nil
}

// A PixelLimitError says that a plan lets images declare more pixels than whoever
// runs it.
type PixelLimitError struct{ Plan, Limit int }

func (e *PixelLimitError) Error() string {
	return fmt.Sprintf("the plan lets images declare %d pixels, the limit is %d", e.Plan, e.Limit)
}

// items are the images that have a row in each epoch.
func (p *Plan) items() []Item {
	if p.Mixed != nil && p.Rules > 0 {
		return p.Mixed.Items
	}
	return p.Source.Items // by rules 0, a mix was a source's
}

// Rows is the number of rows that the plan makes.
func (p *Plan) Rows() int { return len(p.items()) * p.Epochs }

// OldRulesError says that a plan's rows would come out as other ones today: what
// is finished is read, and nothing is added to it.
type OldRulesError struct{ Rules int } // of the plan

func (e *OldRulesError) Error() string {
	return fmt.Sprintf("the plan was made by version %d of the rules for pixels and pairing, and this pipa has version %d, whose rows differ: plan anew, into another folder", e.Rules, loader.Rules)
}

// mayAdd fails where new rows would not fit those that are made already.
func (p *Plan) mayAdd() error {
	if p.Rules != loader.Rules {
		return &OldRulesError{p.Rules}
	}
	return nil
}

// shard is the range of rows of shard s.
func (p *Plan) shard(s int) (from, to int) {
	return s * p.Rows() / p.Shards, (s + 1) * p.Rows() / p.Shards
}

// Write writes the plan as JSON.
func (p *Plan) Write(w io.Writer) error {
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// ReadPlan reads and checks the plan in a file, a path or URL.
func ReadPlan(ctx context.Context, name string) (*Plan, error) {
	text, err := readFile(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	p, err := parsePlan(text)
	if err != nil {
		return nil, fmt.Errorf("read plan %s: %w", name, err)
	}
	return p, nil
}

// maxPlan bounds a plan's file; a million samples take some 100 MB.
const maxPlan = 1 << 32

func readFile(ctx context.Context, name string) ([]byte, error) {
	if !storage.IsURL(name) {
		defer wait.Of(ctx).For(name)()
		return files.ReadNamed(name, maxPlan)
	}
	dir, file := path.Split(name)
	if file == "" || strings.HasSuffix(dir, "://") {
		return nil, fmt.Errorf("%s does not name a file", name)
	}
	folder, err := storage.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(folder, file)
}

// OpenPlan reads the plan of the dataset in dir, a path or URL.
func OpenPlan(ctx context.Context, dir string) (*Plan, error) {
	folder, err := storage.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	return planIn(folder)
}

func planIn(dir storage.Folder) (*Plan, error) {
	text, err := fs.ReadFile(dir, PlanFile)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	p, err := parsePlan(text)
	if err != nil {
		return nil, fmt.Errorf("read plan %s/%s: %w", dir, PlanFile, err)
	}
	return p, nil
}

func parsePlan(text []byte) (*Plan, error) {
	p := &Plan{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, err
	}
	if p.Format != planFormat && p.Format != planFormat1 {
		return nil, &pipeline.FormatError{Reason: fmt.Sprintf("its format is %q, this pipa reads %q", p.Format, planFormat)}
	}
	if p.Rules > loader.Rules || (p.Rules > 0) != (p.Format == planFormat) {
		return nil, fmt.Errorf("it is made by version %d of the rules for pixels and pairing, this pipa has version %d", p.Rules, loader.Rules)
	}
	digest, err := digestOf(text)
	if err != nil {
		return nil, err
	}
	if digest != p.Digest {
		return nil, fmt.Errorf("its digest is %s, recorded is %s: a plan is not edited but made anew", digest, p.Digest)
	}
	return p, p.validate()
}

// maxShards is what the numbers in the files' names have room for.
const maxShards = 100_000

// rowBytes is what a row's pixels take, or 0 where sizes vary.
func (p *Plan) rowBytes() int64 {
	switch {
	case p.Pairs != nil:
		return 2 * 4 * int64(p.Pairs.Size) * int64(p.Pairs.Size)
	case p.Samples != nil:
		return 5 * int64(p.Samples.Crop[0]) * int64(p.Samples.Crop[1])
	}
	return 0
}

// validate checks what New sees to.
func (p *Plan) validate() error {
	if err := p.Job.Validate(); err != nil {
		return err
	}
	switch {
	case p.Batch < 1:
		return fmt.Errorf("plan: batch is %d, want at least 1", p.Batch)
	case len(p.Source.Items) == 0:
		return fmt.Errorf("plan: the source has no good samples")
	case p.Shards < 1 || p.Shards > min(p.Rows(), maxShards):
		return fmt.Errorf("plan: shards is %d, want 1 to %d, for %d rows", p.Shards, min(p.Rows(), maxShards), p.Rows())
	case p.Batch > 1 && int64(p.Batch) > pipeline.BatchBytes/max(p.rowBytes(), 1):
		return fmt.Errorf("plan: batch is %d, and %d bytes of pixels a row: a batch has at most %d", p.Batch, p.rowBytes(), pipeline.BatchBytes)
	case p.Mixes() != (p.Mixed != nil):
		return fmt.Errorf("plan: only mixed images have a second input")
	case p.Mixed != nil && len(p.Mixed.Items) == 0:
		return fmt.Errorf("plan: the target has no good samples")
	}
	return nil
}

package infer

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/weights"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// published are the networks of a file of weights.
type published struct {
	student, teacher *safetensors.File // the teacher is nil where the file has none
}

// openPublished opens the whole network that a file of weights holds, such as a
// checkpoint of DAFormer's, HRDA's, MIC's or PiPa's authors. What the file does not
// say is as the recipe of its decoder has it: how the network sees images, and which
// classes it tells apart, which are Cityscapes'.
func openPublished(path string) (t Trained, err error) {
	f, err := weights.Open(path)
	if err != nil {
		return t, err
	}
	n, student, teacher, err := f.Published()
	if err != nil {
		return t, err
	}
	if t.Config, err = publishedConfig(n); err != nil {
		return t, fmt.Errorf("open %s: %w", path, err)
	}
	t.Config.Adapt.Enabled = teacher != nil
	t.State.Classes = raster.CityscapesClasses()
	if n.Classes != len(t.State.Classes) {
		return t, fmt.Errorf("open %s: it is %s, and only Cityscapes' %d are known without a run", path, n, len(t.State.Classes))
	}
	seal, err := checkpoint.SealOf(path)
	if err != nil {
		return t, fmt.Errorf("open %s: %w", path, err)
	}
	t.State.Files = map[string]checkpoint.Seal{checkpoint.StudentFile: seal}
	if teacher != nil {
		t.State.Files[checkpoint.TeacherFile] = seal
	}
	t.Name, t.Dir, t.published = filepath.Base(path), path, &published{student, teacher}
	return t, nil
}

// publishedConfig is a recipe's with the network that a file describes.
func publishedConfig(n weights.Network) (config.Config, error) {
	recipe := "gta2cs-daformer"
	if n.HRDA {
		recipe = "gta2cs-hrda"
	}
	cfg, err := config.Preset(recipe)
	if err != nil {
		return cfg, err
	}
	c := &cfg.Network
	c.Encoder, c.Decoder = n.Encoder, n.Decoder
	if n.Encoder == "mit" {
		c.Dims, c.Depths = slices.Clone(n.Dims[:]), slices.Clone(n.Depths[:])
	}
	if n.Channels > 0 {
		c.Channels = n.Channels
	}
	if n.HRDA && n.Crop != [2]int{} {
		c.HRDA.Crop = n.Crop
	}
	return cfg, nil
}

package train

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/memory"
	"github.com/pipa-uda/pipa/train/torch"
)

// PlanMemory foretells what a configuration needs ([memory.New]), with what the
// program brings in o; the rest of o counts for nothing. The data need not be there.
func PlanMemory(ctx context.Context, lib *torch.Lib, cfg config.Config, o Options) (*memory.Plan, error) {
	o.name(&cfg)
	classes, err := plannedClasses(cfg, o.SourceLayout)
	if err != nil {
		return nil, fmt.Errorf("plan memory: %w", err)
	}
	return memory.New(ctx, lib, cfg, len(classes), o.Custom)
}

// plannedClasses are the source's, or Cityscapes' where it is not there yet or
// comes as a stream.
func plannedClasses(cfg config.Config, layout *formats.Layout) ([]string, error) {
	if !cfg.Source.Given() || cfg.Source.Streamed() {
		return raster.CityscapesClasses(), nil
	}
	classes, _, err := feed.Describe(cfg.Source, layout, cfg.Source.Split)
	if err == nil {
		err = checkThings(cfg, classes)
	}
	return classes, err
}

// checkThings checks the classes of the feature distance, which the recipes name
// for Cityscapes.
func checkThings(c config.Config, names []string) error {
	f := c.FeatureDistance
	if f.Weight == 0 {
		return nil
	}
	wrong := func(want string) error {
		var all []string
		for id, name := range names {
			all = append(all, fmt.Sprintf("%d %s", id, name))
		}
		return &config.ValueError{Field: "feature_distance.classes", Value: f.Classes, Want: want + strings.Join(all, ", ")}
	}
	base, err := config.Resolve("", "", nil)
	if err != nil {
		return err
	}
	if !eval.AreCityscapes(names) && slices.Equal(f.Classes, base.FeatureDistance.Classes) {
		return wrong("the numbers of the source's things, or feature_distance.weight to be 0: these are the things among Cityscapes' classes, and the source has others; its classes are: ")
	}
	if err := (loss.FeatureDistance{Classes: f.Classes, Ratio: f.Ratio, Labels: len(names)}).Validate(); err != nil {
		return wrong(err.Error() + "; the source's classes are: ")
	}
	return nil
}

package feed

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/stats"
	"github.com/pipa-uda/pipa/train/config"
)

// Statistics says what counts the source's class statistics where there are none yet.
type Statistics struct {
	// Spare is the file for them where the source's folder cannot be written, and the
	// configuration names none.
	Spare    string
	Workers  int
	Progress func(done, total int) // called after each label; nil is silent
	Log      *slog.Logger
	Bad      *Bad // the labels that may be left out; nil is none
}

// place is where the class statistics of a set lie, and whether they do already:
// where the configuration says, or in the set's folder, or at spare.
func place(c config.Data, set *formats.Dataset, spare string) (p stats.Place, there bool, err error) {
	if c.Stats != "" {
		p = stats.At(c.Stats)
		there, err = p.Exists()
		return p, there, err
	}
	in, at := stats.In(set.Dir()), stats.At(spare)
	for _, p := range []stats.Place{in, at} {
		if p == at && spare == "" {
			continue
		}
		if there, err := p.Exists(); there || err != nil {
			return p, there, err
		}
	}
	if in.Writable() != nil && spare != "" {
		return at, false, nil
	}
	return in, false, nil
}

// Count counts the source's class statistics, and writes them, where the recipe draws
// by them and there are none yet. It is to be called before [Open], by one of the
// ranks.
func (o Statistics) Count(ctx context.Context, cfg config.Config, layout *formats.Layout, maxPixels int) error {
	if cfg.RareClasses.Temperature == 0 || cfg.Source.Streamed() || precomputed(cfg.Source) {
		return nil
	}
	l, err := layoutOf(cfg.Source, layout)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	set, err := formats.Open(l, cfg.Source.Dir, formats.Options{Split: cfg.Source.Split, MaxPixels: maxPixels})
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	p, there, err := place(cfg.Source, set, o.Spare)
	if there || err != nil {
		return err
	}
	if err := p.Writable(); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	o.Log.Info("counting the source's class statistics, which there are none of yet", "labels", set.Len())
	o.Bad.expect(set.Len())
	defer o.Bad.expect(-set.Len()) // Open expects them
	progress := func(done int) {
		if o.Progress != nil {
			o.Progress(done, set.Len())
		}
	}
	labels, err := stats.Count(ctx, set, o.Workers, func(_ int, err error) error { return o.Bad.Skip(err) }, progress)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if err := p.Write(labels, false); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	o.Log.Info("class statistics written", "file", p.File)
	return nil
}

// openRareClasses reads the source's class statistics.
func openRareClasses(cfg config.Config, side *Side, spare string) (*stats.RareClasses, error) {
	if side.set == nil {
		return nil, fmt.Errorf("rare class sampling needs a dataset's folder with its statistics, and %s is precomputed: set rare_classes.temperature=0", cfg.Source.Dir)
	}
	p, _, err := place(cfg.Source, side.set, spare)
	if err != nil {
		return nil, err
	}
	labels, err := p.Read()
	if err != nil {
		return nil, err
	}
	if labels, err = stats.Align(side.set, labels); err != nil {
		return nil, err
	}
	rare, err := stats.NewRareClasses(labels, cfg.RareClasses.Temperature, cfg.RareClasses.MinPixels)
	if err != nil {
		return nil, err
	}
	return rare, rare.Validate(cfg.RareClasses.MinPixels)
}

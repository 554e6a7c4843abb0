package precompute

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
)

// ErrTaken is wrapped where a folder is not free for a plan: it holds something
// else.
var ErrTaken = errors.New("choose another folder")

// Claim puts the plan into dir, which it creates, or checks that it is the one
// there: the first thing that Run and NewMaker do.
func Claim(ctx context.Context, p *Plan, dir string) error {
	folder, err := storage.Open(ctx, dir)
	if err == nil {
		err = p.open(folder)
	}
	if err == nil {
		err = claim(p, folder)
	}
	if err != nil {
		return fmt.Errorf("precompute into %s: %w", dir, err)
	}
	return nil
}

// open fails where a folder lacks rows that the plan may no longer make. One that
// is finished lacks none.
func (p *Plan) open(dir storage.Folder) error {
	err := p.mayAdd()
	if err == nil {
		return nil
	}
	if _, finished := fs.Stat(dir, shards.ManifestFile); finished == nil {
		return nil
	}
	return err
}

func claim(p *Plan, dir storage.Folder) error {
	mine, err := owned(p, dir)
	if err != nil || mine {
		return err
	}
	return dir.Put(PlanFile, p.Write)
}

// owned reports whether dir holds the plan. It fails where dir is not free for it.
func owned(p *Plan, dir storage.Folder) (bool, error) {
	there, err := planIn(dir)
	if missing(err) {
		entries, listed := dir.ReadDir(".")
		if listed != nil && !missing(listed) {
			return false, listed
		}
		foreign := ""
		for _, e := range entries {
			if e.Name()[0] != '.' {
				foreign = e.Name()
			}
		}
		if foreign == "" {
			return false, nil
		}
		// A process of the same job may have come in between.
		if there, err = planIn(dir); missing(err) {
			return false, fmt.Errorf("it holds %s, and no plan: %w", foreign, ErrTaken)
		}
	}
	if err != nil {
		return false, err
	}
	if there.Digest != p.Digest {
		return false, fmt.Errorf("it holds the shards of another plan, %s, this one is %s: %w", there.Digest, p.Digest, ErrTaken)
	}
	return true, nil
}

package precompute

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/pipeline/storage"
)

// Claim puts the plan into dir, which it creates, or checks that it is the one
// there: the first thing that Run and NewMaker do.
func Claim(ctx context.Context, p *Plan, dir string) error {
	folder, err := storage.Open(ctx, dir)
	if err == nil {
		err = claim(p, folder)
	}
	if err != nil {
		return fmt.Errorf("precompute into %s: %w", dir, err)
	}
	return nil
}

func claim(p *Plan, dir storage.Folder) error {
	there, err := planIn(dir)
	if missing(err) {
		entries, listed := dir.ReadDir(".")
		if listed != nil && !missing(listed) {
			return listed
		}
		foreign := ""
		for _, e := range entries {
			if e.Name()[0] != '.' {
				foreign = e.Name()
			}
		}
		if foreign == "" {
			return dir.Put(PlanFile, p.Write)
		}
		// A process of the same job may have come in between.
		if there, err = planIn(dir); missing(err) {
			return fmt.Errorf("it holds %s, and no plan: choose another folder", foreign)
		}
	}
	if err != nil {
		return err
	}
	if there.Digest != p.Digest {
		return fmt.Errorf("it holds the shards of another plan, %s, this one is %s: choose another folder", there.Digest, p.Digest)
	}
	return nil
}

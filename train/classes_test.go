package train

import (
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
)

// The recipes' things are numbers of Cityscapes' classes: with others they are
// asked for, even where such numbers exist.
func TestThingsAreOfTheSourcesClasses(t *testing.T) {
	many := make([]string, 30)
	for i := range many {
		many[i] = string(rune('a'+i%26)) + strings.Repeat("'", i/26)
	}
	for _, c := range []struct {
		name  string
		names []string
		set   string
		want  string
	}{
		{"Cityscapes", raster.CityscapesClasses(), "seed=0", ""},
		{"others, as many and more", many, "seed=0", "the things among Cityscapes' classes, and the source has others"},
		{"others, named", many, "feature_distance.classes=[3, 29]", ""},
		{"a number too high", many, "feature_distance.classes=[30]", "class 30, want 0 to 29; the source's classes are: 0 a, 1 b"},
		{"none", many, "feature_distance.classes=[]", "no classes"},
		{"switched off", many, "feature_distance.weight=0", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := config.Resolve("gta2cs-daformer", "", []string{c.set})
			if err != nil {
				t.Fatal(err)
			}
			err = checkThings(cfg, c.names)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// published are the presets' names, with the SHA-256 of each one's text, shortened,
// and its hash: a run begun by an earlier version is resumed by them.
var published = []struct{ name, text, hash string }{
	{"fixture-dacs", "15ced111f6a3f583", "14bb717f036fd3b5"},
	{"fixture-pipa", "eefa1e69eb781572", "f84c4783c8aac266"},
	{"fixture-source", "42c7c65363589d61", "1eddf9f5ab13ee23"},
	{"gta2cs-dacs-mic", "b87ef3b5e36af4df", "9c80f4a3a6025459"},
	{"gta2cs-dacs-pipa", "50e457cd438bae59", "c16b0f5ffce819e8"},
	{"gta2cs-dacs", "d7d70e27baff725a", "3d0687c812a2d224"},
	{"gta2cs-daformer-mic", "53e57a242ea1b3c9", "37e72d76b9acdb92"},
	{"gta2cs-daformer-pipa", "cc52d19560258e45", "f07fc68dd7742076"},
	{"gta2cs-daformer", "83524ba8e0941c4e", "c9b493adbdf239c9"},
	{"gta2cs-hrda-mic", "b7f58dac0b7ef7ba", "dbc9c32cf25b7601"},
	{"gta2cs-hrda-pipa", "397e8653b9fb2356", "cd27d1643bbc3f8b"},
	{"gta2cs-hrda", "6200731b462237b0", "8fd3308b71b78831"},
	{"gta2cs-source-mic", "6fd528b1dcd8b78d", "2409cc10dcdcde89"},
	{"gta2cs-source-pipa", "7fb7e176a5e3756e", "a3e27e1ae89b8e13"},
	{"gta2cs-source", "bb0584615e29d369", "2fd9a760e29967b4"},
	{"syn2cs-dacs-mic", "3a13544673a3f65f", "421d4ae26dcca8c5"},
	{"syn2cs-dacs-pipa", "bca5debea2404874", "a7ea40f0937611c4"},
	{"syn2cs-dacs", "254546ff792201c3", "19cc68bf3bb4687a"},
	{"syn2cs-daformer-mic", "79c9d90d7e694211", "1468c3e42df7ea20"},
	{"syn2cs-daformer-pipa", "5b3367adfda58a8a", "bbb05669243d8ff4"},
	{"syn2cs-daformer", "48421e2e2018ae09", "192d1903e7853470"},
	{"syn2cs-hrda-mic", "a850e61c9c488ed7", "480d1601a54d0675"},
	{"syn2cs-hrda-pipa", "149631178481b719", "a12273b24f268446"},
	{"syn2cs-hrda", "698d6842f828d223", "f634d61af5eb86a6"},
	{"syn2cs-source-mic", "f0c2c29d5a3bc54a", "dab9034516731c71"},
	{"syn2cs-source-pipa", "82a61020b570ddfa", "8275f79218ded5c8"},
	{"syn2cs-source", "913ec879ff9d8eaa", "fe73cbb12a440a19"},
}

func TestPresetsStayAsPublished(t *testing.T) {
	var names []string
	for _, p := range published {
		names = append(names, p.name)
		cfg, err := Preset(p.name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := cfg.YAML()
		if err != nil {
			t.Fatal(err)
		}
		hash, err := cfg.Hash()
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(text))[:16]; got != p.text || hash != p.hash {
			t.Errorf("%s has text %s and hash %s, was published with %s and %s:\n%s", p.name, got, hash, p.text, p.hash, text)
		}
	}
	if got := Names(); !slices.Equal(got, names) {
		t.Errorf("the presets are %q, published were %q", got, names)
	}
}

// TestARecipeIsForAnyPair: a recipe with a published pair's formats is the
// published preset, wherever they are said; other datasets have the same boxes.
func TestARecipeIsForAnyPair(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	for _, recipe := range Recipes() {
		for name, p := range pairs() {
			want, err := Preset(name + "-" + recipe)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Resolve(recipe, "", []string{"source.format=" + p.Source, "target.format=" + p.Target})
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s by settings: %v", recipe, err)
			}
			text := fmt.Sprintf("extends: %s\nsource: {format: %s}\ntarget: {format: %s}\n", recipe, p.Source, p.Target)
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if got, err := Resolve("", file, nil); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s by a file: %v", recipe, err)
			}
		}
	}
	cfg, err := Resolve("daformer-pipa", "", []string{"source.format=synthia", "target.format=folder:mine.yaml", "target.crop=[320, 320]"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Source.Resize != [2]int{760, 1280} || cfg.Target.Format != "folder:mine.yaml" || cfg.Target.Resize != [2]int{640, 1280} || cfg.Eval.Resize != cfg.Target.Resize || cfg.Target.Crop != [2]int{320, 320} {
		t.Errorf("source %+v, target %+v", cfg.Source, cfg.Target)
	}
}

func TestARecipeAloneSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		recipe string
		set    []string
		want   string // empty where nothing is missing
	}{
		{"daformer-pipa", nil, "source.format and target.format are not given; for the published ones it is gta2cs-daformer-pipa or syn2cs-daformer-pipa"},
		{"daformer-pipa", []string{"source.format=gta"}, "target.format is not given"},
		{"daformer-pipa", []string{"target.format=cityscapes"}, "source.format is not given"},
		{"source", []string{"source.format=gta"}, ""},
		{"source", []string{"source.format=gta", "adapt.enabled=true"}, "target.format is not given"},
		{"hrda", []string{"source.format=gta", "adapt.enabled=false"}, ""},
	} {
		_, err := Resolve(c.recipe, "", c.set)
		if unpaired := (*UnpairedError)(nil); (c.want != "") != errors.As(err, &unpaired) || c.want != "" && !strings.Contains(err.Error(), c.want) || c.want == "" && err != nil {
			t.Errorf("%s with %q: %v, want %q", c.recipe, c.set, err, c.want)
		}
	}
}

// TestTheReferenceExplainsEveryKey: each stands in it, with words of its own or,
// where its name says all, next to keys that have some.
func TestTheReferenceExplainsEveryKey(t *testing.T) {
	known, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	delete(known["network"].(document), "dims") // of encoder mit alone, whose line names them
	delete(known, "losses")                     // of programs that bring some, which name them
	delete(known["network"].(document), "depths")
	doc, err := parse([]byte(Reference()))
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.Fields("split betas weight_decay temperature jitter_chance blur_chance scale")
	var compare func(prefix string, known, doc document)
	compare = func(prefix string, known, doc document) {
		for k, v := range known {
			value, ok := doc[k]
			if !ok {
				t.Errorf("the reference lacks %s%s", prefix, k)
			}
			if section, ok := v.(document); ok {
				under, _ := value.(document)
				compare(prefix+k+".", section, under)
			}
		}
		if len(doc) != len(known) {
			t.Errorf("the reference has %d keys under %q, there are %d", len(doc), prefix, len(known))
		}
	}
	compare("", known, doc)
	explained := false
	for line := range strings.Lines(Reference()) {
		key, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case strings.HasPrefix(key, "#"):
			explained = true
		case ok && strings.TrimSpace(rest) == "" && !explained && key != "network" && key != "checkpoint":
			t.Errorf("section %s is not explained", key)
		case ok && strings.TrimSpace(rest) != "" && !strings.Contains(rest, "#") && !slices.Contains(plain, key):
			t.Errorf("%s is not explained", key)
		}
		if ok && !strings.HasPrefix(key, "#") {
			explained = false
		}
	}
}

// TestAFileIsCompleteOrRefused: whatever a file leaves out has a value, or is an
// error, however much of it the file says.
func TestAFileIsCompleteOrRefused(t *testing.T) {
	base, err := Resolve("", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, edit := range map[string]func(c *Config){
		"optimizer: {lr: 1.0e-4}\n":                             func(c *Config) { c.Optimizer.LR = 1e-4 },
		"optimizer: {lr: 1.0e-4}\nnetwork: {encoder: mit-b0}\n": func(c *Config) { c.Optimizer.LR, c.Network.Encoder = 1e-4, "mit-b0" },
		"seed: 3\n": func(c *Config) { c.Seed = 3 },
		"":          func(c *Config) {},
	} {
		file := filepath.Join(t.TempDir(), "mine.yaml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		want := base
		edit(&want)
		got, err := Resolve("", file, nil)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q gives %+v, %v", text, got, err)
		}
		got.Source.Dir, got.Target.Dir = "a", "b"
		if err := got.Validate(); err != nil || got.Iterations == 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

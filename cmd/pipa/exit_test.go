package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipa-uda/pipa/fixtures/checkout"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline/storage/storagetest"
	"github.com/urfave/cli/v2"
)

// A failure is a row of the table in docs/commands.md, Exit codes.
type failure struct {
	what     string
	code     int
	commands []string
}

// failures reads the table. "every command" in it is all of them.
func failures(t *testing.T) (rows []failure) {
	t.Helper()
	page, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## Exit codes\n")
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \| (\d+) \| ([^|]+) \|$`).FindAllStringSubmatch(table, -1) {
		code, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		f := failure{what: m[1], code: code, commands: slices.Sorted(maps.Keys(leaves(newApp().Commands, "")))}
		if m[3] != "every command" {
			f.commands = strings.Split(m[3], ", ")
			slices.Sort(f.commands)
		}
		rows = append(rows, f)
	}
	return rows
}

// leaves are the commands that do something, by their words, without those that
// only have subcommands.
func leaves(commands []*cli.Command, parent string) map[string]*cli.Command {
	all := map[string]*cli.Command{}
	for _, c := range commands {
		if c.Name == "help" {
			continue
		}
		name := strings.TrimSpace(parent + " " + c.Name)
		maps.Copy(all, leaves(c.Subcommands, name))
		if name != "plan" && name != "weights" {
			all[name] = c
		}
	}
	return all
}

// commandOf is the command that a line calls.
func commandOf(line string, known map[string]*cli.Command) string {
	words := strings.Fields(line)
	for n := min(2, len(words)); n > 0; n-- {
		if name := strings.Join(words[:n], " "); known[name] != nil {
			return name
		}
	}
	return ""
}

// failing are lines that fail, by the row of the table. Words before "|" make a
// pipe, "VAR=value" before all is the environment, and ">" a place for standard
// output.
var failing = map[string][]string{
	"an output that exists, without `--force`": {
		"fixtures data --domains gta", "stats gta stats", "read gta data/gta -o taken", "read gta data/gta -o new --bad-list taken",
		"augment crops.arrow -o taken", "classmix crops.arrow --target crops.arrow -o taken", "crops crops.arrow -o taken",
		"write set crops.arrow", "plan samples --source gta:data/gta -o taken", "plan mix --source gta:data/gta --target gta:data/gta --crop 32x32 -o taken",
		"plan pairs --source gta:data/gta -o taken", "precompute --plan plan.json --out foreign", "precompute samples --source gta:data/gta --seed 9 --out half",
		"precompute mix --source gta:data/gta --target gta:data/gta --crop 32x32 --out half", "precompute pairs --source gta:data/gta --size 32 --base 64 --out half",
		"cat set -o taken", "view crops.arrow -o taken",
		"train --config tiny.yaml --source gta:data/gta --target cityscapes:data/cityscapes --out run", "train --config tiny.yaml --source gta:data/gta --target cityscapes:data/cityscapes --out halfrun", "eval run --confusion taken", "predict run data/gta/images -o taken", "report run -o taken", "weights convert weights.bin -o taken", "weights convert weights.bin --report taken -o new", "man --out pages",
	},
	"an input that is not there": {
		"check gta none", "stats gta none", "read gta none", "augment none", "classmix crops.arrow --target none", "crops none", "write new none",
		"plan samples --source gta:none", "plan mix --source gta:data/gta --target gta:none --crop 32x32", "plan pairs --source gta:none",
		"precompute --plan none --out new", "precompute --plan plan.json --source none --out new", "precompute samples --source gta:none --out new",
		"precompute mix --source gta:data/gta --target gta:none --crop 32x32 --out new", "precompute pairs --source gta:none --out new",
		"plan samples --source gta:data/gta --report none",
		"merge none", "cat none", "verify none", "inspect none", "view none", "train --config none --out new", "train --resume --out none",
		"eval none", "predict none", "predict run none.png", "report none", "weights ls none", "weights convert none",
		"check gta s3://bucket/none", "read gta s3://bucket/none", "stats gta s3://bucket/none --out new", "cat s3://bucket/none", "verify s3://bucket/none",
		"inspect s3://bucket/none", "merge s3://bucket/none", "precompute --plan s3://bucket/none.json --out new", "inspect s3://nobucket/none",
	},
	"a format, split, preset or class map that there is not": {
		"check gto data/gta", "stats gto data/gta", "read gto data/gta", "read gta data/gta --split val", "read gta data/gta --split tset", "read folder", "read folder:none.yaml",
		"read folder:hi data/gta", "plan samples --source gto:data/gta", "plan pairs --source gta:data/gta --split tset", "plan mix --source gta:data/gta --split tset --target gta:data/gta --crop 32x32",
		"precompute samples --source gta:data/gta --split tset --out new", "precompute pairs --source gta:data/gta --split tset --out new",
		"precompute mix --source gta:data/gta --split tset --target gta:data/gta --crop 32x32 --out new",
		"presets show fixture-pip", "train --preset fixture-pip --out new", "predict run gta:data/gta --split tset",
	},
	"an input of another kind or format": {
		"check gta set", "stats gta set", "read gta set", "augment hi", "augment pairs.arrow", "classmix crops.arrow --target hi", "classmix crops.arrow --target pairs.arrow",
		"crops hi", "crops pairs.arrow", "write new hi", "cat hi", "cat crops.arrow pairs.arrow", "cat crops.arrow --shuffle", "verify hi", "verify data", "inspect hi", "inspect data", "inspect hi.json", "view hi",
		"plan samples --source gta:set", "plan mix --source gta:set --target gta:data/gta --crop 32x32", "plan pairs --source gta:set",
		"precompute samples --source gta:set --out new", "precompute mix --source gta:set --target gta:data/gta --crop 32x32 --out new", "precompute pairs --source gta:set --out new",
		"precompute --plan plan.json --source set --out new", "merge set", "eval data", "predict data", "predict run pairs.arrow",
		"train --config tiny.yaml --source pairs --target cityscapes:data/cityscapes --out new", "train --config tiny.yaml --source gta:data/gta --target cityscapes:data/cityscapes --set network.weights=weights.safetensors --set network.dims=[8,16,40,32] --out new", "report data",
	},
	"samples that do not fit together": {
		"classmix gta.arrow --target target.arrow", "classmix target.arrow --target target.arrow", "classmix crops.arrow --target camvid.arrow", "cat crops.arrow gta.arrow",
		"eval run --target folder:camvid.yaml:data/gta --split train", "train --config tiny.yaml --source gta:data/gta --target folder:camvid.yaml:data/gta --set eval.split=train --out new",
	},
	"a configuration that is wrong": {
		"train --preset fixture-pipa --set patch.wight=1 --out new", "train --preset fixture-pipa --set network.encoder=vgg --out new", "train --config hi --out new", "train --config tiny.yaml --resume --source gta:data/gta --target cityscapes:data/cityscapes --set source.batch=2 --out run",
		"train --config tiny.yaml --source gta:data/gta --target cityscapes:data/cityscapes --set source.batch=0 --out new", "eval run --teacher", "predict run data/gta/images --teacher", "eval run --window 8x8 --stride 9x9", "predict run data/gta/images --threshold 2",
		"WORLD_SIZE=2 RANK=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=1 train --preset fixture-pipa --out new",
	},
	"a URL where only this machine's files are taken": {
		"fixtures s3://bucket/x", "man --out s3://bucket/x", "check folder:s3://bucket/x.yaml", "stats folder:s3://bucket/x.yaml", "stats gta data/gta --out s3://bucket/x", "stats gta s3://bucket/x", "read folder:s3://bucket/x.yaml",
		"read gta data/gta --out s3://bucket/x", "read gta data/gta --out new --bad-list s3://bucket/x",
		"augment crops.arrow --out s3://bucket/x", "classmix crops.arrow --target crops.arrow --out s3://bucket/x", "crops crops.arrow --out s3://bucket/x",
		"write s3://bucket/x crops.arrow", "write --format parquet s3://bucket/x crops.arrow",
		"plan samples --source gta:data/gta --out s3://bucket/x", "plan samples --source gta:data/gta --report s3://bucket/x", "plan samples --source folder:s3://bucket/x.yaml",
		"plan mix --source gta:data/gta --target gta:data/gta --crop 32x32 --out s3://bucket/x", "plan mix --source gta:data/gta --target folder:s3://bucket/x.yaml", "plan mix --source gta:data/gta --target gta:data/gta --report s3://bucket/x",
		"plan pairs --source gta:data/gta --out s3://bucket/x", "plan pairs --source gta:data/gta --report s3://bucket/x",
		"precompute samples --source gta:data/gta --report s3://bucket/x --out new", "precompute mix --source gta:data/gta --target gta:data/gta --crop 32x32 --report s3://bucket/x --out new",
		"precompute pairs --source gta:data/gta --report s3://bucket/x --out new", "precompute --plan plan.json --out http://bucket/x",
		"cat crops.arrow --out s3://bucket/x", "view crops.arrow --out s3://bucket/x",
		"stats gta data/gta --stats s3://bucket/x", "stats gta data/gta --bad-list s3://bucket/x", "train --preset fixture-pipa --stats s3://bucket/x --out new",
		"train --preset fixture-pipa --out s3://bucket/x", "train --config s3://bucket/x --out new", "train --preset fixture-pipa --source s3://bucket/x --out new",
		"train --preset fixture-pipa --target gta:s3://bucket/x --out new", "train --preset fixture-pipa --pairs s3://bucket/x --out new", "train --preset fixture-pipa --set source.dir=s3://bucket/x --out new",
		"eval s3://bucket/x", "eval run --target s3://bucket/x", "eval run --confusion s3://bucket/x",
		"predict s3://bucket/x", "predict run --out s3://bucket/x", "predict run data/gta/images --write labels --out s3://bucket/x", "predict run data/gta/images --out new --bad-list s3://bucket/x", "predict run a.png s3://bucket/x --write labels --out new",
		"report s3://bucket/x", "report run --out s3://bucket/x", "weights ls s3://bucket/x", "weights convert s3://bucket/x", "weights convert weights.bin --out s3://bucket/x", "weights convert weights.bin --report s3://bucket/x -o new",
		"inspect http://bucket/x", "merge http://bucket/x", "verify http://bucket/x",
	},
	"no libtorch": {
		"PIPA_TORCH=none train --preset fixture-source --source gta:data/gta --target cityscapes:data/cityscapes --out new", "PIPA_TORCH=none eval run", "PIPA_TORCH=none predict run data/gta/images", "PIPA_TORCH=none doctor",
	},
	"samples that cannot be decoded, beyond `--max-bad`": {
		"check gta bad", "stats gta bad", "read gta bad", "read gta data/gta --max-pixels 100", "plan samples --source gta:bad", "plan mix --source gta:data/gta --target gta:bad --crop 32x32", "plan pairs --source gta:bad",
		"precompute samples --source gta:bad --out new", "precompute mix --source gta:bad --target gta:data/gta --crop 32x32 --out new", "precompute pairs --source gta:bad --out new",
		"predict run bad/images", "train --config tiny.yaml --source gta:bad --target cityscapes:data/cityscapes --out new", "eval run --max-pixels 100",
	},
	"a stream or dataset that is damaged or cut": {
		"augment cut.arrow", "classmix crops.arrow --target cut.arrow", "crops cut.arrow", "write new cut.arrow", "cat cut.arrow", "cat damaged", "cat damaged --shuffle",
		"verify damaged", "verify cut", "verify table", "inspect damaged", "inspect cut", "view damaged", "write new table", "predict run cut.arrow",
		"train --config tiny.yaml --source cut --target cityscapes:data/cityscapes --out new", "train --config tiny.yaml --source damaged --target cityscapes:data/cityscapes --out new", "eval run --target cut",
	},
	"an input that changed since it was planned": {"precompute --plan changed.json --out new"},
	"another file that is damaged": {
		"stats gta oddstats", "plan samples --source gta:data/gta --report hi", "plan mix --source gta:data/gta --target gta:data/gta --crop 32x32 --report hi",
		"plan pairs --source gta:data/gta --report hi", "precompute --plan hi --out new",
		"precompute samples --source gta:data/gta --report hi --out new", "precompute mix --source gta:data/gta --target gta:data/gta --crop 32x32 --report hi --out new", "precompute pairs --source gta:data/gta --report hi --out new",
		"merge edited", "weights ls hi.safetensors", "weights convert hi.safetensors", "report oddrun",
	},
	"a pipe whose writer failed": {
		"cut.arrow | augment", "cut.arrow | classmix --target crops.arrow", "cut.arrow | crops", "cut.arrow | write new", "cut.arrow | inspect", "cut.arrow | view",
		"cut.arrow | cat -", "cut.arrow | predict run", "empty | inspect",
		"empty | train --config tiny.yaml --source - --target cityscapes:data/cityscapes --out new",
	},
	"shards that are missing or damaged, when a plan's dataset is merged": {"merge half", "merge broken"},
	"a folder in which another process works": {
		"precompute --plan plan.json --out busy", "merge busy", "train --resume --out busyrun",
		"precompute samples --source gta:data/gta --shards 2 --out busy",
	},
	"a disk or device that is full": {
		"check gta data/gta > /dev/full", "stats gta data/gta > /dev/full", "read gta data/gta > /dev/full", "augment crops.arrow > /dev/full", "classmix crops.arrow --target crops.arrow > /dev/full",
		"crops target.arrow --size 32 --base 64 > /dev/full", "write new crops.arrow > /dev/full", "plan samples --source gta:data/gta > /dev/full",
		"plan mix --source gta:data/gta --target gta:data/gta --crop 32x32 > /dev/full", "plan pairs --source gta:data/gta > /dev/full",
		"precompute samples --source gta:data/gta --out new > /dev/full", "precompute mix --source gta:data/gta --target gta:data/gta --crop 32x32 --out new > /dev/full", "precompute pairs --source gta:data/gta --size 32 --base 64 --out new > /dev/full",
		"precompute --plan plan.json --out new > /dev/full", "merge whole > /dev/full", "cat set > /dev/full", "verify set > /dev/full", "inspect set > /dev/full", "view crops.arrow > /dev/full",
		"train --config tiny.yaml --dry-run > /dev/full", "eval run > /dev/full", "predict run data/gta/images > /dev/full", "report fresh > /dev/full",
		"presets > /dev/full", "presets show fixture-pipa > /dev/full", "weights ls weights.safetensors > /dev/full", "weights convert weights.bin > /dev/full", "doctor > /dev/full",
		"completion bash > /dev/full", "man > /dev/full",
	},
}

// world makes what the lines of failing name.
const world = `
set -euo pipefail
pipa man --out pages
pipa fixtures data --width 64 --gta 3 --train 3 --val 2 --domains gta,cityscapes
pipa read gta data/gta -o gta.arrow
pipa read cityscapes data/cityscapes --unlabelled -o target.arrow
pipa augment gta.arrow --crop 32x32 -o crops.arrow
pipa crops target.arrow --size 32 --base 64 -o pairs.arrow
pipa write set gta.arrow
pipa write table gta.arrow --format parquet
echo hi | tee hi taken hi.safetensors >hi.json
echo mine >precious; mkdir foreign; cp precious foreign
: >empty
head -c -20 crops.arrow >cut.arrow
cp -r data/gta bad; for f in images/00001.png images/00002.png images/00003.png labels/00001.png; do head -c 200 data/gta/$f >bad/$f; done
cp -r set damaged; cp -r set cut
cp -r data/gta stats; cp precious stats/samples_with_class.json
cp -r data/gta oddstats; echo '[]' >oddstats/sample_class_stats.json
printf 'name: mine\nlabels: ids\nclasses: [{name: a, id: 0, colour: [1, 2, 3]}]\nignore: others\nsplits: {train: {images: "images/*.png", labels: "labels/{stem}.png"}}\n' >camvid.yaml
pipa read folder:camvid.yaml data/gta | pipa augment --crop 32x32 -o camvid.arrow
pipa plan samples --source gta:data/gta --shards 2 -o plan.json
pipa precompute --plan plan.json --out whole
pipa precompute --plan plan.json --out half --shard 0/2
pipa precompute --plan plan.json --out busy
cp -r whole broken
cp -r half edited; sed -i 's/"seed": 0/"seed": 1/' edited/plan.json
cp -r data/gta changed; pipa plan samples --source gta:changed -o changed.json; cp changed/images/00001.png changed/images/00003.png
pipa train --config tiny.yaml --source data/gta --target data/cityscapes --out run
pipa write pairs pairs.arrow
mkdir halfrun; cp run/metrics.jsonl halfrun
cp -r run busyrun; cp -r run fresh; cp -r run oddrun; echo hi >oddrun/metrics.jsonl
cp run/checkpoints/*/student.safetensors weights.safetensors; cp weights.safetensors weights.bin
`

// tiny is a recipe whose step takes milliseconds.
const tiny = `
extends: fixture-source
iterations: 1
source: {crop: [32, 32], resize: [0, 0], batch: 1}
target: {crop: [32, 32], resize: [0, 0], batch: 1}
network: {dims: [8, 16, 40, 64], depths: [1, 1, 1, 1], channels: 16}
eval: {resize: [32, 64], every: 0}
threads: 1
`

// pipaIn runs a line of failing in a folder, or a shell's script.
func pipaIn(t *testing.T, dir, line string) (code int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var c *exec.Cmd
	if line == world {
		c = exec.CommandContext(ctx, "bash", "-c", world)
	} else {
		words := strings.Fields(line)
		c = exec.CommandContext(ctx, "pipa")
		if len(words) > 1 && words[1] == "|" {
			data, err := os.ReadFile(filepath.Join(dir, words[0]))
			if err != nil {
				t.Fatal(err)
			}
			c.Stdin, words = bytes.NewReader(data), words[2:] // which os/exec pipes
		}
		if n := len(words); n > 2 && words[n-2] == ">" {
			to, err := os.OpenFile(words[n-1], os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close()
			c.Stdout, words = to, words[:n-2]
		}
		c.Env = os.Environ()
		for strings.Contains(words[0], "=") {
			c.Env, words = append(c.Env, words[0]), words[1:]
		}
		c.Args = append(c.Args, words...)
	}
	var message bytes.Buffer
	c.Dir, c.Stderr = dir, &message
	err := c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), message.String()
}

// bare is a line without its pipe, environment and standard output.
func bare(line string) string {
	if _, after, ok := strings.Cut(line, " | "); ok {
		line = after
	}
	line, _, _ = strings.Cut(line, " > ")
	for strings.Contains(strings.Fields(line)[0], "=") {
		_, line, _ = strings.Cut(line, " ")
	}
	return line
}

// usageMistakes are made with every command.
func usageMistakes(known map[string]*cli.Command) map[string][]string {
	mistakes := map[string][]string{}
	for name, c := range known {
		number := name // none where one is needed
		if c.ArgsUsage == "" || strings.HasPrefix(c.ArgsUsage, "[") {
			number += " x x"
		}
		for what, line := range map[string]string{"an unknown flag": name + " --flog", "messages in an unknown format": name + " --log xml", "a wrong number of arguments": number} {
			mistakes[what] = append(mistakes[what], line)
		}
	}
	return mistakes
}

// TestExitCodes makes each command fail in each way that docs/commands.md lists,
// and compares the exit codes. A command and a failure that the table does not
// have together, and the reverse, is an error.
func TestExitCodes(t *testing.T) {
	backend, err := checkout.Backend()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PIPA_TORCH", backend)
	storagetest.Server(t, "bucket")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tiny.yaml"), []byte(tiny), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, said := pipaIn(t, dir, world); code != 0 {
		t.Fatalf("%d: %s", code, said)
	}
	damage(t, filepath.Join(dir, "damaged/part-00000.arrow"), -2000)
	damage(t, filepath.Join(dir, "table/part-00000.parquet"), -2000)
	damage(t, filepath.Join(dir, "broken/part-00001.arrow"), -2000)
	if err := os.Truncate(filepath.Join(dir, "cut/part-00000.arrow"), 5000); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"busy/.lock-0-of-1", "busy/.lock-merge", "busyrun/.lock"} {
		unlock, err := files.Lock(filepath.Join(dir, filepath.Dir(name)), filepath.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
	}
	known := leaves(newApp().Commands, "")
	lines := maps.Clone(failing)
	maps.Copy(lines, usageMistakes(known))
	before := listing(t, dir)
	for _, f := range failures(t) {
		var commands []string
		for _, line := range lines[f.what] {
			commands = append(commands, commandOf(bare(line), known))
			code, said := pipaIn(t, dir, line)
			if code != f.code || said == "" {
				t.Errorf("%s: pipa %s: exit code %d, want %d: %s", f.what, line, code, f.code, said)
			}
			if strings.HasPrefix(f.what, "a URL") {
				if now := listing(t, dir); !slices.Equal(now, before) {
					t.Errorf("%s: pipa %s: left behind: %q, before %q", f.what, line, now, before)
				}
			}
			for _, made := range []string{"new", "new.misfit.txt"} {
				if err := os.RemoveAll(filepath.Join(dir, made)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Remove(filepath.Join(dir, "fresh/report.html")); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		slices.Sort(commands)
		if commands = slices.Compact(commands); !slices.Equal(commands, f.commands) {
			t.Errorf("%s: the table has %q, tested are %q", f.what, f.commands, commands)
		}
		delete(lines, f.what)
	}
	for what := range lines {
		t.Errorf("docs/commands.md has no row %q", what)
	}
}

func damage(t *testing.T, path string, offset int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)+offset] ^= 0x10
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// listing is the names in a folder.
func listing(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestURLsAreTriedEverywhere: each flag and argument that names a file is given a
// URL in TestExitCodes: it is refused, or nothing lies there.
func TestURLsAreTriedEverywhere(t *testing.T) {
	known := leaves(newApp().Commands, "")
	tried := map[string]bool{}
	for _, what := range []string{"a URL where only this machine's files are taken", "an input that is not there"} {
		for _, line := range failing[what] {
			words := strings.Fields(line)
			command := commandOf(line, known)
			for i, w := range words {
				if !strings.Contains(w, "://") {
					continue
				}
				if flag := words[i-1]; strings.HasPrefix(flag, "--") && flag != "--format" {
					tried[command+" "+flag] = true
				} else {
					tried[command] = true
				}
			}
		}
	}
	// These take any stream or dataset, by the same function as the ones that are tried.
	for _, same := range []string{"augment", "crops", "classmix", "view", "classmix --target", "precompute --source", "precompute --target",
		"plan samples --source", "plan mix --source", "plan mix --target", "plan pairs --source", "precompute samples --source", "precompute mix --source", "precompute mix --target", "precompute pairs --source", "plan pairs --target", "precompute pairs --target",
		"precompute samples --out", "precompute mix --out", "precompute pairs --out"} {
		tried[same] = true
	}
	placeholder := regexp.MustCompile("`([^`]+)`")
	for name, c := range known {
		if words := c.ArgsUsage; regexp.MustCompile("DATASET|DIR|FILE|RUN").MatchString(words) && !tried[name] {
			t.Errorf("%s %s: not tried with a URL", name, words)
		}
		for _, f := range c.Flags {
			s, isString := f.(*cli.StringFlag)
			if !isString {
				continue
			}
			m := placeholder.FindStringSubmatch(s.Usage)
			if m != nil && slices.Contains([]string{"FILE", "DIR", "PATH", "STREAM", "DATASET"}, m[1]) && !tried[name+" --"+s.Name] {
				t.Errorf("%s --%s %s: not tried with a URL", name, s.Name, m[1])
			}
		}
	}
}

package deploy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/fixtures/shared"
)

// job is what the tests look at in a Kubernetes Job.
type job struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		CompletionMode       string `yaml:"completionMode"`
		Completions          int
		Parallelism          int
		BackoffLimit         *int `yaml:"backoffLimit"`
		BackoffLimitPerIndex *int `yaml:"backoffLimitPerIndex"`
		MaxFailedIndexes     *int `yaml:"maxFailedIndexes"`
		PodFailurePolicy     struct {
			Rules []struct {
				Action          string
				OnPodConditions []struct{ Type, Status string } `yaml:"onPodConditions"`
				OnExitCodes     struct {
					ContainerName string `yaml:"containerName"`
					Operator      string
					Values        []int
				} `yaml:"onExitCodes"`
			}
		} `yaml:"podFailurePolicy"`
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				RestartPolicy string `yaml:"restartPolicy"`
				Containers    []struct {
					Name, Image  string
					Args         []string
					Env          []struct{ Name, Value string }
					Resources    struct{ Requests, Limits map[string]string }
					VolumeMounts []struct {
						Name      string
						MountPath string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
				}
				Volumes []struct {
					Name                  string
					PersistentVolumeClaim struct {
						ClaimName string `yaml:"claimName"`
					} `yaml:"persistentVolumeClaim"`
				}
			}
		}
	}
}

func jobs(t *testing.T) []job {
	t.Helper()
	text, err := os.ReadFile("kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField()) // a misspelt key is an error
	var all []job
	for {
		var j job
		if err := d.Decode(&j); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, j)
	}
}

func TestKubernetesJobs(t *testing.T) {
	all := jobs(t)
	if len(all) != 3 {
		t.Fatalf("%d documents, want 3", len(all))
	}
	pipa := program(t)
	for i, j := range all {
		c := j.Spec.Template.Spec.Containers
		if j.APIVersion != "batch/v1" || j.Kind != "Job" || j.Spec.Template.Spec.RestartPolicy != "Never" || len(c) != 1 || c[0].Name != "pipa" {
			t.Errorf("document %d: %+v", i, j)
			continue
		}
		if step := j.Metadata.Labels["step"]; "pipa-"+step != j.Metadata.Name || c[0].Args[0] != step {
			t.Errorf("job %s is labelled %s and runs %q", j.Metadata.Name, step, c[0].Args)
		}
		// The flags are ones that pipa has: with --help it stops before any work.
		if out, err := exec.Command(pipa, append(slices.Clone(c[0].Args), "--help")...).CombinedOutput(); err != nil {
			t.Errorf("pipa %q: %v: %s", c[0].Args, err, out)
		}
	}
	s := all[1].Spec
	if s.CompletionMode != "Indexed" || s.Completions < s.Parallelism || s.BackoffLimitPerIndex == nil {
		t.Errorf("the second job is no Indexed Job: %+v", s)
	}
	if e := s.Template.Spec.Containers[0].Env; len(e) != 1 || e[0].Name != "PIPA_SHARDS" || e[0].Value != fmt.Sprint(s.Completions) {
		t.Errorf("environment %v for %d completions", e, s.Completions)
	}
	final := false
	for _, r := range s.PodFailurePolicy.Rules {
		final = final || r.Action == "FailJob" && r.OnExitCodes.Operator == "In" && slices.Equal(r.OnExitCodes.Values, []int{2, 3})
	}
	if !final {
		t.Error("exit codes 2 and 3 do not fail the job")
	}
}

func TestScriptsParse(t *testing.T) {
	for _, name := range []string{"slurm.sh", "local.sh"} {
		if out, err := exec.Command("bash", "-n", name).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// TestSlurmSubmitsThreeSteps runs the script against an sbatch that writes down
// what it is given.
func TestSlurmSubmitsThreeSteps(t *testing.T) {
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	sbatch := "#!/usr/bin/env bash\necho \"$@\" >>" + log + "\n[[ \" $* \" == *' --wrap '* ]] || cat >>" + log + "\necho 42\n"
	if err := os.WriteFile(filepath.Join(bin, "sbatch"), []byte(sbatch), 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("./slurm.sh", "/scratch/city", "/scratch/pairs")
	c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pipa plan pairs --source cityscapes:/scratch/city", "--dependency=afterok:42 --array=0-63", "pipa precompute --plan /scratch/pairs.plan.json --out /scratch/pairs", "scontrol requeue \"${SLURM_ARRAY_JOB_ID}", "pipa merge /scratch/pairs"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("what is submitted has no %q:\n%s", want, text)
		}
	}
}

// program is the path of pipa.
func program(t *testing.T) string {
	t.Helper()
	path, err := shared.Program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTheStepsSurviveKills runs local.sh, and compares with one process that
// nobody killed.
func TestTheStepsSurviveKills(t *testing.T) {
	pipa := program(t)
	data, err := shared.Data(fixtures.Options{Seed: 2, Width: 128, Train: 12, Val: -1, Domains: []fixtures.Domain{fixtures.Cityscapes}})
	if err != nil {
		t.Fatal(err)
	}
	dir, city, flags := t.TempDir(), filepath.Join(data, "cityscapes"), []string{"--size", "64", "--base", "128", "--epochs", "4", "--shards", "11"}
	command := func(name string, args ...string) string {
		c := exec.Command(name, args...)
		c.Env = append(os.Environ(), "PATH="+filepath.Dir(pipa)+":"+os.Getenv("PATH"))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v: %s", name, args, err, out)
		}
		return string(out)
	}
	said := command("./local.sh", append([]string{city, filepath.Join(dir, "shared")}, flags...)...)
	if kills := strings.Count(said, "exit code 137"); kills != 2 {
		t.Errorf("%d processes were killed, want 2:\n%s", kills, said)
	}
	command(pipa, append([]string{"precompute", "pairs", "--source", "cityscapes:" + city, "--unlabelled", "--out", filepath.Join(dir, "whole"), "--progress", "never"}, flags...)...)
	command("diff", "-r", filepath.Join(dir, "whole"), filepath.Join(dir, "shared"))
}

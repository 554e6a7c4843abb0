package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/traintest"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// rankRun is the environment variable that makes the test binary a rank of a
// run into the directory it names.
const rankRun = "PIPA_TEST_RANK_RUN"

// runRank is such a process. It says every iteration on standard output, and
// ends with code 1 after an error, 130 after an interrupt.
func runRank() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := func() error {
		cfg, err := config.Resolve("", os.Getenv("PIPA_TEST_CONFIG"), nil)
		if err != nil {
			return err
		}
		lib, err := torch.Load("")
		if err != nil {
			return err
		}
		launch, err := torch.LaunchFrom(os.Getenv)
		if err != nil {
			return err
		}
		_, err = Run(ctx, lib, cfg, Options{Out: os.Getenv(rankRun), Resume: os.Getenv("PIPA_TEST_RESUME") != "", Workers: 1, Launch: launch,
			Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), Progress: func(m Metrics, _ int) { fmt.Println(m.Iteration) }})
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	switch {
	case errors.Is(err, ErrInterrupted):
		return 130
	case err != nil:
		return 1
	}
	return 0
}

// ranks are processes that train together.
type ranks struct {
	t         *testing.T
	processes []*exec.Cmd
	output    []*bytes.Buffer
	iteration []chan int // done, of rank 0
}

// startRanks starts n of them on the loopback interface.
func startRanks(t *testing.T, n int, cfg config.Config, run string, resume bool) *ranks {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	r := &ranks{t: t}
	for rank := range n {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), rankRun+"="+run, "PIPA_TEST_CONFIG="+file, "OMP_NUM_THREADS=1", "GLOO_SOCKET_IFNAME=lo")
		if resume {
			c.Env = append(c.Env, "PIPA_TEST_RESUME=1")
		}
		if n > 1 {
			c.Env = append(c.Env, "RANK="+strconv.Itoa(rank), "WORLD_SIZE="+strconv.Itoa(n), "LOCAL_RANK="+strconv.Itoa(rank), "MASTER_ADDR=127.0.0.1", "MASTER_PORT="+strconv.Itoa(port))
		}
		steps := make(chan int, 1000)
		c.Stdout = writer(func(line string) {
			if i, err := strconv.Atoi(line); err == nil {
				steps <- i
			}
		})
		out := &bytes.Buffer{}
		c.Stderr = out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill() })
		r.processes, r.output, r.iteration = append(r.processes, c), append(r.output, out), append(r.iteration, steps)
	}
	return r
}

// writer calls a function for what each write says.
type writer func(line string)

func (w writer) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		w(strings.TrimSpace(line))
	}
	return len(p), nil
}

// reach waits until rank 0 has done an iteration.
func (r *ranks) reach(iteration int) {
	r.t.Helper()
	for {
		select {
		case i := <-r.iteration[0]:
			if i >= iteration {
				return
			}
		case <-time.After(2 * time.Minute):
			r.t.Fatalf("rank 0 does not get to iteration %d: %s", iteration, r.output[0])
		}
	}
}

// wait returns the exit codes.
func (r *ranks) wait() []int {
	codes := make([]int, len(r.processes))
	for i, p := range r.processes {
		_ = p.Wait() // the code tells
		codes[i] = p.ProcessState.ExitCode()
	}
	return codes
}

func (r *ranks) succeed() {
	r.t.Helper()
	for rank, code := range r.wait() {
		if code != 0 {
			r.t.Fatalf("rank %d ended with %d: %s", rank, code, r.output[rank])
		}
	}
}

// ranksConfig is a run with every loss that needs no pretrained weights, whose
// batches 2 and 4 ranks can share.
//
// Adam's first step is as long as the learning rate in every direction, however
// short the gradient: where it is 1e-5 of a tensor's largest, rounding chooses
// its sign, and two runs are twice the rate apart, for good. So the rate warms
// up, from nearly nothing, as every preset's does.
func ranksConfig(t *testing.T, set ...string) config.Config {
	return traintest.Config(t, append([]string{
		"iterations=20", "log_every=1", "checkpoint.every=20", "source.batch=4", "target.batch=4", "patch.batch=4", "masked.weight=1", "masked.block=16",
		"adapt.threshold=0.1", "patch.start=3", "patch.threshold=0.01", "network.drop_path=0.1", "optimizer.lr=6e-5", "optimizer.warmup=5", "panels_every=0",
	}, set...)...)
}

// rounding are the parameters whose gradient is rounding and nothing else, which
// Adam makes steps of full size of: the bias of a convolution that a batch norm
// follows, and takes away again.
var rounding = []string{"proj_head.proj.0.bias", "proj_head.proj.1.0.running_mean"}

// checkpointTensors are the last checkpoint's tensors of floats, by file and
// name, but for those.
func checkpointTensors(t *testing.T, run string) map[string][]float32 {
	t.Helper()
	dir, _, _, err := checkpoint.Latest(run)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for _, file := range []string{checkpoint.StudentFile, checkpoint.TeacherFile, checkpoint.BankFile} {
		f, err := safetensors.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range f.Names() {
			x, err := f.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			if x.DType == "F32" && !slices.Contains(rounding, name) {
				if out[file+" "+name], err = x.Float32s(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return out
}

// furthest is the largest difference between two checkpoints, relative where
// the numbers exceed 1, and where it is.
func furthest(a, b map[string][]float32) (difference float64, where string) {
	for name, x := range a {
		y := b[name]
		if len(x) != len(y) {
			return math.Inf(1), name
		}
		for i := range x {
			if d := math.Abs(float64(x[i])-float64(y[i])) / max(1, math.Abs(float64(x[i]))); d > difference || math.IsNaN(d) {
				difference, where = d, name
			}
		}
	}
	return difference, where
}

func TestRanksEqualOneProcessWithTheWholeBatch(t *testing.T) {
	for _, c := range []struct {
		name  string
		ranks []int
		set   []string
	}{
		{"transformer", []int{2, 4}, nil},
		{"checkpointing, official contrasts", []int{2}, []string{"network.checkpointing=true", "pixel.mode=official", "patch.mode=official"}},
		{"two scales, feature distance", []int{4}, []string{"network.hrda.crop=[32, 32]", "feature_distance.weight=0.1", "feature_distance.ratio=0.3", "feature_distance.classes=[0, 1, 2, 8, 10]",
			"network.weights=" + encoderWeights(t), "probe_every=7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := ranksConfig(t, c.set...)
			dir := t.TempDir()
			alone := filepath.Join(dir, "1")
			startRanks(t, 1, cfg, alone, false).succeed()
			want, losses := checkpointTensors(t, alone), deterministic(t, alone)
			for _, n := range c.ranks {
				run := filepath.Join(dir, strconv.Itoa(n))
				startRanks(t, n, cfg, run, false).succeed()
				if d, where := furthest(want, checkpointTensors(t, run)); !(d <= 1e-5) {
					t.Errorf("%d ranks: %s differs by %.2g", n, where, d)
				} else {
					t.Logf("%d ranks: weights differ by up to %.2g (%s)", n, d, where)
				}
				for i, m := range deterministic(t, run) {
					for name, norm := range losses[i].Norms {
						if d := math.Abs(norm - m.Norms[name]); !(d <= 1e-3*max(1, norm)) {
							t.Errorf("%d ranks, iteration %d: the gradient of %s is %v long, want %v", n, m.Iteration, name, m.Norms[name], norm)
						}
					}
					for name, l := range losses[i].Losses {
						if d := math.Abs(l - m.Losses[name]); !(d <= 1e-5) {
							t.Errorf("%d ranks, iteration %d: loss %s is %v, want %v", n, m.Iteration, name, m.Losses[name], l)
						}
					}
				}
				if n == 2 && c.set == nil {
					// What the comparison is worth: each rank for itself is another network.
					cfg.Network.SyncBatchNorm = false
					apart := filepath.Join(dir, "apart")
					startRanks(t, n, cfg, apart, false).succeed()
					if d, _ := furthest(want, checkpointTensors(t, apart)); d < 1e-4 {
						t.Errorf("without synchronised batch norms the weights differ by %.2g only", d)
					}
					cfg.Network.SyncBatchNorm = true
				}
				var a, b infer.Result
				readJSON(t, filepath.Join(alone, resultFile), &a)
				readJSON(t, filepath.Join(run, resultFile), &b)
				if a.Images != b.Images || math.Abs(float64(a.AllPixels-b.AllPixels)) > 1e-3 {
					t.Errorf("%d ranks: scored %v of %d images, want %v of %d", n, b.AllPixels, b.Images, a.AllPixels, a.Images)
				}
			}
		})
	}
}

// encoderWeights writes a file of the encoder that ranksConfig has, as one
// would be given that is pretrained.
func encoderWeights(t *testing.T) string {
	t.Helper()
	run, path := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "encoder.safetensors")
	if _, err := Run(context.Background(), traintest.Lib(t), ranksConfig(t, "iterations=1", "seed=5"), Options{Out: run}); err != nil {
		t.Fatal(err)
	}
	dir, _, _, err := checkpoint.Latest(run)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(filepath.Join(dir, checkpoint.StudentFile))
	if err != nil {
		t.Fatal(err)
	}
	var list []safetensors.Tensor
	for _, name := range f.Names() {
		if x, err := f.Tensor(name); err != nil {
			t.Fatal(err)
		} else if strings.HasPrefix(name, "backbone.") {
			list = append(list, x)
		}
	}
	if err := safetensors.WriteFile(path, nil, list); err != nil {
		t.Fatal(err)
	}
	return path
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestALostRankEndsTheOthers kills a rank, whose connections close, or stops it,
// as if its host had vanished: they stand, and nothing comes. Rank 0 keeps the
// store in which the others look for signs of life.
func TestALostRankEndsTheOthers(t *testing.T) {
	for _, lost := range []struct {
		victim int
		signal syscall.Signal
	}{{0, syscall.SIGKILL}, {1, syscall.SIGKILL}, {2, syscall.SIGKILL}, {0, syscall.SIGSTOP}, {1, syscall.SIGSTOP}} {
		t.Run(fmt.Sprintf("rank %d, %v", lost.victim, lost.signal), func(t *testing.T) {
			t.Parallel() // they mostly wait
			cfg := ranksConfig(t, "iterations=100000", "checkpoint.every=2", "source.batch=3", "target.batch=3", "patch.batch=3")
			run := filepath.Join(t.TempDir(), "run")
			r := startRanks(t, 3, cfg, run, false)
			r.reach(5)
			if err := r.processes[lost.victim].Process.Signal(lost.signal); err != nil {
				t.Fatal(err)
			}
			late := time.AfterFunc(30*time.Second, func() {
				t.Error("the others still run after 30 s")
				for _, p := range r.processes {
					_ = p.Process.Kill()
				}
			})
			for rank, p := range r.processes {
				if rank == lost.victim {
					continue
				}
				_ = p.Wait() // the code tells
				said := r.output[rank].String()
				if code := p.ProcessState.ExitCode(); code != 1 || !strings.Contains(said, fmt.Sprintf("lost rank %d:", lost.victim)) || !strings.Contains(said, "the last checkpoint is "+run) {
					t.Errorf("rank %d ended with %d: %s", rank, code, said)
				}
			}
			late.Stop()
			_ = r.processes[lost.victim].Process.Kill()
			_ = r.processes[lost.victim].Wait()
			if dir, state, warnings, err := checkpoint.Latest(run); err != nil || dir == "" || state.Iteration < 4 || len(warnings) > 0 {
				t.Errorf("checkpoint %q of iteration %d, %v, %v", dir, state.Iteration, warnings, err)
			}
		})
	}
}

// TestAnInterruptStopsAllRanksAndAnotherNumberGoesOn interrupts one rank of
// two, and goes on with four, then one.
func TestAnInterruptStopsAllRanksAndAnotherNumberGoesOn(t *testing.T) {
	cfg := ranksConfig(t)
	dir := t.TempDir()
	alone, run := filepath.Join(dir, "alone"), filepath.Join(dir, "run")
	startRanks(t, 1, cfg, alone, false).succeed()
	for i, n := range []int{2, 4} {
		r := startRanks(t, n, cfg, run, i > 0)
		r.reach(4 + 6*i)
		if err := r.processes[i].Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if codes := r.wait(); slices.ContainsFunc(codes, func(c int) bool { return c != 130 }) {
			t.Fatalf("%d ranks ended with %v: %s", n, codes, r.output)
		}
	}
	startRanks(t, 1, cfg, run, true).succeed()
	if d, where := furthest(checkpointTensors(t, alone), checkpointTensors(t, run)); !(d <= 1e-5) {
		t.Errorf("%s differs by %.2g", where, d)
	}
	want, got := deterministic(t, alone), deterministic(t, run)
	if len(got) != len(want) {
		t.Fatalf("%d lines of metrics, want %d", len(got), len(want))
	}
	for i := range want {
		for _, name := range slices.Sorted(maps.Keys(want[i].Losses)) {
			if d := math.Abs(want[i].Losses[name] - got[i].Losses[name]); !(d <= 1e-5) {
				t.Errorf("iteration %d: loss %s is %v, want %v", want[i].Iteration, name, got[i].Losses[name], want[i].Losses[name])
			}
		}
	}
}

func TestRanksThatCannotTrainTogetherSaySo(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	r := startRanks(t, 2, ranksConfig(t, "source.batch=3", "target.batch=3"), run, false)
	if codes := r.wait(); !slices.Equal(codes, []int{1, 1}) || !strings.Contains(r.output[1].String(), "a batch of 3 cannot be shared equally by 2 ranks") {
		t.Errorf("%v: %s", codes, r.output)
	}
}

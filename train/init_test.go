package train

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/traintest"
	"github.com/pipa-uda/pipa/train/weights"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// TestARunBeginsAsAnother: with a rate of next to nothing a run that begins as
// another, by its folder, a checkpoint's or a file of its student, has that one's
// networks after a step; a file without a teacher is both.
func TestARunBeginsAsAnother(t *testing.T) {
	lib := traintest.Lib(t)
	dir := t.TempDir()
	first := filepath.Join(dir, "first")
	if _, err := Run(context.Background(), lib, traintest.Config(t, "iterations=3", "optimizer.lr=0.01"), Options{Out: first}); err != nil {
		t.Fatal(err)
	}
	latest, _, _, err := checkpoint.Latest(first)
	if err != nil {
		t.Fatal(err)
	}
	still := []string{"iterations=1", "optimizer.lr=1e-20", "optimizer.warmup=0", "network.dropout=0", "network.drop_path=0"}
	for _, init := range []string{first, latest, filepath.Join(latest, checkpoint.StudentFile)} {
		out := filepath.Join(dir, "from "+filepath.Base(init))
		if _, err := Run(context.Background(), lib, traintest.Config(t, append(still, "network.init="+init)...), Options{Out: out}); err != nil {
			t.Fatal(err)
		}
		begun, _, _, err := checkpoint.Latest(out)
		if err != nil {
			t.Fatal(err)
		}
		teacher := checkpoint.TeacherFile
		if filepath.Ext(init) != "" {
			teacher = checkpoint.StudentFile // a file of the student alone
		}
		same(t, latest, checkpoint.StudentFile, begun, checkpoint.StudentFile)
		same(t, latest, teacher, begun, checkpoint.TeacherFile)
	}
	misfit := (*weights.Misfit)(nil)
	_, err = Run(context.Background(), lib, traintest.Config(t, "network.channels=8", "network.init="+first), Options{Out: filepath.Join(dir, "other")})
	if !errors.As(err, &misfit) || len(strings.Split(err.Error(), "\n")) != 3 || !strings.Contains(err.Error(), "network.init: ") {
		t.Errorf("a network of other sizes: %v", err)
	}
}

// same fails unless the parameters of a network are the same in two checkpoints.
func same(t *testing.T, a, fileA, b, fileB string) {
	t.Helper()
	fa, err := safetensors.Open(filepath.Join(a, fileA))
	if err != nil {
		t.Fatal(err)
	}
	fb, err := safetensors.Open(filepath.Join(b, fileB))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, name := range fb.Names() {
		// Batch norms' statistics go on with what is seen; heads begin anew.
		if !strings.HasPrefix(name, "backbone.") && !strings.HasPrefix(name, "decode_head.") || strings.Contains(name, ".running_") || strings.HasSuffix(name, ".num_batches_tracked") {
			continue
		}
		ta, errA := fa.Tensor(name)
		tb, errB := fb.Tensor(name)
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(ta.Data, tb.Data) {
			t.Fatalf("%s of %s and %s of %s differ", name, fileA, name, fileB)
		}
		compared++
	}
	if compared == 0 {
		t.Fatal("nothing was compared")
	}
}

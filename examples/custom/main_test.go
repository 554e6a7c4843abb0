package main

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/train/config"
)

// archive lays fixtures out as archiveLayout has them.
func archive(t *testing.T) string {
	t.Helper()
	dir, drawn := t.TempDir(), t.TempDir()
	o := fixtures.Options{Width: 128, GTA: 4, Train: 4, Val: 2, Domains: []fixtures.Domain{fixtures.GTA, fixtures.Cityscapes}}
	if err := fixtures.Write(t.Context(), drawn, o); err != nil {
		t.Fatal(err)
	}
	write := func(name string, m image.Image) {
		var b bytes.Buffer
		path := filepath.Join(dir, name)
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		from      formats.Layout
		split, to string
		labeled   bool
	}{{formats.GTA(), "train", "game", true}, {formats.Cityscapes(), "train", "street", false}, {formats.Cityscapes(), "val", "kept", true}} {
		d, err := formats.Open(c.from, filepath.Join(drawn, c.from.Name), formats.Options{Split: c.split})
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Len() {
			s, err := d.Read(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(s.ID) + ".png"
			m := image.NewRGBA(image.Rect(0, 0, s.Image.Width(), s.Image.Height()))
			for k := range s.Image.Width() * s.Image.Height() {
				copy(m.Pix[4*k:], append(s.Image.Pix()[3*k:3*k+3:3*k+3], 255))
			}
			write(c.to+"/images/"+name, m)
			if c.labeled {
				write(c.to+"/classes/"+name, &image.Gray{Pix: s.Label.Pix(), Stride: s.Label.Width(), Rect: m.Rect})
			}
		}
	}
	return dir
}

func TestItTrainsWithWhatIsItsOwn(t *testing.T) {
	data, out := archive(t), filepath.Join(t.TempDir(), "run")
	if err := run(t.Context(), data, out, 3); err != nil {
		t.Fatal(err)
	}
	metrics, err := os.ReadFile(filepath.Join(out, "metrics.jsonl"))
	if err != nil || strings.Count(string(metrics), `"smoothness":`) != 3 {
		t.Errorf("metrics: %s, %v", metrics, err)
	}
	student, err := os.ReadFile(filepath.Join(out, "checkpoints", "00000003", "student.safetensors"))
	if err != nil || !bytes.Contains(student, []byte(`"backbone.stages.3.weight"`)) {
		t.Errorf("the student has another encoder, or none: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(out, config.File))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"encoder: custom:pyramid-8", "losses: [smoothness-0.1]", "format: custom:archive"} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("%s does not say %q", config.File, line)
		}
	}
	// Run again, it goes on from its checkpoint, whose work is done.
	if err := run(t.Context(), data, out, 3); err != nil {
		t.Error(err)
	}
}

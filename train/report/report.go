package report

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/logs"
)

//go:embed page.html
var pageText string

// maxPanels are shown, evenly chosen, so that the page stays of a size to mail.
const maxPanels = 4

// page is what page.html shows.
type page struct {
	Name      string
	Iteration int
	Total     int
	Final     *infer.Result // nil before the first score
	Tiles     []tile
	Charts    []chart
	Classes   []classRow
	Confusion template.HTML
	Panels    []panel
	Config    string
	Digests   []digest
	Changes   []checkpoint.Change // of the data
	LeftOut   []feed.LeftOut
}

// maxCurves is far beyond the losses that there are.
const maxCurves = 64

type tile struct{ Label, Value string }

type chart struct {
	Title, Note string
	SVG         template.HTML
}

type classRow struct {
	Name, Color   string
	IoU, Accuracy string
	Width         float64 // of the bar, percent
}

type panel struct {
	Iteration string
	Source    template.URL
}

type digest struct{ Name, Value string }

// Write writes the report of the run in dir to w.
func Write(w io.Writer, dir string) error {
	p, err := load(dir)
	if err != nil {
		return fmt.Errorf("report on %s: %w", dir, err)
	}
	t, err := template.New("report").Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, p)
}

func load(dir string) (*page, error) {
	cfg, text, err := config.ReadRun(dir)
	if err != nil {
		return nil, err
	}
	metrics, err := logs.ReadMetrics(dir)
	if err != nil {
		return nil, err
	}
	if n := len(keys(metrics, func(m logs.Metrics) map[string]float64 { return m.Losses })) + len(keys(metrics, func(m logs.Metrics) map[string]float64 { return m.Norms })); n > maxCurves {
		return nil, fmt.Errorf("its metrics name %d losses and gradients, a run has at most %d", n, maxCurves)
	}
	scores, err := logs.ReadScores(dir)
	if err != nil {
		return nil, err
	}
	if len(metrics) == 0 {
		return nil, fmt.Errorf("it has logged nothing yet")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	last := metrics[len(metrics)-1]
	p := &page{Name: filepath.Base(abs), Iteration: last.Iteration, Total: cfg.Iterations, Config: text}
	if len(scores) > 0 {
		p.Final = &scores[len(scores)-1]
		p.Classes = classRows(p.Final)
		p.Confusion = matrix(p.Final)
	}
	p.Tiles = tiles(metrics, p.Final)
	p.Charts = charts(metrics, scores)
	if p.Panels, err = panels(dir); err != nil {
		return nil, err
	}
	inputs, err := logs.ReadInputs(dir)
	if err != nil {
		return nil, err
	}
	for name, value := range inputs.Digests {
		p.Digests = append(p.Digests, digest{name, value})
	}
	p.Changes, p.LeftOut = inputs.Changes, inputs.LeftOut
	slices.SortFunc(p.Digests, func(a, b digest) int { return strings.Compare(a.Name, b.Name) })
	return p, nil
}

// percent formats a share; a class that is nowhere has none.
func percent(f infer.Fraction) string {
	if math.IsNaN(float64(f)) {
		return "–"
	}
	return fmt.Sprintf("%.1f", 100*float64(f))
}

// tiles are the run's headline numbers.
func tiles(metrics []logs.Metrics, final *infer.Result) []tile {
	var t []tile
	if final != nil {
		t = append(t, tile{"mIoU, " + fmt.Sprint(len(final.Classes)) + " classes", percent(final.MIoU) + " %"})
		if eval.AreCityscapes(final.Classes) {
			t = append(t, tile{"mIoU, 16 classes", percent(final.MIoU16) + " %"}, tile{"mIoU, 13 classes", percent(final.MIoU13) + " %"})
		}
	}
	var speed, wait float64
	var memory int64
	skipped := 0
	for _, m := range metrics {
		speed += m.SamplesPerSecond / float64(len(metrics))
		wait += m.DataWait / float64(len(metrics))
		memory = max(memory, m.MemoryBytes)
		skipped += m.Skipped
	}
	t = append(t, tile{"samples/s", fmt.Sprintf("%.3g", speed)}, tile{"waiting for data", fmt.Sprintf("%.1f %%", 100*wait)})
	if memory > 0 {
		t = append(t, tile{"host memory", fmt.Sprintf("%.2f GB", float64(memory)/1e9)})
	}
	if skipped > 0 {
		t = append(t, tile{"skipped steps", fmt.Sprint(skipped)})
	}
	return t
}

// charts are one small line chart for each quantity; quantities of different
// scale share no axis.
func charts(metrics []logs.Metrics, scores []infer.Result) []chart {
	var out []chart
	add := func(title, note string, s series) {
		if len(s) > 1 {
			out = append(out, chart{title, note, s.thinned().svg(title)})
		}
	}
	var miou series
	for _, r := range scores {
		if !math.IsNaN(float64(r.MIoU)) {
			miou = append(miou, point{r.Iteration, 100 * float64(r.MIoU)})
		}
	}
	add("mIoU on the target", "%", miou)
	of := func(value func(logs.Metrics) (float64, bool)) (s series) {
		for _, m := range metrics {
			if v, ok := value(m); ok {
				s = append(s, point{m.Iteration, v})
			}
		}
		return s
	}
	for _, name := range keys(metrics, func(m logs.Metrics) map[string]float64 { return m.Losses }) {
		add("loss: "+label(name), "weighted, nats", of(func(m logs.Metrics) (float64, bool) { v, ok := m.Losses[name]; return v, ok }))
	}
	add("confident target pixels", "%", of(func(m logs.Metrics) (float64, bool) { return 100 * m.Confident, true }))
	for _, name := range keys(metrics, func(m logs.Metrics) map[string]float64 { return m.Norms }) {
		add("gradient: "+label(name), "norm in the encoder", of(func(m logs.Metrics) (float64, bool) { v, ok := m.Norms[name]; return v, ok }))
	}
	add("learning rate", "encoder", of(func(m logs.Metrics) (float64, bool) { return m.LR, true }))
	add("throughput", "samples/s", of(func(m logs.Metrics) (float64, bool) { return m.SamplesPerSecond, true }))
	return out
}

func label(name string) string { return strings.ReplaceAll(name, "_", " ") }

// keys are those of all lines, sorted.
func keys(metrics []logs.Metrics, of func(logs.Metrics) map[string]float64) []string {
	seen := map[string]bool{}
	var out []string
	for _, m := range metrics {
		for k := range of(m) {
			if !seen[k] {
				seen[k] = true
				out = append(out, k)
			}
		}
	}
	slices.Sort(out)
	return out
}

func classRows(r *infer.Result) []classRow {
	colors := r.Palette()
	var rows []classRow
	for i, name := range r.Classes {
		width := 100 * float64(r.IoU[i])
		if math.IsNaN(width) {
			width = 0
		}
		rows = append(rows, classRow{name, fmt.Sprintf("#%02x%02x%02x", colors[i][0], colors[i][1], colors[i][2]), percent(r.IoU[i]), percent(r.Accuracy[i]), width})
	}
	return rows
}

// readPanel reads a picture of the run. A link to a file elsewhere is not
// followed: who mails the page would mail that file.
func readPanel(dir, file string) ([]byte, error) {
	f, err := files.OpenIn(dir, filepath.Join("panels", filepath.Base(file)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// panels embeds the first, the last and some pictures between.
func panels(dir string) ([]panel, error) {
	files, err := filepath.Glob(filepath.Join(dir, "panels", "*.png"))
	if err != nil {
		return nil, err
	}
	var out []panel
	for i := range min(len(files), maxPanels) {
		file := files[i*(len(files)-1)/max(min(len(files), maxPanels)-1, 1)]
		data, err := readPanel(dir, file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimLeft(strings.TrimSuffix(filepath.Base(file), ".png"), "0")
		if name == "" {
			name = "0"
		}
		out = append(out, panel{name, template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(data))})
	}
	return out, nil
}

package pipeline

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// headers are of every kind, with one size and several.
var headers = []Header{
	{Kind: KindSample, Seed: 7, Classes: raster.CityscapesClasses(), Datasets: []string{"gta", "cityscapes"}},
	{Kind: KindSample, Classes: []string{"a"}, Datasets: []string{"set"}, Labeled: true, Pseudo: true, Size: raster.Size{Height: 4, Width: 6}},
	{Kind: KindMix, Classes: []string{"a", "b"}, Colors: [][3]uint8{{1, 2, 3}, {4, 5, 6}}, Datasets: []string{"set"}, Labeled: true},
	{Kind: KindPair, Classes: []string{"a"}, History: []Step{{Stage: "crops", Params: json.RawMessage(`{"size":8}`)}}, Size: raster.Size{Height: 8, Width: 8}},
}

// parseHeader decodes metadata that have all that a header needs.
func parseHeader(m map[string]string) (Header, error) {
	s, err := parseMetadata(m)
	if err == nil && !s.has[keyKind] {
		err = errors.New("no kind")
	}
	return s.Header, errors.Join(err, s.Validate())
}

func TestForeignColorsAreChecked(t *testing.T) {
	good, err := headers[0].metadata()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{"[[1,2,3]]", "1 colors for 19 classes"},
		{"[[1,2]]", "color 0 is [1 2]"},
		{"[[1,2,3,4]]", "color 0 is [1 2 3 4]"},
		{"[[1,2,256]]", "color 0 is [1 2 256]"},
		{"[[1,2,-1]]", "cannot unmarshal"},
		{"null", "0 colors"},
		{"{", "pipa.colours"},
	} {
		m := good.ToMap()
		m[keyColors] = c.text
		m[keyCheck] = checkOf(m)
		if _, err := parseHeader(m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.text, err, c.want)
		}
	}
}

// FuzzHeader reads damaged metadata of a schema: what is accepted is written
// again as it was understood.
func FuzzHeader(f *testing.F) {
	for _, h := range headers {
		m, err := h.metadata()
		if err != nil {
			f.Fatal(err)
		}
		text, err := json.Marshal(m.ToMap())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"pipa.kind":"sample","pipa.version":"1","pipa.seed":"1","pipa.classes":"[]","pipa.ignore":"255","pipa.history":"[{}]","pipa.datasets":"null","pipa.size":"[1,-1]","pipa.labelled":"t"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m map[string]string
		if json.Unmarshal(text, &m) != nil || m == nil {
			return
		}
		m[keyCheck] = checkOf(m) // or hardly a change would get past it
		h, err := parseHeader(m)
		if err != nil {
			return
		}
		written, err := h.metadata()
		if err != nil {
			t.Fatalf("%q is accepted and cannot be written: %v", m, err)
		}
		if _, err := h.schema(); err != nil {
			t.Fatalf("%q is accepted and has no schema: %v", m, err)
		}
		back, err := parseHeader(written.ToMap())
		if err != nil {
			t.Fatalf("%q is accepted, and not when written again: %v", m, err)
		}
		again, err := back.metadata()
		if err != nil || !maps.Equal(again.ToMap(), written.ToMap()) {
			t.Errorf("%v became %v, %v", written.ToMap(), again.ToMap(), err)
		}
	})
}

package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// The keys of a file's metadata: those of a stream's schema, without its check,
// which the manifest's digests stand for, and Hugging Face's own.
const (
	keyKind     = "pipa.kind"
	keyVersion  = "pipa.version"
	keySeed     = "pipa.seed"
	keyClasses  = "pipa.classes"
	keyColors   = "pipa.colours" // optional
	keyIgnore   = "pipa.ignore"
	keyHistory  = "pipa.history"
	keyDatasets = "pipa.datasets"
	keySize     = "pipa.size"
	keyLabeled  = "pipa.labelled"
	keyPseudo   = "pipa.pseudo" // "true", or left out
	keyFeatures = "huggingface"
	keyManifest = "pipa.manifest" // of the file that has the folder's
)

// An entry is one of a file's metadata.
type entry struct{ key, value string }

// entries encodes a header.
func entries(h pipeline.Header) ([]entry, error) {
	if err := h.Validate(); err != nil {
		return nil, err
	}
	var failed error
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			failed = fmt.Errorf("encode the stream's header: %w", err)
		}
		return string(b)
	}
	features := map[string]any{"info": map[string]any{"features": features(h)}}
	out := []entry{
		{keyFeatures, text(features)},
		{keyKind, string(h.Kind)}, {keyVersion, pipeline.FormatVersion}, {keySeed, strconv.FormatUint(h.Seed, 10)},
		{keyClasses, text(list(h.Classes))}, {keyIgnore, strconv.Itoa(int(raster.Ignore))}, {keyHistory, text(list(h.History))},
		{keyDatasets, text(list(h.Datasets))}, {keySize, text([2]int{h.Size.Height, h.Size.Width})}, {keyLabeled, strconv.FormatBool(h.Labeled)},
	}
	if h.Colors != nil {
		out = append(out, entry{keyColors, text(h.Colors)})
	}
	if h.Pseudo {
		out = append(out, entry{keyPseudo, "true"})
	}
	return out, failed
}

// sameHeader reports whether two headers are written alike.
func sameHeader(a, b pipeline.Header) (bool, error) {
	x, err1 := entries(a)
	y, err2 := entries(b)
	return slices.Equal(x, y), errors.Join(err1, err2)
}

// list is s as JSON wants it: empty, not null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// headerOf decodes a file's metadata.
func headerOf(m map[string]string) (h pipeline.Header, err error) {
	if v := m[keyVersion]; v != pipeline.FormatVersion {
		return h, fmt.Errorf("it has format version %q, this pipa reads version %s", v, pipeline.FormatVersion)
	}
	h.Kind = pipeline.Kind(m[keyKind])
	if h.Kind != pipeline.KindSample && h.Kind != pipeline.KindMix && h.Kind != pipeline.KindPair {
		return h, fmt.Errorf("it is of unknown kind %q", h.Kind)
	}
	if h.Seed, err = strconv.ParseUint(m[keySeed], 10, 64); err != nil {
		return h, fmt.Errorf("%s: %w", keySeed, err)
	}
	if m[keyIgnore] != strconv.Itoa(int(raster.Ignore)) {
		return h, fmt.Errorf("it ignores label %q, want %d", m[keyIgnore], raster.Ignore)
	}
	if h.Labeled, err = strconv.ParseBool(m[keyLabeled]); err != nil {
		return h, fmt.Errorf("%s: %w", keyLabeled, err)
	}
	if colors, ok := m[keyColors]; ok {
		if err := json.Unmarshal([]byte(colors), &h.Colors); err != nil {
			return h, fmt.Errorf("%s: %w", keyColors, err)
		}
	}
	h.Pseudo = m[keyPseudo] == "true"
	var size [2]int
	for _, f := range []struct {
		key string
		to  any
	}{{keyClasses, &h.Classes}, {keyHistory, &h.History}, {keyDatasets, &h.Datasets}, {keySize, &size}} {
		if err := json.Unmarshal([]byte(m[f.key]), f.to); err != nil {
			return h, fmt.Errorf("%s: %w", f.key, err)
		}
	}
	h.Size = raster.Size{Height: size[0], Width: size[1]}
	return h, h.Validate()
}

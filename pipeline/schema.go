package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/zeebo/xxh3"
)

// The keys of the schema's metadata.
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
	// keyCheck is the xxh3-64 of the other entries: Arrow has no checksums.
	keyCheck = "pipa.check"
	// keyWriter is this module's mark. A stream that bears it has to be, byte
	// for byte, what the module writes; one from elsewhere does not.
	keyWriter = "pipa.writer"
)

const thisWriter = "pipa " + FormatVersion

// metadata encodes the header.
func (h Header) metadata() (arrow.Metadata, error) {
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // strings and numbers
		}
		return string(b)
	}
	if err := h.validateHistory(); err != nil {
		return arrow.Metadata{}, err
	}
	m := map[string]string{
		keyKind: string(h.Kind), keyVersion: FormatVersion, keySeed: strconv.FormatUint(h.Seed, 10),
		keyClasses: text(nonNil(h.Classes)), keyIgnore: strconv.Itoa(int(raster.Ignore)), keyHistory: text(nonNil(h.History)),
		keyDatasets: text(nonNil(h.Datasets)), keySize: text([2]int{h.Size.Height, h.Size.Width}), keyLabeled: strconv.FormatBool(h.Labeled), keyWriter: thisWriter,
	}
	if h.Pseudo {
		m[keyPseudo] = "true"
	}
	if h.Colors != nil {
		m[keyColors] = text(h.Colors)
	}
	m[keyCheck] = checkOf(m)
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	values := make([]string, 0, len(m))
	for _, k := range keys {
		values = append(values, m[k])
	}
	return arrow.NewMetadata(keys, values), nil
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// checked are the entries that the check covers. Others are nobody's harm.
var checked = []string{keyClasses, keyColors, keyDatasets, keyHistory, keyIgnore, keyKind, keyLabeled, keyPseudo, keySeed, keySize, keyVersion, keyWriter}

// checkOf is the check of these entries.
func checkOf(m map[string]string) string {
	var b strings.Builder
	for _, k := range checked {
		if v, ok := m[k]; ok {
			fmt.Fprintf(&b, "%d %s %d %s\n", len(k), k, len(v), v)
		}
	}
	return fmt.Sprintf("%016x", xxh3.HashString(b.String()))
}

// checks reports whether a check guards these entries. It was made with the
// writer's mark, which whoever writes the stream anew leaves out.
func checks(m map[string]string) bool {
	check, ok := m[keyCheck]
	if !ok || check == checkOf(m) {
		return true
	}
	marked := maps.Clone(m)
	marked[keyWriter] = thisWriter
	return check == checkOf(marked)
}

// stated is what a schema's metadata say of a stream. Another program may have
// lost some of it, or all.
type stated struct {
	Header
	has map[string]bool // the entries that are there
}

// parseMetadata decodes the entries that there are.
func parseMetadata(m map[string]string) (s stated, err error) {
	s.has = map[string]bool{}
	if v, ok := m[keyVersion]; ok && v != FormatVersion {
		return s, &FormatError{fmt.Sprintf("stream has format version %q, this pipa reads version %s", v, FormatVersion)}
	}
	if !checks(m) {
		return s, fmt.Errorf("the stream's metadata is damaged: %s does not match (a program that changes what the %s entries say leaves it out)", keyCheck, "pipa.*")
	}
	var size [2]int
	for key, parse := range map[string]func(text string) error{
		keyKind: func(text string) error {
			s.Kind = Kind(text)
			if s.Kind != KindSample && s.Kind != KindMix && s.Kind != KindPair {
				return fmt.Errorf("unknown, %q", text)
			}
			return nil
		},
		keySeed: func(text string) (err error) {
			s.Seed, err = strconv.ParseUint(text, 10, 64)
			return err
		},
		keyIgnore: func(text string) error {
			if text != strconv.Itoa(int(raster.Ignore)) {
				return fmt.Errorf("%s, want %d", text, raster.Ignore)
			}
			return nil
		},
		keyLabeled: func(text string) (err error) {
			s.Labeled, err = strconv.ParseBool(text)
			return err
		},
		keyPseudo: func(text string) (err error) {
			s.Pseudo, err = strconv.ParseBool(text)
			return err
		},
		keyClasses:  func(text string) error { return json.Unmarshal([]byte(text), &s.Classes) },
		keyHistory:  func(text string) error { return json.Unmarshal([]byte(text), &s.History) },
		keyDatasets: func(text string) error { return json.Unmarshal([]byte(text), &s.Datasets) },
		keySize:     func(text string) error { return json.Unmarshal([]byte(text), &size) },
		keyColors: func(text string) (err error) {
			s.Colors, err = parseColors(text)
			return err
		},
	} {
		text, ok := m[key]
		if !ok {
			continue
		}
		s.has[key] = true
		if err := parse(text); err != nil {
			return s, fmt.Errorf("stream's %s: %w", key, err)
		}
	}
	s.Size = raster.Size{Height: size[0], Width: size[1]}
	return s, nil
}

// parseColors decodes a list of [red, green, blue].
func parseColors(text string) ([][3]uint8, error) {
	var list [][]uint16 // so that a list that is too short or long is seen, and a number that is not a byte
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, err
	}
	colors := make([][3]uint8, len(list))
	for i, c := range list {
		if len(c) != 3 || max(c[0], c[1], c[2]) > 255 {
			return nil, fmt.Errorf("color %d is %v, want three numbers from 0 to 255", i, c)
		}
		colors[i] = [3]uint8{uint8(c[0]), uint8(c[1]), uint8(c[2])}
	}
	return colors, nil
}

// Validate checks what a header can get wrong.
func (h Header) Validate() error {
	if len(h.Classes) > 254 {
		return fmt.Errorf("stream has %d classes, want at most 254", len(h.Classes))
	}
	if h.Colors != nil && len(h.Colors) != len(h.Classes) {
		return fmt.Errorf("stream has %d colors for %d classes", len(h.Colors), len(h.Classes))
	}
	if s := h.Size; s.Height < 0 || s.Width < 0 || (s.Height == 0) != (s.Width == 0) || s.Fixed() && s.Height > raster.MaxPixels/s.Width {
		return fmt.Errorf("stream has size %dx%d", s.Width, s.Height)
	}
	if h.Kind == KindPair && !h.Size.Fixed() {
		return fmt.Errorf("a stream of pairs needs one size")
	}
	if h.Pseudo && (h.Kind != KindSample || !h.Labeled) {
		return fmt.Errorf("a stream with pseudo-labels holds labeled samples, not %s", h.Kind.Plural())
	}
	return h.validateHistory()
}

func (h Header) validateHistory() error {
	for _, s := range h.History {
		if !json.Valid(s.Params) {
			return fmt.Errorf("history of stage %q is not JSON", s.Stage)
		}
	}
	return nil
}

// schema is the Arrow schema of a stream with this header.
func (h Header) schema() (*arrow.Schema, error) {
	if err := h.Validate(); err != nil {
		return nil, err
	}
	metadata, err := h.metadata()
	if err != nil {
		return nil, err
	}
	raster := func(name string, channels int) arrow.Field {
		if !h.Size.Fixed() {
			return arrow.Field{Name: name, Type: arrow.BinaryTypes.Binary}
		}
		return h.tensorField(name, channels)
	}
	list32 := func(name string, n int32) arrow.Field {
		return arrow.Field{Name: name, Type: arrow.FixedSizeListOfNonNullable(n, arrow.PrimitiveTypes.Int32)}
	}
	plain := func(name string, t arrow.DataType) arrow.Field { return arrow.Field{Name: name, Type: t} }
	label := func(name string) arrow.Field {
		if h.Labeled {
			return raster(name, 1)
		}
		return arrow.Field{Name: name, Type: arrow.BinaryTypes.Binary, Nullable: true}
	}
	sample := []arrow.Field{
		plain("id", arrow.BinaryTypes.String),
		plain("dataset", &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}),
		plain("split", arrow.BinaryTypes.String),
		plain("height", arrow.PrimitiveTypes.Int32), plain("width", arrow.PrimitiveTypes.Int32),
		raster("image", 3), label("label"),
	}
	var fields []arrow.Field
	switch h.Kind {
	case KindSample:
		fields = sample
		if h.Pseudo {
			fields = append(fields, plain("confidence", arrow.PrimitiveTypes.Float32))
		}
	case KindMix:
		fields = append(sample,
			plain("target_id", arrow.BinaryTypes.String), raster("mask", 1),
			plain("classes", arrow.ListOfNonNullable(arrow.PrimitiveTypes.Uint8)), plain("weight", arrow.PrimitiveTypes.Float32))
	case KindPair:
		fields = []arrow.Field{
			plain("id", arrow.BinaryTypes.String),
			raster("image_a", 3), raster("image_b", 3), list32("overlap_a", 4), list32("overlap_b", 4),
			plain("flip_a", arrow.FixedWidthTypes.Boolean), plain("flip_b", arrow.FixedWidthTypes.Boolean),
			list32("origin_a", 2), list32("origin_b", 2), plain("scale", arrow.PrimitiveTypes.Float32),
			label("label_a"), label("label_b"),
		}
	}
	return arrow.NewSchema(append(fields, plain("digest", arrow.PrimitiveTypes.Uint64)), &metadata), nil
}

// tensorField is the canonical extension type arrow.fixed_shape_tensor, which
// on the wire is its storage with two entries of field metadata.
func (h Header) tensorField(name string, channels int) arrow.Field {
	shape := []int{h.Size.Height, h.Size.Width, channels}
	n := int32(h.Size.Height * h.Size.Width * channels)
	return arrow.Field{
		Name: name, Type: arrow.FixedSizeListOfNonNullable(n, arrow.PrimitiveTypes.Uint8),
		Metadata: arrow.NewMetadata([]string{"ARROW:extension:metadata", "ARROW:extension:name"},
			[]string{fmt.Sprintf(`{"shape":[%d,%d,%d]}`, shape[0], shape[1], shape[2]), "arrow.fixed_shape_tensor"}),
	}
}

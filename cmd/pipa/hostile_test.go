package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/ipc"
	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/pipa-uda/pipa/fixtures/shared"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/precompute"
)

// What a command may use for inputs of less than a megabyte.
const (
	mostMemory = 256 // MiB, resident
	mostInput  = 1 << 20
	mostTime   = 10 // seconds of a processor, of which a machine's load takes none away
	hangs      = 10 * time.Minute
)

// TestHostileInputs gives every command that reads files small ones that lie
// about what they hold. Each is refused with an error that names the file, or read
// without what it has too much of, soon, and without the memory that it asks for.
func TestHostileInputs(t *testing.T) {
	pipa, err := shared.Program() // without the race detector's memory
	if err != nil {
		t.Fatal(err)
	}
	measure := filepath.Join(t.TempDir(), "measure")
	if out, err := exec.Command("go", "build", "-o", measure, "./testdata/measure").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range slices.Concat(hostileStreams(t), hostileImages(t), hostileWeights(t), hostileTexts(t)) {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, data := range c.files {
				if len(data) >= mostInput {
					t.Fatalf("%s has %d bytes, it should be small", name, len(data))
				}
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for _, args := range c.commands {
				hostile(t, dir, []string{measure, pipa}, args, c.want)
			}
		})
	}
}

// hostileCase is files, and commands that have to refuse them with a message
// that holds want, or, where it is empty, to read them.
type hostileCase struct {
	name     string
	files    map[string][]byte
	commands []string
	want     string
}

func hostile(t *testing.T, dir string, programs []string, args, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hangs)
	defer cancel()
	peak := filepath.Join(t.TempDir(), "peak")
	cmd := exec.CommandContext(ctx, programs[0], append([]string{peak, programs[1]}, strings.Fields(args)...)...)
	var message bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, nil, &message
	err := cmd.Run()
	text, readErr := os.ReadFile(peak)
	if ctx.Err() != nil || readErr != nil {
		t.Fatalf("pipa %s: no end within %v, or %v: %s", args, hangs, err, &message)
	}
	var used int
	var took float64
	if _, err := fmt.Sscan(string(text), &used, &took); err != nil {
		t.Fatal(err)
	}
	said := message.String()
	t.Logf("pipa %s: %d MiB, %.2f s: %.200s", args, used, took, said)
	if (err == nil) != (want == "") || !strings.Contains(said, want) || strings.Contains(said, "goroutine ") || strings.Contains(said, "panic") {
		t.Errorf("pipa %s: %v, want a failure that names %q, or none where that is empty: %.2000s", args, err, want, said)
	}
	if used >= mostMemory {
		t.Errorf("pipa %s: %d MiB resident, want less than %d", args, used, mostMemory)
	}
	if took >= mostTime {
		t.Errorf("pipa %s: %.1f s of processor time, want less than %d", args, took, mostTime)
	}
}

// smallStream is a stream of three samples of the given size.
func smallStream(t *testing.T, h pipeline.Header, height, width int) []byte {
	t.Helper()
	h.Kind, h.Classes, h.Datasets = pipeline.KindSample, []string{"road"}, []string{"gta"}
	samples := func(yield func(pipeline.Sample, error) bool) {
		for i := range 3 {
			if !yield(pipeline.Sample{ID: fmt.Sprintf("gta/train/%d", i), Dataset: "gta", Split: "train", Image: raster.New(height, width, 3)}, nil) {
				return
			}
		}
	}
	var out bytes.Buffer
	if err := pipeline.Write(t.Context(), &out, pipeline.Collect(h, 3, samples)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// lie changes the metadata of a stream's messages of a kind (Message.fbs's
// MessageHeader: 1 schema, 2 dictionary, 3 record batch).
func lie(stream []byte, kind byte, change func(message, header flatbuffers.Table)) []byte {
	stream = bytes.Clone(stream)
	for at := 0; ; {
		n := int(binary.LittleEndian.Uint32(stream[at+4:]))
		if n == 0 {
			return stream
		}
		m := stream[at+8 : at+8+n]
		t := flatbuffers.Table{Bytes: m, Pos: flatbuffers.GetUOffsetT(m)}
		field := func(slot int) flatbuffers.UOffsetT {
			return flatbuffers.UOffsetT(t.Offset(flatbuffers.VOffsetT(4+2*slot))) + t.Pos
		}
		body := 0
		if t.Offset(10) != 0 {
			body = int(t.GetInt64(field(3)))
		}
		if t.GetByte(field(1)) == kind {
			change(t, flatbuffers.Table{Bytes: m, Pos: t.Indirect(field(2))})
		}
		at += 8 + n + body
	}
}

func put(t flatbuffers.Table, slot int, v int64) {
	at := flatbuffers.UOffsetT(t.Offset(flatbuffers.VOffsetT(4+2*slot))) + t.Pos
	binary.LittleEndian.PutUint64(t.Bytes[at:], uint64(v))
}

// putAll writes v to the k-th number of every pair in a vector.
func putAll(t flatbuffers.Table, slot, k int, v int64) {
	o := flatbuffers.UOffsetT(t.Offset(flatbuffers.VOffsetT(4 + 2*slot)))
	at := t.Vector(o)
	for i := range t.VectorLen(o) {
		binary.LittleEndian.PutUint64(t.Bytes[int(at)+16*i+8*k:], uint64(v))
	}
}

func hostileStreams(t *testing.T) []hostileCase {
	small := smallStream(t, pipeline.Header{}, 8, 8)
	deep := func(unit, middle, end string, n int) []byte {
		params := strings.Repeat(unit, n) + middle + strings.Repeat(end, n)
		return smallStream(t, pipeline.Header{History: []pipeline.Step{{Stage: "read", Params: []byte(params)}}}, 8, 8)
	}
	var packed bytes.Buffer // 60 MB of zeros, compressed
	r, err := ipc.NewReader(bytes.NewReader(smallStream(t, pipeline.Header{}, 2000, 3000)))
	if err != nil {
		t.Fatal(err)
	}
	w := ipc.NewWriter(&packed, ipc.WithSchema(r.Schema()), ipc.WithZstd())
	for r.Next() {
		if err := w.Write(r.Record()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := append([]byte("ARROW1\x00\x00"), small[:len(small)-8]...)
	streams := map[string][]byte{
		"metadata of 4 MB":    append([]byte{255, 255, 255, 255, 0, 0, 64, 0}, make([]byte, 100)...),
		"metadata of 4 GB":    append([]byte{255, 255, 255, 255, 248, 255, 255, 255}, make([]byte, 100)...),
		"a body of 96 MiB":    lie(small, 3, func(m, _ flatbuffers.Table) { put(m, 3, 96<<20) }),
		"a body of 2^62":      lie(small, 3, func(m, _ flatbuffers.Table) { put(m, 3, 1<<62) }),
		"a million rows":      lie(small, 3, func(_, h flatbuffers.Table) { put(h, 0, 1<<20); putAll(h, 1, 0, 1<<20) }),
		"2^60 rows":           lie(small, 3, func(_, h flatbuffers.Table) { put(h, 0, 1<<60); putAll(h, 1, 0, 1<<60) }),
		"buffers of 2^40":     lie(small, 3, func(_, h flatbuffers.Table) { putAll(h, 2, 1, 1<<40) }),
		"buffers at 2^62":     lie(small, 3, func(_, h flatbuffers.Table) { putAll(h, 2, 0, 1<<62) }),
		"compressed zeros":    packed.Bytes(),
		"a footer of 2 GB":    append(bytes.Clone(file), "\xff\xff\xff\x7fARROW1"...),
		"no footer":           file,
		"a long nested cut":   deep(`{"a":`, `1`, `}`, 9000)[:40_000],
		"only the end marker": {255, 255, 255, 255, 0, 0, 0, 0},
	}
	var cases []hostileCase
	for name, data := range streams {
		cases = append(cases, hostileCase{"stream/" + name, map[string][]byte{"in.arrow": data},
			[]string{"inspect in.arrow", "view in.arrow -o x.png", "augment in.arrow -o x.arrow", "write out in.arrow", "cat in.arrow -o y.arrow"}, "in.arrow"})
	}
	for name, data := range map[string][]byte{"nested history": deep(`{"aaaaaaaaaaaaaaaaaaaa":`, `1`, `}`, 9000), "history of histories": deep(`{"a":[{"stage":"a","params":`, `1`, `}]}`, 3000)} {
		cases = append(cases, hostileCase{"stream/" + name, map[string][]byte{"in.arrow": data[:len(data)-8]}, []string{"inspect in.arrow"}, "in.arrow"})
	}
	many := make([]shards.Shard, 8000)
	for i := range many {
		many[i] = shards.Shard{File: shards.File(0), Rows: 3, Bytes: int64(len(small)), Digest: "0123456789abcdef"}
	}
	manifest := func(list ...shards.Shard) []byte {
		var text bytes.Buffer
		if err := shards.NewManifest(pipeline.KindSample, list).Write(&text); err != nil {
			t.Fatal(err)
		}
		return text.Bytes()
	}
	for name, files := range map[string]map[string][]byte{
		"one file 8000 times":  {"d/manifest.json": manifest(many...), "d/part-00000.arrow": small},
		"2^60 rows":            {"d/manifest.json": manifest(shards.Shard{File: shards.File(0), Rows: 1 << 60, Bytes: int64(len(small))}), "d/part-00000.arrow": small},
		"nested JSON":          {"d/manifest.json": bytes.Repeat([]byte("["), 1_000_000)},
		"a file of 2 GB":       {"d/manifest.json": manifest(shards.Shard{File: shards.File(0), Rows: 3, Bytes: 1 << 31}), "d/part-00000.arrow": small},
		"Parquet, nested JSON": {"d/manifest.json": append([]byte(`{"format":"pipa-parquet/1","kind":`), bytes.Repeat([]byte("["), 9000)...)},
	} {
		cases = append(cases, hostileCase{"dataset/" + name, files, []string{"inspect d", "cat d -o x.arrow", "cat --shuffle d -o z.arrow", "verify d"}, "d"})
	}
	return cases
}

// chunk is a PNG's.
func chunk(kind string, data []byte) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), kind+string(data)...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// grayPNG declares a size and holds so many zeros.
func grayPNG(width, height uint32, zeros int) []byte {
	// All the sum of zeros grows by is their number.
	adler := binary.BigEndian.AppendUint32(nil, uint32(zeros%65521)<<16|1)
	packed := slices.Concat([]byte{0x78, 0x9C}, deflatedZeros(zeros), adler)
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(header, 8, 0, 0, 0, 0)), chunk("IDAT", packed), chunk("IEND", nil))
}

// deflatedZeros is a deflate stream, made of one mebibyte's, over and over:
// compressing them all takes minutes under the race detector.
func deflatedZeros(n int) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestCompression)
	_, _ = w.Write(make([]byte, 1<<20)) // to memory, as all here
	_ = w.Flush()
	whole := bytes.Repeat(out.Bytes(), n>>20)
	out.Reset()
	w.Reset(&out)
	_, _ = w.Write(make([]byte, n&(1<<20-1)))
	_ = w.Close()
	return append(whole, out.Bytes()...)
}

func hostileImages(t *testing.T) []hostileCase {
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(photo.Bytes(), []byte{0xFF, 0xC0}) // SOF0: length, precision, height, width
	copy(photo.Bytes()[at+5:], []byte{255, 255, 255, 255})
	good := grayPNG(64, 64, 64*65)
	var cases []hostileCase
	for name, c := range map[string]struct {
		image, label []byte
		want         string
	}{
		"a JPEG of 65535x65535": {photo.Bytes(), good, "1"},
		"a PNG of 65535x65535":  {grayPNG(65535, 65535, 1000), good, "1"},
		"a PNG of 2^31x1":       {grayPNG(1<<31-1, 1, 1000), good, "1"},
		// What follows the last row is not inflated.
		"a PNG that inflates to 1 GB": {grayPNG(64, 64, 800<<20), good, ""},
		"a label of 65535x65535":      {good, grayPNG(65535, 65535, 1000), "1"},
		"a label that inflates":       {good, grayPNG(64, 64, 800<<20), ""},
		"more than --max-pixels":      {grayPNG(1001, 1001, 1001*1002), grayPNG(1001, 1001, 1001*1002), "1"},
	} {
		files := map[string][]byte{"gta/images/00001.png": c.image, "gta/labels/00001.png": c.label}
		limit := " --max-pixels 1000000"
		cases = append(cases, hostileCase{"image/" + name, files, []string{"check gta gta" + limit, "read gta gta -o x.arrow" + limit, "plan samples --source gta:gta -o p.json" + limit}, c.want})
	}
	return cases
}

// archive is a zip of one pickle and one record.
func archive(pickle string, method uint16, record int) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, _ := w.CreateHeader(&zip.FileHeader{Name: "a/data.pkl"}) // to memory
	_, _ = io.WriteString(f, pickle)
	var packed []byte
	if method == zip.Deflate {
		packed = deflatedZeros(record)
	} else {
		packed = make([]byte, record)
	}
	sum, zeros := crc32.NewIEEE(), make([]byte, 1<<20)
	for left := record; left > 0; left -= len(zeros) {
		_, _ = sum.Write(zeros[:min(left, len(zeros))])
	}
	f, _ = w.CreateRaw(&zip.FileHeader{Name: "a/data/0", Method: method, CRC32: sum.Sum32(), UncompressedSize64: uint64(record), CompressedSize64: uint64(len(packed))})
	_, _ = f.Write(packed)
	_ = w.Close()
	return out.Bytes()
}

// tensors is a pickle of n tensors over all of one storage of so many bytes.
func tensors(n, bytes int) string {
	storage := fmt.Sprintf("(X\x07\x00\x00\x00storagectorch\nByteStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuJ%stQ", binary.LittleEndian.AppendUint32(nil, uint32(bytes)))
	length := fmt.Sprintf("J%s", binary.LittleEndian.AppendUint32(nil, uint32(bytes)))
	var b strings.Builder
	b.WriteString("\x80\x02}(")
	for i := range n {
		fmt.Fprintf(&b, "X\x04\x00\x00\x00%04dctorch._utils\n_rebuild_tensor_v2\n(%sK\x00%s\x85K\x01\x85\x89}tR", i, storage, length)
	}
	return b.String() + "u."
}

// oneShape is a pickle of n tensors that have one shape, and strides like it.
func oneShape(shape string, n int) string {
	return "\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x01((X\x07\x00\x00\x00storagectorch\nByteStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x40tQK\x00" +
		shape + "q\x02h\x02\x89}tq\x03" + strings.Repeat("h\x01h\x03R", n) + "."
}

func hostileWeights(t *testing.T) []hostileCase {
	header := func(n uint64, text string) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, n), text...)
	}
	whole := func(text string) []byte { return header(uint64(len(text)), text) }
	many := func(unit string) []byte {
		return archive("\x80\x02"+strings.Repeat(unit, 900_000/len(unit))+".", zip.Store, 1)
	}
	var cases []hostileCase
	for name, data := range map[string][]byte{
		"a header of 2^40":               header(1<<40, "{}"),
		"a header of 99 MB":              header(99_000_000, "{}"),
		"nested JSON":                    whole(strings.Repeat(`{"a":`, 200_000)),
		"a shape of 2^62":                whole(`{"a":{"dtype":"U8","shape":[4611686018427387904],"data_offsets":[0,0]}}`),
		"data of 2^62":                   whole(`{"a":{"dtype":"U8","shape":[4611686018427387904],"data_offsets":[0,4611686018427387904]}}`),
		"many lists":                     whole(`{"a":{"dtype":"U8","shape":[` + strings.Repeat("1,", 450_000) + `0],"data_offsets":[0,1]}}`),
		"a list that holds itself":       archive("\x80\x02]q\x00h\x00aQ.", zip.Store, 1),
		"records that inflate":           archive(tensors(1, 400<<20), zip.Deflate, 400<<20),
		"3000 tensors of one record":     archive(tensors(3000, 500_000), zip.Store, 500_000),
		"a storage of 2 GB":              archive(tensors(1, 1<<31-1), zip.Store, 10),
		"marks":                          many("("),
		"lists":                          many("]"),
		"dictionaries":                   many("}"),
		"sets":                           many("\x8f"),
		"nested tuples":                  archive("\x80\x02N"+strings.Repeat("\x85", 900_000)+".", zip.Store, 1),
		"nested lists":                   many("](e"),
		"memos":                          many(")\x94"),
		"memos of lists":                 many("]\x94"),
		"text printed a thousandfold":    archive("\x80\x02ccollections\nOrderedDict\nX\xa0\x86\x01\x00"+strings.Repeat("a", 100_000)+"q\x000("+strings.Repeat("h\x00", 20_000)+"tR.", zip.Store, 1),
		"one shape, many tensors":        archive(oneShape("("+strings.Repeat("K\x01", 20_000)+"t", 150_000), zip.Store, 64),
		"one tensor, many times":         archive(oneShape("K\x01K\x01\x86", 170_000), zip.Store, 64),
		"a tensor of 100,000 dimensions": archive(oneShape("("+strings.Repeat("K\x01", 100_000)+"t", 1), zip.Store, 64),
		"ordered dictionaries":           archive("\x80\x02ccollections\nOrderedDict\nq\x00"+strings.Repeat("h\x00)R", 220_000)+".", zip.Store, 1),
	} {
		cases = append(cases, hostileCase{"weights/" + name, map[string][]byte{"w.pth": data}, []string{"weights ls w.pth", "weights convert w.pth -o w.safetensors"}, "w.pth"})
	}
	return cases
}

// withDigest puts in a plan's digest.
func withDigest(t *testing.T, plan string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(path, []byte(plan), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := precompute.ReadPlan(t.Context(), path)
	found := regexp.MustCompile(`its digest is ([0-9a-f]{16})`).FindStringSubmatch(fmt.Sprint(err))
	if found == nil {
		t.Fatal(err)
	}
	return []byte(strings.Replace(plan, "DIGEST", found[1], 1))
}

func hostileTexts(t *testing.T) []hostileCase {
	nested := bytes.Repeat([]byte("["), 1_000_000)
	bomb := "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	plan := func(shards, batch, epochs int) []byte {
		items := strings.TrimSuffix(strings.Repeat(`{"id":"a","image":{"bytes":1,"xxh3":"0"}},`, 5000), ",")
		return withDigest(t, fmt.Sprintf(`{"format":"pipa-plan/1","digest":"DIGEST","kind":"sample","seed":0,"epoch":0,"epochs":%d,"shards":%d,"batch":%d,`+
			`"samples":{"resize":[0,0],"crop":[8000,8000],"cat_max_ratio":1},"source":{"format":"gta","dir":".","split":"train","unlabelled":true,"items":[%s],"quarantined":[]}}`, epochs, shards, batch, items))
	}
	run := func(file, text string) map[string][]byte {
		files := map[string][]byte{
			"run/config.yaml":   []byte("extends: fixture-source\n"),
			"run/metrics.jsonl": []byte(`{"iteration":1}` + "\n"),
		}
		files["run/"+file] = []byte(text)
		return files
	}
	names := make([]string, 40_000)
	for i := range names {
		names[i] = fmt.Sprintf(`"l%d":1`, i)
	}
	losses := `{"iteration":1,"losses":{` + strings.Join(names, ",") + "}}\n"
	reading := []string{"report run"}
	networks := []string{"eval run", "predict run gta/images/00001.png --out p"}
	return []hostileCase{
		{"map/nested", map[string][]byte{"m.yaml": nested}, []string{"check folder:m.yaml ."}, "m.yaml"},
		{"map/nested, short", map[string][]byte{"m.yaml": nested[:60_000]}, []string{"check folder:m.yaml ."}, "m.yaml"},
		{"map/aliases", map[string][]byte{"m.yaml": []byte(bomb)}, []string{"check folder:m.yaml ."}, "m.yaml"},
		{"config/aliases", map[string][]byte{"c.yaml": []byte(bomb)}, []string{"train --config c.yaml --out r"}, "c.yaml"},
		{"config/nested", map[string][]byte{"c.yaml": nested}, []string{"train --config c.yaml --out r"}, "c.yaml"},
		{"plan/nested", map[string][]byte{"p.json": nested}, []string{"precompute --plan p.json --out d"}, "p.json"},
		{"plan/5 billion shards", map[string][]byte{"p.json": plan(5_000_000_000, 1, 1_000_000), "d/plan.json": plan(5_000_000_000, 1, 1_000_000)}, []string{"precompute --plan p.json --out d", "merge d"}, "plan"},
		{"plan/a batch of 5000", map[string][]byte{"p.json": plan(1, 5000, 1)}, []string{"precompute --plan p.json --out d"}, "plan"},
		{"report of a check/nested", map[string][]byte{"r.json": nested, "gta/images/1.png": grayPNG(8, 8, 72), "gta/labels/1.png": grayPNG(8, 8, 72)}, []string{"plan samples --source gta:gta --report r.json"}, "r.json"},
		{"report of a check/empty lines", map[string][]byte{"r.json": bytes.Repeat([]byte("{}"), 500_000), "gta/images/1.png": grayPNG(8, 8, 72), "gta/labels/1.png": grayPNG(8, 8, 72)}, []string{"plan samples --source gta:gta --report r.json"}, "r.json"},
		{"statistics/nested", map[string][]byte{"gta/sample_class_stats.json": nested, "gta/images/1.png": grayPNG(8, 8, 72), "gta/labels/1.png": grayPNG(8, 8, 72)}, []string{"stats gta gta"}, "sample_class_stats.json"},
		{"statistics/empty rows", map[string][]byte{"gta/sample_class_stats.json": append(append([]byte("["), bytes.Repeat([]byte("{},"), 300_000)...), "{}]"...), "gta/images/1.png": grayPNG(8, 8, 72), "gta/labels/1.png": grayPNG(8, 8, 72)}, []string{"stats gta gta"}, "sample_class_stats.json"},
		{"run/aliases", run("config.yaml", bomb), append(reading, networks...), "config.yaml"},
		{"run/scores without numbers", run("scores.jsonl", `{"iteration":1,"classes":["road"]}`+"\n"), reading, "scores.jsonl"},
		{"run/scores without colours", run("scores.jsonl", `{"classes":["road","car"],"iou":[1,1],"accuracy":[1,1],"confusion":[1,0,0,1],"colours":[[1,2,3]]}`+"\n"), reading, "scores.jsonl"},
		{"run/empty scores", run("scores.jsonl", strings.Repeat("{}\n", 300_000)+`{"classes":["a"]}`+"\n"), reading, "scores.jsonl"},
		{"run/40000 losses", run("metrics.jsonl", losses+losses), reading, "run"},
		{"run/no metrics", run("metrics.jsonl", string(nested)), reading, "run"},
		{"run/nested state", run("checkpoints/00000001/state.json", string(nested)), append(reading, networks...), "state.json"},
		{"run/state with other colours", run("checkpoints/00000001/state.json", `{"version":1,"classes":["a","b"],"colours":[[1,2,3]]}`), append(reading, networks...), "state.json"},
	}
}

// TestReportOfExtremes: numbers that leave no round values between them, and
// many lines, make a report of ordinary size.
func TestReportOfExtremes(t *testing.T) {
	for name, lines := range map[string]string{
		"all of float64": `{"iteration":1,"losses":{"a":-1e308}}` + "\n" + `{"iteration":2,"losses":{"a":1e308}}` + "\n",
		"neighbors":      `{"iteration":9000000000000000000,"losses":{"a":1e17}}` + "\n" + `{"iteration":9000000000000000001,"losses":{"a":100000000000000016}}` + "\n",
		"many":           strings.Repeat(`{"losses":{"a":1}}`+"\n", 50_000),
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"config.yaml": "extends: fixture-source\n", "metrics.jsonl": lines} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), hangs)
		defer cancel()
		if out, err := exec.CommandContext(ctx, "pipa", "report", dir).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		if info, err := os.Stat(filepath.Join(dir, "report.html")); err != nil || info.Size() > 8<<20 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

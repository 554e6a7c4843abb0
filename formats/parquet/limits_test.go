package parquet

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestAPackedPageHasTheSizeItDeclares: 400 bytes of Zstandard can be gigabytes.
func TestAPackedPageHasTheSizeItDeclares(t *testing.T) {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	text := bytes.Repeat([]byte("numbers and short texts"), 50)
	// A frame of blocks that repeat a byte 128 KiB times each (RFC 8878).
	bomb := append(binary.LittleEndian.AppendUint32(nil, 0xFD2FB528), 0, 10<<3)
	for i := range 10_000 {
		last := uint32(0)
		if i == 9_999 {
			last = 1
		}
		bomb = append(binary.LittleEndian.AppendUint32(bomb, last|1<<1|128<<10<<3)[:len(bomb)+3], 'a')
	}
	snappy := append(binary.AppendUvarint(nil, uint64(len(text))), "…"...)
	d, err := newDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, c := range []struct {
		name    string
		page    []byte
		size    int
		decoder *zstd.Decoder
		good    bool
	}{
		{"whole", w.EncodeAll(text, nil), len(text), d, true},
		{"more", w.EncodeAll(text, nil), len(text) - 1, d, false},
		{"less", w.EncodeAll(text, nil), len(text) + 1, d, false},
		{"none", nil, 5, d, false},
		{"a gigabyte", bomb, 100, d, false},
		{"snappy", snappy, len(text), nil, true},
		{"snappy of another size", snappy, len(text) - 1, nil, false},
		{"snappy without a size", nil, 5, nil, false},
	} {
		if err := checkPacked(c.page, int64(c.size), c.decoder); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_ = checkPacked(bomb, 100, d)
	runtime.ReadMemStats(&after)
	if made := after.TotalAlloc - before.TotalAlloc; made > 1<<20 {
		t.Errorf("a gigabyte that declares 100 bytes takes %d", made)
	}
}

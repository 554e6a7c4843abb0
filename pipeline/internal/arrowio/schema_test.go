package arrowio

import (
	"strings"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"
)

// metadata is a Schema whose custom metadata has n entries, of one key and one
// value that all point at.
func metadata(n int, value string) flatbuffers.Table {
	b := flatbuffers.NewBuilder(0)
	key, text := b.CreateString("key"), b.CreateString(value)
	entries := make([]flatbuffers.UOffsetT, n)
	for i := range entries {
		b.StartObject(2)
		b.PrependUOffsetTSlot(0, key, 0)
		b.PrependUOffsetTSlot(1, text, 0)
		entries[i] = b.EndObject()
	}
	b.StartVector(4, n, 4)
	for _, e := range entries {
		b.PrependUOffsetT(e)
	}
	list := b.EndVector(n)
	b.StartObject(4)
	b.PrependUOffsetTSlot(2, list, 0)
	b.Finish(b.EndObject())
	data := b.FinishedBytes()
	return flatbuffers.Table{Bytes: data, Pos: flatbuffers.GetUOffsetT(data)}
}

// TestMetadataIsNoLongerThanItsBytes: entries may share their text, but copied it
// would be as long as they say.
func TestMetadataIsNoLongerThanItsBytes(t *testing.T) {
	long := strings.Repeat("a", 10_000)
	if _, m, err := parseSchema(metadata(1, long)); err != nil || m["key"] != long {
		t.Errorf("one entry: %d bytes, %v", len(m["key"]), err)
	}
	if _, _, err := parseSchema(metadata(100, long)); err == nil || !strings.Contains(err.Error(), "metadata has more than its ") {
		t.Errorf("a hundred entries of one text: %v", err)
	}
}

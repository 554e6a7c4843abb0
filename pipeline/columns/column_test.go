package columns

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func i32(values ...int32) (b []byte) {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

var (
	uint8s = Type{Kind: Int, Bits: 8}
	text   = Type{Kind: Text, Size: -1}
	views  = Type{Kind: Text, Size: -1, View: true}
	list   = Type{Kind: List, Size: -1, Fields: []Field{{Name: "item", Type: uint8s}}}
	lists  = Type{Kind: List, Size: 2, Fields: []Field{{Name: "item", Type: list}}}
	index  = Type{Kind: Int, Bits: 8, Signed: true}
)

// dictionary is the type of a column of indices into texts.
func dictionary() *Type {
	t := text
	t.Index = &index
	return &t
}

func TestEveryLayoutHasTheSameValues(t *testing.T) {
	long := "a text of more than twelve bytes"
	view := append(i32(int32(len(long))), long[:4]...)
	view = append(view, i32(1, 2)...)
	short := append(i32(2), "hi\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	parts := []*Column{
		{Type: &text, Len: 1, Offsets: i32(0, 2), Values: []byte("hi")},
		{Type: &text, Len: 1, Offsets: i32(0, int32(len(long))), Values: []byte(long)},
	}
	for name, c := range map[string]*Column{
		"offsets":                 {Type: &text, Len: 3, Valid: []byte{0b011}, Offsets: i32(1, 3, 3+int32(len(long)), 3+int32(len(long))), Values: []byte("-hi" + long)},
		"views":                   {Type: &views, Len: 3, Valid: []byte{0b011}, Values: append(append(short, view...), make([]byte, 16)...), Views: [][]byte{nil, []byte("--" + long)}},
		"a dictionary in 2 parts": {Type: dictionary(), Len: 3, Valid: []byte{0b011}, Values: []byte{0, 1, 99}, Dictionary: parts},
	} {
		if err := c.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, want := range []string{"hi", long} {
			if got, err := c.Text(i); err != nil || got != want {
				t.Errorf("%s: row %d is %q, %v, want %q", name, i, got, err, want)
			}
		}
		if !c.IsNull(2) || c.IsNull(0) {
			t.Errorf("%s: the nulls are other rows", name)
		}
	}
	inner := &Column{Type: &list, Len: 4, Offsets: i32(0, 1, 3, 3, 4), Children: []*Column{{Type: &uint8s, Len: 4, Values: []byte{7, 8, 9, 255}}}}
	nested := &Column{Type: &lists, Len: 2, Children: []*Column{inner}}
	for i, want := range [][]byte{{7, 8, 9}, {255}} {
		if got, err := nested.Bytes(i); err != nil || !bytes.Equal(got, want) || nested.Check() != nil {
			t.Errorf("row %d of lists of lists is %v, %v, want %v", i, got, err, want)
		}
	}
}

// TestNothingLiesOutsideItsBuffers: what a column points at is there, or Check, or
// the look at a view, says that it is not.
func TestNothingLiesOutsideItsBuffers(t *testing.T) {
	numbers := Type{Kind: Int, Bits: 64}
	fixed := Type{Kind: Bytes, Size: 1 << 30}
	for name, c := range map[string]struct {
		c    Column
		want string
	}{
		"a number short":         {Column{Type: &numbers, Len: 2, Values: make([]byte, 15)}, "has 15 bytes for 2 values"},
		"bytes of a huge size":   {Column{Type: &fixed, Len: 1 << 33, Values: make([]byte, 15)}, "has 15 bytes for"},
		"a bitmap short":         {Column{Type: &uint8s, Len: 9, Values: make([]byte, 9), Valid: []byte{255}}, "1 bytes of validity"},
		"offsets that fall":      {Column{Type: &text, Len: 2, Offsets: i32(0, 2, 1), Values: make([]byte, 9)}, "its offset 2 is 1, after 2"},
		"offsets below 0":        {Column{Type: &text, Len: 1, Offsets: i32(-1, 1), Values: make([]byte, 9)}, "its offset 0 is -1"},
		"offsets past the end":   {Column{Type: &text, Len: 1, Offsets: i32(0, 10), Values: make([]byte, 9)}, "its offset 1 is 10"},
		"an index past the end":  {Column{Type: dictionary(), Len: 1, Values: []byte{1}, Dictionary: []*Column{{Type: &text, Len: 1}}}, "index 1 into a dictionary of 1"},
		"lists past the end":     {Column{Type: &lists, Len: 2, Children: []*Column{{Type: &list, Len: 3}}}, "has 3 elements for 2 lists of 2"},
		"a view past the end":    {Column{Type: &views, Len: 1, Values: append(i32(20, 0), i32(0, 5)...), Views: [][]byte{make([]byte, 24)}}, "it points at bytes 5+20 of buffer 0"},
		"a view of no buffer":    {Column{Type: &views, Len: 1, Values: append(i32(20, 0), i32(3, 5)...), Views: [][]byte{make([]byte, 24)}}, "of buffer 3"},
		"a view of a length < 0": {Column{Type: &views, Len: 1, Values: append(i32(-20, 0), i32(0, 5)...), Views: [][]byte{make([]byte, 24)}}, "it points at"},
	} {
		err := c.c.Check()
		if err == nil {
			_, err = c.c.Bytes(0)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

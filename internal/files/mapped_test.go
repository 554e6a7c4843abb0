package files

import (
	"errors"
	"testing"
)

// Only faults become errors.
func TestMappedLetsOtherPanicsThrough(t *testing.T) {
	want := errors.New("x")
	if err := Mapped("a file", func() error { return want }); err != want {
		t.Errorf("got %v, want %v", err, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("an index out of range was swallowed")
		}
	}()
	none := []int{}
	_ = Mapped("a file", func() error { none[len(none)]++; return nil })
}

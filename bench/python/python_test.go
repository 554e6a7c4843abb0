package python

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A shell is as good an interpreter of a script that answers line by line.
func start(t *testing.T, script string) (*Script, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	return Start("/bin/sh", path, []string{"SIDE=2"}, "3")
}

func TestAScriptAnswersLineByLine(t *testing.T) {
	s, err := start(t, `echo "Shell 1"; while read -r a b; do echo "$a$b$SIDE.$1"; done`)
	if err != nil {
		t.Fatal(err)
	}
	if s.Versions != "Shell 1" {
		t.Errorf("versions are %q", s.Versions)
	}
	for _, ask := range []struct {
		words []any
		want  float64
	}{{[]any{4, 1}, 412.3}, {[]any{"7"}, 72.3}} {
		if got, err := s.Ask(ask.words...); err != nil || got != ask.want {
			t.Errorf("%v: %v, %v, want %v", ask.words, got, err, ask.want)
		}
	}
}

// What a script says last is why there is no answer.
func TestAScriptThatEndsSaysWhy(t *testing.T) {
	if _, err := start(t, "echo trace >&2; echo 'no module cv2' >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "exit status 3): no module cv2") {
		t.Errorf("before its first line: %v", err)
	}
	s, err := start(t, "echo Shell; read -r line; echo 'no such image' >&2; exit 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ask("decode"); err == nil || !strings.Contains(err.Error(), "no such image") {
		t.Errorf("at a request: %v", err)
	}
	if _, err := Start(filepath.Join(t.TempDir(), "python3"), "x", nil); err == nil {
		t.Error("an interpreter that is missing started")
	}
}

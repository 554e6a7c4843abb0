//go:build linux

package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPipesClose ends a pipe at either end, after every so many bytes. Whoever
// reads no more is not an error; who is cut off says so and leaves no file.
func TestPipesClose(t *testing.T) {
	t.Parallel()
	info, err := os.Stat(filepath.Join(bench, "gta.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	size := int(info.Size())
	step := size / times(100, 8)
	cuts := 0
	for n := 0; n < size; n += step {
		t.Run(fmt.Sprintf("the reader leaves after %d bytes", n), func(t *testing.T) {
			r := sh(fmt.Sprintf(`pipa cat $IN/gta.arrow | head -c %d > $OUT/head`, n), bench, t.TempDir())
			calm(t, r)
			if r.code != 0 || r.stderr != "" {
				t.Errorf("ended with %d, and %q", r.code, r.stderr)
			}
		})
		t.Run(fmt.Sprintf("the writer leaves after %d bytes", n), func(t *testing.T) {
			for _, script := range []string{
				`head -c %d $IN/gta.arrow | pipa write $OUT/gta`,
				`head -c %d $IN/gta.arrow | pipa write $OUT/gta --format parquet`,
				`head -c %d $IN/gta.arrow | pipa augment --flip 0.5 -o $OUT/x.arrow`,
				`head -c %d $IN/gta.arrow | pipa augment --flip 0.5 | pipa crops --size 16 --base 32 | pipa view -o $OUT/x.png`,
			} {
				out := t.TempDir()
				r := sh(fmt.Sprintf(script, n), bench, out)
				calm(t, r)
				if r.code == 0 || r.stderr == "" {
					t.Errorf("%s: ended with %d, and %q", script, r.code, r.stderr)
				}
				if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
					t.Errorf("%s: it leaves %v, %v", script, left, err)
				}
			}
		})
		cuts += 5
	}
	t.Logf("%d pipes", cuts)
}

// TestClosedEnds gives commands a standard input that is closed or empty, or an
// output that is full.
func TestClosedEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ script, says string }{
		{`pipa inspect <&-`, "empty"},
		{`pipa write $OUT/gta <&-`, "empty"},
		{`pipa write $OUT/gta < /dev/null`, "empty"},
		{`pipa cat $IN/gta.arrow > /dev/full`, "no space left on device"},
		{`pipa inspect $IN/gta.arrow > /dev/full`, "no space left on device"},
		{`pipa inspect $IN/gta.arrow --json > /dev/full`, "no space left on device"},
		{`pipa verify $IN/pairs > /dev/full`, "no space left on device"},
		{`pipa view $IN/few.arrow > /dev/full`, "no space left on device"},
		{`pipa presets > /dev/full`, "no space left on device"},
		{`pipa > /dev/full`, "no space left on device"},
		{`pipa --help > /dev/full`, "no space left on device"},
		{`pipa --version > /dev/full`, "no space left on device"},
		{`pipa read --help > /dev/full`, "no space left on device"},
		{`pipa plan mix --help > /dev/full`, "no space left on device"},
	} {
		t.Run(c.script, func(t *testing.T) {
			out := t.TempDir()
			r := sh(c.script, bench, out)
			calm(t, r)
			if r.code == 0 || !strings.Contains(r.stderr, c.says) {
				t.Errorf("ended with %d, and %q; want it to say %q", r.code, r.stderr, c.says)
			}
			if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
				t.Errorf("it leaves %v, %v", left, err)
			}
		})
	}
	// Messages that cannot be had are not a reason to fail.
	must(t, sh(`pipa cat $IN/gta.arrow -o $OUT/x.arrow 2>&-`, bench, t.TempDir()))
	must(t, sh(`pipa cat $IN/gta.arrow -o $OUT/x.arrow 2> /dev/full`, bench, t.TempDir()))
}

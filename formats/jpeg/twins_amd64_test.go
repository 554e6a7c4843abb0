//go:build !purego

package jpeg

import (
	"bytes"
	"fmt"
	"testing"
)

// FuzzDecode: damaged files give an error or an image of the declared size, and the
// same with the assembly as without.
func FuzzDecode(f *testing.F) {
	for i, m := range images() {
		if i%7 == 0 || m.height < 8 {
			f.Add(m.encode())
		}
	}
	f.Add(progressiveOf(8, 8, 3))
	have := fast
	f.Cleanup(func() { fast = have })
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Open(data)
		if err != nil {
			return
		}
		type result struct {
			pix []byte
			err string
		}
		var results [2]result
		for i, with := range []bool{have, false} {
			fast = with
			d := Decoder{MaxPixels: 1 << 16}
			pix, err := d.AppendRGB(nil, file, Rows{})
			results[i] = result{pix, fmt.Sprint(err)}
			if err == nil && len(pix) != 3*file.Width*file.Height {
				t.Fatalf("%d bytes of %dx%d pixels", len(pix), file.Width, file.Height)
			}
		}
		if results[0].err != results[1].err || !bytes.Equal(results[0].pix, results[1].pix) {
			t.Fatalf("with assembly: %d bytes, %s; without: %d bytes, %s", len(results[0].pix), results[0].err, len(results[1].pix), results[1].err)
		}
	})
}

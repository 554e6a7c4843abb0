package png

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// inflated is what z makes of a stream, at most limit bytes and what it writes
// beyond, in steps of at most step bytes with only the window kept.
func inflated(z *inflater, stream []byte, limit, step int) ([]byte, error) {
	z.reset(stream)
	var out []byte
	buf, at := make([]byte, window+step+slack), 0
	for len(out) < limit {
		if at > window {
			copy(buf, buf[at-window:at])
			at = window
		}
		end, err := z.inflate(buf, at, at+min(step, limit-len(out)))
		out = append(out, buf[at:end]...)
		if err != nil || end == at {
			return out, err
		}
		at = end
	}
	return out, nil
}

// contents are bytes that deflate in different ways.
func contents(r *rand.Rand) map[string][]byte {
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.IntN(256))
	}
	few := make([]byte, 400_000)
	for i := range few {
		few[i] = byte(int(r.NormFloat64()*3) + 128)
	}
	words := []byte(strings.Repeat("the quick brown fox jumps over the lazy dog, and again; ", 5000))
	for i := 0; i < len(words); i += 1 + r.IntN(300) {
		words[i] = byte(r.IntN(256))
	}
	runs := make([]byte, 0, 500_000)
	for len(runs) < 400_000 {
		pattern := noise[:1+r.IntN(40)]
		runs = append(runs, bytes.Repeat(pattern, 1+r.IntN(300))...)
	}
	skewed := make([]byte, 0, 1<<20) // codes of up to 15 bits
	for i := range 17 {
		for range 1 << i {
			skewed = append(skewed, byte(i*11))
		}
	}
	r.Shuffle(len(skewed), func(i, j int) { skewed[i], skewed[j] = skewed[j], skewed[i] })
	return map[string][]byte{"empty": nil, "one": {7}, "noise": noise, "few": few, "words": words, "runs": runs, "skewed": skewed}
}

// TestInflate: what compress/flate deflates at any level comes back, in one go
// and in steps of any size.
func TestInflate(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	z := new(inflater)
	for name, want := range contents(r) {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			t.Run(fmt.Sprintf("%s level %d", name, level), func(t *testing.T) {
				var b bytes.Buffer
				w, _ := flate.NewWriter(&b, level)
				w.Write(want)
				w.Close()
				for _, step := range []int{1 << 20, 1 + r.IntN(5000), 70_000} {
					got, err := inflated(z, b.Bytes(), len(want)+1, step)
					if err != nil || !bytes.Equal(got, want) {
						t.Fatalf("steps of %d: %d bytes of %d, %v", step, len(got), len(want), err)
					}
				}
				half, err := inflated(z, b.Bytes(), len(want)/2, 1<<20)
				if err != nil || len(half) < len(want)/2 || !bytes.HasPrefix(want, half) {
					t.Fatalf("half: %d bytes, %v", len(half), err)
				}
			})
		}
	}
}

// TestInflateRest: the bytes after a stream are found.
func TestInflateRest(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	z := new(inflater)
	for n := range 400 {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(r.IntN(1 + r.IntN(256)))
		}
		stream := deflated(data, r.IntN(12)-2)[2:]
		rest := stream[len(stream)-4:]
		if n%2 == 0 {
			stream = append(stream, "and more than eight bytes after"...)
			rest = stream[len(stream)-35:]
		}
		got, err := inflated(z, stream, n+1, 1<<16)
		if err != nil || !bytes.Equal(got, data) || !bytes.Equal(z.rest(), rest) {
			t.Fatalf("%d bytes: %v, rest %q", n, err, z.rest())
		}
	}
}

// TestInflateBroken: streams that are not deflate, by what is wrong with them.
func TestInflateBroken(t *testing.T) {
	for _, c := range []struct {
		name, stream string // hexadecimal
		want         error
	}{
		{"nothing", "", errTruncated},
		{"reserved block type", "07", errBlock},
		{"stored lengths disagree", "01010000ff61", errStored},
		{"stored block cut", "010500faff6162", errTruncated},
		{"stored header cut", "010500", errTruncated},
		{"fixed block cut", "4b4c", errTruncated},
		{"distance before the start", "4b04220000000000000000", errDistance},
		{"fixed symbol 286", "1b0300000000000000", errSymbol},
		{"too many literal codes", "fdff000000000000", errCode},
		{"no code length codes", "05000000000000000000000000", errSymbol},
		{"over-subscribed code length code", "05e0ff9f24499224499224", errCode},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream, err := hex.DecodeString(c.stream)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(flate.NewReader(bytes.NewReader(stream))); err == nil {
				t.Fatal("compress/flate takes it")
			}
			_, err = inflated(new(inflater), stream, 1000, 1000)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// TestCopyMatch: the copy is byte by byte in effect for all distances.
func TestCopyMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for distance := 1; distance < 70; distance++ {
		for length := 3; length <= 258; length++ {
			out := make([]byte, 100+258+16)
			for i := range out {
				out[i] = byte(r.IntN(256))
			}
			want := bytes.Clone(out[:100+length])
			for i := range length {
				want[100+i] = want[100+i-distance]
			}
			if copyMatch(out, 100, distance, length); !bytes.Equal(out[:100+length], want) {
				t.Fatalf("%d bytes from %d back differ", length, distance)
			}
		}
	}
}

// compareInflate holds the inflater to compress/flate on any bytes.
func compareInflate(t *testing.T, stream []byte) {
	const limit = 1 << 18
	want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(stream)), limit))
	for _, step := range []int{limit, 300} {
		got, err := inflated(new(inflater), stream, limit, step)
		got = got[:min(len(got), limit)]
		switch {
		case wantErr == nil && err != nil:
			t.Fatalf("compress/flate reads %d bytes, we fail after %d: %v", len(want), len(got), err)
		case wantErr != nil && err == nil:
			t.Fatalf("compress/flate fails after %d bytes: %v; we read %d", len(want), wantErr, len(got))
		case err == nil && !bytes.Equal(got, want):
			t.Fatalf("%d bytes, compress/flate has %d, or they differ", len(got), len(want))
		}
	}
}

func FuzzInflate(f *testing.F) {
	r := rand.New(rand.NewPCG(23, 24))
	for _, data := range contents(r) {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6} {
			f.Add(deflated(data[:min(len(data), 700)], level)[2:])
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte) { compareInflate(t, stream) })
}

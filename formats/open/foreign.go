package open

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/columns"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/zeebo/xxh3"
	"golang.org/x/sys/unix"
)

// readOptions are the options of a stream that another program may have written.
func (o Options) readOptions() pipeline.ReadOptions {
	return pipeline.ReadOptions{
		Kind: o.Kind, Classes: o.Classes, Notice: o.Notice,
		ClassesOf: classesOf, Decode: decodeFile,
	}
}

// classesOf are the classes of a dataset whose layout ships.
func classesOf(dataset string) []string {
	for _, l := range formats.Layouts() {
		if l.Name == dataset {
			return l.Classes
		}
	}
	return nil
}

// decodeFile decodes an image file that lies in a column: a PNG or JPEG as RGB, or
// the samples of a gray or palette PNG, which are train IDs.
func decodeFile(file []byte, channels int) (r raster.Raster, err error) {
	const name = "the image file"
	if channels == 3 {
		return formats.DecodeImage(name, file, raster.MaxPixels)
	}
	f, err := png.Open(file)
	if err != nil {
		return r, fmt.Errorf("decode %s: %w", name, err)
	}
	if err := raster.CheckPixels(f.Height, f.Width, raster.MaxPixels); err != nil {
		return r, fmt.Errorf("decode %s: %w", name, err)
	}
	var d png.Decoder
	pix, err := d.AppendIndices(nil, f, png.Rows{})
	if err != nil {
		return r, fmt.Errorf("decode %s: want a gray or palette PNG of train IDs: %w", name, err)
	}
	return raster.Wrap(f.Height, f.Width, channels, pix)
}

// A part is a file of a table, and what a manifest says of it, if there is one.
type part struct {
	path   string
	bytes  int64
	digest string
}

// foreignParts are the files of a folder without a manifest, at any depth, by their
// names. Names that begin with a dot or an underscore are passed over, as other
// readers of such folders do.
func foreignParts(dir string) (parts []part, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := e.Name(); path != dir && (name[0] == '.' || name[0] == '_') {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !e.IsDir() && slices.Contains([]string{".arrow", ".arrows", ".feather", ".ipc", ".parquet"}, strings.ToLower(filepath.Ext(path))) {
			parts = append(parts, part{path: path})
		}
		return nil
	})
	return parts, err
}

// unfinished reports whether a folder is a job's that has not ended: its files are
// a part of what it is to be.
func unfinished(dir string) (bool, error) {
	_, err := files.Stat(filepath.Join(dir, "plan.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// openForeign opens files that other programs wrote as one table.
func openForeign(ctx context.Context, name string, list []part, o Options) (*Input, error) {
	t := &parts{list: list}
	s, rows, err := t.stream(ctx, name, o)
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return &Input{Stream: s, Rows: rows, close: t.close}, nil
}

func (t *parts) stream(ctx context.Context, name string, o Options) (s pipeline.Stream, rows int, err error) {
	for i := range t.list {
		if err := t.open(i); err != nil {
			return s, 0, err
		}
		if t.rows < 0 || rows < 0 {
			rows = -1
		} else {
			rows += t.rows
		}
	}
	t.Rewind()
	if err := t.open(0); err != nil {
		return s, 0, err
	}
	t.schema = t.current.Schema()
	err = files.Mapped(name, func() (err error) {
		s, err = pipeline.ReadTables(ctx, t, o.readOptions())
		return err
	})
	if err != nil {
		return s, 0, fmt.Errorf("%s: %w", name, err)
	}
	s.Batches = named(name, s.Batches)
	return s, rows, nil
}

// parts are the tables of several files, one after the other. It implements
// pipeline.Tables.
type parts struct {
	list    []part
	schema  columns.Schema // of the first
	at      int            // the file that is open
	current pipeline.Tables
	rows    int // of the open file; -1 where they are not known
	data    []byte
}

// open opens file i, and closes the one before.
func (t *parts) open(i int) (err error) {
	if err := t.close(); err != nil {
		return err
	}
	p := t.list[i]
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", p.path, err)
		}
	}()
	if t.data, err = mapFile(p.path); err != nil {
		return err
	}
	t.at = i
	return files.Mapped(p.path, func() (err error) {
		if p.digest != "" && int64(len(t.data)) != p.bytes {
			return fmt.Errorf("it has %d bytes, recorded are %d", len(t.data), p.bytes)
		}
		if d := xxh3.Hash(t.data); p.digest != "" && fmt.Sprintf("%016x", d) != p.digest {
			return fmt.Errorf("it is damaged: its digest is %016x, recorded is %s", d, p.digest)
		}
		switch {
		case parquet.IsFile(t.data):
			t.current, t.rows, err = parquet.Tables(t.data)
		case bytes.HasPrefix(t.data, []byte("ARROW1")):
			t.current, t.rows, err = pipeline.FileTables(t.data)
		default:
			t.rows = -1
			t.current, err = pipeline.StreamTables(bytes.NewReader(t.data))
		}
		return err
	})
}

func (t *parts) close() error {
	t.current = nil
	if t.data == nil {
		return nil
	}
	data := t.data
	t.data = nil
	return unix.Munmap(data)
}

// Schema implements pipeline.Tables.
func (t *parts) Schema() columns.Schema { return t.schema }

// Rewind implements pipeline.Tables. The first file is opened when it is read.
func (t *parts) Rewind() bool {
	t.at, t.current = -1, nil
	return true
}

// Next implements pipeline.Tables.
func (t *parts) Next(names []string) (table columns.Table, err error) {
	for {
		if t.current == nil {
			if t.at+1 == len(t.list) {
				return table, io.EOF
			}
			if err := t.open(t.at + 1); err != nil {
				return table, err
			}
			if err := t.alike(names); err != nil {
				return table, fmt.Errorf("%s: %w", t.list[t.at].path, err)
			}
		}
		err = files.Mapped(t.list[t.at].path, func() (err error) {
			table, err = t.current.Next(names)
			return err
		})
		if errors.Is(err, io.EOF) {
			t.current = nil
			continue
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", t.list[t.at].path, err)
		}
		return table, err
	}
}

// alike fails unless the open file's columns are of the types that the first one's
// have.
func (t *parts) alike(names []string) error {
	s := t.current.Schema()
	for _, name := range names {
		first, f := t.schema.Field(name), s.Field(name)
		if f == nil {
			return fmt.Errorf("it has no column %s, and %s has one", name, t.list[0].path)
		}
		const tensor = "ARROW:extension:metadata"
		if a, b := first.Type.String(), f.Type.String(); a != b || first.Metadata[tensor] != f.Metadata[tensor] {
			return fmt.Errorf("its column %s is %s %s, that of %s is %s %s", name, b, f.Metadata[tensor], t.list[0].path, a, first.Metadata[tensor])
		}
	}
	return nil
}

// mapFile maps a file.
func mapFile(path string) ([]byte, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, pipeline.ErrEmpty
	}
	return files.Map(f, info.Size())
}

// isForeignFile reports whether a file is an Arrow IPC file of another program,
// which is read by its footer.
func isForeignFile(path string, first []byte) (foreign bool, err error) {
	if !bytes.HasPrefix(first, []byte("ARROW1")) {
		return false, nil
	}
	data, err := mapFile(path)
	if err != nil {
		return false, err
	}
	err = files.Mapped(path, func() error {
		_, err := pipeline.OpenFile(data)
		foreign = errors.Is(err, pipeline.ErrForeign)
		return nil
	})
	return foreign, errors.Join(err, unix.Munmap(data))
}

// manifestParts are the files that a dataset's manifest lists.
func manifestParts(dir string) (list []part, err error) {
	is, err := parquet.IsFolder(dir)
	if err != nil {
		return nil, err
	}
	if is {
		m, err := parquet.ReadManifest(dir)
		for _, f := range m.Files {
			list = append(list, part{filepath.Join(dir, f.File), f.Bytes, f.Digest})
		}
		return list, err
	}
	m, err := shards.ReadManifest(dir)
	for _, f := range m.Shards {
		list = append(list, part{filepath.Join(dir, f.File), f.Bytes, f.Digest})
	}
	return list, err
}

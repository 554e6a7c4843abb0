package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
)

// object is an open one, which is read from the front. Where its body breaks off, the
// rest is asked for.
type object struct {
	bucket    *bucket
	name, key string
	entry     entry
	etag      string
	body      io.ReadCloser
	at        int64 // what was read
	// breaks counts how often a body broke off since the object last came on, at broke.
	breaks int
	broke  int64
}

// comesOn is how many bytes of an object, between two breaks, show that it is coming:
// a store that sends a few each time would be asked without end.
const comesOn = 1 << 20

// errForeign is the error of an answer that no object store gives, but for one a
// portal or a proxy.
var errForeign = errors.New("the answer is not an object store's: it has no ETag")

// ask asks for the object from at on.
func (o *object) ask() error {
	var options minio.GetObjectOptions
	if o.at > 0 {
		if err := options.SetRange(o.at, 0); err != nil {
			return err
		}
	}
	if o.etag != "" {
		if err := options.SetMatchETag(o.etag); err != nil {
			return err
		}
	}
	body, info, header, err := o.bucket.client.GetObject(o.bucket.ctx, o.bucket.name, o.key, options)
	if err != nil {
		return err
	}
	if o.at > 0 && !strings.HasPrefix(header.Get("Content-Range"), fmt.Sprintf("bytes %d-", o.at)) {
		return errors.Join(fmt.Errorf("asked for the rest from byte %d on, it sends %q", o.at, header.Get("Content-Range")), body.Close())
	}
	if info.ETag == "" {
		return errors.Join(errForeign, body.Close())
	}
	if o.etag == "" {
		o.etag, o.entry = info.ETag, entry{path.Base(o.name), info.Size, info.LastModified, false}
	}
	o.body = body
	return nil
}

func (o *object) Stat() (fs.FileInfo, error) { return o.entry, nil }

// Read implements io.Reader.
func (o *object) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	err = o.bucket.again("read", o.name, func() error {
		if o.body == nil {
			if err := o.ask(); err != nil {
				return err
			}
		}
		var err error
		n, err = o.body.Read(p)
		o.at += int64(n)
		if err == io.EOF && o.at < o.entry.size {
			err = io.ErrUnexpectedEOF
		}
		if err == nil || err == io.EOF {
			return nil
		}
		_ = o.body.Close() // it has failed
		if o.body = nil; o.at-o.broke >= comesOn {
			o.breaks, o.broke = 0, o.at
		}
		o.breaks++
		err = fmt.Errorf("it breaks off after %d of %d bytes: %w", o.at, o.entry.size, err)
		if o.breaks == tries {
			return lasting{err}
		}
		if n > 0 {
			return nil // the next Read goes on
		}
		return err
	})
	if err == nil && n == 0 {
		err = io.EOF
	}
	return n, err
}

// lasting is an error after which nothing is tried again here.
type lasting struct{ error }

func (e lasting) Unwrap() error { return e.error }

func (o *object) Close() error {
	if o.body == nil {
		return nil
	}
	return o.body.Close()
}

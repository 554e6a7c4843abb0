package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucket is a prefix of an object store's bucket.
type bucket struct {
	ctx    context.Context
	client *minio.Client
	upload *minio.Client // tries once: Put tries again itself, from the beginning
	url    string
	name   string
	prefix string // without a slash at its end; may be empty
}

// openBucket opens scheme://bucket/prefix.
func openBucket(ctx context.Context, u *url.URL) (*bucket, error) {
	if u.Host == "" {
		return nil, fmt.Errorf("open folder: %s names no bucket: want %s://BUCKET/PREFIX", u, u.Scheme)
	}
	endpoint, secure := map[string]string{"s3": "s3.amazonaws.com", "gs": "storage.googleapis.com"}[u.Scheme], true
	if text := os.Getenv("AWS_ENDPOINT_URL"); text != "" {
		e, err := url.Parse(text)
		if err != nil || e.Host == "" || e.Scheme != "http" && e.Scheme != "https" {
			return nil, fmt.Errorf("open folder: AWS_ENDPOINT_URL is %q, want http://HOST or https://HOST", text)
		}
		endpoint, secure = e.Host, e.Scheme == "https"
	}
	o := minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: 10 * time.Second}},
		}),
		Secure: secure, Region: os.Getenv("AWS_REGION"),
	}
	client, err := minio.New(endpoint, &o)
	if err != nil {
		return nil, fmt.Errorf("open folder %s: %w", u, err)
	}
	o.MaxRetries = 1
	upload, err := minio.New(endpoint, &o)
	if err != nil {
		return nil, fmt.Errorf("open folder %s: %w", u, err)
	}
	return &bucket{ctx: ctx, client: client, upload: upload, url: strings.TrimSuffix(u.String(), "/"), name: u.Host, prefix: strings.Trim(u.Path, "/")}, nil
}

func (b *bucket) String() string { return b.url }

// key is the object of a file.
func (b *bucket) key(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return path.Join(b.prefix, name), nil
}

// failed words an error; an object that is not there is fs.ErrNotExist.
func (b *bucket) failed(op, name string, err error) error {
	if code := minio.ToErrorResponse(err).Code; code == minio.NoSuchKey {
		err = fs.ErrNotExist
	}
	return &fs.PathError{Op: op, Path: b.url + "/" + name, Err: err}
}

// Open implements fs.FS. An object is read as the file is.
func (b *bucket) Open(name string) (fs.File, error) {
	key, err := b.key("open", name)
	if err != nil {
		return nil, err
	}
	o, err := b.client.GetObject(b.ctx, b.name, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, b.failed("open", name, err)
	}
	info, err := o.Stat()
	if err != nil {
		return nil, errors.Join(b.failed("open", name, err), o.Close())
	}
	return &object{o, b, name, entry{path.Base(name), info.Size, info.LastModified, false}}, nil
}

// ReadDir implements fs.ReadDirFS: what lies under a prefix, sorted.
func (b *bucket) ReadDir(name string) ([]fs.DirEntry, error) {
	key, err := b.key("read", name)
	if err != nil {
		return nil, err
	}
	prefix := key + "/"
	if key == "." || key == "" {
		prefix = ""
	}
	var out []fs.DirEntry
	for o := range b.client.ListObjectsIter(b.ctx, b.name, minio.ListObjectsOptions{Prefix: prefix}) {
		if o.Err != nil {
			return nil, b.failed("read", name, o.Err)
		}
		base := strings.TrimPrefix(o.Key, prefix)
		if folder, isDir := strings.CutSuffix(base, "/"); folder != "" {
			out = append(out, entry{folder, o.Size, o.LastModified, isDir})
		}
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	if len(out) == 0 && name != "." {
		return nil, &fs.PathError{Op: "read", Path: b.url + "/" + name, Err: fs.ErrNotExist}
	}
	return out, nil
}

// Put writes aside on this machine and uploads the whole: an object appears
// when its upload is complete, and what is cut off before leaves none.
func (b *bucket) Put(name string, write func(io.Writer) error) error {
	key, err := b.key("write", name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp("", "pipa-upload-*")
	if err != nil {
		return fmt.Errorf("write %s/%s: %w", b.url, name, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return fmt.Errorf("write %s/%s: %w", b.url, name, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s/%s: %w", b.url, name, err)
	}
	for try := 1; ; try++ {
		if err = b.send(f.Name(), key); err == nil {
			return nil
		}
		if try == uploads || !passing(err) {
			return b.failed("write", name, err)
		}
		select {
		case <-time.After(time.Duration(try*try) * 200 * time.Millisecond):
		case <-b.ctx.Done():
			return b.failed("write", name, context.Cause(b.ctx))
		}
	}
}

// uploads is how often an upload is tried.
const uploads = 5

// send uploads a file. It is opened anew each time: a connection that was given
// up may still be reading the old one.
func (b *bucket) send(file, key string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = b.upload.PutObject(b.ctx, b.name, key, f, info.Size(), minio.PutObjectOptions{
		ContentType: "application/octet-stream", SendContentMd5: true,
		DisableContentSha256: true, // the MD5 guards the bytes; framing them once more is not every server's strength
	})
	return err
}

// Status is the HTTP status with which an object store refused a request, 0 where
// an error is not such an answer.
func Status(err error) int {
	var answer minio.ErrorResponse
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// passing reports whether an error may be gone the next time: the server's, or the
// network's.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	code := minio.ToErrorResponse(err).StatusCode
	return code == 0 || code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
}

func (b *bucket) Remove(name string) error {
	key, err := b.key("remove", name)
	if err != nil {
		return err
	}
	if err := b.client.RemoveObject(b.ctx, b.name, key, minio.RemoveObjectOptions{}); err != nil && !errors.Is(b.failed("remove", name, err), fs.ErrNotExist) {
		return b.failed("remove", name, err)
	}
	return nil
}

func (b *bucket) Lock(string) (func(), error) { return func() {}, nil }

// object is an open one.
type object struct {
	*minio.Object
	bucket *bucket
	name   string
	entry  entry
}

func (o *object) Stat() (fs.FileInfo, error) { return o.entry, nil }

// Read implements io.Reader, naming the object where it fails.
func (o *object) Read(p []byte) (int, error) {
	n, err := o.Object.Read(p)
	if err != nil && err != io.EOF {
		err = o.bucket.failed("read", o.name, err)
	}
	return n, err
}

// entry is what a listing or a header says of an object.
type entry struct {
	name     string
	size     int64
	modified time.Time
	isDir    bool
}

func (e entry) Name() string               { return e.name }
func (e entry) Size() int64                { return e.size }
func (e entry) ModTime() time.Time         { return e.modified }
func (e entry) IsDir() bool                { return e.isDir }
func (e entry) Sys() any                   { return nil }
func (e entry) Info() (fs.FileInfo, error) { return e, nil }
func (e entry) Type() fs.FileMode          { return e.Mode().Type() }

func (e entry) Mode() fs.FileMode {
	if e.isDir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

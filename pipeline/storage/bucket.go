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
	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/internal/wait"
)

// bucket is a prefix of an object store's bucket.
type bucket struct {
	ctx    context.Context
	client *minio.Core // tries once: a bucket tries again itself
	url    string
	name   string
	prefix string // without a slash at its end; may be empty
}

// openBucket opens scheme://bucket/prefix.
func openBucket(ctx context.Context, u *url.URL) (*bucket, error) {
	if u.Host == "" {
		return nil, fmt.Errorf("open folder: %s names no bucket: want %s://BUCKET/PREFIX", u, u.Scheme)
	}
	if err := s3utils.CheckValidBucketName(u.Host); err != nil {
		return nil, fmt.Errorf("open folder: %s: %w", u, err)
	}
	endpoint, secure := map[string]string{"s3": "s3.amazonaws.com", "gs": "storage.googleapis.com"}[u.Scheme], true
	if text := os.Getenv("AWS_ENDPOINT_URL"); text != "" {
		e, err := url.Parse(text)
		if err != nil || e.Host == "" || e.Scheme != "http" && e.Scheme != "https" {
			return nil, fmt.Errorf("open folder: AWS_ENDPOINT_URL is %q, want http://HOST or https://HOST", text)
		}
		endpoint, secure = e.Host, e.Scheme == "https"
	}
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("open folder %s: %w", u, err)
	}
	return newBucket(ctx, u, endpoint, secure, transport)
}

func newBucket(ctx context.Context, u *url.URL, endpoint string, secure bool, transport *http.Transport) (*bucket, error) {
	transport.ResponseHeaderTimeout = 0 // patient knows better
	client, err := minio.NewCore(endpoint, &minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: 10 * time.Second}},
		}),
		Secure: secure, Region: os.Getenv("AWS_REGION"), Transport: patient{transport, wait.Of(ctx)}, MaxRetries: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("open folder %s: %w", u, err)
	}
	return &bucket{ctx: ctx, client: client, url: strings.TrimSuffix(u.String(), "/"), name: u.Host, prefix: strings.Trim(u.Path, "/")}, nil
}

func (b *bucket) String() string { return b.url }

// key is the object of a file.
func (b *bucket) key(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return path.Join(b.prefix, name), nil
}

// failed words an error. An object that is not there is fs.ErrNotExist; all else says
// nothing about the object.
func (b *bucket) failed(op, name string, err error) error {
	if code := minio.ToErrorResponse(err).Code; code == minio.NoSuchKey {
		err = fs.ErrNotExist
	} else if !errors.Is(err, context.Canceled) {
		err = &files.PassingError{Err: err}
	}
	return &fs.PathError{Op: op, Path: b.url + "/" + name, Err: err}
}

// tries is how often a request is made before it has failed.
const tries = 5

// again makes a request, and makes it again while its error may pass.
func (b *bucket) again(op, name string, request func() error) error {
	for try := 1; ; try++ {
		err := request()
		if err == nil {
			return nil
		}
		if b.ctx.Err() != nil {
			return b.failed(op, name, context.Cause(b.ctx))
		}
		if try == tries || !passing(err) {
			return b.failed(op, name, err)
		}
		select {
		case <-time.After(time.Duration(try*try) * 200 * time.Millisecond):
		case <-b.ctx.Done():
			return b.failed(op, name, context.Cause(b.ctx))
		}
	}
}

// Open implements fs.FS.
func (b *bucket) Open(name string) (fs.File, error) {
	key, err := b.key("open", name)
	if err != nil {
		return nil, err
	}
	o := &object{bucket: b, name: name, key: key}
	if err := b.again("open", name, o.ask); err != nil {
		return nil, err
	}
	return o, nil
}

// Stat implements fs.StatFS.
func (b *bucket) Stat(name string) (fs.FileInfo, error) {
	key, err := b.key("stat", name)
	if err != nil {
		return nil, err
	}
	var info minio.ObjectInfo
	err = b.again("stat", name, func() (err error) {
		info, err = b.client.StatObject(b.ctx, b.name, key, minio.StatObjectOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	return entry{path.Base(name), info.Size, info.LastModified, false}, nil
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
	err = b.again("read", name, func() error {
		out = nil
		for o := range b.client.ListObjectsIter(b.ctx, b.name, minio.ListObjectsOptions{Prefix: prefix}) {
			if o.Err != nil {
				return o.Err
			}
			base := strings.TrimPrefix(o.Key, prefix)
			if folder, isDir := strings.CutSuffix(base, "/"); folder != "" {
				out = append(out, entry{folder, o.Size, o.LastModified, isDir})
			}
		}
		return b.ctx.Err()
	})
	if err != nil {
		return nil, err
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
	f, size, err := aside(write)
	if err != nil {
		return fmt.Errorf("write %s/%s: %w", b.url, name, err)
	}
	defer f.Close()
	return b.again("write", name, func() error {
		// A reader of its own for each try: a connection that was given up may still be
		// reading the one before.
		_, err := b.client.Client.PutObject(b.ctx, b.name, key, io.NewSectionReader(f, 0, size), size, minio.PutObjectOptions{
			ContentType: "application/octet-stream", SendContentMd5: true,
			DisableContentSha256: true, // the MD5 guards the bytes; framing them once more is not every server's strength
		})
		return err
	})
}

// aside is a file without a name that holds what write writes: whatever ends the
// process, the system removes it.
func aside(write func(io.Writer) error) (f *os.File, size int64, err error) {
	if f, err = os.CreateTemp("", "pipa-upload-*"); err != nil {
		return nil, 0, err
	}
	if err = os.Remove(f.Name()); err == nil {
		err = write(f)
	}
	if err == nil {
		size, err = f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, size, nil
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
	if l := (lasting{}); errors.As(err, &l) || errors.Is(err, context.Canceled) || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	code := Status(err)
	return code == 0 || code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
}

func (b *bucket) Remove(name string) error {
	key, err := b.key("remove", name)
	if err != nil {
		return err
	}
	err = b.again("remove", name, func() error {
		return b.client.RemoveObject(b.ctx, b.name, key, minio.RemoveObjectOptions{})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (b *bucket) Lock(string) (func(), error) { return func() {}, nil }

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

package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/internal/wait"
)

// pipes is a network of one server whose time is a test's.
type pipes chan net.Conn

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// content is the object that tests read.
var content = bytes.Repeat([]byte("0123456789abcdef"), 1<<16)

// stage is an object store that behaves as a test says, in a time of its own.
type stage struct {
	*bucket
	mu       sync.Mutex // of what requests and timers add, each on a goroutine of its own
	requests []string
	said     []time.Duration // when it is said what is waited for
}

// asked adds a request, and returns how many there are.
func (x *stage) asked(request string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.requests = append(x.requests, request)
	return len(x.requests)
}

// record is what there is so far.
func (x *stage) record() (requests []string, said []time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.requests), slices.Clone(x.said)
}

// play calls f with a store that has the object "x", and that asks before every
// request: where before returns true, the request has been dealt with.
func play(t *testing.T, before func(n int, w http.ResponseWriter, r *http.Request, x *stage) bool, f func(t *testing.T, x *stage)) {
	t.Helper()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"} {
		t.Setenv(name, value)
	}
	synctest.Test(t, func(t *testing.T) {
		backend := s3mem.New()
		if err := backend.CreateBucket("bucket"); err != nil {
			t.Fatal(err)
		}
		if _, err := backend.PutObject("bucket", "x", map[string]string{"Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}, bytes.NewReader(content), int64(len(content)), nil); err != nil {
			t.Fatal(err)
		}
		store := gofakes3.New(backend).Server()
		x := &stage{}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := x.asked(strings.TrimSpace(r.Method + " " + r.Header.Get("Range")))
			if !before(n, w, r, x) {
				store.ServeHTTP(w, r)
			}
		})}
		network := make(pipes)
		served := make(chan error)
		go func() { served <- server.Serve(network) }()
		transport := &http.Transport{DialContext: network.dial}
		begun := time.Now()
		ctx := wait.With(t.Context(), wait.Patience{Say: func(what string) {
			if !strings.HasPrefix(what, "store, which was asked for: ") || !strings.HasSuffix(what, " /bucket/x") {
				t.Errorf("it says %q", what)
			}
			x.mu.Lock()
			defer x.mu.Unlock()
			x.said = append(x.said, time.Since(begun).Truncate(time.Second))
		}})
		var err error
		if x.bucket, err = newBucket(ctx, &url.URL{Scheme: "s3", Host: "bucket"}, "store", false, transport); err != nil {
			t.Fatal(err)
		}
		f(t, x)
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
}

// part answers with an object's first bytes of those that were asked for, as if more
// came.
func part(w http.ResponseWriter, r *http.Request, x *stage, share int) {
	whole := httptest.NewRecorder()
	header := whole.Header()
	from := 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
		header.Set("Content-Range", fmt.Sprintf("bytes %d-1048575/1048576", from))
	}
	body := content[from:]
	for name, value := range map[string]string{"ETag": `"e"`, "Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"} {
		header.Set(name, value)
	}
	for name := range header {
		w.Header().Set(name, header.Get(name))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body[:len(body)/share])
	_ = http.NewResponseController(w).Flush()
}

// silent waits until the client has gone.
func silent(r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return true
}

// TestAStoreIsNotWaitedForWithoutEnd: what stalls is asked for again, from where it
// broke, and in the end given up; after 5 seconds it is said what is waited for.
func TestAStoreIsNotWaitedForWithoutEnd(t *testing.T) {
	const pauses = (1 + 4 + 9 + 16) * 200 * time.Millisecond
	read := func(f fs.FS) error {
		data, err := fs.ReadFile(f, "x")
		if err == nil && !bytes.Equal(data, content) {
			err = errors.New("it reads other bytes")
		}
		return err
	}
	for _, c := range []struct {
		name     string
		before   func(n int, w http.ResponseWriter, r *http.Request, x *stage) bool
		do       func(f Folder) error
		takes    time.Duration
		requests []string
		said     []time.Duration // to the second
		err      string          // "" where all ends well
	}{
		{
			name:   "a store that never answers",
			before: func(_ int, _ http.ResponseWriter, r *http.Request, _ *stage) bool { return silent(r) },
			do:     func(f Folder) error { return read(f) },
			takes:  5*time.Minute + pauses, requests: slices.Repeat([]string{"GET"}, 5),
			said: []time.Duration{5 * time.Second, 65 * time.Second, 126 * time.Second, 188 * time.Second, 251 * time.Second},
			err:  "open s3://bucket/x: Get \"http://store/bucket/x\": store has been silent for 1m0s",
		},
		{
			name: "a body that stalls half way",
			before: func(n int, w http.ResponseWriter, r *http.Request, x *stage) bool {
				if n == 1 {
					part(w, r, x, 2)
					return silent(r)
				}
				return false
			},
			do: func(f Folder) error { return read(f) }, takes: time.Minute, requests: []string{"GET", "GET bytes=524288-"},
			said: []time.Duration{5 * time.Second},
		},
		{
			name: "a body that is cut half way",
			before: func(n int, w http.ResponseWriter, r *http.Request, x *stage) bool {
				if n == 1 {
					part(w, r, x, 2)
				}
				return n == 1
			},
			do: func(f Folder) error { return read(f) }, requests: []string{"GET", "GET bytes=524288-"},
		},
		{
			name: "a store that sends half of the rest each time",
			before: func(_ int, w http.ResponseWriter, r *http.Request, x *stage) bool {
				part(w, r, x, 2)
				return silent(r)
			},
			do:    func(f Folder) error { return read(f) },
			takes: 5 * time.Minute, requests: []string{"GET", "GET bytes=524288-", "GET bytes=786432-", "GET bytes=917504-", "GET bytes=983040-"},
			said: []time.Duration{5 * time.Second, 65 * time.Second, 125 * time.Second, 185 * time.Second, 245 * time.Second},
			err:  "read s3://bucket/x: it breaks off after 1015808 of 1048576 bytes: store has been silent for 1m0s",
		},
		{
			name: "a portal in the store's place",
			before: func(n int, w http.ResponseWriter, _ *http.Request, _ *stage) bool {
				if n == 1 {
					_, _ = io.WriteString(w, "<html>sign in</html>")
				}
				return n == 1
			},
			do: func(f Folder) error {
				list, err := f.ReadDir(".")
				if err == nil && (len(list) != 1 || list[0].Name() != "x") {
					err = fmt.Errorf("it lists %v", list)
				}
				return err
			},
			takes: 200 * time.Millisecond, requests: []string{"GET", "GET"},
		},
		{
			name: "a body that is cut and never goes on",
			before: func(n int, w http.ResponseWriter, r *http.Request, x *stage) bool {
				if n == 1 {
					part(w, r, x, 2)
				} else {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return true
			},
			do: func(f Folder) error { return read(f) }, takes: pauses, requests: append([]string{"GET"}, slices.Repeat([]string{"GET bytes=524288-"}, 4)...),
			err: "read s3://bucket/x: 503 Service Unavailable",
		},
		{
			name: "an upload of which nothing is heard",
			before: func(n int, _ http.ResponseWriter, r *http.Request, _ *stage) bool {
				return n == 1 && silent(r)
			},
			do: func(f Folder) error {
				if err := f.Put("x", func(w io.Writer) error { _, err := w.Write(content); return err }); err != nil {
					return err
				}
				return read(f)
			},
			takes: time.Minute + 200*time.Millisecond, requests: []string{"PUT", "PUT", "GET"}, said: []time.Duration{5 * time.Second},
		},
		{
			name: "a store that is slow, and never silent",
			before: func(_ int, w http.ResponseWriter, r *http.Request, x *stage) bool {
				part(w, r, x, len(content)/4)
				for i := 4; i < len(content); i += len(content) / 8 {
					time.Sleep(50 * time.Second)
					_, _ = w.Write(content[i:min(i+len(content)/8, len(content))])
					_ = http.NewResponseController(w).Flush()
				}
				return true
			},
			do: func(f Folder) error { return read(f) }, takes: 8 * 50 * time.Second, requests: []string{"GET"}, said: []time.Duration{
				5 * time.Second, 55 * time.Second, 105 * time.Second, 155 * time.Second, 205 * time.Second, 255 * time.Second, 305 * time.Second, 355 * time.Second,
			},
		},
		{
			name:   "a reader that is slow",
			before: func(int, http.ResponseWriter, *http.Request, *stage) bool { return false },
			do: func(f Folder) error {
				o, err := f.Open("x")
				if err != nil {
					return err
				}
				if _, err := io.CopyN(io.Discard, o, 100); err != nil {
					return err
				}
				time.Sleep(time.Hour)
				if _, err := io.Copy(io.Discard, o); err != nil {
					return err
				}
				return o.Close()
			},
			takes: time.Hour, requests: []string{"GET"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, c.before, func(t *testing.T, x *stage) {
				begun := time.Now()
				err := c.do(x)
				took := time.Since(begun)
				requests, said := x.record()
				if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err) || !files.Passing(err)) {
					t.Errorf("%v, want %q", err, c.err)
				}
				// The client adds to each pause up to 0.2 s, as it draws.
				if took < c.takes || took > c.takes+time.Second || !slices.Equal(requests, c.requests) {
					t.Errorf("it takes %v and asks for %q, want %v and %q", took, requests, c.takes, c.requests)
				}
				near := func(a, b time.Duration) bool { return (a - b).Abs() <= time.Second }
				if !slices.EqualFunc(said, c.said, near) {
					t.Errorf("it says so at %v, want %v", said, c.said)
				}
			})
		})
	}
}

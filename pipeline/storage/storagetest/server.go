// Package storagetest starts an object store for tests.
package storagetest

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// A Store is a running server.
type Store struct {
	before atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

// Before calls f ahead of every request; where it returns true the request has
// been dealt with. nil stops that.
func (s *Store) Before(f func(http.ResponseWriter, *http.Request) bool) { s.before.Store(&f) }

// Server starts an S3 server on the loopback interface with empty buckets, and
// points the environment to it, until the test ends.
func Server(t testing.TB, buckets ...string) *Store {
	t.Helper()
	backend := s3mem.New()
	for _, b := range buckets {
		if err := backend.CreateBucket(b); err != nil {
			t.Fatal(err)
		}
	}
	s := &Store{}
	handler := gofakes3.New(backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := s.before.Load(); f != nil && *f != nil && (*f)(w, r) {
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_REGION", "us-east-1")
	return s
}

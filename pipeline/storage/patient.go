package storage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/pipa-uda/pipa/internal/wait"
)

// A StallError says that nothing has moved between this machine and an object store
// for a while.
type StallError struct {
	Host string
	For  time.Duration
}

func (e *StallError) Error() string { return fmt.Sprintf("%s has been silent for %v", e.Host, e.For) }

// patient is a transport that gives up a request of which nothing moves, in the
// headers or in a body, for as long as its patience says. Only the time that somebody
// waits counts: who reads a body may be slow.
type patient struct {
	http.RoundTripper
	wait.Patience
}

// RoundTrip implements http.RoundTripper.
func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	x := &exchange{
		Patience: p.Patience, what: fmt.Sprintf("%s, which was asked for: %s %s", r.URL.Host, r.Method, r.URL.Path),
		ctx: ctx, cancel: cancel, stalled: &StallError{r.URL.Host, p.Stall},
	}
	s := x.listen()
	defer s.end()
	r = r.WithContext(ctx)
	if r.Body != nil {
		r.Body = sent{r.Body, s}
	}
	answer, err := p.RoundTripper.RoundTrip(r)
	if err != nil {
		err = x.reason(err)
		cancel(nil)
		return nil, err
	}
	answer.Body = &received{answer.Body, x}
	if answer.StatusCode == http.StatusOK && r.URL.Query().Has("list-type") {
		return listing(answer)
	}
	return answer, nil
}

// listing is an answer that is to list objects. The client takes any XML for a list, and
// that of a portal or a proxy for one that is empty.
func listing(answer *http.Response) (*http.Response, error) {
	body := bufio.NewReaderSize(answer.Body, 1<<10)
	head, err := body.Peek(1 << 10)
	if err == io.EOF {
		err = nil // it is short
	}
	if err != nil || !bytes.Contains(head, []byte("<ListBucketResult")) {
		return nil, errors.Join(fmt.Errorf("the answer of %s is not a list of objects", answer.Request.URL.Host), err, answer.Body.Close())
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{body, answer.Body}
	return answer, nil
}

// exchange is a request and its answer.
type exchange struct {
	wait.Patience
	what    string
	ctx     context.Context
	cancel  context.CancelCauseFunc
	stalled *StallError
}

// reason is an error, or the stall that has led to it.
func (x *exchange) reason(err error) error {
	if cause := context.Cause(x.ctx); errors.Is(cause, x.stalled) {
		return cause
	}
	return err
}

// listen begins to wait for the other side.
func (x *exchange) listen() *silence {
	return &silence{
		exchange: x, said: x.For(x.what),
		timer: time.AfterFunc(x.Stall, func() { x.cancel(x.stalled) }),
	}
}

// silence is how long nothing has moved.
type silence struct {
	*exchange
	mu    sync.Mutex
	ended bool
	timer *time.Timer
	said  func()
}

// moved begins it anew.
func (s *silence) moved() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.said(); !s.ended {
		s.timer.Reset(s.Stall)
		s.said = s.For(s.what)
	}
}

func (s *silence) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.timer.Stop()
	s.said()
}

// sent is the body of a request: whatever is taken of it moves.
type sent struct {
	io.ReadCloser
	silence *silence
}

func (b sent) Read(p []byte) (int, error) {
	b.silence.moved()
	return b.ReadCloser.Read(p)
}

// received is the body of an answer.
type received struct {
	io.ReadCloser
	*exchange
}

func (b *received) Read(p []byte) (int, error) {
	s := b.listen()
	n, err := b.ReadCloser.Read(p)
	s.end()
	if err != nil && err != io.EOF {
		err = b.reason(err)
	}
	return n, err
}

func (b *received) Close() error {
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}

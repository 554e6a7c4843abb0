package wait

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// Patience is how waiting goes. The zero value is silent.
type Patience struct {
	// Stall is how long another machine may send and take nothing; 0 means
	// DefaultStall.
	Stall time.Duration
	// Say is called, on a goroutine of its own, with what has been waited for for some
	// seconds; nil is silent.
	Say func(what string)
}

// DefaultStall is Stall where none is given.
const DefaultStall = time.Minute

// Silence is how long is waited before that is said.
const Silence = 5 * time.Second

type key struct{}

// With is a context in which waiting goes by p.
func With(ctx context.Context, p Patience) context.Context { return context.WithValue(ctx, key{}, p) }

// Of is a context's patience.
func Of(ctx context.Context) Patience {
	p, _ := ctx.Value(key{}).(Patience)
	if p.Stall == 0 {
		p.Stall = DefaultStall
	}
	return p
}

// For says what is waited for once that takes Silence. done ends the waiting.
func (p Patience) For(what string) (done func()) { return p.after(Silence, what, nil) }

func (p Patience) after(d time.Duration, what string, said func()) (done func()) {
	if p.Say == nil {
		return func() {}
	}
	timer := time.AfterFunc(d, func() {
		if said != nil {
			said()
		}
		p.Say(what)
	})
	return func() { timer.Stop() }
}

// Reader is r, of which is said when a read waits: after Silence, and of later reads
// each time after twice as long, since who reads from a slow process waits often.
func (p Patience) Reader(r io.Reader, what string) io.Reader {
	if p.Say == nil {
		return r
	}
	return &slowReader{r, newOther(p, what)}
}

// Writer is w, of which is said when a write waits, as of a Reader's reads.
func (p Patience) Writer(w io.Writer, what string) io.Writer {
	if p.Say == nil {
		return w
	}
	return &slowWriter{w, newOther(p, what)}
}

type slowReader struct {
	io.Reader
	*other
}

func (s *slowReader) Read(b []byte) (int, error) {
	defer s.wait()()
	return s.Reader.Read(b)
}

type slowWriter struct {
	io.Writer
	*other
}

func (s *slowWriter) Write(b []byte) (int, error) {
	defer s.wait()()
	return s.Writer.Write(b)
}

// other is a process that is waited for again and again.
type other struct {
	p       Patience
	what    string
	silence atomic.Int64 // until the next word, in nanoseconds
}

func newOther(p Patience, what string) *other {
	o := &other{p: p, what: what}
	o.silence.Store(int64(Silence))
	return o
}

func (o *other) wait() (done func()) {
	d := o.silence.Load()
	return o.p.after(time.Duration(d), o.what, func() { o.silence.Store(2 * d) })
}

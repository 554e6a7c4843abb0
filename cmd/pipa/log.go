package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// logTo sends messages to w, in the format that --log names.
func logTo(format string, w io.Writer) error {
	switch format {
	case "text":
		slog.SetDefault(slog.New(&plainHandler{out: w}))
	case "json":
		slog.SetDefault(slog.New(slog.NewJSONHandler(w, nil)))
	default:
		return usagef("--log is %q, want text or json", format)
	}
	return nil
}

// plainHandler writes messages the way people read them on a terminal: "pipa:
// message key=value", without time and level, warnings and errors alike.
type plainHandler struct {
	mu    sync.Mutex
	out   io.Writer
	attrs []slog.Attr
}

func (h *plainHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

func (h *plainHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString("pipa: ")
	if r.Level == slog.LevelWarn {
		b.WriteString("warning: ")
	}
	b.WriteString(r.Message)
	write := func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	}
	for _, a := range h.attrs {
		write(a)
	}
	r.Attrs(write)
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.out, b.String())
	return err
}

func (h *plainHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &plainHandler{out: h.out, attrs: append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

func (h *plainHandler) WithGroup(string) slog.Handler { return h }

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// logTo sends messages to w, in the format that --log names.
func logTo(format string, w io.Writer) error {
	switch format {
	case "text":
		slog.SetDefault(slog.New(&plainHandler{out: overBars(w)}))
	case "json":
		slog.SetDefault(slog.New(slog.NewJSONHandler(printableWriter{overBars(w)}, &slog.HandlerOptions{ReplaceAttr: jsonNumbers})))
	default:
		return usagef("--log is %q, want text or json", format)
	}
	return nil
}

// overBars makes messages of a command within a pipe take the place of the bar that
// the pipe's last command draws on the same terminal.
func overBars(w io.Writer) io.Writer {
	if w == os.Stderr && isPipe(os.Stdout) && term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb" {
		return clearingWriter{w}
	}
	return w
}

// clearingWriter writes lines in place of what stands in the terminal's line.
type clearingWriter struct{ io.Writer }

func (w clearingWriter) Write(text []byte) (int, error) {
	_, err := w.Writer.Write(append([]byte("\r\x1b[K"), text...))
	return len(text), err
}

// printableWriter writes JSON lines with what a terminal would act on escaped.
type printableWriter struct{ io.Writer }

func (w printableWriter) Write(text []byte) (int, error) {
	_, err := io.WriteString(w.Writer, printable(string(text)))
	return len(text), err
}

// jsonNumbers gives numbers that JSON has no words for as strings.
func jsonNumbers(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindFloat64 && (math.IsNaN(a.Value.Float64()) || math.IsInf(a.Value.Float64(), 0)) {
		return slog.String(a.Key, fmt.Sprint(a.Value.Float64()))
	}
	return a
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
	// Lines after the first are indented: none looks like a message of its own.
	b.WriteString(strings.ReplaceAll(r.Message, "\n", "\n  "))
	for _, a := range h.attrs {
		writeAttr(&b, "", a)
	}
	r.Attrs(func(a slog.Attr) bool { writeAttr(&b, "", a); return true })
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.out, printable(b.String())+"\n")
	return err
}

// writeAttr writes an attribute in one line; those of a group under its name.
func writeAttr(b *strings.Builder, prefix string, a slog.Attr) {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindGroup:
		for _, inner := range v.Group() {
			writeAttr(b, prefix+a.Key+".", inner)
		}
	case slog.KindFloat64:
		fmt.Fprintf(b, " %s%s=%.4g", prefix, a.Key, v.Float64())
	default:
		fmt.Fprintf(b, " %s%s=%s", prefix, a.Key, strings.ReplaceAll(v.String(), "\n", `\n`))
	}
}

func (h *plainHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &plainHandler{out: h.out, attrs: append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

func (h *plainHandler) WithGroup(string) slog.Handler { return h }

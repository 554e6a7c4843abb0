package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/internal/wait"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/urfave/cli/v2"
)

func main() {
	crashByAbort()
	os.Exit(run(os.Args))
}

// run is the whole program; it returns the exit code.
func run(args []string) int {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	slog.SetDefault(slog.New(&plainHandler{out: os.Stderr})) // until --log is read
	cli.HelpPrinter = printHelp                              // the package has no other place for it
	app := newApp()
	help := &firstError{out: os.Stdout}
	app.Writer = help
	err := files.Mapped("a mapped input", func() error { return app.RunContext(ctx, flagsFirst(app, args)) })
	if err == nil {
		err = pipeline.ClosedPipe(help.err)
	}
	return report(err, context.Cause(ctx))
}

// firstError keeps the first error of a writer: the cli package drops those of
// its help and version.
type firstError struct {
	out io.Writer
	err error
}

func (w *firstError) Write(text []byte) (int, error) {
	n, err := w.out.Write(text)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

func newApp() *cli.App {
	app := &cli.App{
		Name:    "pipa",
		Usage:   "adapt a segmentation network from synthetic streets to real ones",
		Version: version(),
		Commands: slices.Concat(
			under("Datasets", fixturesCommand(), formatsCommand(), checkCommand(), statsCommand(), readCommand()),
			under("Streams", augmentCommand(), classmixCommand(), cropsCommand(), inspectCommand(), viewCommand()),
			under("Stored datasets", writeCommand(), catCommand(), precomputeCommand(), planCommand(), mergeCommand(), verifyCommand()),
			under("Training", presetsCommand(), weightsCommand(), trainCommand(), evalCommand(), predictCommand(), reportCommand()),
			under("pipa itself", doctorCommand(), helpCommand(), manCommand(), completionCommand()),
		),
		HideHelpCommand: true, // help is a command of our own
		Flags:           []cli.Flag{cli.HelpFlag},
		ExitErrHandler:  func(*cli.Context, error) {}, // run reports
		OnUsageError:    wrongUsage,
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return cli.ShowAppHelp(c)
			}
			return unknownCommand(c, c.App.Commands)
		},
	}
	prepare(app.Commands)
	return app
}

// action is a command's: read takes the options from the command line, and refuses
// them before anything is opened; run does the work, and knows no command line.
func action[O any](read func(*cli.Context) (O, error), run func(context.Context, O) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := checkValues(c); err != nil {
			return err
		}
		o, err := read(c)
		if err != nil {
			return otherwise(exitUsage, err)
		}
		p, err := patienceOf(c)
		if err != nil {
			return err
		}
		return run(wait.With(c.Context, p), o)
	}
}

// under gives commands the heading that they stand under in the help.
func under(category string, commands ...*cli.Command) []*cli.Command {
	for _, c := range commands {
		c.Category = category
	}
	return commands
}

// prepare gives every command what all share.
func prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = wrongUsage
		c.HideHelpCommand = true
		c.Flags = append(c.Flags, logFlag())
		c.Before = func(c *cli.Context) error { return logTo(c.String("log"), os.Stderr) }
		prepare(c.Subcommands)
	}
}

// version names this build, and what it reads and writes.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	var about []string
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			about = append(about, "commit "+s.Value)
		}
	}
	for _, m := range info.Deps {
		if strings.HasPrefix(m.Path, "github.com/apache/arrow/go/") {
			about = append(about, "Arrow "+m.Version)
		}
	}
	about = append(about, "stream format "+pipeline.FormatVersion, info.GoVersion)
	return info.Main.Version + " (" + strings.Join(about, ", ") + ")"
}

// A signalError is why a context ended when a signal came.
type signalError struct{ signal syscall.Signal }

func (e signalError) Error() string { return "interrupted by " + e.signal.String() }

// untilSignal ends a context at the first SIGINT, SIGTERM or SIGHUP, and the
// process at the second. SIGHUP comes, more than once, when a terminal or a
// connection goes; nohup has it ignored, and so it stays. A closed pipe downstream
// is seen as a write's error, not as a signal.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		for number := 0; ; number++ {
			s, ok := (<-signals).(syscall.Signal)
			if !ok {
				return
			}
			if number > 0 && s == syscall.SIGHUP {
				continue
			}
			if number > 0 {
				os.Exit(128 + int(s))
			}
			cancel(signalError{s})
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}

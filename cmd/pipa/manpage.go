package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// exitStatus is what the exit codes mean (docs/commands.md).
var exitStatus = [][2]string{
	{"0", "Done; also where the reader of a pipe had enough."},
	{"1", "A failure that may pass, of a disk, a network or another process: the same command may be tried again."},
	{"2", "What a repetition cannot mend: the command line, or what it names, is wrong, or an output exists."},
	{"3", "Bad data: a sample, stream or stored dataset is damaged, or an input is another than was planned."},
	{"130, 143", "Interrupted, terminated (129: hung up): what is finished stays, and the same command goes on."},
}

// A variable is one of the environment that commands heed.
type variable struct {
	names    string
	text     string
	commands []string // first words of the commands that heed it; nil is all
}

var (
	networks = []string{"train", "eval", "predict", "doctor"}
	stores   = []string{"read", "check", "stats", "cat", "plan", "precompute", "merge", "verify", "inspect", "view", "augment", "classmix", "crops", "write"}

	environment = []variable{
		{"PIPA_TORCH", "Path of libpipatorch.so, the libtorch backend. Without it the backend is looked for as pipa doctor says.", networks},
		{"CUDA_VISIBLE_DEVICES", "The GPUs that CUDA shows to pipa.", networks},
		{"RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT", "This process's place among those that train together, as torchrun and Kubeflow set it. Where they are not set, Slurm's SLURM_PROCID, SLURM_NTASKS and SLURM_LOCALID.", []string{"train"}},
		{"JOB_COMPLETION_INDEX, SLURM_ARRAY_TASK_ID", "The share of this task of a Kubernetes Indexed Job or a Slurm array, where --shard is not given.", []string{"precompute"}},
		{"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN", "Credentials for s3:// and gs:// (there, HMAC keys). Without them the shared credentials file, or the machine's role.", stores},
		{"AWS_ENDPOINT_URL, AWS_REGION", "Another server that speaks the S3 protocol, and the region.", stores},
		{"TERM", "Where it is dumb, messages of the commands before the last of a pipe do not clear the progress bar's line.", nil},
	}
)

// roff is text for man(7).
type roff struct{ strings.Builder }

// escaped is a text without what roff acts on. Characters beyond ASCII are named, for
// systems that do not guess a page's encoding.
func escaped(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case (r == '.' || r == '\'') && (i == 0 || text[i-1] == '\n'):
			b.WriteString(`\&` + string(r))
		case r == '\'':
			b.WriteString(`\(aq`)
		case r > 0x7f:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (r *roff) section(name string) { r.WriteString(".SH " + name + "\n") }

// item is a term, in roff, and what it means.
func (r *roff) item(term, text string) {
	r.WriteString(".TP\n" + term + "\n" + escaped(text) + "\n")
}

// lines are a block that is not filled.
func (r *roff) lines(text string) {
	r.WriteString(".RS 4\n.nf\n" + escaped(text) + "\n.fi\n.RE\n")
}

func (r *roff) begin(name, usage string) {
	r.WriteString(fmt.Sprintf(".TH %s 1 \"%s\" \"pipa\" \"User Commands\"\n", strings.ToUpper(escaped(name)), pageDate()))
	r.WriteString(".nh\n.ad l\n") // flags and paths are not to be broken
	r.section("NAME")
	r.WriteString(escaped(name) + ` \- ` + escaped(usage) + "\n")
}

// pageDate is the day of the commit that pipa was built from, so that pages are the
// same whenever they are made: what SOURCE_DATE_EPOCH says, else the build's.
func pageDate() string {
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC().Format(time.DateOnly)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" && len(s.Value) >= len(time.DateOnly) {
				return s.Value[:len(time.DateOnly)]
			}
		}
	}
	return time.Now().UTC().Format(time.DateOnly)
}

// end writes the sections that every page ends with. first is the command's first
// word; empty is pipa itself.
func (r *roff) end(first string, see []string) {
	r.section("EXIT STATUS")
	for _, s := range exitStatus {
		r.item(`\fB`+s[0]+`\fR`, s[1])
	}
	r.section("ENVIRONMENT")
	for _, v := range environment {
		if first == "" || v.commands == nil || slices.Contains(v.commands, first) {
			r.item(`\fB`+strings.ReplaceAll(escaped(v.names), ", ", `\fR, \fB`)+`\fR`, v.text)
		}
	}
	r.section("SEE ALSO")
	var pages []string
	for _, s := range see {
		pages = append(pages, `\fB`+escaped(pageName(s))+`\fR(1)`)
	}
	r.WriteString(strings.Join(pages, ",\n") + "\n")
}

// mainPage is the manual page of pipa itself.
func mainPage(app *cli.App) string {
	var r roff
	r.begin(app.Name, app.Usage)
	r.section("SYNOPSIS")
	r.WriteString(`\fBpipa\fR \fICOMMAND\fR [\fIoptions\fR] [\fIarguments\fR]` + "\n")
	r.section("DESCRIPTION")
	r.WriteString(escaped("pipa adapts a semantic segmentation network from labeled synthetic streets to unlabeled real ones. Its commands read datasets, change and mix their samples in pipes, store them, and train, evaluate and use networks. Results go to standard output, and data only where it is not a terminal; progress and messages go to standard error. Nothing is overwritten without --force.") + "\n")
	r.section("COMMANDS")
	category := ""
	for _, c := range app.Commands {
		if c.Category != category {
			category = c.Category
			r.WriteString(".SS \"" + escaped(category) + "\"\n")
		}
		r.item(`\fB`+escaped(pageName("pipa "+c.Name))+`\fR(1)`, sentence(c.Usage))
	}
	r.section("OPTIONS")
	r.item(`\fB\-h\fR, \fB\-\-help\fR`, "Print help; after a command, that command's.")
	r.item(`\fB\-v\fR, \fB\-\-version\fR`, "Print the version, and what pipa reads and writes.")
	r.section("EXAMPLES")
	r.lines(startingExample)
	var see []string
	for _, c := range app.Commands {
		see = append(see, "pipa "+c.Name)
	}
	r.end("", see)
	return r.String()
}

// commandPage is the manual page of a command, which is named by its words.
func commandPage(words string, c *cli.Command) string {
	var r roff
	r.begin(pageName(words), c.Usage)
	r.section("SYNOPSIS")
	for i, s := range synopses(words, c) {
		if i > 0 {
			r.WriteString(".br\n")
		}
		r.WriteString(`\fB` + escaped(words) + `\fR ` + escaped(strings.TrimPrefix(s, words+" ")) + "\n")
	}
	r.section("DESCRIPTION")
	paragraphs, examples := description(c)
	if len(paragraphs) == 0 {
		paragraphs = []string{sentence(c.Usage)}
	}
	for i, p := range paragraphs {
		if i > 0 {
			r.WriteString(".PP\n")
		}
		r.WriteString(escaped(p) + "\n")
	}
	fields := strings.Fields(words)
	see := []string{strings.Join(fields[:len(fields)-1], " ")}
	if len(c.Subcommands) > 0 {
		r.section("COMMANDS")
		for _, sub := range c.Subcommands {
			r.item(`\fB`+escaped(pageName(words+" "+sub.Name))+`\fR(1)`, sentence(sub.Usage))
			see = append(see, words+" "+sub.Name)
		}
	}
	group := ""
	r.section("OPTIONS")
	for _, t := range flagTexts(c) {
		if t.group != group && t.group != groupOwn {
			r.WriteString(".SS \"" + escaped(t.group) + "\"\n")
		}
		group = t.group
		r.item(t.term(), sentence(t.usage))
	}
	if examples != "" {
		r.section("EXAMPLES")
		r.lines(examples)
	}
	r.end(fields[1], see)
	return r.String()
}

// term is a flag with its names bold and its value in italics.
func (t flagText) term() string {
	var names []string
	for _, n := range t.names {
		dashes := "--"
		if len(n) == 1 {
			dashes = "-"
		}
		names = append([]string{`\fB` + escaped(dashes+n) + `\fR`}, names...)
	}
	text := strings.Join(names, ", ")
	if t.placeholder != "" {
		text += ` \fI` + escaped(t.placeholder) + `\fR`
	}
	return text
}

// sentence is a text with a capital letter and a full stop; a name or a placeholder at
// its beginning stays.
func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

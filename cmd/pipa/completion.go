package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/urfave/cli/v2"
)

// Completion scripts know every command, flag and value; they ask pipa for nothing.

// An offer is what may stand in a place of the command line.
type offer struct {
	kind  offerKind
	words []string
}

type offerKind string

const (
	offersNothing offerKind = ""      // a number or a name, which nobody can complete
	offersWords   offerKind = "words" // one of words
	offersList    offerKind = "list"  // some of words, with commas between
	offersBegun   offerKind = "begun" // words end with a colon, behind which more follows
	offersDataset offerKind = "dataset"
	offersFolders offerKind = "folders"
	offersPaths   offerKind = "paths"
)

var choices = regexp.MustCompile(`^[a-z]+([|][a-z]+)+$`)

// offered is what the placeholder of a flag or an argument stands for.
func offered(placeholder string, app *cli.App) offer {
	shipped := formats.Names()
	shipped = shipped[:len(shipped)-1] // the last is for custom datasets
	switch name := strings.Trim(placeholder, "…"); name {
	case "SPLIT":
		return offer{offersWords, []string{"train", "val", "test"}}
	case "PRESET":
		return offer{offersWords, config.Names()}
	case "DEVICE":
		return offer{offersWords, []string{"auto", "cpu", "cuda"}}
	case "COMMAND":
		return offer{offersWords, names(app.Commands)}
	case "KINDS":
		return offer{offersList, infer.OutputKinds()}
	case "DOMAINS":
		var domains []string
		for _, d := range fixtures.Domains() {
			domains = append(domains, d.String())
		}
		return offer{offersList, domains}
	case "FILTER:ARGUMENTS":
		return offer{offersBegun, colons(augment.FilterNames())}
	case "DATASET":
		return offer{offersDataset, colons(append(shipped, formats.Own))}
	case "DIR", "RUN":
		return offer{kind: offersFolders}
	case "FILE", "PATH", "STREAM", "FILE-OR-DIR", "DIR-OR-FILE", "RUN-OR-CHECKPOINT", "INPUT":
		return offer{kind: offersPaths}
	default:
		if choices.MatchString(name) {
			return offer{offersWords, strings.Split(name, "|")}
		}
	}
	return offer{}
}

func colons(names []string) (all []string) {
	for _, n := range names {
		all = append(all, n+":")
	}
	return all
}

// An argument is one of a command's, by its place.
type argument struct {
	name           string
	optional, more bool // more may follow
}

func argumentsOf(c *cli.Command) (all []argument) {
	for word := range strings.FieldsSeq(c.ArgsUsage) {
		name, optional := strings.CutPrefix(word, "[")
		name, more := strings.CutSuffix(strings.TrimSuffix(name, "]"), "…")
		all = append(all, argument{name, optional, more})
	}
	return all
}

func names(commands []*cli.Command) (all []string) {
	for _, c := range commands {
		all = append(all, c.Name)
	}
	return all
}

// dashed are a flag's names as they are typed, the long one first.
func (t flagText) dashed() (all []string) {
	for _, n := range t.names {
		all = append(all, strings.Repeat("-", min(len(n), 2))+n)
	}
	return all
}

// bashCompletion is a script for bash from 3.2 on.
func bashCompletion(app *cli.App) string {
	var commands []string
	values := newCases()
	places := newCases()
	flags := newCases()
	flags.add(strings.Join(append(names(app.Commands), "--help", "--version"), " "), "pipa")
	eachCommand("pipa", app.Commands, func(path string, c *cli.Command) {
		commands = append(commands, path)
		var own []string
		for _, t := range flagTexts(c) {
			own = append(own, t.dashed()[0])
			if t.placeholder == "" {
				continue
			}
			for _, name := range t.dashed() {
				values.add(bashOffer(offered(t.placeholder, app)), path+" "+name)
			}
		}
		flags.add(strings.Join(own, " "), path)
		if len(c.Subcommands) > 0 {
			places.add(bashOffer(offer{offersWords, names(c.Subcommands)}), path+" 0")
		}
		for i, a := range argumentsOf(c) {
			pattern := fmt.Sprintf("%s %d", path, i)
			places.add(bashOffer(offered(a.name, app)), pattern)
			if a.more {
				places.add(bashOffer(offered(a.name, app)), path+" "+moreArguments)
			}
		}
	})
	places.add(bashOffer(offer{offersWords, names(app.Commands)}), "pipa 0")
	return fmt.Sprintf(bashScript, quoted(commands), values, places, flags.assigned("values"))
}

const moreArguments = "*"

func bashOffer(o offer) string {
	return fmt.Sprintf("kind=%s values='%s'", o.kind, strings.Join(o.words, " "))
}

// cases are the patterns of a shell's case, by what is done for them.
type cases struct {
	order    []string
	patterns map[string][]string
}

func newCases() *cases { return &cases{patterns: map[string][]string{}} }

func (c *cases) add(do, pattern string) {
	if c.patterns[do] == nil {
		c.order = append(c.order, do)
	}
	c.patterns[do] = append(c.patterns[do], pattern)
}

// String has the patterns without a number before those of any number.
func (c *cases) String() string {
	var b strings.Builder
	for _, any := range []bool{false, true} {
		for _, do := range c.order {
			var patterns []string
			for _, p := range c.patterns[do] {
				if strings.HasSuffix(p, " "+moreArguments) == any {
					patterns = append(patterns, p)
				}
			}
			if patterns != nil {
				fmt.Fprintf(&b, "    %s) %s ;;\n", quoted(patterns), do)
			}
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// assigned are cases that set a variable.
func (c *cases) assigned(name string) string {
	var b strings.Builder
	for _, do := range c.order {
		fmt.Fprintf(&b, "    %s) %s='%s' ;;\n", quoted(c.patterns[do]), name, do)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// quoted are the patterns of a case; the star of any number stays one.
func quoted(patterns []string) string {
	var all []string
	for _, p := range patterns {
		if any, ok := strings.CutSuffix(p, " "+moreArguments); ok {
			all = append(all, fmt.Sprintf("'%s '*", any))
		} else {
			all = append(all, "'"+p+"'")
		}
	}
	return strings.Join(all, " | ")
}

const bashScript = `# bash completion of pipa

# _pipa_value COMMAND FLAG: what the flag takes; fails where it takes nothing.
_pipa_value() {
  case "$1 $2" in
%[2]s
    *) return 1 ;;
  esac
}

# _pipa_argument COMMAND NUMBER: what may be the argument of that number.
_pipa_argument() {
  case "$1 $2" in
%[3]s
  esac
}

_pipa() {
  local path=pipa flag= kind= values= number=0 glue= word cur i
  local -a typed=()
  # Bash breaks words at = and :, which ours have inside.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((i > 1)) && [[ -n $glue || $word == [=:]* ]]; then
      typed[${#typed[@]}-1]+=$word
    else
      typed+=("$word")
    fi
    glue=
    [[ $word == [=:] ]] && glue=yes
  done
  for ((i = 1; i < ${#typed[@]} - 1; i++)); do
    word=${typed[i]}
    if [[ -n $flag ]]; then
      flag=
    elif [[ $word == -?* ]]; then
      [[ $word != *=* ]] && _pipa_value "$path" "$word" && flag=$word
    else
      case "$path $word" in
    %[1]s) path="$path $word" number=0 ;;
    *) ((number++)) ;;
      esac
    fi
  done
  cur=${typed[${#typed[@]}-1]}
  if [[ ${COMP_WORDS[COMP_CWORD-1]} == *[\<\>]* ]]; then
    kind=paths
  elif [[ -n $flag ]]; then
    : # kind and values are the flag's
  elif [[ $cur == -*=* ]]; then
    kind= values=
    _pipa_value "$path" "${cur%%%%=*}"
    cur=${cur#*=}
  elif [[ $cur == -* ]]; then
    kind=words
    case $path in
%[4]s
    esac
  else
    kind= values=
    _pipa_argument "$path" $number
  fi
  local IFS=$'\n' before=
  values=${values// /$IFS}
  if [[ $kind == dataset && $cur == *:* ]]; then
    [[ $COMP_WORDBREAKS == *:* ]] || before=${cur%%%%:*}:
    cur=${cur#*:} kind=folders
  fi
  case $kind in
    words) COMPREPLY=($(compgen -W "$values" -- "$cur")) ;;
    begun) COMPREPLY=($(compgen -W "$values" -- "$cur")); compopt -o nospace 2>/dev/null ;;
    list)
      [[ $cur == *,* ]] && before=${cur%%,*},
      COMPREPLY=($(compgen -P "$before" -W "$values" -- "${cur##*,}"))
      compopt -o nospace 2>/dev/null
      ;;
    dataset)
      COMPREPLY=($(compgen -W "$values" -- "$cur") $(compgen -d -S / -- "$cur") $(compgen -f -X '!*.yaml' -- "$cur"))
      compopt -o nospace 2>/dev/null
      ;;
    folders) COMPREPLY=($(compgen -P "$before" -d -- "$cur")); compopt -o filenames 2>/dev/null ;;
    paths) COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null ;;
    *) COMPREPLY=() ;;
  esac
}
complete -F _pipa pipa
`

// zshCompletion is a script for zsh's own completion system.
func zshCompletion(app *cli.App) string {
	var b strings.Builder
	b.WriteString("#compdef pipa\n# zsh completion of pipa\n\n")
	zshFunction(&b, "pipa", app.Commands, []string{zshQuote("(- *)"+"--version") + zshQuote("[print the version]"), zshQuote("(- *)--help") + zshQuote("[print help]")})
	eachCommand("pipa", app.Commands, func(path string, c *cli.Command) {
		var specs []string
		for _, t := range flagTexts(c) {
			specs = append(specs, zshFlag(t, app)...)
		}
		for i, a := range argumentsOf(c) {
			place, optional := fmt.Sprint(i+1), ""
			if a.more {
				place = "*"
			}
			if a.optional {
				optional = ":"
			}
			specs = append(specs, zshQuote(place+":"+optional+strings.ReplaceAll(a.name, ":", `\:`)+":"+zshAction(a.name, app)))
		}
		zshFunction(&b, path, c.Subcommands, specs)
	})
	shipped := offered("DATASET", app)
	fmt.Fprintf(&b, `_pipa_dataset() {
  if compset -P '*:'; then
    _files -/
  else
    compadd -S '' -- %s
    _files -/
  fi
}

`, strings.Join(shipped.words, " "))
	// Autoloaded by its name, the file is the function; sourced, it is registered.
	b.WriteString("if [[ $funcstack[1] == _pipa ]]; then\n  _pipa \"$@\"\nelse\n  compdef _pipa pipa\nfi\n")
	return b.String()
}

// zshFunction completes a command; its subcommands are functions of their own.
func zshFunction(b *strings.Builder, path string, commands []*cli.Command, specs []string) {
	name := "_" + strings.ReplaceAll(path, " ", "_")
	if len(commands) > 0 {
		fmt.Fprintf(b, "%s_commands() {\n  local -a commands=(\n", name)
		for _, c := range commands {
			fmt.Fprintf(b, "    %s\n", zshQuote(c.Name+":"+c.Usage))
		}
		b.WriteString("  )\n  _describe -t commands command commands\n}\n\n")
		specs = append(specs, zshQuote("1:command:"+name+"_commands"), zshQuote("*::argument:->argument"))
	}
	fmt.Fprintf(b, "%s() {\n  local curcontext=$curcontext state line\n  local -A opt_args\n  _arguments -C -s -S \\\n    %s", name, strings.Join(specs, " \\\n    "))
	if len(commands) > 0 {
		fmt.Fprintf(b, " && return\n  [[ $state == argument ]] || return\n  case $line[1] in\n")
		for _, c := range commands {
			fmt.Fprintf(b, "    %s) %s_%s ;;\n", c.Name, name, c.Name)
		}
		b.WriteString("  esac")
	}
	b.WriteString("\n}\n\n")
}

func zshQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// zshFlag is a flag's specifications, one for each of its names.
func zshFlag(t flagText, app *cli.App) (specs []string) {
	about := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(t.usage)
	before := "(" + strings.Join(t.dashed(), " ") + ")"
	if t.repeats {
		before = "*"
	}
	for _, name := range t.dashed() {
		spec := before + name
		if t.placeholder != "" {
			spec += map[bool]string{true: "=", false: "+"}[strings.HasPrefix(name, "--")]
		}
		spec += "[" + about + "]"
		if t.placeholder != "" {
			spec += ":" + strings.ReplaceAll(t.placeholder, ":", `\:`) + ":" + zshAction(t.placeholder, app)
		}
		specs = append(specs, zshQuote(spec))
	}
	return specs
}

func zshAction(placeholder string, app *cli.App) string {
	o := offered(placeholder, app)
	plain := strings.ReplaceAll(strings.Join(o.words, " "), ":", `\:`)
	switch o.kind {
	case offersWords:
		if slices.ContainsFunc(o.words, func(w string) bool { return strings.HasSuffix(w, ":") }) {
			return " compadd -S \"\" -- " + plain
		}
		return "(" + plain + ")"
	case offersBegun:
		return " compadd -S \"\" -- " + plain
	case offersList:
		return " _values -s , " + strings.ToLower(placeholder) + " " + plain
	case offersDataset:
		return "_pipa_dataset"
	case offersFolders:
		return "_files -/"
	case offersPaths:
		return "_files"
	}
	return " "
}

// fishCompletion is a script for fish from 3.0 on.
func fishCompletion(app *cli.App) string {
	var b strings.Builder
	var known []string
	eachCommand("pipa", app.Commands, func(path string, _ *cli.Command) {
		known = append(known, fishQuote(strings.TrimPrefix(path, "pipa ")))
	})
	fmt.Fprintf(&b, fishScript, strings.Join(known, " "), strings.Join(offered("DATASET", app).words, " "))
	line := func(at, rest string) {
		fmt.Fprintf(&b, "complete -c pipa -n %s %s\n", fishQuote(strings.TrimSpace("__pipa_at "+at)), rest)
	}
	for _, c := range app.Commands {
		line("", "-a "+c.Name+" -d "+fishQuote(c.Usage))
	}
	line("", "-s h -l help -d 'print help'")
	line("", "-s v -l version -d 'print the version'")
	eachCommand("pipa", app.Commands, func(path string, c *cli.Command) {
		at := strings.TrimPrefix(path, "pipa ")
		for _, sub := range c.Subcommands {
			line(at, "-a "+sub.Name+" -d "+fishQuote(sub.Usage))
		}
		for _, t := range flagTexts(c) {
			text := ""
			for _, n := range t.names {
				text += map[bool]string{true: "-s ", false: "-l "}[len(n) == 1] + n + " "
			}
			if t.placeholder != "" {
				text += fishOffer(offered(t.placeholder, app)) + " "
			}
			line(at, text+"-d "+fishQuote(t.usage))
		}
		for _, a := range argumentsOf(c) {
			if o := offered(a.name, app); o.kind == offersPaths {
				line(at, "-F")
			} else if o.kind != offersNothing {
				line(at, strings.TrimPrefix(fishOffer(o), "-x "))
			}
		}
	})
	return b.String()
}

func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

func fishOffer(o offer) string {
	switch o.kind {
	case offersWords, offersBegun:
		return "-x -a " + fishQuote(strings.Join(o.words, " "))
	case offersList:
		return "-x -a " + fishQuote("(__fish_append , "+strings.Join(o.words, " ")+")")
	case offersDataset:
		return "-x -a '(__pipa_datasets)'"
	case offersFolders:
		return "-x -a '(__fish_complete_directories)'"
	case offersPaths:
		return "-r -F"
	}
	return "-x"
}

const fishScript = `# fish completion of pipa

# Succeeds where the command that is typed is the one of these words.
function __pipa_at
    set -l path
    for word in (commandline -opc)[2..-1]
        set -l longer $path $word
        if contains -- "$longer" %s
            set path $longer
        end
    end
    test "$path" = "$argv"
end

function __pipa_datasets
    set -l token (commandline -ct | string replace -r '^--[^=]*=' '')
    set -l parts (string split -m1 : -- $token)
    if test (count $parts) -eq 2
        for folder in (__fish_complete_directories $parts[2])
            echo $parts[1]:$folder
        end
    else
        printf '%%s\n' %s
        __fish_complete_directories $token
    end
end

complete -c pipa -f
`

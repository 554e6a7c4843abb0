package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// bashCompletion is a script that knows every command's subcommands and flags;
// all else it leaves to file names. It asks pipa for nothing.
func bashCompletion(commands []*cli.Command) string {
	var b strings.Builder
	b.WriteString(`_pipa() {
  local cur=${COMP_WORDS[COMP_CWORD]} path=pipa words i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path ${COMP_WORDS[i]}" in
`)
	fmt.Fprintf(&b, "      %s) path=\"$path ${COMP_WORDS[i]}\" ;;\n", strings.Join(paths("pipa", commands), " | "))
	b.WriteString("    esac\n  done\n  case $path in\n")
	fmt.Fprintf(&b, "    pipa) words=%q ;;\n", strings.Join(append(names(commands), "--help", "--version"), " "))
	cases(&b, "pipa", commands)
	b.WriteString(`  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _pipa pipa
`)
	return b.String()
}

// paths are the commands as they are typed, quoted for a case.
func paths(parent string, commands []*cli.Command) []string {
	var out []string
	for _, c := range commands {
		out = append(out, fmt.Sprintf("%q", parent+" "+c.Name))
		out = append(out, paths(parent+" "+c.Name, c.Subcommands)...)
	}
	return out
}

func names(commands []*cli.Command) []string {
	var out []string
	for _, c := range commands {
		out = append(out, c.Name)
	}
	return out
}

// cases write what may follow each command.
func cases(b *strings.Builder, parent string, commands []*cli.Command) {
	for _, c := range commands {
		words := names(c.Subcommands)
		for _, f := range c.Flags {
			for _, n := range f.Names() {
				if len(n) > 1 && !slices.Contains(words, "--"+n) {
					words = append(words, "--"+n)
				}
			}
		}
		words = append(words, choices(c.ArgsUsage)...)
		fmt.Fprintf(b, "    %q) words=%q ;;\n", parent+" "+c.Name, strings.Join(append(words, "--help"), " "))
		cases(b, parent+" "+c.Name, c.Subcommands)
	}
}

// choices are the literal choices of a usage such as "bash|zsh|fish".
func choices(usage string) []string {
	if !strings.Contains(usage, "|") {
		return nil
	}
	return strings.Split(usage, "|")
}

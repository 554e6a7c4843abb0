package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

type completionOptions struct {
	shell string
	app   *cli.App
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a shell's completion script",
		ArgsUsage: "bash|zsh|fish",
		Description: `The scripts complete commands, flags and their values, and ask pipa for nothing. Put the line for your shell into ~/.bashrc or, behind compinit, ~/.zshrc; fish reads the file.

   source <(pipa completion bash)
   source <(pipa completion zsh)
   pipa completion fish > ~/.config/fish/completions/pipa.fish`,
		Action: action(completionOptionsOf, runCompletion),
	}
}

func completionOptionsOf(c *cli.Context) (completionOptions, error) {
	args, err := arguments(c)
	if err != nil {
		return completionOptions{}, err
	}
	return completionOptions{args[0], c.App}, nil
}

func runCompletion(_ context.Context, o completionOptions) error {
	switch o.shell {
	case "bash":
		return printText(bashCompletion(o.app))
	case "zsh":
		return printText(zshCompletion(o.app))
	case "fish":
		return printText(fishCompletion(o.app))
	}
	return usagef("no completion for %q: want bash, zsh or fish", o.shell)
}

package main

import (
	"context"
	"strings"

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
		Description: "   source <(pipa completion bash)                                     # in ~/.bashrc\n" +
			"   source <(pipa completion zsh)                                      # in ~/.zshrc, after compinit\n" +
			"   pipa completion fish > ~/.config/fish/completions/pipa.fish",
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
	var script string
	var err error
	switch o.shell {
	case "bash":
		script = bashCompletion(o.app.Commands)
	case "zsh":
		script = "autoload -U +X bashcompinit && bashcompinit\n" + bashCompletion(o.app.Commands)
	case "fish":
		if script, err = o.app.ToFishCompletion(); err != nil {
			return err
		}
	default:
		return usagef("no completion for %q: want bash, zsh or fish", o.shell)
	}
	return printText(strings.TrimRight(script, "\n") + "\n")
}

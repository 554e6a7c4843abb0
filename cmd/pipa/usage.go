package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/internal/nearest"
	"github.com/urfave/cli/v2"
)

// flagsFirst moves a command's flags before its arguments, where the parser
// looks for them, so that "pipa read gta DIR --limit 3" is read as meant.
func flagsFirst(app *cli.App, args []string) []string {
	commands, at := app.Commands, 1
	var command *cli.Command
	for at < len(args) {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[at]) })
		if i < 0 {
			break
		}
		command, commands = commands[i], commands[i].Subcommands
		at++
	}
	if command == nil {
		return args
	}
	flags, values := slices.Clone(args[:at]), []string(nil)
	for words := flags; at < len(args); at++ {
		arg := args[at]
		switch {
		case arg == "--":
			return append(append(flags, append([]string{"--"}, values...)...), args[at+1:]...)
		case len(arg) < 2 || arg[0] != '-':
			values = append(values, arg)
		case arg == "--help" || arg == "-h":
			return append(slices.Clip(words), arg) // whatever else is there: the parser would look for a topic of that name
		case strings.Contains(arg, "=") || !takesValue(command, strings.TrimLeft(arg, "-")):
			flags = append(flags, arg)
		case at+1 == len(args) || isFlag(args[at+1]):
			return append(slices.Clip(words), arg) // the parser says that its value is missing
		default:
			at++
			flags = append(flags, arg, args[at])
		}
	}
	return append(flags, values...)
}

// isFlag reports whether a word is a flag rather than a flag's value: neither a lone
// dash nor a number. A value that looks like a flag is given after "=".
func isFlag(word string) bool {
	_, err := strconv.ParseFloat(strings.Split(word, ",")[0], 64)
	return len(word) > 1 && word[0] == '-' && err != nil
}

func takesValue(command *cli.Command, name string) bool {
	for _, f := range command.Flags {
		if slices.Contains(f.Names(), name) {
			_, isBool := f.(*cli.BoolFlag)
			return !isBool
		}
	}
	return false
}

// wrongUsage words the parser's errors, with the nearest flag for an unknown
// one.
func wrongUsage(c *cli.Context, err error, _ bool) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		name = strings.TrimLeft(name, "-")
		var names []string
		for _, f := range c.Command.Flags {
			names = append(names, f.Names()...)
		}
		return usagef("%s has no flag --%s%s; see: %s --help", c.Command.HelpName, name, suggestion("--", name, names), c.Command.HelpName)
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: "); ok {
		if len(name) > len("-o") {
			name = "-" + name
		}
		return usagef("%s: flag %s needs a value; see: %s --help", c.Command.HelpName, name, c.Command.HelpName)
	}
	return usagef("%s: %v; see: %s --help", c.Command.HelpName, err, c.Command.HelpName)
}

func suggestion(prefix, name string, candidates []string) string {
	return nearest.Hint(name, candidates, prefix+"%s")
}

func unknownCommand(c *cli.Context, commands []*cli.Command) error {
	parent := c.Command.HelpName
	if parent == "" {
		parent = c.App.Name
	}
	return noCommand(parent, c.Args().First(), commands)
}

func noCommand(parent, name string, commands []*cli.Command) error {
	return usagef("%s has no command %q%s; see: %s --help", parent, name, suggestion(parent+" ", name, names(commands)), parent)
}

// firstArgument is the optional file of a command that reads one stream.
func firstArgument(c *cli.Context) (string, error) {
	args, err := arguments(c)
	if err != nil || len(args) == 0 {
		return "", err
	}
	return args[0], nil
}

// onlySubcommands is the action of a command that does nothing itself.
func onlySubcommands(c *cli.Context) error {
	if c.NArg() > 0 {
		return unknownCommand(c, c.Command.Subcommands)
	}
	return usagef("%s needs one of: %s; see: %s --help", c.Command.HelpName, strings.Join(names(c.Command.Subcommands), ", "), c.Command.HelpName)
}

// required is the value of a flag that must be given.
func required(c *cli.Context, name string) (string, error) {
	if v := c.String(name); v != "" {
		return v, nil
	}
	return "", usagef("%s needs --%s; see: %s --help", c.Command.HelpName, name, c.Command.HelpName)
}

// arguments checks the number of a command's arguments against the words of
// its usage; names in brackets may be left out, and "…" means any number.
func arguments(c *cli.Context) ([]string, error) {
	least, most := 0, 0
	for word := range strings.FieldsSeq(c.Command.ArgsUsage) {
		if most++; !strings.HasPrefix(word, "[") {
			least++
		}
		if strings.HasSuffix(strings.TrimSuffix(word, "]"), "…") {
			most = 1 << 20
		}
	}
	if n := c.NArg(); n < least || n > most {
		return nil, usagef("%s takes %q, got %q; see: %s --help", c.Command.HelpName, c.Command.ArgsUsage, strings.Join(c.Args().Slice(), " "), c.Command.HelpName)
	}
	return c.Args().Slice(), nil
}

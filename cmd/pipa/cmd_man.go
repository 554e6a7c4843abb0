package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

type manOptions struct{ app *cli.App }

func manCommand() *cli.Command {
	return &cli.Command{
		Name:        "man",
		Usage:       "print the manual page",
		Description: "   pipa man > /usr/local/share/man/man1/pipa.1",
		Action:      action(manOptionsOf, runMan),
	}
}

func manOptionsOf(c *cli.Context) (manOptions, error) {
	_, err := arguments(c)
	return manOptions{c.App}, err
}

func runMan(_ context.Context, o manOptions) error {
	page, err := o.app.ToManWithSection(1)
	if err != nil {
		return err
	}
	return printText(page)
}

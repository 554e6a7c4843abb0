package config

import "strings"

// customPrefix begins the names of what is not pipa's: an encoder or a layout that a program brings
// (docs/extending.md).
const customPrefix = "custom:"

// Custom is what a configuration has for an encoder or a layout of this name that
// a program brings.
func Custom(name string) string { return customPrefix + name }

// IsCustom reports whether a value names what a program brings, and its name.
func IsCustom(value string) (name string, is bool) { return strings.CutPrefix(value, customPrefix) }

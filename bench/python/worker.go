// Package python runs a Python script beside a benchmark: one request a line,
// one number as the answer.
package python

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Start starts a script with arguments, its environment extended by env, and
// returns a function that sends a request's words and reads the number. The
// script ends with this process.
func Start(interpreter, script string, env []string, args ...string) (func(words ...any) (float64, error), error) {
	c := exec.Command(interpreter, append([]string{script}, args...)...)
	c.Stderr = os.Stderr
	c.Env = append(os.Environ(), env...)
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	return func(words ...any) (float64, error) {
		if _, err := fmt.Fprintln(in, words...); err != nil {
			return 0, err
		}
		if !lines.Scan() {
			return 0, fmt.Errorf("%s ended: %v", script, lines.Err())
		}
		return strconv.ParseFloat(strings.TrimSpace(lines.Text()), 64)
	}, nil
}

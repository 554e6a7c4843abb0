// Package python runs a Python script beside a benchmark: one request a line,
// one number as the answer.
package python

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Interpreter is the one of the environment that scripts/bench-python makes.
const Interpreter = "build/bench-python/bin/python3"

// A Script is a running script.
type Script struct {
	// Versions are the libraries it runs on: its first line.
	Versions string

	name    string
	command *exec.Cmd
	in      io.Writer
	lines   *bufio.Scanner
	stderr  bytes.Buffer
}

// Start starts a script with arguments, its environment extended by env, and
// waits for its first line. The script ends with this process.
func Start(interpreter, script string, env []string, args ...string) (*Script, error) {
	c := exec.Command(interpreter, append([]string{script}, args...)...)
	s := &Script{name: script, command: c}
	c.Stderr = &s.stderr
	c.Env = append(os.Environ(), env...)
	var err error
	if s.in, err = c.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.lines = bufio.NewScanner(out)
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start Python: %w", err)
	}
	s.Versions, err = s.line()
	return s, err
}

// Ask sends a request's words and reads the number.
func (s *Script) Ask(words ...any) (float64, error) {
	if _, err := fmt.Fprintln(s.in, words...); err != nil {
		return 0, errors.Join(err, s.ended())
	}
	line, err := s.line()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(line, 64)
}

func (s *Script) line() (string, error) {
	if !s.lines.Scan() {
		return "", errors.Join(s.lines.Err(), s.ended())
	}
	return strings.TrimSpace(s.lines.Text()), nil
}

// ended says why there are no more answers, by the last line on standard error:
// that of an exception's trace has the reason.
func (s *Script) ended() error {
	err := s.command.Wait()
	said := strings.Split(strings.TrimSpace(s.stderr.String()), "\n")
	return fmt.Errorf("%s ended (%v): %s", s.name, err, said[len(said)-1])
}

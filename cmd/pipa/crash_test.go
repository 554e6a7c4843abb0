package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// crashes are what ends a process before it can report.
var crashes = map[string]func(){
	"panic":  func() { go panic("a mistake of the program's"); select {} },
	"memory": func() { _ = make([]byte, 1<<46) },
	"quit":   func() { _ = syscall.Kill(os.Getpid(), syscall.SIGQUIT); select {} },
	"abort":  func() { _ = syscall.Kill(os.Getpid(), syscall.SIGABRT); select {} },
}

// TestACrashIsNotWrongUsage: no crash ends with a code that commands have.
func TestACrashIsNotWrongUsage(t *testing.T) {
	const which = "PIPA_TEST_CRASH"
	if f := crashes[os.Getenv(which)]; f != nil {
		crashByAbort()
		f()
	}
	for name := range crashes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := exec.Command(os.Args[0], "-test.run=^TestACrashIsNotWrongUsage$")
			c.Env = append(os.Environ(), which+"="+name)
			out, err := c.CombinedOutput()
			exit := (*exec.ExitError)(nil)
			if !errors.As(err, &exit) {
				t.Fatalf("it ends with %v: %s", err, out)
			}
			if s := exit.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGABRT || s.CoreDump() {
				t.Errorf("it ends with %v: %s", err, out)
			}
			if !strings.Contains(string(out), "goroutine ") {
				t.Errorf("it does not say where: %s", out)
			}
		})
	}
}

// Command measure runs a program and writes to a file its peak memory in MiB and
// its processor time in seconds:
//
//	measure FILE PROGRAM ARGUMENTS…
//
// It is small, and a program of its own, as Linux counts a process's memory from
// before exec too.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	_ = cmd.Run() // its exit code is this one's
	if cmd.ProcessState == nil {
		os.Exit(127)
	}
	kib := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	seconds := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if err := os.WriteFile(os.Args[1], fmt.Appendln(nil, kib>>10, seconds), 0o644); err != nil {
		os.Exit(127)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}

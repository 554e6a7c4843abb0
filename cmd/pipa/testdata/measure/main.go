// Command measure runs a program and writes its peak memory in MiB to a file:
//
//	measure FILE PROGRAM ARGUMENTS…
//
// It is small, and a program of its own, as Linux counts a process's memory from
// before exec too.
package main

import (
	"os"
	"os/exec"
	"strconv"
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
	if err := os.WriteFile(os.Args[1], []byte(strconv.Itoa(int(kib>>10))), 0o644); err != nil {
		os.Exit(127)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}

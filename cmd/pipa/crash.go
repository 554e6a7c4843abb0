package main

import (
	"os"
	"runtime/debug"
	"syscall"
)

// crashByAbort lets a panic, and whatever else Go's runtime ends a process for (no
// memory, a fault in libtorch, SIGQUIT), end it by SIGABRT, which a shell shows as 134.
// The runtime's own exit code, 2, is that of wrong usage, after which no scheduler
// tries again. A core, which may be as large as memory, is left only to who asks for it.
func crashByAbort() {
	debug.SetTraceback("crash")
	if os.Getenv("GOTRACEBACK") != "crash" {
		var limit syscall.Rlimit
		if syscall.Getrlimit(syscall.RLIMIT_CORE, &limit) == nil {
			limit.Cur = 0
			_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit) // without it there is a core too
		}
	}
}

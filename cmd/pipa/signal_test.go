package main

import (
	"context"
	"errors"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// TestAHangUpEndsAsATerminationDoes: the state is saved when a terminal or a
// connection goes, which says so more than once.
func TestAHangUpEndsAsATerminationDoes(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("this process was started to ignore hang-ups, as by nohup, and so it stays")
	}
	ctx, stop := untilSignal(context.Background())
	defer stop()
	for range 2 {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Minute):
			t.Fatal("it goes on")
		}
	}
	time.Sleep(50 * time.Millisecond) // in which a second one would end the process
	if s := (signalError{}); !errors.As(context.Cause(ctx), &s) || s.signal != syscall.SIGHUP || report(ctx.Err(), context.Cause(ctx)) != 129 {
		t.Errorf("it ends by %v", context.Cause(ctx))
	}
}

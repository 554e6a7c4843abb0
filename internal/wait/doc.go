// Package wait carries with a context how long an answer is waited for, and who is
// told what is waited for.
//
//	ctx = wait.With(ctx, wait.Patience{Say: func(what string) { log.Print("waiting for ", what) }})
//	done := wait.Of(ctx).For("the lock of part-00003")
//	defer done()
package wait

// Package logs has what a run records while it goes: its metrics and scores, a JSON
// object a line and for TensorBoard, and the samples that it left out.
//
//	log, err := logs.Open("runs/pipa", iteration, resumed)
//	window := logs.NewWindow()
//	window.Add(values, rate) // of each step
//	err = log.Write(window.Metrics(iteration))
//
// A line is written in one call and synced, so that a kill leaves at most the last one
// short; a resumed run drops it, and those of the steps that it repeats.
package logs

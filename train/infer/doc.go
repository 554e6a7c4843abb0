// Package infer uses what a run has learnt: its checkpoints are opened, and their
// networks evaluated on labeled data or asked for predictions.
//
//	trained, err := infer.Open("runs/pipa")
//	how := trained.Config.Eval.Inference()
//	result, err := infer.Evaluate(ctx, lib, trained, infer.EvalOptions{Inference: how})
//	for p, err := range infer.Predict(ctx, lib, trained, infer.PredictOptions{Inference: how}, samples) { … }
//
// A run evaluates its student on the way by the same code ([Score]).
package infer

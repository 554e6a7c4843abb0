// Package train adapts a segmentation network from a labeled source to an
// unlabeled target.
//
//	cfg, err := config.Preset("fixture-pipa")
//	cfg.Source.Dir, cfg.Target.Dir = "fx/gta", "fx/cityscapes"
//	result, err := train.Run(ctx, lib, cfg, train.Options{Out: "runs/pipa"})
//
// It has the run: its loop of steps with their update, its scores and checkpoints,
// and its ranks. run.go is read from top to bottom. What a run is made of lies below:
//
//	config      keys, recipes, and what values may be: no tensors
//	feed        batches, in order, by rank
//	network     encoder and decoder, at one scale or at two
//	method      what a step computes: the gradients of its losses
//	checkpoint  the state at rest
//	rundir      the run's folder: who may begin or resume in it
//	logs        metrics, scores, what was left out; tensorboard has event files
//	panels      pictures of what a step sees
//	faults      why a run failed, and what helps
//	infer       checkpoints opened for use: evaluate, predict
//	memory      what a run will need, foretold
//	report      a run as a page
//	model, loss, uda, optim, eval, nn, weights, torch  what all these are made of
//
// There is no registry of models or hooks. A new encoder is a file in model and a case
// in network, a new loss a file in method.
package train

// Package train adapts a segmentation network from a labelled source to an
// unlabelled target: configuration and presets, the training step, the run
// directory with its checkpoints and metrics, resume, and evaluation.
//
// A run is made from a resolved [Config] and a [torch.Lib]:
//
//	cfg, err := train.Preset("fixture-pipa")
//	cfg.Source.Dir, cfg.Target.Dir = "fx/gta", "fx/cityscapes"
//	err = train.Run(ctx, lib, cfg, train.Options{Out: "runs/pipa"})
//
// What a run has learnt is used by its checkpoints:
//
//	trained, err := train.OpenTrained("runs/pipa")
//	how := trained.Config.Eval.Inference()
//	result, err := train.Evaluate(ctx, lib, trained, train.EvalOptions{Inference: how})
//	for p, err := range train.Predict(ctx, lib, trained, train.PredictOptions{Inference: how}, samples) { … }
//
// The step itself is in step.go and reads in the order of the method: teacher,
// source, feature distance, pseudo-label, mix, patches, update. What the parts
// compute lives below: networks in model, losses in loss, the rules of
// self-training in uda, the optimizer in optim, scores in eval, the feeding of
// batches in data.
//
// The package is no framework: there is no registry of models or hooks, and a
// new method is a new step.
package train

// Package torch is a thin layer over libtorch: tensors, autograd, devices. It
// is not a network library (nn and model are) and wraps no operation that the
// method does not use; [Scope.Call] reaches every other ATen operator by name.
//
// libtorch is loaded at run time through a small C library,
// libpipatorch.so (adapter/; built by "make torch"), so this package needs no
// cgo and a program that never calls [Load] needs no libtorch.
//
// # Ownership
//
// A tensor belongs to a [Scope] and is freed when the scope ends; the garbage
// collector plays no part. The result of an operation joins the youngest scope
// among its operands, so what is computed from a step's batch and a model's
// parameters goes with the step:
//
//	err := lib.Run(torch.CPU, func(model *torch.Scope) error {
//		weight := model.Randn([]int64{2, 3}).SetRequiresGrad(true)
//		return model.Run(func(step *torch.Scope) error {
//			x := step.FromFloat32([]float32{1, 2, 3}, 3)
//			weight.Matmul(x).Sum().Backward()
//			return nil // x and the results are freed here; weight and its gradient stay
//		})
//	})
//
// [Tensor.In] gives a result a second handle in a longer-lived scope.
//
// # Errors
//
// An operation that libtorch refuses does not return an error: it unwinds to
// the nearest enclosing Run, which returns an [*OpError] with the operator's
// name, the operands' shapes and libtorch's message. Code inside a Run reads
// like the formula it computes.
//
// A Run keeps its goroutine on one OS thread, because libtorch keeps modes and
// thread pools per thread. Scopes and tensors must stay on that goroutine.
package torch

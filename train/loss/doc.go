// Package loss has the losses of the method, each a function from tensors to a
// scalar tensor that backward can be called on: the cross entropy of mmseg,
// PiPa's pixel and patch contrast, and DAFormer's feature distance.
//
// The losses know nothing of networks, teachers or schedules. Random choices
// are arguments, so that a recorded choice can be replayed.
package loss

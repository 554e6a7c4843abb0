// Package loss has the losses of the method, each a function from tensors to a
// scalar tensor that backward can be called on: the cross entropy of mmseg,
// PiPa's pixel and patch contrast, and DAFormer's feature distance.
//
// Where a batch is shared by the ranks of a torch.Group, a loss that is given
// the group is this rank's share of the whole batch's: values and gradients add
// up over the ranks.
//
// The losses know nothing of networks, teachers or schedules. Random choices
// are arguments, so that a recorded choice can be replayed.
package loss

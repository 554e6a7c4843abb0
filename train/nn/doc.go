// Package nn has the layers that the networks in model are made of, and the
// naming of their parameters.
//
// A [Store] owns a network's parameters and buffers under the names of the
// published state dicts. Constructors take a [Path], which is a place in that
// naming, and a layer's Forward takes a [Mode]:
//
//	store := nn.NewStore(scope)
//	conv := nn.NewConv2d(store.Root().Sub("decode_head").Sub("conv_seg"), 256, 19, nn.Conv{Kernel: 1, Bias: true})
//	y := conv.Forward(x) // parameters decode_head.conv_seg.weight and .bias
//
// Layers panic only for a programmer's mistakes; shapes that do not fit unwind
// as torch's operations do.
package nn

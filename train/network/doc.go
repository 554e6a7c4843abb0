// Package network has the networks that are trained and used: an encoder and a
// decoder that see an image at one scale, or at HRDA's two. A [Network] hides
// which: whoever trains or predicts asks it, and never looks inside.
//
//	a, err := network.Of(cfg.Network, nil) // nothing is made yet
//	err = cfg.Fits(a.Geometry())
//	net, err := a.New(store.Root(), classes)
//	logits := net.Predict(images, nn.Scoring)
//
// What sizes depend on, such as strides, is the encoder's and the decoder's to say
// ([model.Shape]). A new encoder is a file in model, and a case in [Of];
// of a program outside this module, an [Encoder] (docs/extending.md).
package network

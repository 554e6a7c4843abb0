// Package weights reads network weights as others publish them, and gives them
// the names that pipa's networks have: backbone.* for the encoder,
// decode_head.* for the decoder, as in mmsegmentation.
//
// It reads files of torch.save, safetensors, and folders of either in shards.
// The tensors may lie below any keys and prefixes (state_dict, model, module.,
// _orig_mod., student, ema_model. …), and be named as by SegFormer and DAFormer,
// mmsegmentation, Hugging Face, timm or segmentation-models-pytorch. What lies
// beside a network is left out, and said.
//
//	f, err := weights.Open("pipa_daformer.pth")
//	fmt.Println(f.Network)                     // mit-b5 with a daformer decoder of 19 classes
//	network, student, teacher, err := f.Published() // all of it, to build the network with
//	encoder, err := f.Fit("backbone.", wants)  // a part of it, for a network that is there
package weights

// Sources says where the files come from; nothing is downloaded.
const Sources = `MiT encoders with ImageNet weights: nvidia/mit-b0 … mit-b5 on huggingface.co (model.safetensors or pytorch_model.bin),
or mit_b5.pth from the SegFormer or DAFormer repositories. ResNet: resnet101_v1c from mmsegmentation's model zoo.
Adapted networks: the checkpoints that the DAFormer, HRDA, MIC and PiPa repositories link to.`

package weights

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// A Network is what tensors are of, by their names and shapes. Its fields are
// those of a configuration's network section.
type Network struct {
	Names    string // whose naming the file has: "Hugging Face's"
	Encoder  string // mit-b0 … mit-b5, resnet50, resnet101, or mit or resnet of other sizes
	Dims     [4]int // channels of the encoder's stages; 0 for a stage that is not there
	Depths   [4]int // their blocks
	Decoder  string // daformer, daformer-aspp, daformer-conv1, segformer, deeplabv2; empty for none
	Other    string // of a decoder that pipa does not have: some of its names
	Channels int    // of the decoder's embedded maps
	Classes  int
	HRDA     bool
	Crop     [2]int // of HRDA's detail, rows first, where the file says it
	Heads    bool   // it has the contrasts' heads too
	Plain    bool   // a ResNet whose stem is one convolution; pipa's has three (V1c)
}

// String is "mit-b5 in Hugging Face's names, with a segformer decoder of 19
// classes".
func (n Network) String() string {
	text, kind := n.Encoder, "a MiT"
	if strings.HasPrefix(n.Encoder, "resnet") {
		kind = "a ResNet"
	}
	if slices.Contains(n.Dims[:], 0) || slices.Contains(n.Depths[:], 0) {
		text = "a part of " + kind
	} else if n.Encoder == "mit" || n.Encoder == "resnet" {
		text = fmt.Sprintf("%s of %v channels and %v blocks", kind, n.Dims, n.Depths)
	}
	if n.Plain {
		text += " with a plain stem (pipa's has three convolutions, as V1c)"
	}
	text += " in " + n.Names + " names, "
	switch {
	case n.Decoder != "":
		text += fmt.Sprintf("with a %s decoder of %d classes", n.Decoder, n.Classes)
		if n.HRDA {
			text += " at HRDA's two scales"
		}
	case n.Other != "":
		text += "with a decoder that pipa does not have (" + n.Other + ")"
	default:
		text += "without a decoder"
	}
	return text
}

// The published encoders (Xie et al., "SegFormer", 2021; He et al., 2016).
var published = []struct {
	name         string
	dims, depths [4]int
}{
	{"mit-b0", [4]int{32, 64, 160, 256}, [4]int{2, 2, 2, 2}},
	{"mit-b1", [4]int{64, 128, 320, 512}, [4]int{2, 2, 2, 2}},
	{"mit-b2", [4]int{64, 128, 320, 512}, [4]int{3, 4, 6, 3}},
	{"mit-b3", [4]int{64, 128, 320, 512}, [4]int{3, 4, 18, 3}},
	{"mit-b4", [4]int{64, 128, 320, 512}, [4]int{3, 8, 27, 3}},
	{"mit-b5", [4]int{64, 128, 320, 512}, [4]int{3, 6, 40, 3}},
	{"resnet50", [4]int{256, 512, 1024, 2048}, [4]int{3, 4, 6, 3}},
	{"resnet101", [4]int{256, 512, 1024, 2048}, [4]int{3, 4, 23, 3}},
}

// maxBlocks bounds a stage's blocks, which a name may say.
const maxBlocks = 1000

// Describe says what tensors under pipa's names are of; names says whose they were
// in their file.
func Describe(f *safetensors.File, names string) Network {
	n := Network{Names: names, Encoder: "mit"}
	// first is the first length of a tensor's shape, or 0.
	first := func(name string) int {
		if !f.Has(name) {
			return 0
		}
		t, err := f.Tensor(name)
		if err != nil || len(t.Shape) == 0 {
			return 0
		}
		return t.Shape[0]
	}
	stage := "block%d."
	if f.Has("backbone.layer1.0.conv1.weight") {
		n.Encoder, stage = "resnet", "layer%d."
	}
	for _, name := range f.Names() {
		bare, ok := strings.CutPrefix(name, "backbone.")
		for i := range n.Depths {
			if rest, in := strings.CutPrefix(bare, fmt.Sprintf(stage, i+1)); ok && in {
				block := 0
				if _, err := fmt.Sscanf(rest, "%d.", &block); err == nil && block >= 0 && block < maxBlocks {
					n.Depths[i] = max(n.Depths[i], block+1)
				}
			}
		}
		for head := range contrastHeads {
			n.Heads = n.Heads || strings.HasPrefix(name, head+".")
		}
	}
	for i := range n.Dims {
		if n.Encoder == "mit" {
			n.Dims[i] = first(fmt.Sprintf("backbone.patch_embed%d.proj.weight", i+1))
		} else if last := fmt.Sprintf("backbone.layer%d.0.", i+1); f.Has(last + "conv3.weight") {
			n.Dims[i] = first(last + "conv3.weight")
		} else {
			n.Dims[i] = first(last + "conv2.weight") // of resnet18 and 34
		}
	}
	for _, p := range published {
		if p.dims == n.Dims && p.depths == n.Depths && strings.HasPrefix(p.name, n.Encoder) {
			n.Encoder = p.name
			break
		}
	}
	n.Plain = strings.HasPrefix(n.Encoder, "resnet") && !f.Has("backbone.stem.0.weight")

	at := "decode_head."
	if n.HRDA = slices.ContainsFunc(f.Names(), func(name string) bool { return strings.HasPrefix(name, at+"head.") }); n.HRDA {
		at += "head."
	}
	switch {
	case f.Has(at + "fuse_layer.aspp_modules.1.depthwise_conv.conv.weight"):
		n.Decoder = "daformer"
	case f.Has(at + "fuse_layer.aspp_modules.1.conv.weight"):
		n.Decoder = "daformer-aspp"
	case f.Has(at + "fuse_layer.conv.weight"):
		n.Decoder = "daformer-conv1"
	case f.Has(at + "linear_pred.weight"):
		n.Decoder = "segformer"
	case f.Has(at + "aspp_modules.0.conv.weight"):
		n.Decoder = "deeplabv2"
	default:
		var other []string
		for _, name := range f.Names() {
			if strings.HasPrefix(name, "decode_head.") {
				other = append(other, name)
			}
		}
		n.Other = some(other)
		n.HRDA = false
	}
	n.Classes = max(first(at+"conv_seg.weight"), first(at+"linear_pred.weight"), first(at+"aspp_modules.0.conv.weight"))
	n.Channels = max(first(at+"embed_layers.0.proj.weight"), first(at+"linear_fuse.conv.weight"))
	return n
}

// A Want is a tensor that a network has.
type Want struct {
	Name  string
	Shape []int
}

// wants collects the tensors of layers.
type wants []Want

func (w *wants) add(name string, shape ...int) { *w = append(*w, Want{name, shape}) }

func (w *wants) layer(name string, shape ...int) {
	w.add(name+".weight", shape...)
	w.add(name+".bias", shape[0])
}

func (w *wants) batchNorm(name string, channels int) {
	w.layer(name, channels)
	w.add(name+".running_mean", channels)
	w.add(name+".running_var", channels)
	w.add(name + ".num_batches_tracked")
}

// module is a convolution with a batch norm.
func (w *wants) module(name string, out, in, kernel int) {
	w.add(name+".conv.weight", out, in, kernel, kernel)
	w.batchNorm(name+".bn", out)
}

// Wants lists the tensors of the network, under pipa's names: what train/model
// makes of such a configuration.
func (n Network) Wants() []Want {
	var w wants
	if strings.HasPrefix(n.Encoder, "resnet") {
		n.resNet(&w)
	} else {
		n.mixTransformer(&w)
	}
	switch {
	case n.Decoder == "":
	case n.HRDA:
		n.decoder(&w, "decode_head.head.", n.Decoder)
		attention := n.Decoder
		if attention == "daformer" || attention == "daformer-aspp" {
			attention = "daformer-conv1"
		}
		n.decoder(&w, "decode_head.scale_attention.", attention)
	default:
		n.decoder(&w, "decode_head.", n.Decoder)
	}
	return w
}

func (n Network) mixTransformer(w *wants) {
	in := 3
	for i, dim := range n.Dims {
		kernel := 3
		if i == 0 {
			kernel = 7
		}
		embed := fmt.Sprintf("backbone.patch_embed%d.", i+1)
		w.layer(embed+"proj", dim, in, kernel, kernel)
		w.layer(embed+"norm", dim)
		in = dim
	}
	for i, dim := range n.Dims {
		for j := range n.Depths[i] {
			block := fmt.Sprintf("backbone.block%d.%d.", i+1, j)
			w.layer(block+"norm1", dim)
			w.layer(block+"attn.q", dim, dim)
			w.layer(block+"attn.kv", 2*dim, dim)
			w.layer(block+"attn.proj", dim, dim)
			if reduction := 8 >> i; reduction > 1 {
				w.layer(block+"attn.sr", dim, dim, reduction, reduction)
				w.layer(block+"attn.norm", dim)
			}
			w.layer(block+"norm2", dim)
			w.layer(block+"mlp.fc1", 4*dim, dim)
			w.layer(block+"mlp.dwconv.dwconv", 4*dim, 1, 3, 3)
			w.layer(block+"mlp.fc2", dim, 4*dim)
		}
		w.layer(fmt.Sprintf("backbone.norm%d", i+1), dim)
	}
}

func (n Network) resNet(w *wants) {
	stem := n.Dims[0] / 4
	in := 3
	for i, out := range []int{stem / 2, stem / 2, stem} {
		w.add(fmt.Sprintf("backbone.stem.%d.weight", 3*i), out, in, 3, 3)
		w.batchNorm(fmt.Sprintf("backbone.stem.%d", 3*i+1), out)
		in = out
	}
	for i, dim := range n.Dims {
		for j := range n.Depths[i] {
			block := fmt.Sprintf("backbone.layer%d.%d.", i+1, j)
			for k, c := range [3][3]int{{dim / 4, in, 1}, {dim / 4, dim / 4, 3}, {dim, dim / 4, 1}} {
				w.add(fmt.Sprintf("%sconv%d.weight", block, k+1), c[0], c[1], c[2], c[2])
				w.batchNorm(fmt.Sprintf("%sbn%d", block, k+1), c[0])
			}
			if j == 0 {
				w.add(block+"downsample.0.weight", dim, in, 1, 1)
				w.batchNorm(block+"downsample.1", dim)
			}
			in = dim
		}
	}
}

func (n Network) decoder(w *wants, at, kind string) {
	c := n.Channels
	switch kind {
	case "segformer":
		for i, dim := range n.Dims {
			w.layer(fmt.Sprintf("%slinear_c.%d.proj", at, i), c, dim)
		}
		w.module(at+"linear_fuse", c, 4*c, 1)
		w.layer(at+"linear_pred", n.Classes, c, 1, 1)
		return
	case "deeplabv2":
		for i := range 4 {
			w.layer(fmt.Sprintf("%saspp_modules.%d.conv", at, i), n.Classes, n.Dims[3], 3, 3)
		}
		return
	}
	w.layer(at+"conv_seg", n.Classes, c, 1, 1)
	for i, dim := range n.Dims {
		w.layer(fmt.Sprintf("%sembed_layers.%d.proj", at, i), c, dim)
	}
	if kind == "daformer-conv1" {
		w.module(at+"fuse_layer", c, 4*c, 1)
		return
	}
	for i := range 4 {
		branch := fmt.Sprintf("%sfuse_layer.aspp_modules.%d", at, i)
		switch {
		case i == 0:
			w.module(branch, c, 4*c, 1)
		case kind == "daformer":
			w.module(branch+".depthwise_conv", 4*c, 1, 3)
			w.module(branch+".pointwise_conv", c, 4*c, 1)
		default:
			w.module(branch, c, 4*c, 3)
		}
	}
	w.module(at+"fuse_layer.bottleneck", c, 4*c, 3)
}

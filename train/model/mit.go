package model

import (
	"fmt"
	"math"

	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// MiTConfig gives the sizes of a Mix Transformer (Xie et al., "SegFormer",
// 2021; lhoyer/DAFormer mmseg/models/backbones/mix_transformer.py).
type MiTConfig struct {
	Dims     [4]int  // channels of the four stages
	Depths   [4]int  // blocks of the four stages
	DropPath float64 // rate of the last block; it grows linearly from 0 at the first
}

// The heads, key and value reduction, and MLP width of every MiT.
var (
	mitHeads     = [4]int{1, 2, 5, 8}
	mitReduction = [4]int{8, 4, 2, 1}
)

const mitExpansion = 4

// MiT returns the published configuration b0 to b5, drop path 0.1.
func MiT(name string) (MiTConfig, error) {
	wide := [4]int{64, 128, 320, 512}
	switch name {
	case "mit-b0":
		return MiTConfig{[4]int{32, 64, 160, 256}, [4]int{2, 2, 2, 2}, 0.1}, nil
	case "mit-b1":
		return MiTConfig{wide, [4]int{2, 2, 2, 2}, 0.1}, nil
	case "mit-b2":
		return MiTConfig{wide, [4]int{3, 4, 6, 3}, 0.1}, nil
	case "mit-b3":
		return MiTConfig{wide, [4]int{3, 4, 18, 3}, 0.1}, nil
	case "mit-b4":
		return MiTConfig{wide, [4]int{3, 8, 27, 3}, 0.1}, nil
	case "mit-b5":
		return MiTConfig{wide, [4]int{3, 6, 40, 3}, 0.1}, nil
	}
	return MiTConfig{}, fmt.Errorf("no encoder %q: want mit-b0 to mit-b5", name)
}

// Shape implements [EncoderSpec]. An image must be large enough for the first
// stage's keys and values: a convolution of stride 8 on the map of stride 4.
func (c MiTConfig) Shape() Shape {
	return Shape{Dims: c.Dims[:], Strides: []int{4, 8, 16, 32}, Multiple: 32, Least: 4 * mitReduction[0]}
}

// New implements [EncoderSpec].
func (c MiTConfig) New(p nn.Path) (Encoder, error) { return NewMixTransformer(p, c) }

// A MixTransformer is the encoder: [N,3,H,W] to four maps at stride 4, 8, 16
// and 32.
type MixTransformer struct {
	config MiTConfig
	embeds [4]*patchEmbed
	blocks [4][]*mitBlock
	norms  [4]*nn.LayerNorm
}

// NewMixTransformer makes an encoder with the published initialization. Every
// stage's channels must be a multiple of its heads (1, 2, 5, 8).
func NewMixTransformer(p nn.Path, c MiTConfig) (*MixTransformer, error) {
	for i, d := range c.Dims {
		if d <= 0 || d%mitHeads[i] != 0 {
			return nil, fmt.Errorf("MiT stage %d has %d channels, want a multiple of its %d heads", i+1, d, mitHeads[i])
		}
		if c.Depths[i] <= 0 {
			return nil, fmt.Errorf("MiT stage %d has %d blocks, want at least 1", i+1, c.Depths[i])
		}
	}
	m := &MixTransformer{config: c}
	total := c.Depths[0] + c.Depths[1] + c.Depths[2] + c.Depths[3]
	in := 3
	for i, dim := range c.Dims {
		kernel, stride := 3, 2
		if i == 0 {
			kernel, stride = 7, 4
		}
		m.embeds[i] = newPatchEmbed(p.Sub(fmt.Sprintf("patch_embed%d", i+1)), in, dim, kernel, stride)
		in = dim
	}
	block := 0
	for i, dim := range c.Dims {
		for j := range c.Depths[i] {
			rate := 0.0
			if total > 1 {
				rate = c.DropPath * float64(block) / float64(total-1)
			}
			m.blocks[i] = append(m.blocks[i], newMitBlock(p.Sub(fmt.Sprintf("block%d", i+1)).At(j), dim, mitHeads[i], mitReduction[i], rate))
			block++
		}
		m.norms[i] = nn.NewLayerNorm(p.Sub(fmt.Sprintf("norm%d", i+1)), dim, 1e-6)
	}
	return m, nil
}

// Shape implements [Encoder].
func (m *MixTransformer) Shape() Shape { return m.config.Shape() }

// Forward returns the four maps, [N,C,H/4,W/4] to [N,C,H/32,W/32], sizes
// rounded up.
func (m *MixTransformer) Forward(x *torch.Tensor, mode nn.Mode) []*torch.Tensor {
	out := make([]*torch.Tensor, len(m.embeds))
	n := x.Dim(0)
	for i := range out {
		var h, w int
		x = mode.Segment(x, func(x *torch.Tensor, _ nn.Mode) (tokens *torch.Tensor) {
			tokens, h, w = m.embeds[i].forward(x)
			return tokens
		})
		for _, b := range m.blocks[i] {
			x = mode.Segment(x, func(x *torch.Tensor, mode nn.Mode) *torch.Tensor { return b.forward(x, h, w, mode) })
		}
		x = mode.Segment(x, func(x *torch.Tensor, _ nn.Mode) *torch.Tensor {
			return m.norms[i].Forward(x).Transpose(1, 2).Reshape(n, m.config.Dims[i], h, w)
		})
		out[i] = x
	}
	return out
}

// convInit is MiT's initialization of convolutions: normal by the fan-out.
func convInit(kernel, out, groups int) nn.Init {
	return nn.Normal(math.Sqrt(2 / float64(kernel*kernel*out/groups)))
}

// linearInit is MiT's initialization of linear layers. The published
// truncation at ±2 is a hundred standard deviations away.
var linearInit = nn.Normal(0.02)

// patchEmbed turns a map into tokens by an overlapping strided convolution.
type patchEmbed struct {
	proj *nn.Conv2d
	norm *nn.LayerNorm
}

func newPatchEmbed(p nn.Path, in, out, kernel, stride int) *patchEmbed {
	return &patchEmbed{
		nn.NewConv2d(p.Sub("proj"), in, out, nn.Conv{Kernel: kernel, Stride: stride, Padding: kernel / 2, Bias: true, Init: convInit(kernel, out, 1)}),
		nn.NewLayerNorm(p.Sub("norm"), out, 1e-5), // a plain LayerNorm, unlike the 1e-6 elsewhere
	}
}

// forward returns [N, H*W, C] and H, W.
func (e *patchEmbed) forward(x *torch.Tensor) (tokens *torch.Tensor, h, w int) {
	x = e.proj.Forward(x)
	return e.norm.Forward(x.Flatten(2, 3).Transpose(1, 2)), x.Dim(2), x.Dim(3)
}

type mitBlock struct {
	norm1, norm2 *nn.LayerNorm
	attn         *mitAttention
	mlp          *mixFFN
	dropPath     float64
}

func newMitBlock(p nn.Path, dim, heads, reduction int, dropPath float64) *mitBlock {
	return &mitBlock{
		norm1:    nn.NewLayerNorm(p.Sub("norm1"), dim, 1e-6),
		attn:     newMitAttention(p.Sub("attn"), dim, heads, reduction),
		norm2:    nn.NewLayerNorm(p.Sub("norm2"), dim, 1e-6),
		mlp:      newMixFFN(p.Sub("mlp"), dim),
		dropPath: dropPath,
	}
}

func (b *mitBlock) forward(x *torch.Tensor, h, w int, mode nn.Mode) *torch.Tensor {
	branch := func(f func(x *torch.Tensor) *torch.Tensor) *torch.Tensor {
		return x.Scope().Tidy(func(c *torch.Scope) *torch.Tensor {
			x := x.In(c)
			return x.Add(nn.DropPath(f(x), b.dropPath, mode))
		})
	}
	x = branch(func(x *torch.Tensor) *torch.Tensor { return b.attn.forward(b.norm1.Forward(x), h, w) })
	return branch(func(x *torch.Tensor) *torch.Tensor { return b.mlp.forward(b.norm2.Forward(x), h, w) })
}

// mitAttention is multi-head attention whose keys and values come from a map
// that a strided convolution has reduced.
type mitAttention struct {
	q, kv, proj *nn.Linear
	sr          *nn.Conv2d    // nil without reduction
	norm        *nn.LayerNorm // of the reduced map
	dim, heads  int
}

func newMitAttention(p nn.Path, dim, heads, reduction int) *mitAttention {
	a := &mitAttention{
		q: nn.NewLinear(p.Sub("q"), dim, dim, linearInit), kv: nn.NewLinear(p.Sub("kv"), dim, 2*dim, linearInit),
		proj: nn.NewLinear(p.Sub("proj"), dim, dim, linearInit), dim: dim, heads: heads,
	}
	if reduction > 1 {
		a.sr = nn.NewConv2d(p.Sub("sr"), dim, dim, nn.Conv{Kernel: reduction, Stride: reduction, Bias: true, Init: convInit(reduction, dim, 1)})
		a.norm = nn.NewLayerNorm(p.Sub("norm"), dim, 1e-5)
	}
	return a
}

func (a *mitAttention) forward(x *torch.Tensor, h, w int) *torch.Tensor {
	n, tokens, per := x.Dim(0), x.Dim(1), a.dim/a.heads
	q := a.q.Forward(x).Reshape(n, tokens, a.heads, per).Transpose(1, 2)
	if a.sr != nil {
		reduced := a.sr.Forward(x.Transpose(1, 2).Reshape(n, a.dim, h, w))
		x = a.norm.Forward(reduced.Flatten(2, 3).Transpose(1, 2))
	}
	kv := a.kv.Forward(x).Reshape(n, -1, 2, a.heads, per).Permute(2, 0, 3, 1, 4)
	attended := q.Attention(kv.Select(0, 0), kv.Select(0, 1))
	return a.proj.Forward(attended.Transpose(1, 2).Reshape(n, tokens, a.dim))
}

// mixFFN is the MLP with a depthwise 3×3 convolution that replaces positional
// codes.
type mixFFN struct {
	fc1, fc2 *nn.Linear
	dwconv   *nn.Conv2d
}

func newMixFFN(p nn.Path, dim int) *mixFFN {
	hidden := mitExpansion * dim
	return &mixFFN{
		fc1: nn.NewLinear(p.Sub("fc1"), dim, hidden, linearInit),
		dwconv: nn.NewConv2d(p.Sub("dwconv").Sub("dwconv"), hidden, hidden,
			nn.Conv{Kernel: 3, Padding: 1, Groups: hidden, Bias: true, Init: convInit(3, hidden, hidden)}),
		fc2: nn.NewLinear(p.Sub("fc2"), hidden, dim, linearInit),
	}
}

func (f *mixFFN) forward(x *torch.Tensor, h, w int) *torch.Tensor {
	x = f.fc1.Forward(x)
	n, tokens, c := x.Dim(0), x.Dim(1), x.Dim(2)
	x = f.dwconv.Forward(x.Transpose(1, 2).Reshape(n, c, h, w))
	return f.fc2.Forward(x.Reshape(n, c, tokens).Transpose(1, 2).Gelu())
}

package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// DINOv2Config gives the sizes of a DINOv2 vision transformer (Oquab et al.,
// "DINOv2: Learning Robust Visual Features without Supervision", 2023;
// facebookresearch/dinov2 dinov2/models/vision_transformer.py).
type DINOv2Config struct {
	Dim, Depth, Heads int
	Grid              int  // side of the grid that the position embedding was made for
	Registers         int  // tokens that belong to no patch, after the class token
	SwiGLU            bool // a gated feed-forward in place of the MLP
	// Antialias resizes the position embedding to another grid by that grid's size,
	// antialiased, as the models with registers were made; else by a factor that is
	// a tenth of a cell too large, without.
	Antialias bool
}

// The side of a patch in pixels, and the tenth of a cell of the resizing rule
// (interpolate_offset), of every DINOv2.
const (
	dinoPatch  = 14
	dinoOffset = 0.1
)

// DINOv2 returns the published configuration of a name: dinov2-s, -b, -l or -g,
// with -reg after it for the model with four registers (dinov2/hub/backbones.py).
func DINOv2(name string) (DINOv2Config, error) {
	c := DINOv2Config{Grid: 37}
	base := name
	if n := len(name) - len("-reg"); n > 0 && name[n:] == "-reg" {
		base, c.Registers, c.Antialias = name[:n], 4, true
	}
	switch base {
	case "dinov2-s":
		c.Dim, c.Depth, c.Heads = 384, 12, 6
	case "dinov2-b":
		c.Dim, c.Depth, c.Heads = 768, 12, 12
	case "dinov2-l":
		c.Dim, c.Depth, c.Heads = 1024, 24, 16
	case "dinov2-g":
		c.Dim, c.Depth, c.Heads, c.SwiGLU = 1536, 40, 24, true
	default:
		return DINOv2Config{}, fmt.Errorf("no encoder %q: want dinov2-s, -b, -l or -g, or one of these with -reg", name)
	}
	return c, nil
}

// Shape implements [EncoderSpec]: one map, of the patches.
func (c DINOv2Config) Shape() Shape {
	return Shape{Dims: []int{c.Dim}, Strides: []int{dinoPatch}, Multiple: dinoPatch, Least: dinoPatch}
}

// New implements [EncoderSpec].
func (c DINOv2Config) New(p nn.Path) (Encoder, error) { return NewVisionTransformer(p, c) }

// hidden is the width inside a feed-forward. The gated one has two thirds of the
// MLP's, rounded up to a multiple of 8 (dinov2/layers/swiglu_ffn.py).
func (c DINOv2Config) hidden() int {
	if c.SwiGLU {
		return (4*c.Dim*2/3 + 7) / 8 * 8
	}
	return 4 * c.Dim
}

// A VisionTransformer is the encoder: [N,3,H,W], with sides that are multiples of
// 14, to one map [N,Dim,H/14,W/14].
type VisionTransformer struct {
	config    DINOv2Config
	patches   *nn.Conv2d
	class     *torch.Tensor // [1,1,D]
	positions *torch.Tensor // [1,1+Grid²,D], the class token's first
	registers *torch.Tensor // [1,R,D], or nil
	mask      *torch.Tensor // [1,D], what a hidden patch is replaced by
	blocks    []*vitBlock
	norm      *nn.LayerNorm
}

// vitInit is the initialization of a DINOv2's linear layers and tokens; its
// truncation at ±2 is a hundred standard deviations away.
var vitInit = nn.Normal(0.02)

// NewVisionTransformer makes an encoder with the published initialization. Dim
// must be a multiple of Heads.
func NewVisionTransformer(p nn.Path, c DINOv2Config) (*VisionTransformer, error) {
	if c.Dim <= 0 || c.Heads <= 0 || c.Dim%c.Heads != 0 {
		return nil, fmt.Errorf("DINOv2 has %d channels, want a multiple of its %d heads", c.Dim, c.Heads)
	}
	if c.Depth <= 0 || c.Grid <= 0 || c.Registers < 0 {
		return nil, fmt.Errorf("DINOv2 has %d blocks, a grid of %d and %d registers, want at least 1, 1 and 0", c.Depth, c.Grid, c.Registers)
	}
	v := &VisionTransformer{
		config:    c,
		class:     p.Param("cls_token", nn.Normal(1e-6), 1, 1, c.Dim),
		positions: p.Param("pos_embed", vitInit, 1, 1+c.Grid*c.Grid, c.Dim),
	}
	if c.Registers > 0 {
		v.registers = p.Param("register_tokens", nn.Normal(1e-6), 1, c.Registers, c.Dim)
	}
	v.mask = p.Param("mask_token", nn.Constant(0), 1, c.Dim)
	v.patches = nn.NewConv2d(p.Sub("patch_embed").Sub("proj"), 3, c.Dim, nn.Conv{Kernel: dinoPatch, Stride: dinoPatch, Bias: true})
	for i := range c.Depth {
		v.blocks = append(v.blocks, newVitBlock(p.Sub("blocks").At(i), c))
	}
	v.norm = nn.NewLayerNorm(p.Sub("norm"), c.Dim, 1e-6)
	return v, nil
}

// Shape implements [Encoder].
func (v *VisionTransformer) Shape() Shape { return v.config.Shape() }

// Forward implements [Encoder]: the patches' map after the last block and the
// final norm.
func (v *VisionTransformer) Forward(x *torch.Tensor, m nn.Mode) []*torch.Tensor {
	return []*torch.Tensor{v.Tokens(x, nil, m).Map()}
}

// Intermediate is the maps after some blocks, counted from 0 and in rising order,
// each through the final norm (get_intermediate_layers).
func (v *VisionTransformer) Intermediate(x *torch.Tensor, blocks []int, m nn.Mode) []*torch.Tensor {
	var maps []*torch.Tensor
	t := v.embed(x, nil)
	for i, b := range v.blocks {
		t.All = m.Segment(t.All, b.forward)
		if slices.Contains(blocks, i) {
			maps = append(maps, Tokens{v.norm.Forward(t.All), t.rows, t.columns, t.lead}.Map())
		}
	}
	return maps
}

// Tokens are what a vision transformer makes of images: the class token, the
// registers and the patches, row by row.
type Tokens struct {
	All           *torch.Tensor // [N,1+R+rows·columns,D]
	rows, columns int
	lead          int // tokens before the patches'
}

// Class is the class token, [N,D].
func (t Tokens) Class() *torch.Tensor { return t.All.Select(1, 0) }

// Registers are the register tokens, [N,R,D].
func (t Tokens) Registers() *torch.Tensor { return t.All.Narrow(1, 1, t.lead-1) }

// Map is the patches, [N,D,rows,columns].
func (t Tokens) Map() *torch.Tensor {
	n, d := t.All.Dim(0), t.All.Dim(2)
	return t.All.Narrow(1, t.lead, t.rows*t.columns).Transpose(1, 2).Reshape(n, d, t.rows, t.columns)
}

// Tokens are the last block's, through the final norm. hidden says which patches
// are replaced by the mask token, bool [N,rows·columns], or is nil.
func (v *VisionTransformer) Tokens(x, hidden *torch.Tensor, m nn.Mode) Tokens {
	var t Tokens
	x = m.Segment(x, func(x *torch.Tensor, _ nn.Mode) *torch.Tensor {
		t = v.embed(x, hidden)
		return t.All
	})
	for _, b := range v.blocks {
		x = m.Segment(x, b.forward)
	}
	t.All = m.Segment(x, func(x *torch.Tensor, _ nn.Mode) *torch.Tensor { return v.norm.Forward(x) })
	return t
}

// embed is what enters the first block (prepare_tokens_with_masks). A hidden
// patch keeps its position; registers have none.
func (v *VisionTransformer) embed(x, hidden *torch.Tensor) Tokens {
	x = v.patches.Forward(x)
	t := Tokens{rows: x.Dim(2), columns: x.Dim(3), lead: 1 + v.config.Registers}
	n := x.Dim(0)
	x = x.Flatten(2, 3).Transpose(1, 2)
	if hidden != nil {
		x = hidden.Unsqueeze(-1).Where(v.mask.Unsqueeze(0).To(x.DType()), x)
	}
	positions := v.at(t.rows, t.columns)
	first := v.class.Add(positions.Narrow(1, 0, 1)).Expand(n, 1, v.config.Dim)
	x = x.Add(positions.Narrow(1, 1, t.rows*t.columns))
	if v.registers != nil {
		t.All = torch.Cat(1, first, v.registers.Expand(n, v.config.Registers, v.config.Dim), x)
	} else {
		t.All = torch.Cat(1, first, x)
	}
	return t
}

// at is the position embedding for a grid, in float32, the class token's first
// (interpolate_pos_encoding). It is used as it is only where as many patches come
// from a square image: a grid of the same number of cells but other sides is
// resized. Both rules are bicubic, with a = -0.75, or -0.5 where antialiased.
func (v *VisionTransformer) at(rows, columns int) *torch.Tensor {
	g, d := v.config.Grid, v.config.Dim
	positions := v.positions.To(torch.Float32)
	if rows == columns && rows == g {
		return positions
	}
	grid := positions.Narrow(1, 1, g*g).Reshape(1, g, g, d).Permute(0, 3, 1, 2)
	if v.config.Antialias {
		grid = grid.UpsampleBicubicAntialiased(rows, columns)
	} else {
		grid = grid.UpsampleBicubicBy(rows, columns, (float64(rows)+dinoOffset)/float64(g), (float64(columns)+dinoOffset)/float64(g))
	}
	return torch.Cat(1, positions.Narrow(1, 0, 1), grid.Permute(0, 2, 3, 1).Reshape(1, rows*columns, d))
}

// vitBlock is attention and a feed-forward, each behind a norm and scaled channel
// by channel before it is added (dinov2/layers/block.py, layer_scale.py).
type vitBlock struct {
	norm1, norm2   *nn.LayerNorm
	qkv, proj      *nn.Linear
	scale1, scale2 *torch.Tensor // [D]
	in, out        *nn.Linear    // of the feed-forward
	heads          int
	gated          bool
}

func newVitBlock(p nn.Path, c DINOv2Config) *vitBlock {
	b := &vitBlock{
		norm1: nn.NewLayerNorm(p.Sub("norm1"), c.Dim, 1e-6),
		qkv:   nn.NewLinear(p.Sub("attn").Sub("qkv"), c.Dim, 3*c.Dim, vitInit),
		proj:  nn.NewLinear(p.Sub("attn").Sub("proj"), c.Dim, c.Dim, vitInit),
		// The hub builds its models with 1; the weights replace it.
		scale1: p.Sub("ls1").Param("gamma", nn.Constant(1), c.Dim),
		norm2:  nn.NewLayerNorm(p.Sub("norm2"), c.Dim, 1e-6),
		heads:  c.Heads, gated: c.SwiGLU,
	}
	if c.SwiGLU {
		b.in = nn.NewLinear(p.Sub("mlp").Sub("w12"), c.Dim, 2*c.hidden(), vitInit)
		b.out = nn.NewLinear(p.Sub("mlp").Sub("w3"), c.hidden(), c.Dim, vitInit)
	} else {
		b.in = nn.NewLinear(p.Sub("mlp").Sub("fc1"), c.Dim, c.hidden(), vitInit)
		b.out = nn.NewLinear(p.Sub("mlp").Sub("fc2"), c.hidden(), c.Dim, vitInit)
	}
	b.scale2 = p.Sub("ls2").Param("gamma", nn.Constant(1), c.Dim)
	return b
}

func (b *vitBlock) forward(x *torch.Tensor, _ nn.Mode) *torch.Tensor {
	branch := func(x *torch.Tensor, scale *torch.Tensor, f func(x *torch.Tensor) *torch.Tensor) *torch.Tensor {
		return x.Scope().Tidy(func(c *torch.Scope) *torch.Tensor {
			x := x.In(c)
			return x.Add(f(x).Mul(scale))
		})
	}
	x = branch(x, b.scale1, func(x *torch.Tensor) *torch.Tensor { return b.attend(b.norm1.Forward(x)) })
	return branch(x, b.scale2, func(x *torch.Tensor) *torch.Tensor { return b.feed(b.norm2.Forward(x)) })
}

func (b *vitBlock) attend(x *torch.Tensor) *torch.Tensor {
	n, tokens, d := x.Dim(0), x.Dim(1), x.Dim(2)
	qkv := b.qkv.Forward(x).Reshape(n, tokens, 3, b.heads, d/b.heads).Permute(2, 0, 3, 1, 4)
	attended := qkv.Select(0, 0).Attention(qkv.Select(0, 1), qkv.Select(0, 2))
	return b.proj.Forward(attended.Transpose(1, 2).Reshape(n, tokens, d))
}

func (b *vitBlock) feed(x *torch.Tensor) *torch.Tensor {
	x = b.in.Forward(x)
	if !b.gated {
		return b.out.Forward(x.Gelu())
	}
	halves := x.Chunk(2, -1)
	return b.out.Forward(halves[0].Silu().Mul(halves[1]))
}

// InnerSide is the side that a square crop of VFM-UDA is resized to before a
// DINOv2 sees it: 1.1 times its own, down to a multiple of 14, so that 1024 pixels
// give 80 patches (tue-mps/vfm-uda training/uda_vit). The product is of doubles.
func InnerSide(crop int) int { return int(math.Floor(float64(crop)*1.1/dinoPatch) * dinoPatch) }

package weights

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// A family is how some code names the tensors of an encoder.
type family struct {
	name   string
	anchor string   // a tensor that every such encoder has
	with   string   // and one that tells it from others that have it, where any do
	roots  []string // what the names of its tensors begin with
	rules  []rule   // its names and pipa's, where they differ
}

// A rule renames what its pattern matches. The pattern's groups may be a stage
// that counts from 0, which counts from 1 in pipa's names.
type rule struct {
	pattern *regexp.Regexp
	to      string // $1 as in regexp.Expand; #1 is the first group plus one
}

func rules(pairs ...string) []rule {
	var out []rule
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, rule{regexp.MustCompile("^" + pairs[i] + "$"), pairs[i+1]})
	}
	return out
}

// families are looked for in this order. Some layers are joined or split
// otherwise, which [reshape] mends: their new names are its old ones.
var families = []family{
	{
		name: "SegFormer's", anchor: "patch_embed1.proj.weight",
		roots: []string{"patch_embed1.", "patch_embed2.", "patch_embed3.", "patch_embed4.", "block1.", "block2.", "block3.", "block4.", "norm1.", "norm2.", "norm3.", "norm4.", "head."},
	},
	{ // mmsegmentation 0.17 and later, mmseg/models/backbones/mit.py
		name: "mmsegmentation's", anchor: "layers.0.0.projection.weight",
		roots: []string{"layers."},
		rules: rules(
			`layers\.(\d+)\.0\.projection\.(.*)`, "patch_embed#1.proj.$2",
			`layers\.(\d+)\.0\.norm\.(.*)`, "patch_embed#1.norm.$2",
			`layers\.(\d+)\.2\.(.*)`, "norm#1.$2",
			`layers\.(\d+)\.1\.(\d+)\.attn\.attn\.in_proj_(.*)`, "block#1.$2.attn.qkv.$3",
			`layers\.(\d+)\.1\.(\d+)\.attn\.attn\.out_proj\.(.*)`, "block#1.$2.attn.proj.$3",
			`layers\.(\d+)\.1\.(\d+)\.ffn\.layers\.0\.(.*)`, "block#1.$2.mlp.fc1.$3",
			`layers\.(\d+)\.1\.(\d+)\.ffn\.layers\.1\.(.*)`, "block#1.$2.mlp.dwconv.dwconv.$3",
			`layers\.(\d+)\.1\.(\d+)\.ffn\.layers\.4\.(.*)`, "block#1.$2.mlp.fc2.$3",
			`layers\.(\d+)\.1\.(\d+)\.(norm1|norm2|attn\.sr|attn\.norm)\.(.*)`, "block#1.$2.$3.$4",
		),
	},
	{ // transformers, models/segformer/modeling_segformer.py until 4
		name: "Hugging Face's", anchor: "patch_embeddings.0.proj.weight",
		roots: []string{"patch_embeddings.", "block.", "layer_norm."},
		rules: rules(
			`patch_embeddings\.(\d+)\.proj\.(.*)`, "patch_embed#1.proj.$2",
			`patch_embeddings\.(\d+)\.layer_norm\.(.*)`, "patch_embed#1.norm.$2",
			`layer_norm\.(\d+)\.(.*)`, "norm#1.$2",
			`block\.(\d+)\.(\d+)\.layer_norm_([12])\.(.*)`, "block#1.$2.norm$3.$4",
			`block\.(\d+)\.(\d+)\.attention\.self\.query\.(.*)`, "block#1.$2.attn.q.$3",
			`block\.(\d+)\.(\d+)\.attention\.self\.(key|value)\.(.*)`, "block#1.$2.attn.$3.$4",
			`block\.(\d+)\.(\d+)\.attention\.self\.sr\.(.*)`, "block#1.$2.attn.sr.$3",
			`block\.(\d+)\.(\d+)\.attention\.self\.layer_norm\.(.*)`, "block#1.$2.attn.norm.$3",
			`block\.(\d+)\.(\d+)\.attention\.output\.dense\.(.*)`, "block#1.$2.attn.proj.$3",
			`block\.(\d+)\.(\d+)\.mlp\.dense([12])\.(.*)`, "block#1.$2.mlp.fc$3.$4",
			`block\.(\d+)\.(\d+)\.mlp\.dwconv\.dwconv\.(.*)`, "block#1.$2.mlp.dwconv.dwconv.$3",
		),
	},
	{ // the same from 5 on, as state_dict names it
		name: "Hugging Face's", anchor: "stages.0.patch_embeddings.proj.weight",
		roots: []string{"stages."},
		rules: rules(
			`stages\.(\d+)\.patch_embeddings\.proj\.(.*)`, "patch_embed#1.proj.$2",
			`stages\.(\d+)\.patch_embeddings\.layer_norm\.(.*)`, "patch_embed#1.norm.$2",
			`stages\.(\d+)\.layer_norm\.(.*)`, "norm#1.$2",
			`stages\.(\d+)\.blocks\.(\d+)\.layernorm_before\.(.*)`, "block#1.$2.norm1.$3",
			`stages\.(\d+)\.blocks\.(\d+)\.layernorm_after\.(.*)`, "block#1.$2.norm2.$3",
			`stages\.(\d+)\.blocks\.(\d+)\.attention\.q_proj\.(.*)`, "block#1.$2.attn.q.$3",
			`stages\.(\d+)\.blocks\.(\d+)\.attention\.k_proj\.(.*)`, "block#1.$2.attn.key.$3",
			`stages\.(\d+)\.blocks\.(\d+)\.attention\.v_proj\.(.*)`, "block#1.$2.attn.value.$3",
			`stages\.(\d+)\.blocks\.(\d+)\.attention\.o_proj\.(.*)`, "block#1.$2.attn.proj.$3",
			`stages\.(\d+)\.blocks\.(\d+)\.attention\.sequence_reduction\.sequence_reduction\.(.*)`, "block#1.$2.attn.sr.$3",
			`stages\.(\d+)\.blocks\.(\d+)\.attention\.sequence_reduction\.layer_norm\.(.*)`, "block#1.$2.attn.norm.$3",
			`stages\.(\d+)\.blocks\.(\d+)\.mlp\.(.*)`, "block#1.$2.mlp.$3",
		),
	},
	{ // mmsegmentation's ResNetV1c
		name: "mmsegmentation's", anchor: "layer1.0.conv1.weight", with: "stem.0.weight",
		roots: []string{"stem.", "layer1.", "layer2.", "layer3.", "layer4.", "fc."},
	},
	{ // timm's with a deep stem, such as resnet101c
		name: "timm's", anchor: "layer1.0.conv1.weight", with: "conv1.0.weight",
		roots: []string{"conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.", "fc."},
		rules: rules(`conv1\.(\d+)\.(.*)`, "stem.$1.$2", `bn1\.(.*)`, "stem.7.$1"),
	},
	{ // torchvision's, and timm's resnet101
		name: "torchvision's", anchor: "layer1.0.conv1.weight",
		roots: []string{"conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.", "fc."},
	},
}

// has reports whether a name is that of one of the encoder's tensors.
func (f family) has(name string) bool {
	return slices.ContainsFunc(f.roots, func(root string) bool { return strings.HasPrefix(name, root) })
}

// rename is pipa's name of an encoder's tensor. A name without a rule stays: it
// is then one that no network of pipa's has.
func (f family) rename(name string) string { return rename(f.rules, name) }

func rename(rules []rule, name string) string {
	for _, r := range rules {
		m := r.pattern.FindStringSubmatchIndex(name)
		if m == nil {
			continue
		}
		to := strings.ReplaceAll(r.to, "$", "$$") // then only braces below are expanded
		for i := 1; i < len(m)/2; i++ {
			group := name[m[2*i]:m[2*i+1]]
			if strings.Contains(to, "#"+strconv.Itoa(i)) {
				stage, err := strconv.Atoi(group)
				if err != nil || stage > 99 {
					return name
				}
				to = strings.ReplaceAll(to, "#"+strconv.Itoa(i), strconv.Itoa(stage+1))
			}
			to = strings.ReplaceAll(to, "$$"+strconv.Itoa(i), group)
		}
		return to
	}
	return name
}

// The names of SegFormer's decoder elsewhere. Its inputs are joined coarse to
// fine there and fine to coarse in DAFormer's code and here (NVlabs/SegFormer and
// lhoyer/DAFormer, mmseg/models/decode_heads/segformer_head.py), which [reshape]
// mends at the name linear_fuse.reversed.
var (
	huggingFaceHead = rules(
		`linear_(?:c|projections)\.(\d)\.proj\.(.*)`, "linear_c.$1.proj.$2",
		`linear_fuse\.weight`, "linear_fuse.reversed.weight",
		`batch_norm\.(.*)`, "linear_fuse.bn.$1",
		`classifier\.(.*)`, "linear_pred.$1",
	)
	segFormerHead = append(rules(`linear_fuse\.conv\.weight`, "linear_fuse.reversed.weight"), segFormerInputs()...)
)

func segFormerInputs() (out []rule) {
	for i := range 4 {
		out = append(out, rules(fmt.Sprintf(`linear_c%d\.proj\.(.*)`, i+1), fmt.Sprintf("linear_c.%d.proj.$1", i))...)
	}
	return out
}

// head is the rules of a decoder, by its names after "decode_head.".
func head(has func(name string) bool) []rule {
	switch {
	case has("linear_c1.proj.weight"):
		return segFormerHead
	case has("linear_fuse.conv.weight"): // DAFormer's
		return nil
	case has("linear_fuse.weight"), has("linear_projections.0.proj.weight"), has("batch_norm.num_batches_tracked"):
		return huggingFaceHead
	}
	return nil
}

// reshape brings renamed tensors into pipa's layers: keys and values are one
// layer, queries another, linear layers are matrices.
func reshape(tensors []safetensors.Tensor) (out []safetensors.Tensor, err error) {
	byName := map[string]safetensors.Tensor{}
	for _, t := range tensors {
		byName[t.Name] = t
	}
	for _, t := range tensors {
		of, layer, kind := split(t.Name)
		switch {
		case layer == "attn.qkv":
			n := len(t.Data) / 3
			if len(t.Shape) == 0 || t.Shape[0]%3 != 0 {
				return nil, fmt.Errorf("%s has the shape %v, which is not three matrices", t.Name, t.Shape)
			}
			q, kv := t, t
			q.Name, q.Shape, q.Data = of+"attn.q."+kind, rows(t.Shape, t.Shape[0]/3), t.Data[:n:n]
			kv.Name, kv.Shape, kv.Data = of+"attn.kv."+kind, rows(t.Shape, t.Shape[0]/3*2), t.Data[n:]
			out = append(out, q, kv)
		case layer == "attn.value":
			if _, ok := byName[of+"attn.key."+kind]; !ok {
				return nil, fmt.Errorf("%s has no key beside it", t.Name)
			}
		case layer == "attn.key":
			value, ok := byName[of+"attn.value."+kind]
			if !ok {
				return nil, fmt.Errorf("%s has no value beside it", t.Name)
			}
			if value.DType != t.DType || len(t.Shape) == 0 || !slices.Equal(value.Shape, t.Shape) {
				return nil, fmt.Errorf("%s and its value have different shapes", t.Name)
			}
			t.Name, t.Shape, t.Data = of+"attn.kv."+kind, rows(t.Shape, 2*t.Shape[0]), slices.Concat(t.Data, value.Data)
			out = append(out, t)
		case layer == "linear_fuse.reversed":
			t.Name = of + "linear_fuse.conv." + kind
			if t.Data, err = reversed(t, 4); err != nil {
				return nil, err
			}
			out = append(out, t)
		default:
			if s := t.Shape; isLinear(layer) && len(s) == 4 && s[2] == 1 && s[3] == 1 {
				t.Shape = s[:2:2]
			}
			out = append(out, t)
		}
	}
	return out, nil
}

// isLinear reports whether a layer is linear here; elsewhere it may be a
// convolution by 1×1.
func isLinear(layer string) bool {
	switch layer {
	case "mlp.fc1", "mlp.fc2", "attn.q", "attn.kv", "attn.proj":
		return true
	}
	return false
}

// split takes a name apart: the block, with a dot at its end, the layer, of two
// names, and the kind (weight, bias).
func split(name string) (of, layer, kind string) {
	at := strings.LastIndexByte(name, '.')
	if at < 0 {
		return "", "", name
	}
	rest, kind := name[:at], name[at+1:]
	if at = strings.LastIndexByte(rest, '.'); at < 0 {
		return "", rest, kind
	}
	at = strings.LastIndexByte(rest[:at], '.')
	return rest[:at+1], rest[at+1:], kind
}

// rows is a shape with another first length.
func rows(shape []int, n int) []int {
	out := slices.Clone(shape)
	out[0] = n
	return out
}

// reversed is a convolution's data with the blocks of its inputs in the other
// order.
func reversed(t safetensors.Tensor, blocks int) ([]byte, error) {
	if len(t.Shape) != 4 || t.Shape[1]%blocks != 0 {
		return nil, fmt.Errorf("%s has the shape %v, whose inputs are not %d maps", t.Name, t.Shape, blocks)
	}
	if len(t.Data) == 0 {
		return t.Data, nil
	}
	out := make([]byte, 0, len(t.Data))
	row := len(t.Data) / t.Shape[0]
	block := row / blocks
	for from := 0; from < len(t.Data); from += row {
		for i := blocks - 1; i >= 0; i-- {
			out = append(out, t.Data[from+i*block:from+(i+1)*block]...)
		}
	}
	return out, nil
}

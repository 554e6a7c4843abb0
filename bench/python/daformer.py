"""MiT with the DAFormer decoder, written the usual way in PyTorch: the network of train/model, layer by layer, with
random weights. Its parameters have other names.
"""
import torch
import torch.nn.functional as F
from torch import nn

B0, B5 = ((32, 64, 160, 256), (2, 2, 2, 2)), ((64, 128, 320, 512), (3, 6, 40, 3))
HEADS, RATIOS = (1, 2, 5, 8), (8, 4, 2, 1)


class Attention(nn.Module):
    def __init__(self, dim, heads, ratio):
        super().__init__()
        self.heads, self.ratio, self.scale = heads, ratio, (dim // heads) ** -0.5
        self.q, self.kv, self.proj = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        if ratio > 1:
            self.sr, self.norm = nn.Conv2d(dim, dim, ratio, ratio), nn.LayerNorm(dim)

    def forward(self, x, h, w):
        n, tokens, c = x.shape
        q = self.q(x).reshape(n, tokens, self.heads, c // self.heads).permute(0, 2, 1, 3)
        if self.ratio > 1:
            x = self.norm(self.sr(x.permute(0, 2, 1).reshape(n, c, h, w)).reshape(n, c, -1).permute(0, 2, 1))
        k, v = self.kv(x).reshape(n, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        a = (q @ k.transpose(-2, -1) * self.scale).softmax(-1)
        return self.proj((a @ v).transpose(1, 2).reshape(n, tokens, c))


class Block(nn.Module):
    def __init__(self, dim, heads, ratio, drop_path=0.0):
        super().__init__()
        self.drop_path = drop_path
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads, ratio)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.dwconv = nn.Conv2d(4 * dim, 4 * dim, 3, padding=1, groups=4 * dim)

    def keep(self, x):
        if not self.training or self.drop_path == 0:
            return x
        return x * torch.empty(len(x), 1, 1, device=x.device).bernoulli_(1 - self.drop_path) / (1 - self.drop_path)

    def forward(self, x, h, w):
        x = x + self.keep(self.attn(self.norm1(x), h, w))
        y = self.fc1(self.norm2(x))
        n, tokens, c = y.shape
        y = self.dwconv(y.transpose(1, 2).view(n, c, h, w)).flatten(2).transpose(1, 2)
        return x + self.keep(self.fc2(F.gelu(y)))


def conv_module(i, o, k, **kw):
    return nn.Sequential(nn.Conv2d(i, o, k, bias=False, **kw), nn.BatchNorm2d(o), nn.ReLU())


class Network(nn.Module):
    def __init__(self, encoder=B5, channels=256, classes=19, drop_path=0.0):
        super().__init__()
        dims, depths = encoder
        rates, total = iter(range(sum(depths))), max(sum(depths) - 1, 1)
        self.embeds, self.embed_norms, self.stages, self.norms, self.linears = (nn.ModuleList() for _ in range(5))
        before = 3
        for i, dim in enumerate(dims):
            k, s, p = ((7, 4, 3), (3, 2, 1))[i > 0]
            self.embeds.append(nn.Conv2d(before, dim, k, s, p))
            self.embed_norms.append(nn.LayerNorm(dim))
            self.stages.append(nn.ModuleList(Block(dim, HEADS[i], RATIOS[i], drop_path * next(rates) / total) for _ in range(depths[i])))
            self.norms.append(nn.LayerNorm(dim, eps=1e-6))
            self.linears.append(nn.Linear(dim, channels))
            before = dim
        joined = 4 * channels
        self.branches = nn.ModuleList([conv_module(joined, channels, 1)])
        for d in (6, 12, 18):
            self.branches.append(nn.Sequential(conv_module(joined, joined, 3, padding=d, dilation=d, groups=joined), conv_module(joined, channels, 1)))
        self.bottleneck = conv_module(joined, channels, 3, padding=1)
        self.classifier = nn.Conv2d(channels, classes, 1)

    def features(self, x):
        """The four maps of the encoder."""
        out = []
        for embed, embed_norm, stage, norm in zip(self.embeds, self.embed_norms, self.stages, self.norms):
            x = embed(x)
            n, c, h, w = x.shape
            x = embed_norm(x.flatten(2).transpose(1, 2))
            for block in stage:
                x = block(x, h, w)
            x = norm(x).reshape(n, h, w, c).permute(0, 3, 1, 2).contiguous()
            out.append(x)
        return out

    def fused(self, maps):
        """The decoder's map before the classifier, at a quarter of the image's size."""
        joined = []
        for linear, x in zip(self.linears, maps):
            n, _, h, w = x.shape
            y = linear(x.flatten(2).transpose(1, 2)).permute(0, 2, 1).reshape(n, -1, h, w)
            joined.append(y if not joined else F.interpolate(y, size=joined[0].shape[2:], mode="bilinear", align_corners=False))
        x = torch.cat(joined, 1)
        return self.bottleneck(torch.cat([b(x) for b in self.branches], 1))

    def logits(self, fused):
        return self.classifier(F.dropout2d(fused, 0.1, self.training))

    def forward(self, x):
        return self.logits(self.fused(self.features(x)))

"""MiT-B5 with the DAFormer decoder, written the usual way in PyTorch, timed on request.

Reads one word a line: "step" runs forward and backward and prints the seconds it took, "sum" prints the number of
parameters. The network is the one of train/model, layer by layer; weights are random.
"""
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

DIMS, DEPTHS, HEADS, RATIOS = (64, 128, 320, 512), (3, 6, 40, 3), (1, 2, 5, 8), (8, 4, 2, 1)


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
    def __init__(self, dim, heads, ratio):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads, ratio)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.dwconv = nn.Conv2d(4 * dim, 4 * dim, 3, padding=1, groups=4 * dim)

    def forward(self, x, h, w):
        x = x + self.attn(self.norm1(x), h, w)
        y = self.fc1(self.norm2(x))
        n, tokens, c = y.shape
        y = self.dwconv(y.transpose(1, 2).view(n, c, h, w)).flatten(2).transpose(1, 2)
        return x + self.fc2(F.gelu(y))


def conv_module(i, o, k, **kw):
    return nn.Sequential(nn.Conv2d(i, o, k, bias=False, **kw), nn.BatchNorm2d(o), nn.ReLU())


class Network(nn.Module):
    def __init__(self, channels=256, classes=19):
        super().__init__()
        self.embeds, self.embed_norms, self.stages, self.norms, self.linears = (nn.ModuleList() for _ in range(5))
        before = 3
        for i, dim in enumerate(DIMS):
            k, s, p = ((7, 4, 3), (3, 2, 1))[i > 0]
            self.embeds.append(nn.Conv2d(before, dim, k, s, p))
            self.embed_norms.append(nn.LayerNorm(dim))
            self.stages.append(nn.ModuleList(Block(dim, HEADS[i], RATIOS[i]) for _ in range(DEPTHS[i])))
            self.norms.append(nn.LayerNorm(dim, eps=1e-6))
            self.linears.append(nn.Linear(dim, channels))
            before = dim
        joined = 4 * channels
        self.branches = nn.ModuleList([conv_module(joined, channels, 1)])
        for d in (6, 12, 18):
            self.branches.append(nn.Sequential(conv_module(joined, joined, 3, padding=d, dilation=d, groups=joined), conv_module(joined, channels, 1)))
        self.bottleneck = conv_module(joined, channels, 3, padding=1)
        self.classifier = nn.Conv2d(channels, classes, 1)

    def forward(self, x):
        maps = []
        for embed, embed_norm, stage, norm, linear in zip(self.embeds, self.embed_norms, self.stages, self.norms, self.linears):
            x = embed(x)
            n, c, h, w = x.shape
            x = embed_norm(x.flatten(2).transpose(1, 2))
            for block in stage:
                x = block(x, h, w)
            x = norm(x).reshape(n, h, w, c).permute(0, 3, 1, 2).contiguous()
            y = linear(x.flatten(2).transpose(1, 2)).permute(0, 2, 1).reshape(n, -1, h, w)
            maps.append(y if not maps else F.interpolate(y, size=maps[0].shape[2:], mode="bilinear", align_corners=False))
        x = torch.cat(maps, 1)
        x = self.bottleneck(torch.cat([b(x) for b in self.branches], 1))
        return self.classifier(F.dropout2d(x, 0.1))


def main():
    size, threads = int(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = Network().train()
    image, label = torch.randn(1, 3, size, size), torch.randint(0, 19, (1, size, size))
    for word in sys.stdin:
        if word.strip() == "sum":
            print(sum(p.numel() for p in net.parameters()), flush=True)
            continue
        start = time.perf_counter()
        logits = F.interpolate(net(image), size=(size, size), mode="bilinear", align_corners=False)
        F.cross_entropy(logits, label).backward()
        net.zero_grad(set_to_none=True)
        print(time.perf_counter() - start, flush=True)


main()

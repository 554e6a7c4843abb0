"""One training step of PiPa on DAFormer, written the usual way in PyTorch, timed.

The shapes are those of the preset gta2cs-daformer-pipa: two source and two target images of 640², two pairs of 720²
crops. What the usual code does is done here: attention written out, the losses as in the paper, separate forward passes
for the two crops, an EMA loop over parameters, values logged with .item(). Images are random and lie on the device, so
that loading costs nothing. Prints one JSON line.

    python3 bench/gpu/reference.py --precision bfloat16
    python3 bench/gpu/reference.py --device cpu --size 64 --crop 64 --encoder b0 --steps 1   # does it run?
"""
import argparse
import copy
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
import torch
import torch.nn.functional as F
from torch import nn

from daformer import B0, B5, Network

CLASSES, IGNORE = 19, 255


def up(x, size, align=False):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=align)


class PixelHead(nn.Sequential):
    """1x1 convolution, batch norm, ReLU, 1x1 convolution, unit length."""

    def __init__(self, channels):
        super().__init__(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 256, 1))

    def forward(self, x):
        return F.normalize(super().forward(x), dim=1)


class PatchHead(nn.Sequential):
    def __init__(self, channels=256):
        super().__init__(nn.Conv2d(channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, 128, 1))

    def forward(self, x):
        return F.normalize(super().forward(x), dim=1)


def pixel_contrast(embed, label, predicted, samples=1024, views=100, temperature=0.1, base=0.07):
    """InfoNCE between pixels of one class, at a quarter of the image's size."""
    n, c, h, w = embed.shape
    label = F.interpolate(label[:, None].float(), size=(h, w)).long().reshape(n, -1)
    predicted = F.interpolate(predicted[:, None].float(), size=(h, w)).long().reshape(n, -1)
    embed = embed.permute(0, 2, 3, 1).reshape(n, -1, c)
    found = [(i, k) for i in range(n) for k in label[i].unique().tolist() if k != IGNORE and (label[i] == k).sum() > views]
    if not found:
        return embed.sum() * 0
    each = min(samples // len(found), views)
    anchors, classes = [], []
    for i, k in found:
        hard = ((label[i] == k) & (predicted[i] != k)).nonzero()[:, 0]
        easy = ((label[i] == k) & (predicted[i] == k)).nonzero()[:, 0]
        take = min(len(hard), max(each // 2, each - len(easy)))
        pick = torch.cat([hard[torch.randperm(len(hard), device=hard.device)[:take]], easy[torch.randperm(len(easy), device=easy.device)[: each - take]]])
        anchors.append(embed[i, pick])
        classes += [k] * len(pick)
    anchors, classes = torch.cat(anchors).float(), torch.tensor(classes, device=embed.device)
    similar = anchors @ anchors.T / temperature
    similar = similar - similar.max(1, keepdim=True).values.detach()
    same = classes[:, None] == classes[None]
    negatives = (similar.exp() * ~same).sum(1, keepdim=True)
    positive = same & ~torch.eye(len(classes), dtype=torch.bool, device=same.device)
    log = similar - (similar.exp() + negatives).log()
    return -(temperature / base) * ((positive * log).sum(1) / positive.sum(1).clamp(min=1)).mean()


def feature_distance(features, frozen, label, things=(6, 7, 11, 12, 13, 14, 15, 16, 17, 18)):
    share = F.one_hot(torch.where(label == IGNORE, CLASSES, label), CLASSES + 1).permute(0, 3, 1, 2).float()
    share = F.adaptive_avg_pool2d(share, features.shape[2:])
    ratio, kind = share.max(1)
    mask = (ratio >= 0.75) & torch.isin(kind, torch.tensor(things, device=kind.device))
    distance = (features - frozen).float().norm(dim=1)
    return distance[mask].mean() if mask.any() else distance.sum() * 0


def patch_contrast(a, b, bank, threshold=0.9, temperature=0.1, lot=512):
    """One direction: pixels of the overlap in a against their partners in b and the bank's negatives."""
    (za, ca, fa), (zb, _, fb) = a, b
    keep = (fb > threshold) & (fb > fa)
    if not keep.any():
        return za.sum() * 0
    negatives, classes = torch.cat([z for z, _ in bank]), torch.cat([c for _, c in bank])
    total = 0
    za, zb, ca = za[keep], zb[keep].detach(), ca[keep]
    for i in range(0, len(za), lot):
        positive = ((za[i : i + lot] * zb[i : i + lot]).sum(1) / temperature).exp()
        other = (za[i : i + lot] @ negatives.T / temperature).exp() * (ca[i : i + lot, None] != classes[None])
        total = total - (positive / (positive + other.sum(1) + 1e-8) + 1e-8).log().sum()
    return total / len(za)


def disturb(x, iteration):
    """Colour jitter of four batches in five and Gaussian blur of every other, the published chances, as elementwise
    operations and two convolutions."""
    if iteration % 5 != 0:
        factors = 1 + 0.2 * (2 * torch.rand(3, len(x), 1, 1, 1, device=x.device) - 1)
        x = x * factors[0]
        x = (x - x.mean((2, 3), keepdim=True)) * factors[1] + x.mean((2, 3), keepdim=True)
        x = (x - x.mean(1, keepdim=True)) * factors[2] + x.mean(1, keepdim=True)
    if iteration % 2 != 0:
        return x
    k = int(0.1 * x.shape[2]) // 2 * 2 + 1
    at = torch.arange(k, device=x.device) - k // 2
    g = torch.exp(-(at**2) / 2.0)
    g = (g / g.sum()).repeat(3, 1)
    x = F.conv2d(F.pad(x, (0, 0, k // 2, k // 2), mode="reflect"), g[:, None, :, None], groups=3)
    return F.conv2d(F.pad(x, (k // 2, k // 2, 0, 0), mode="reflect"), g[:, None, None, :], groups=3)


class Trainer:
    def __init__(self, o):
        self.o = o
        encoder = {"b0": B0, "b5": B5}[o.encoder]
        self.student = Network(encoder, drop_path=0.1).to(o.device).train()
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        for m in self.teacher.modules():  # as published: batch norms see the batch, nothing is dropped
            if isinstance(m, nn.Dropout2d) or hasattr(m, "drop_path"):
                m.eval()
        self.frozen = copy.deepcopy(self.student).requires_grad_(False).eval()
        self.pixel, self.patch = PixelHead(sum(encoder[0])).to(o.device), PatchHead().to(o.device)
        trained = [*self.student.parameters(), *self.pixel.parameters(), *self.patch.parameters()]
        self.optimizer = torch.optim.AdamW(trained, lr=6e-5, weight_decay=0.01)
        self.bank, self.iteration = [], 0

    def autocast(self):
        return torch.autocast(self.o.device.split(":")[0], dtype=torch.bfloat16, enabled=self.o.precision == "bfloat16")

    def supervise(self, logits, label, weight=None):
        loss = F.cross_entropy(up(logits.float(), label.shape[1:]), label, ignore_index=IGNORE, reduction="none")
        return (loss if weight is None else loss * weight).mean()

    def step(self, source, label, target, crops):
        log = {}
        with torch.no_grad():
            a = min(1 - 1 / (self.iteration + 1), 0.999)
            for t, s in zip(self.teacher.parameters(), self.student.parameters()):
                t.data.mul_(a).add_(s.data, alpha=1 - a)
        with self.autocast():
            maps = self.student.features(source)
            logits = self.student.logits(self.student.fused(maps))
            quarter = maps[0].shape[2:]
            embed = self.pixel(torch.cat([up(m, quarter, True) for m in maps], 1))
            with torch.no_grad():
                frozen = self.frozen.features(source)
        parts = {
            "source": self.supervise(logits, label),
            "pixel": 0.1 * pixel_contrast(embed.float(), label, logits.argmax(1)),
            "feature_distance": 0.005 * feature_distance(maps[3], frozen[3], label),
        }
        sum(parts.values()).backward()
        log.update({k: v.item() for k, v in parts.items()})

        with torch.no_grad(), self.autocast():
            confidence, pseudo = up(self.teacher(target).float(), target.shape[2:]).softmax(1).max(1)
        weight = (confidence >= 0.968).float().mean().expand_as(confidence).clone()
        weight[:, :15], weight[:, -120:] = 0, 0
        classes = label.unique()
        mask = torch.stack([torch.isin(l, classes[torch.randperm(len(classes), device=l.device)[: (len(classes) + 1) // 2]]) for l in label])
        mixed = disturb(torch.where(mask[:, None], source, target), self.iteration)
        with self.autocast():
            logits = self.student(mixed)
        loss = self.supervise(logits, torch.where(mask, label, pseudo), torch.where(mask, torch.ones_like(weight), weight))
        loss.backward()
        log["mixed"] = loss.item()

        views = []
        for crop in crops:
            with self.autocast():
                with torch.no_grad():
                    confidence, kind = F.avg_pool2d(self.teacher(crop).float().softmax(1), 2).max(1)
                z = self.patch(F.avg_pool2d(self.student.fused(self.student.features(crop)), 2)).float()
            rows = z.detach().permute(0, 2, 3, 1).reshape(-1, z.shape[1])
            pick = torch.randperm(len(rows), device=z.device)[:1600]
            self.bank.append((rows[pick], kind.reshape(-1)[pick]))
            # Of pairs as they are drawn 0.49 of a crop overlaps, on average: that much is contrasted.
            side = round(0.7 * z.shape[2])
            z, kind, confidence = z[:, :, :side, :side], kind[:, :side, :side], confidence[:, :side, :side]
            views.append((z.permute(0, 2, 3, 1).reshape(-1, z.shape[1]), kind.reshape(-1), confidence.reshape(-1)))
        loss = 0.1 * (patch_contrast(views[0], views[1], self.bank[-6:], self.o.threshold) + patch_contrast(views[1], views[0], self.bank[-6:], self.o.threshold))
        loss.backward()
        self.bank = self.bank[-4:]
        log["patch"] = loss.item()

        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.iteration += 1
        return log


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--device", default="cuda")
    p.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    p.add_argument("--encoder", choices=("b0", "b5"), default="b5")
    p.add_argument("--size", type=int, default=640)
    p.add_argument("--crop", type=int, default=720)
    p.add_argument("--batch", type=int, default=2)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--warmup", type=int, default=5)
    p.add_argument("--threshold", type=float, default=0.9, help="of the patch contrast's partners; 0 contrasts every pixel")
    o = p.parse_args()
    # TF32 is left as PyTorch has it, as pipa leaves it: in convolutions, not in matrix products.
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    t = Trainer(o)
    source, target = (torch.randn(o.batch, 3, o.size, o.size, device=o.device) for _ in range(2))
    # Labels in blocks, so that classes have areas as streets do.
    label = torch.randint(0, CLASSES, (o.batch, 1, 4, 4), device=o.device).float()
    label = F.interpolate(label, size=(o.size, o.size))[:, 0].long()
    crops = [torch.randn(o.batch, 3, o.crop, o.crop, device=o.device) for _ in range(2)]
    cuda = o.device.startswith("cuda")
    for _ in range(o.warmup):
        log = t.step(source, label, target, crops)
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    for _ in range(o.steps):
        log = t.step(source, label, target, crops)
    if cuda:
        torch.cuda.synchronize()
    seconds = (time.perf_counter() - start) / o.steps
    print(json.dumps({
        "what": "PyTorch " + torch.__version__ + ", " + o.precision,
        "seconds_per_step": seconds, "steps_per_second": 1 / seconds,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if cuda else None,
        "losses": log,
    }))


main()

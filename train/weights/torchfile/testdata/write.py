"""Writes odd.pth, nocrc.pth, tuple.pth, module.pth and zip64.pth into this folder; torch 2.15."""
import collections
import io
import pathlib
import zipfile

import torch

here = pathlib.Path(__file__).parent


def save(name, value):
    torch.save(value, here / name)


torch.manual_seed(0)
whole = torch.arange(24, dtype=torch.float32).reshape(2, 3, 2, 2)
save("odd.pth", collections.OrderedDict([
    ("plain", whole),
    ("overlapping", whole.flatten()[4:10].reshape(2, 3)),  # of the same storage
    ("expanded", torch.tensor([[5.0], [7.0]]).expand(2, 3)),
    ("expanded.scalar", torch.tensor(3.0).expand(2)),
    ("channels_last", whole.to(memory_format=torch.channels_last)),
    ("uint16", torch.tensor([1, 2, 3], dtype=torch.uint16)),
    ("float8", torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn)),
    ("complex64", torch.tensor([1 + 2j])),
    ("quantized", torch.quantize_per_tensor(torch.tensor([0.5, 1.0]), 0.1, 0, torch.qint8)),
    ("sparse", torch.eye(2).to_sparse()),
    ("meta", torch.empty(2, device="meta")),
    ("buffer", torch.nn.Buffer(torch.tensor([4.0]))),
]))

torch.serialization.set_crc32_options(False)
save("nocrc.pth", {"plain": whole})
torch.serialization.set_crc32_options(True)
save("tuple.pth", ({"plain": whole}, 3, [1, 2]))


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))
        with torch.no_grad():
            self.backbone[0].weight.copy_(torch.tensor([3.0, 4.0]).reshape(2, 1, 1, 1))


save("module.pth", {"epoch": 3, "model": Net(), "note": "a whole module"})

held = io.BytesIO()
torch.save({"plain": whole}, held)
with zipfile.ZipFile(held) as old, zipfile.ZipFile(here / "zip64.pth", "w") as new:
    for name in old.namelist():
        with new.open(name, "w", force_zip64=True) as record:
            record.write(old.read(name))

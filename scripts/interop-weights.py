"""Weights by the libraries themselves, read by pipa: interop-weights.py PIPA FOLDER."""

import contextlib
import copy
import io
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", CUDA_VISIBLE_DEVICES="")
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import lightning  # noqa: E402
import safetensors.torch  # noqa: E402
import segmentation_models_pytorch as smp  # noqa: E402
import timm  # noqa: E402
import timm.utils  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
import transformers  # noqa: E402

pipa, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
torch.manual_seed(0)
failures = []
passed = 0


def case(name, ok, why=""):
    global passed
    print(f"{'ok  ' if ok else 'FAIL'} {name}{'' if ok else ': ' + why}", flush=True)
    if ok:
        passed += 1
    else:
        failures.append(name)


def randomized(net):
    """Gives every tensor values of its own, so that none passes for another."""
    with torch.no_grad():
        for t in [*net.parameters(), *net.buffers()]:
            if t.is_floating_point():
                t.uniform_(0.5, 1.5)
    return net.eval()


def convert(path, *options):
    """What pipa makes of a file: its tensors as safetensors' own library reads them."""
    out = folder / "out.safetensors"
    done = subprocess.run([pipa, "weights", "convert", path, "-o", out, "--force", *options], capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stderr
    with safetensors.safe_open(out, "pt") as f:
        if f.metadata() != {"format": "pt"}:
            return None, f"metadata {f.metadata()}"
    return safetensors.torch.load_file(out), done.stderr


def differences(got, want):
    if got.keys() != want.keys():
        return f"missing {sorted(want.keys() - got.keys())[:3]}, unexpected {sorted(got.keys() - want.keys())[:3]}"
    for name, t in want.items():
        t = t.float() if t.is_floating_point() else t
        if got[name].dtype != t.dtype or got[name].shape != t.shape or not torch.equal(got[name].nan_to_num(7), t.nan_to_num(7)):
            return f"{name} differs"
    return ""


def expect(name, path, want, *options):
    """path converts to want, bit for bit."""
    got, said = convert(path, *options)
    why = said if got is None else differences(got, want)
    case(name, why == "", why)


def refused(name, path, *texts):
    """path is not taken, with these words, and the words do not run over."""
    got, said = convert(path)
    missing = [t for t in texts if t not in said]
    case(name, got is None and not missing and "panic" not in said, f"said {said!r}, without {missing}")


def encoder_names(state, prefix=""):
    return {"backbone." + k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix) and not k.startswith((prefix + "head.", prefix + "fc."))}


# PyTorch. The encoder of segmentation-models-pytorch has SegFormer's own names.
encoder = randomized(smp.encoders.get_encoder("mit_b0", weights=None))
state = encoder.state_dict()
want = encoder_names(state)
for name, value, options in [
    ("torch.save", state, {}),
    ("torch.save, before 1.6", state, {"_use_new_zipfile_serialization": False}),
    ("torch.save, pickle protocol 5", state, {"pickle_protocol": 5}),
    ("torch.save of a module", encoder, {}),
    ("torch.save of channels last", {k: v.to(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in state.items()}, {}),
    ("torch.save of parameters", dict(encoder.named_parameters()), {}),
    ("DataParallel", torch.nn.DataParallel(encoder).state_dict(), {}),
    ("torch.compile", torch.compile(encoder).state_dict(), {}),
    ("torch.compile of DataParallel", torch.compile(torch.nn.DataParallel(encoder)).state_dict(), {}),
    ("a training loop's checkpoint", {"epoch": 3, "model": state, "optimizer": torch.optim.AdamW(encoder.parameters()).state_dict(), "rng": torch.get_rng_state(), "best": torch.tensor(0.7)}, {}),
]:
    torch.save(value, folder / "x.pth", **options)
    expect(name, folder / "x.pth", want)
for kind in [torch.float16, torch.bfloat16, torch.float64]:
    cast = {k: v.to(kind) for k, v in state.items()}
    torch.save(cast, folder / "x.pth")
    expect(f"torch.save of {kind}", folder / "x.pth", encoder_names(cast))
    safetensors.torch.save_file(cast, folder / "x.safetensors")
    expect(f"safetensors of {kind}", folder / "x.safetensors", encoder_names(cast))
torch.serialization.set_crc32_options(False)
torch.save(state, folder / "x.pth")
torch.serialization.set_crc32_options(True)
expect("torch.save without checksums", folder / "x.pth", want)

store = torch.distributed.HashStore()
torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
torch.save({"state_dict": torch.nn.parallel.DistributedDataParallel(encoder).state_dict()}, folder / "x.pth")
expect("DistributedDataParallel", folder / "x.pth", want)
torch.distributed.destroy_process_group()

averaged = torch.optim.swa_utils.AveragedModel(encoder)
torch.save({"model": state, "ema": averaged.state_dict()}, folder / "x.pth")
expect("AveragedModel beside", folder / "x.pth", want)
expect("AveragedModel taken", folder / "x.pth", encoder_names(averaged.module.state_dict()), "--teacher")

stray = {
    "uint16": torch.tensor([1], dtype=torch.uint16), "float8_e4m3fn": torch.ones(3).to(torch.float8_e4m3fn), "complex64": torch.ones(2, dtype=torch.complex64),
    "quantized": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "sparse": torch.eye(3).to_sparse(), "nested": torch.nested.nested_tensor([torch.ones(2)]),
}
for kind, t in stray.items():
    torch.save(state | {"stray": t}, folder / "x.pth")
    expect(f"torch.save with {kind} beside", folder / "x.pth", want)
torch.save(state | {"block1.0.norm1.weight": state["block1.0.norm1.weight"].to(torch.float8_e5m2)}, folder / "x.pth")
got, said = convert(folder / "x.pth")
case("a weight of float8 is named", "block1.0.norm1.weight" in said and "float8_e5m2" in said, said)
for kind in ["uint16", "float8_e4m3fn", "complex64"]:
    safetensors.torch.save_file(state | {"stray": stray[kind]}, folder / "x.safetensors")
    expect(f"safetensors with {kind} beside", folder / "x.safetensors", want)
torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), folder / "x.pt")
refused("TorchScript", folder / "x.pt", "TorchScript")


# Lightning.
class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.save_hyperparameters({"where": pathlib.Path("a"), "lr": 1.0})
        self.model = smp.Unet("mit_b0", encoder_weights=None, classes=4)

    def training_step(self, batch, _):
        return self.model(batch[0]).mean()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.1)


with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    module = Module()
    trainer = lightning.Trainer(max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.fit(module, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.rand(2, 3, 64, 64)), batch_size=2))
    trainer.save_checkpoint(folder / "x.ckpt")
expect("Lightning", folder / "x.ckpt", encoder_names(module.model.encoder.state_dict()))

# segmentation-models-pytorch.
for kind in [smp.Unet, smp.Segformer]:
    net = randomized(kind("mit_b0", encoder_weights=None, classes=4))
    net.save_pretrained(folder / "smp")
    expect(f"{kind.__name__} of segmentation-models-pytorch", folder / "smp", encoder_names(net.encoder.state_dict()))
    shutil.rmtree(folder / "smp")

# timm and torchvision.
net = randomized(timm.create_model("resnet50c", num_classes=5))
renamed = {("stem." + k[6:] if k.startswith("conv1.") else "stem.7." + k[4:] if k.startswith("bn1.") else k): v for k, v in net.state_dict().items()}
want50 = {"backbone." + k: v for k, v in renamed.items()}
(folder / "timm").mkdir()
saver = timm.utils.CheckpointSaver(net, torch.optim.SGD(net.parameters(), lr=0.1), model_ema=timm.utils.ModelEmaV3(net), checkpoint_dir=folder / "timm")
saver.save_checkpoint(1, metric=0.5)
expect("timm's CheckpointSaver", folder / "timm/last.pth.tar", want50)
expect("timm's CheckpointSaver, the average", folder / "timm/last.pth.tar", want50, "--teacher")
timm.models.save_for_hf(net, folder / "timm/hub", safe_serialization="both")
expect("timm's folder for the hub", folder / "timm/hub", want50)
expect("timm's pytorch_model.bin", folder / "timm/hub/pytorch_model.bin", want50)
net = randomized(torchvision.models.resnet50(num_classes=5))
torch.save(net.state_dict(), folder / "x.pth")
expect("torchvision's ResNet", folder / "x.pth", {"backbone." + k: v for k, v in net.state_dict().items()})
case("its stem is said not to be pipa's", "plain stem" in convert(folder / "x.pth")[1])
torch.save(torchvision.models.vgg11(num_classes=5).features.state_dict(), folder / "x.pth")
refused("VGG", folder / "x.pth", "no encoder that pipa knows")


# transformers. That the names are the right ones is shown by the numbers: the
# tensors that pipa gives, in SegFormer's own encoder and a decoder by the book.
def decoded(t, features):
    maps = []
    for i, f in enumerate(features):
        x = torch.nn.functional.linear(f.flatten(2).transpose(1, 2), t[f"linear_c.{i}.proj.weight"], t[f"linear_c.{i}.proj.bias"])
        x = x.transpose(1, 2).reshape(f.shape[0], -1, *f.shape[2:])
        maps.append(torch.nn.functional.interpolate(x, size=features[0].shape[2:], mode="bilinear", align_corners=False))
    x = torch.nn.functional.conv2d(torch.cat(maps, 1), t["linear_fuse.conv.weight"])
    x = torch.nn.functional.batch_norm(x, *(t["linear_fuse.bn." + k] for k in ["running_mean", "running_var", "weight", "bias"])).relu()
    return torch.nn.functional.conv2d(x, t["linear_pred.weight"], t["linear_pred.bias"])


def same_numbers(name, net, path):
    got, said = convert(path)
    if got is None:
        return case(name, False, said)
    whole = {t.numpy().tobytes() for t in net.state_dict().values()}
    for k, v in got.items():
        parts = v.chunk(2) if ".attn.kv." in k else [v]
        if "linear_fuse.conv" in k:
            parts = [torch.cat(v.chunk(4, 1)[::-1], 1)]
        if any(p.contiguous().numpy().tobytes() not in whole for p in parts):
            return case(name, False, f"{k} has values that the network has not")
    if len(got) - sum(".attn.kv." in k for k in got) + 2 * sum(".attn.kv." in k for k in got) < len([k for k in net.state_dict() if not k.startswith("classifier")]):
        return case(name, False, f"only {len(got)} tensors")
    mine = smp.encoders.get_encoder("mit_b0", weights=None).eval()
    torch.nn.Module.load_state_dict(mine, {k.removeprefix("backbone."): v for k, v in got.items() if k.startswith("backbone.")}, strict=True)
    for m in mine.modules():
        if isinstance(m, torch.nn.LayerNorm):
            m.eps = 1e-5  # as all of transformers' are; SegFormer's own has 1e-6 in its blocks
    # In float64, so that a difference is one of the networks and not of rounding.
    got = {k: v.double() if v.is_floating_point() else v for k, v in got.items()}
    net, mine, image = copy.deepcopy(net).double(), mine.double(), torch.rand(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        features = mine(image)[2:]
        base = getattr(net, "segformer", net)
        theirs = base(image, output_hidden_states=True).hidden_states
        gap = max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(features, theirs, strict=True))
        if hasattr(net, "decode_head"):
            logits = net(image).logits
            mine_logits = decoded({k.removeprefix("decode_head."): v for k, v in got.items() if k.startswith("decode_head.")}, features)
            gap = max(gap, ((mine_logits - logits).abs().max() / logits.abs().max()).item())
    case(name, gap < 1e-10, f"results differ by {gap:.2g} of the largest")


transformers.utils.logging.disable_progress_bar()
config = transformers.SegformerConfig(num_labels=7)
for kind in [transformers.SegformerForSemanticSegmentation, transformers.SegformerForImageClassification, transformers.SegformerModel]:
    net = kind(config).eval()
    with torch.no_grad():
        for t in [*net.parameters(), *net.buffers()]:
            if t.is_floating_point():
                t.add_(torch.rand_like(t) * 0.1)
    torch.save(net, folder / "module.pth")  # before its first pass, which gives it hooks that cannot be saved
    same_numbers(f"{kind.__name__} as a module", net, folder / "module.pth")
    net.save_pretrained(folder / "hf")
    same_numbers(f"{kind.__name__}.save_pretrained", net, folder / "hf")
    shutil.rmtree(folder / "hf")
    net.save_pretrained(folder / "hf", max_shard_size="1MB")
    shards = json.loads((folder / "hf/model.safetensors.index.json").read_text())["weight_map"]
    case(f"{kind.__name__} has shards", len(set(shards.values())) > 3)
    same_numbers(f"{kind.__name__} in shards", net, folder / "hf")
    same_numbers(f"{kind.__name__} by the index", net, folder / "hf/model.safetensors.index.json")
    shutil.rmtree(folder / "hf")
    torch.save(net.state_dict(), folder / "x.pth")
    same_numbers(f"{kind.__name__}.state_dict", net, folder / "x.pth")
    safetensors.torch.save_model(net, folder / "x.safetensors")
    same_numbers(f"{kind.__name__} by safetensors' save_model", net, folder / "x.safetensors")

# What pipa writes, torch reads with weights_only too.
got, _ = convert(folder / "x.safetensors")
torch.save(got, folder / "x.pth")
expect("a round trip", folder / "x.pth", got)
case("torch.load(weights_only=True)", differences(torch.load(folder / "x.pth", weights_only=True), got) == "")

versions = ", ".join(f"{m.__name__} {m.__version__}" for m in [torch, safetensors, transformers, timm, smp, lightning])
print(f"with {versions}")
print(f"{passed} passed, {len(failures)} failed")
sys.exit(bool(failures))

"""The other side of bench/loader: the usual OpenCV, Pillow and PyTorch loader,
and single operations of those libraries, timed on request. One request a line,
one number (seconds, or items a second) as the answer."""
import importlib.util
import sys
import time

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision import transforms

path, data = sys.argv[1:3]
spec = importlib.util.spec_from_file_location('peer', path)
peer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(peer)
cv2.setNumThreads(1)
torch.set_num_threads(1)

rng = np.random.RandomState(0)
photo = cv2.cvtColor(cv2.imread(sorted(__import__('glob').glob(data + '/cs/img/*.png'))[0]), cv2.COLOR_BGR2RGB)
label = np.array(Image.open(sorted(__import__('glob').glob(data + '/cs/lbl/*.png'))[0]))


def timed(f, n):
    t = time.perf_counter()
    for _ in range(n):
        f()
    return (time.perf_counter() - t) / n


def jitter(side):
    im = Image.fromarray(np.ascontiguousarray(photo[:side, :side]))
    fn = transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)
    return lambda: fn(im)


def gauss(side):
    im = torch.from_numpy(np.ascontiguousarray(photo[:side, :side])).permute(2, 0, 1)
    fn = transforms.GaussianBlur(5, 1.1)
    return lambda: fn(im)


operations = {
    'bilinear': lambda _: lambda: cv2.resize(photo, (1280, 640), interpolation=cv2.INTER_LINEAR),
    'nearest': lambda _: lambda: cv2.resize(label, (1280, 640), interpolation=cv2.INTER_NEAREST),
    'jitter': lambda side: jitter(int(side)),
    'blur': lambda side: gauss(int(side)),
}

for line in sys.stdin:
    what, *rest = line.split()
    if what == 'decode':
        raw = np.fromfile(rest[0], np.uint8)
        print(timed(lambda: cv2.cvtColor(cv2.imdecode(raw, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), 3), flush=True)
    elif what == 'decode-label':
        print(timed(lambda: np.array(Image.open(rest[0])), 3), flush=True)
    elif what in operations:
        print(timed(operations[what](*rest, *([None] if not rest else [])), 5), flush=True)
    else:
        mode, workers, n, seed = what, *map(int, rest)
        print(peer.one_run(mode, data, workers, n, seed), flush=True)

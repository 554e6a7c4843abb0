"""The other side of bench/loader: the usual data loading for this method, in OpenCV, Pillow, torchvision and PyTorch's
DataLoader, and single operations of those libraries, timed on request on one thread.

The only argument is JSON, {SET: [[IMAGE, LABEL], ...]}. The first line out names the libraries; then one request a line
in, one number out:

    sample SET OPTIONS N     samples a second: decode, resize, crop, flip, normalize (augment.Options as JSON)
    pair SET OPTIONS N       crop pairs a second (crops.Options as JSON)
    decode SET               seconds for an image, as RGB; decode-label SET for a label
    encode-jpeg SET SAMPLING KIND DIR
                             writes the images to DIR/0.jpg and on, baseline or progressive; how many
    decode-jpeg DIR          seconds for one of them, as BGR, as much work as RGB
    bilinear, nearest        seconds for a resize to 1280x640
    jitter SIDE, blur SIDE   seconds for a crop of SIDE pixels squared
"""
import io
import itertools
import json
import random
import sys
import time

import cv2
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision import transforms

IGNORE = 255
MEAN, DEVIATION = np.array([[123.675, 116.28, 103.53]]), np.array([[58.395, 57.12, 57.375]])


def padded(array, height, width, value):
    """The array, copied into a frame of at least this size."""
    h, w = array.shape[:2]
    return cv2.copyMakeBorder(array, 0, max(height - h, 0), 0, max(width - w, 0), cv2.BORDER_CONSTANT, value=value)


class Samples(torch.utils.data.Dataset):
    """Augmented images with labels, as mmsegmentation's pipelines give them: OpenCV on BGR bytes, then floats."""

    def __init__(self, files, options, n):
        self.files, self.o, self.n = files, options, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        image_file, label_file = self.files[i % len(self.files)]
        image = cv2.imdecode(np.fromfile(image_file, np.uint8), cv2.IMREAD_COLOR)
        label = np.array(Image.open(label_file))
        h, w = image.shape[:2]
        scale = min(max(self.o['resize']) / max(h, w), min(self.o['resize']) / min(h, w))
        size = int(w * scale + 0.5), int(h * scale + 0.5)
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        label = cv2.resize(label, size, interpolation=cv2.INTER_NEAREST)

        height, width = self.o['crop']
        box = self.box(label)
        image, label = image[box], label[box]
        if random.random() < self.o['flip']:
            image, label = np.flip(image, 1).copy(), np.flip(label, 1).copy()
        image = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_BGR2RGB)
        cv2.subtract(image, MEAN, image)
        cv2.multiply(image, 1 / DEVIATION, image)
        # The usual pipeline copies where nothing is missing, too.
        image, label = padded(image, height, width, 0), padded(label, height, width, IGNORE)
        return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), torch.from_numpy(label.astype(np.int64))

    def box(self, label):
        """A random crop in which no class covers too much: ten are tried, and the eleventh is taken as it is."""
        for tries in itertools.count():
            height, width = self.o['crop']
            y, x = random.randint(0, max(label.shape[0] - height, 0)), random.randint(0, max(label.shape[1] - width, 0))
            box = slice(y, y + height), slice(x, x + width)
            if self.o['cat_max_ratio'] >= 1 or tries == 10:
                return box
            classes, counts = np.unique(label[box], return_counts=True)
            counts = counts[classes != IGNORE]
            if len(counts) > 1 and counts.max() < self.o['cat_max_ratio'] * counts.sum():
                return box


class Pairs(torch.utils.data.Dataset):
    """Two overlapping crops of one resized image, each with an appearance of its own: Pillow and torchvision."""

    def __init__(self, files, options, n):
        self.files, self.o, self.n = files, options, n
        j = options['jitter']
        self.appearance = transforms.Compose([
            transforms.ToPILImage(),
            transforms.RandomApply([transforms.ColorJitter(j['brightness'], j['contrast'], j['saturation'], j['hue'])], j['chance']),
            transforms.RandomGrayscale(options['gray']),
            transforms.ToTensor(),
            transforms.Normalize(MEAN[0] / 255, DEVIATION[0] / 255),
        ])

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        image_file, label_file = self.files[i % len(self.files)]
        image = Image.open(image_file).convert('RGB')
        label = np.asarray(Image.open(label_file), np.int32)
        low, high = (int(self.o['base'] * s) for s in self.o['scale'])
        scale = random.randint(low, high) / max(image.size)
        size = tuple(int(side * scale + 0.5) for side in image.size)
        image = np.asarray(image.resize(size, Image.BICUBIC))
        label = cv2.resize(label, size, interpolation=cv2.INTER_NEAREST)
        side = self.o['size']
        if min(size) < side:
            image, label = padded(image, side, side, tuple(MEAN[0])), padded(label, side, side, IGNORE)

        a, b = self.corners(*image.shape[:2])
        return [self.crop(image, label, corner, tuple(np.subtract(other, corner))) for corner, other in ((a, b), (b, a))]

    def corners(self, height, width):
        """Two corners a multiple of the stride apart, whose crops overlap by a share in the range."""
        side, stride = self.o['size'], self.o['stride']
        y1, x1 = random.randint(0, height - side), random.randint(0, width - side)
        for _ in range(50):
            y2, x2 = random.randint(0, height - side), random.randint(0, width - side)
            y2, x2 = y1 + (y2 - y1) // stride * stride, x1 + (x2 - x1) // stride * stride
            y2, x2 = y2 + (stride if y2 < 0 else 0), x2 + (stride if x2 < 0 else 0)
            common = max(side - abs(y2 - y1), 0) * max(side - abs(x2 - x1), 0)
            if common > 0 and self.o['iou'][0] <= common / (2 * side * side - common) <= self.o['iou'][1]:
                return (y1, x1), (y2, x2)
        return (y1, x1), (y1, x1)

    def crop(self, image, label, corner, offset):
        box = tuple(slice(at, at + self.o['size']) for at in corner)
        image, label = image[box], label[box]
        flip = random.random() < self.o['flip']
        if flip:
            image, label = np.fliplr(image).copy(), np.fliplr(label).copy()
        if random.random() < self.o['blur']:
            image = cv2.GaussianBlur(image, (5, 5), 0)
        return self.appearance(np.ascontiguousarray(image)), torch.from_numpy(label.astype(np.int64)), offset, flip


def rate(dataset, n):
    """Items a second of a loader in this process, in batches of two."""
    start, seen = time.perf_counter(), 0
    for _ in torch.utils.data.DataLoader(dataset, batch_size=2, num_workers=0):
        seen += 2
    assert seen == n, (seen, n)
    return n / (time.perf_counter() - start)


def timed(f, over):
    start = time.perf_counter()
    for x in over:
        f(x)
    return (time.perf_counter() - start) / len(over)


def main():
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    print(f'OpenCV {cv2.__version__}, Pillow {PIL.__version__}, PyTorch {torch.__version__}, torchvision {torchvision.__version__}', flush=True)
    sets = json.loads(sys.argv[1])
    raw = {name: [(np.fromfile(i, np.uint8), np.fromfile(l, np.uint8).tobytes()) for i, l in files] for name, files in sets.items()}
    photo = cv2.cvtColor(cv2.imdecode(raw['cs'][0][0], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    label = np.array(Image.open(io.BytesIO(raw['cs'][0][1])))
    jitter, blur = transforms.ColorJitter(0.4, 0.4, 0.4, 0.1), transforms.GaussianBlur(5, 1.1)
    repeated, jpegs = range(5), {}

    for line in sys.stdin:
        what, *words = line.split()
        if what in ('sample', 'pair'):
            name, options, n = words[0], json.loads(words[1]), int(words[2])
            answer = rate({'sample': Samples, 'pair': Pairs}[what](sets[name], options, n), n)
        elif what == 'decode':
            answer = timed(lambda r: cv2.cvtColor(cv2.imdecode(r[0], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), raw[words[0]])
        elif what == 'decode-label':
            answer = timed(lambda r: np.array(Image.open(io.BytesIO(r[1]))), raw[words[0]])
        elif what == 'encode-jpeg':
            name, sampling, kind, folder = words[0], words[1], words[2], line.split(maxsplit=4)[4].strip()
            jpegs[folder] = []
            for i, (image, _) in enumerate(raw[name]):
                path = f'{folder}/{i}.jpg'
                Image.open(io.BytesIO(image)).convert('RGB').save(path, quality=90, subsampling=sampling, progressive=kind == 'progressive')
                jpegs[folder].append(np.fromfile(path, np.uint8))
            answer = len(raw[name])
        elif what == 'decode-jpeg':
            answer = timed(lambda r: cv2.imdecode(r, cv2.IMREAD_COLOR), jpegs[line.split(maxsplit=1)[1].strip()])
        elif what == 'bilinear':
            answer = timed(lambda _: cv2.resize(photo, (1280, 640), interpolation=cv2.INTER_LINEAR), repeated)
        elif what == 'nearest':
            answer = timed(lambda _: cv2.resize(label, (1280, 640), interpolation=cv2.INTER_NEAREST), repeated)
        elif what in ('jitter', 'blur'):
            crop = np.ascontiguousarray(photo[:int(words[0]), :int(words[0])])
            image = Image.fromarray(crop) if what == 'jitter' else torch.from_numpy(crop).permute(2, 0, 1)
            f = jitter if what == 'jitter' else blur
            answer = timed(lambda _: f(image), repeated)
        else:
            sys.exit(f'no request {what!r}')
        print(answer, flush=True)


main()

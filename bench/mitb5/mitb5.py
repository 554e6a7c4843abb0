"""Times forward and backward of MiT-B5 with the DAFormer decoder on request.

Prints its PyTorch's version. Then reads one word a line: "step" runs forward and backward and prints the seconds it
took, "sum" prints the number of parameters.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
import torch
import torch.nn.functional as F

from daformer import Network

size, threads = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(0)
net = Network().train()
image, label = torch.randn(1, 3, size, size), torch.randint(0, 19, (1, size, size))
print("PyTorch", torch.__version__, flush=True)
for word in sys.stdin:
    if word.strip() == "sum":
        print(sum(p.numel() for p in net.parameters()), flush=True)
        continue
    start = time.perf_counter()
    logits = F.interpolate(net(image), size=(size, size), mode="bilinear", align_corners=False)
    F.cross_entropy(logits, label).backward()
    net.zero_grad(set_to_none=True)
    print(time.perf_counter() - start, flush=True)

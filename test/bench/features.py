"""Pooled features as the original extracts them: forward hooks on every convolution but the shortcuts', pooled over H
and W in NumPy, batches of 128, PyTorch eager. Takes a JSON object; prints the seconds for all images, after a first
batch that is not counted, and writes the features layer by layer (float32)."""

import json
import pathlib
import sys
import time

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "parity"))
from backbones import NETWORKS

BATCH = 128


def extract(network, pixels, mean, std):
    taps = [m for path, m in network.named_modules() if isinstance(m, torch.nn.Conv2d) and "shortcut" not in path]
    layers = [[] for _ in range(len(taps) + 1)]
    outputs = []
    hooks = [tap.register_forward_hook(lambda _, __, output: outputs.append(output)) for tap in taps]
    for start in range(0, len(pixels), BATCH):
        batch = torch.from_numpy(pixels[start : start + BATCH]).permute(0, 3, 1, 2).float() / 255
        outputs.clear()
        logits = network((batch - mean) / std)
        for layer, output in zip(layers, outputs):
            layer.append(np.mean(output.numpy(), axis=(2, 3)))
        layers[-1].append(logits.numpy())
    for hook in hooks:
        hook.remove()
    return [np.concatenate(layer) for layer in layers]


with torch.no_grad():
    task = json.loads(sys.argv[1])
    torch.set_num_threads(task["threads"])
    network = NETWORKS[task["name"]](task["classes"]).eval()
    network.load_state_dict(torch.load(task["checkpoint"], weights_only=True))
    pixels = np.fromfile(task["input"], np.uint8).reshape(task["images"], *task["size"], 3)
    mean, std = (torch.tensor(task[key]).view(1, 3, 1, 1) for key in ("mean", "std"))

    extract(network, pixels[:BATCH], mean, std)
    start = time.perf_counter()
    layers = extract(network, pixels, mean, std)
    seconds = time.perf_counter() - start

    np.concatenate([layer.ravel() for layer in layers]).tofile(task["output"])
    print(json.dumps({"seconds": seconds}))

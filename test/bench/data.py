"""Images decoded and resized by Pillow in several processes, as a PyTorch DataLoader's workers do, and a CIFAR binary read
by NumPy. Takes a JSON object; prints the seconds, after a first pass over some images that is not counted."""

import json
import multiprocessing
import sys
import time

import numpy as np
from PIL import Image


def load(task):
    paths, (height, width) = task
    out = np.empty((len(paths), height, width, 3), np.uint8)
    for i, path in enumerate(paths):
        image = Image.open(path).convert("RGB")
        # The original resizes what is not of the network's size.
        if image.size != (width, height):
            image = image.resize((width, height), Image.LANCZOS)
        out[i] = np.asarray(image)
    return out


def images(paths, size, processes):
    """Batches of 32, each handed over as an array by the process that made it; the order is kept."""
    batches = [(paths[i : i + 32], size) for i in range(0, len(paths), 32)]
    with multiprocessing.Pool(processes) as pool:
        pool.map(load, batches[: 2 * processes], chunksize=1)
        start = time.perf_counter()
        arrays = list(pool.imap(load, batches))
        return time.perf_counter() - start, sum(int(a.sum(dtype=np.int64)) for a in arrays)


def cifar(path):
    np.fromfile(path, np.uint8)
    start = time.perf_counter()
    records = np.fromfile(path, np.uint8).reshape(-1, 3073)
    pixels = np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return time.perf_counter() - start, int(pixels.sum(dtype=np.int64))


if __name__ == "__main__":
    task = json.loads(sys.stdin.read())
    if task["kind"] == "images":
        seconds, checksum = images(task["paths"], task["size"], task["processes"])
    else:
        seconds, checksum = cifar(task["path"])
    print(json.dumps({"seconds": seconds, "checksum": checksum}))

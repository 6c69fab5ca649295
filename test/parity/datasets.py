"""Dataset files between Pillow, h5py and la-ood.

datasets.py make FOLDER: writes image files of several kinds and sizes in the folders of three classes.
datasets.py read FILE FOLDER: reads a dataset file as the original's scripts do, beside what Pillow makes of the folder.
"""

import json
import pathlib
import sys

import h5py
import numpy as np
from PIL import Image


def make(folder):
    random = np.random.RandomState(0)
    for label, name in enumerate(["ape", "bée", "cow"]):
        path = pathlib.Path(folder, name)
        path.mkdir(parents=True)
        for i in range(100):
            height, width = random.randint(8, 90, 2) if i else (32, 32)
            noise = random.randint(0, 256, (6, 6, 3), np.uint8)
            image = Image.fromarray(noise).resize((int(width), int(height)), Image.BICUBIC)
            image.save(path / f"{i:03}.{['jpg', 'png', 'webp'][(i + label) % 3]}")
    return {}


def read(file, folder):
    paths = sorted(pathlib.Path(folder).glob("*/*"), key=lambda path: path.as_posix())
    images = [Image.open(path).convert("RGB") for path in paths]
    expected = np.stack(
        [np.asarray(i if i.size == (32, 32) else i.resize((32, 32), Image.LANCZOS)) for i in images]
    )
    names = sorted({path.parent.name for path in paths})
    with h5py.File(file, "r") as h5:
        data = h5["data"][:]
        return {
            "dtype": str(data.dtype),
            "shape": data.shape,
            "different": int((data != expected).any(axis=(1, 2, 3)).sum()),
            "labels": bool((h5["labels"][:] == [names.index(path.parent.name) for path in paths]).all()),
            "classes": [name.decode() for name in h5["classes"][:]] == names,
        }


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    print(json.dumps({"make": make, "read": read}[command](*arguments)))

"""Feature files between h5py and la-ood.

hdf5.py write PATH: makes feature files as the original does (and compressed, and big-endian ones), with float32 values.
hdf5.py read PATH: reads one as the original's scripts do, and sends each layer through StandardScaler and OneClassSVM.
"""

import json
import sys

import h5py
import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

WIDTHS = [3, 48, 12, 1, 7, 5, 6, 2, 9, 4, 11, 8]  # more than ten: names sort as text in HDF5


def feature(layer, rows, width):
    values = layer + np.arange(rows)[:, None] / 1000 + np.arange(width)[None, :] / 7
    return values.astype(np.float32)


def write(folder):
    variants = {
        "original": {"dtype": np.float64},
        "float32": {"dtype": np.float32},
        "gzip": {"dtype": np.float64, "compression": "gzip", "shuffle": True, "chunks": True},
        "big_endian": {"dtype": ">f8"},
    }
    for name, options in variants.items():
        with h5py.File(f"{folder}/{name}.hdf5", "w") as file:
            for layer, width in enumerate(WIDTHS):
                file.create_dataset(str(layer), data=feature(layer, 700, width), **options)
    with h5py.File(f"{folder}/latest.hdf5", "w", libver="latest", track_order=True) as file:
        for layer, width in enumerate(WIDTHS):
            file[str(layer)] = feature(layer, 700, width).astype(np.float64)
        file.attrs["taps"] = json.dumps([f"tap{layer}" for layer in range(len(WIDTHS))])
        file.attrs["epochs"] = 3
    return {"names": [*variants, "latest"], "widths": WIDTHS, "rows": 700}


def read(path):
    layers = []
    with h5py.File(path, "r") as file:
        for layer in range(len(file.keys())):
            values = file[str(layer)][:]
            width = values.shape[1]
            scaled = StandardScaler().fit_transform(values)
            decision = OneClassSVM(kernel="rbf", nu=0.1, gamma=0.1).fit(scaled).decision_function(scaled)
            layers.append(
                {
                    "dtype": str(values.dtype),
                    "shape": values.shape,
                    "equal": bool((values == feature(layer, len(values), width)).all()),
                    "finite": bool(np.isfinite(decision).all()),
                }
            )
        return {"layers": layers, "attributes": {k: v for k, v in file.attrs.items()}}


json.dump({"write": write, "read": read}[sys.argv[1]](sys.argv[2]), sys.stdout)

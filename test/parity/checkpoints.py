"""PyTorch's side of checkpoints.test.ts.

checkpoints.py save FOLDER      saves checkpoints of every kind, prints for each file the tensors of its state dict
checkpoints.py load FILE...     loads files, prints the tensors of each
checkpoints.py pickle FOLDER    pickles an object in every protocol, prints it as text with types
"""

import argparse
import hashlib
import json
import pickle
import struct
import sys
from collections import OrderedDict
from pathlib import Path

import numpy
import torch
from torch import nn

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64,
    torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
]


# Published files have a measured accuracy beside the weights that is a numpy scalar.
NUMPY_SCALARS = [
    numpy._core.multiarray.scalar,
    (numpy._core.multiarray.scalar, "numpy.core.multiarray.scalar"),
    numpy.dtype,
    numpy.dtypes.Float64DType,
]


def describe(state_dict):
    return [[key, describe_tensor(tensor)] for key, tensor in state_dict.items()]


def describe_tensor(tensor):
    data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def every_dtype():
    return {str(dtype): (torch.randn(3, 5, 2) * 50).to(dtype) for dtype in DTYPES}


def every_layout():
    base = torch.randn(4, 6, 5, 3)
    shared = torch.randn(7, 7)
    attributed = torch.randn(2)
    attributed.note = "an attribute"
    return {
        "transposed": torch.randn(4, 6).t(),
        "permuted": base.permute(2, 0, 3, 1),
        "channels_last": base.to(memory_format=torch.channels_last),
        "strided": base[1:, ::2, 1::2],
        "offset": base[3],
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 4),
        "one": torch.randn(1, 1, 1).transpose(0, 2),
        "tied": shared,
        "tied too": shared,
        "tied and transposed": shared.t(),
        "tied row": shared[2],
        "parameter": nn.Parameter(torch.randn(3)),
        "attributed": attributed,
    }


def network():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Linear(8, 4))


def training_checkpoint():
    """What training scripts save beside the weights."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    model[3](torch.randn(2, 8)).sum().backward()
    optimizer.step()
    weights = OrderedDict((f"module.{key}", value) for key, value in model.state_dict().items())
    whole = {
        "epoch": 12,
        "best_prec1": numpy.float64(91.25),
        "count": numpy.int64(7),
        "device": torch.device("cpu"),
        "args": argparse.Namespace(lr=0.1, arch="resnet"),
        "state_dict": weights,
        "optimizer": optimizer.state_dict(),
        "history": [(1, 0.5), (2, 0.25)],
        "seen": {1, 2},
        "raw": b"\x00\xff",
        "shape": torch.Size([1, 2]),
        "dtype": torch.float32,
    }
    return whole, model.state_dict()


def save(folder):
    torch.manual_seed(1)
    checkpoint, checkpoint_weights = training_checkpoint()
    model = network()
    averaged = torch.optim.swa_utils.AveragedModel(model)
    contents = {
        "dtypes": (every_dtype(), None),
        "layouts": (every_layout(), None),
        "state_dict": (model.state_dict(), None),
        "training": (checkpoint, checkpoint_weights),
        "averaged": (averaged.state_dict(), averaged.module.state_dict()),
    }
    files = {}
    for name, (content, weights) in contents.items():
        for zipped in [True, False]:
            for protocol in [2, 3, 4, 5]:
                file = f"{name}-{'zip' if zipped else 'legacy'}-{protocol}.pt"
                torch.save(content, folder / file, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
                files[file] = describe(weights or content)
    return files


def load(files):
    found = {}
    for file in files:
        with torch.serialization.safe_globals(NUMPY_SCALARS):
            content = torch.load(file, map_location="cpu", weights_only=True)
        found[file] = describe(content.get("state_dict", content))
    return found


SAMPLE = {
    "ints": [0, 1, -1, 255, 256, 65535, 65536, -2**31, 2**31, 2**53, -2**53 - 1, 2**70, -2**2000],
    "floats": [0.0, -0.5, 1e300, float("inf"), 5e-324],
    "strs": ["", "a", "é", "日本\n'\"\\", "😀", "x" * 300, "\x00"],
    "bytes": [b"", b"\x00\xff", b"y" * 300],
    "bytearray": bytearray(b"abc"),
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    "nested": {1: {2: [3, {"4": (5, [6])}]}, None: True, (7, 8): False},
    "sets": [set(), {1}, frozenset(), frozenset({"a"})],
    "long": list(range(2500)),
    "ordered": OrderedDict([("b", 1), ("a", 2)]),
    "numpy": [numpy.float64(0.1), numpy.float32(0.5), numpy.int64(-3), numpy.uint8(200), numpy.bool_(True)],
}


def tell(value):
    """A value with its Python type, as JSON."""
    if isinstance(value, numpy.generic):
        return tell(value.item())
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int) or isinstance(value, float) and abs(value) < 2**53 and value.is_integer():
        return {"number": str(int(value))}
    if isinstance(value, float):
        return {"number": struct.pack(">d", value).hex()}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": value.hex()}
    if isinstance(value, tuple):
        return {"tuple": [tell(item) for item in value]}
    if isinstance(value, list):
        return [tell(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return {"set": [tell(item) for item in value]}
    return {"dict": [[tell(key), tell(item)] for key, item in value.items()]}


def pickle_everywhere(folder):
    for protocol in range(6):
        (folder / f"{protocol}.pkl").write_bytes(pickle.dumps(SAMPLE, protocol=protocol))
    return tell(SAMPLE)


command, *arguments = sys.argv[1:]
if command == "save":
    result = save(Path(arguments[0]))
elif command == "load":
    result = load(arguments)
else:
    result = pickle_everywhere(Path(arguments[0]))
print(json.dumps(result, allow_nan=False))

"""Makes a Triton model repository: triton_repository.py MODEL REPOSITORY, then tritonserver --model-repository REPOSITORY

Inputs, outputs and what the model says of itself are read out of the model. Requests are batched by the server.
The optional input `threshold` is left out, since Triton takes no optional inputs of models that it batches: compare
`ood_score` with a threshold of your own.
"""

import argparse
import json
import shutil
from pathlib import Path

import onnxruntime

TYPES = {
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(int64)": "TYPE_INT64",
    "tensor(bool)": "TYPE_BOOL",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
}


def config(session, name, max_batch):
    """The text of config.pbtxt."""
    (pixels,) = session.get_inputs()
    # A model with a fixed batch size is not batched, and its first dimension is one like the others.
    batched = not isinstance(pixels.shape[0], int)
    metadata = session.get_modelmeta().custom_metadata_map

    def tensor(kind, value):
        dims = value.shape[1 if batched else 0 :]
        # Triton knows no values without dimensions: one of N is said to be one of N × 1.
        shape = f"dims: {dims}" if dims else "dims: [1] reshape { shape: [] }"
        return f'{kind} {{ name: "{value.name}" data_type: {TYPES[value.type]} {shape} }}'

    lines = [
        f'name: "{name}"',
        'backend: "onnxruntime"',
        f"max_batch_size: {max_batch if batched else 0}",
        *(["dynamic_batching { max_queue_delay_microseconds: 2000 }"] if batched else []),
        tensor("input", pixels),
        *(tensor("output", output) for output in session.get_outputs()),
        *(
            f"parameters {{ key: {quoted(key)} value {{ string_value: {quoted(value)} }} }}"
            for key, value in sorted(metadata.items())
        ),
    ]
    return "\n".join(lines) + "\n"


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", help="guarded.onnx")
parser.add_argument("repository", type=Path, help="the folder to make")
parser.add_argument("--name", default="guarded", help="what clients call the model")
parser.add_argument("--max-batch", type=int, default=64, help="images that are run at once")
arguments = parser.parse_args()

options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(arguments.model, options, providers=["CPUExecutionProvider"])
folder = arguments.repository / arguments.name
(folder / "1").mkdir(parents=True)
(folder / "config.pbtxt").write_text(config(session, arguments.name, arguments.max_batch), encoding="utf-8")
shutil.copyfile(arguments.model, folder / "1" / "model.onnx")

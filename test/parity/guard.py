"""A guarded model in Python's onnxruntime: `guard.py MODEL PIXELS HEIGHT WIDTH THRESHOLD` prints its outputs."""

import json
import sys

import numpy as np
import onnx
import onnxruntime

path, pixels, height, width, threshold = sys.argv[1:]
onnx.checker.check_model(path, full_check=True)
domains = {node.domain for node in onnx.load(path).graph.node}
onnxruntime.set_default_logger_severity(3)  # it warns of every optional input
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
images = np.fromfile(pixels, np.uint8).reshape(-1, int(height), int(width), 3)
names = [output.name for output in session.get_outputs()]


def run(**more):
    """The outputs of all images, one run for each."""
    runs = [session.run(names, {"pixels": image[None], **more}) for image in images]
    return {name: np.concatenate(values) for name, values in zip(names, zip(*runs))}


json.dump(
    {
        "domains": sorted(domains),
        "names": names,
        "outputs": {name: value.astype(float).ravel().tolist() for name, value in run().items()},
        "stricter": run(threshold=np.array(threshold, np.float32))["is_ood"].astype(int).tolist(),
    },
    sys.stdout,
)

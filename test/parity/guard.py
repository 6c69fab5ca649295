"""A guarded model in Python's onnxruntime: `guard.py MODEL PIXELS COUNT HEIGHT WIDTH THRESHOLD` prints its outputs."""

import json
import sys

import numpy as np
import onnx
import onnxruntime

path, pixels, count, height, width, threshold = sys.argv[1:]
onnx.checker.check_model(path, full_check=True)
domains = {node.domain for node in onnx.load(path).graph.node}
onnxruntime.set_default_logger_severity(3)  # it warns of every optional input
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
images = np.fromfile(pixels, np.uint8).reshape(int(count), int(height), int(width), 3)
names = [output.name for output in session.get_outputs()]


def run(**more):
    return dict(zip(names, session.run(names, {"pixels": images, **more})))


outputs = run()
stricter = run(threshold=np.array(threshold, np.float32))["is_ood"]
# One image at a time too: the file's batch is free.
single = np.concatenate([session.run(["ood_score"], {"pixels": images[i : i + 1]})[0] for i in range(5)])
json.dump(
    {
        "domains": sorted(domains),
        "names": names,
        "outputs": {name: np.asarray(value, np.float64).ravel().tolist() for name, value in outputs.items()},
        "stricter": stricter.astype(int).tolist(),
        "single": single.astype(float).tolist(),
    },
    sys.stdout,
)

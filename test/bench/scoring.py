"""The scores of a detectors.onnx, computed by scikit-learn's decision_function from the same support vectors, in one
process. Takes a JSON object; prints the seconds of standardising and scoring all layers, reading not counted, and
writes rows x layers scores (float32)."""

import json
import sys
import time

import h5py
import numpy as np
import onnx
from onnx import numpy_helper
from sklearn.svm import OneClassSVM


def read_detectors(path):
    model = onnx.load(path)
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    records = json.loads(next(entry.value for entry in model.metadata_props if entry.key == "la_ood.detectors"))
    for record in records:
        part = lambda name: tensors[f"{record['tap']}/{name}"].astype(np.float64)
        # A row is [2 gamma sv, -gamma, -gamma |sv|^2].
        vectors = part("rows")[:, :-2] / (2 * record["gamma"])
        svm = fitted(vectors, part("alpha").ravel(), part("rho").item(), record["gamma"])
        yield part("mean"), part("scale"), svm


def fitted(vectors, alpha, rho, gamma):
    """A OneClassSVM that was fitted elsewhere: one of a point or two, its solution replaced."""
    svm = OneClassSVM(gamma=gamma).fit(vectors[:2])
    svm.support_vectors_ = np.ascontiguousarray(vectors)
    svm.support_ = np.arange(len(vectors), dtype=np.int32)
    svm._n_support = np.array([len(vectors), 0], dtype=np.int32)
    svm.dual_coef_ = svm._dual_coef_ = alpha[np.newaxis]
    svm.intercept_ = svm._intercept_ = np.array([-rho])
    svm.offset_ = rho
    svm.shape_fit_ = vectors.shape
    return svm


task = json.loads(sys.argv[1])
with h5py.File(task["features"]) as file:
    layers = [file[str(index)][: task["rows"]].astype(np.float64) for index in task["indices"]]
detectors = list(read_detectors(task["detectors"]))

start = time.perf_counter()
scores = [-svm.decision_function((x - mean) / scale) for x, (mean, scale, svm) in zip(layers, detectors)]
seconds = time.perf_counter() - start

np.stack(scores, axis=1).astype(np.float32).tofile(task["output"])
print(json.dumps({"seconds": seconds}))

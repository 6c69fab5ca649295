"""scikit-learn's side of sklearn.test.ts.

sklearn-files.py FOLDER    writes detectors and scalers of several layers as joblib and pickle write them, what they
                           were fitted on, points and their scores, and files to be refused; prints what it wrote
"""

import json
import pickle
import sys
from pathlib import Path

import joblib
import numpy
import scipy.sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, OneClassSVM

LAYERS = [
    {"width": 3, "gamma": 0.001, "nu": 0.01},
    {"width": 24, "gamma": 0.05, "nu": 0.001},
    {"width": 48, "gamma": 0.1, "nu": 0.5},
    {"width": 128, "gamma": "scale", "nu": 0.1},
]
SAMPLES = 2000
POINTS = 500


def pickled(protocol):
    return lambda value, path: path.write_bytes(pickle.dumps(value, protocol=protocol))


def dumped(**options):
    return lambda value, path: joblib.dump(value, path, **options)


WRITERS = {
    "joblib": dumped(),
    "compressed": dumped(compress=3),
    "zlib": dumped(compress=("zlib", 9)),
    "gzip": dumped(compress=("gzip", 1)),
    **{f"joblib-{protocol}": dumped(protocol=protocol) for protocol in range(6)},
    **{f"pickle-{protocol}": pickled(protocol) for protocol in range(6)},
}


def main(folder):
    random = numpy.random.default_rng(7)
    layers = []
    for index, layer in enumerate(LAYERS):
        width = layer["width"]
        features = features_of(random, SAMPLES, width)
        # As the original's HDF5 files: float32 numbers, stored as float64.
        scaler = StandardScaler().fit(features.astype(numpy.float64))
        detector = OneClassSVM(gamma=layer["gamma"], nu=layer["nu"]).fit(scaler.transform(features.astype(numpy.float64)))
        for name, write in WRITERS.items():
            write(detector, folder / f"{name}-{index}.joblib")
            write(scaler, folder / f"{name}-{index}.scaler")
        points = numpy.concatenate([features_of(random, POINTS // 2, width), 3 * features_of(random, POINTS // 2, width)])
        scores = -detector.decision_function(scaler.transform(points.astype(numpy.float64)))
        features.tofile(folder / f"{index}.features")
        points.tofile(folder / f"{index}.points")
        scores.tofile(folder / f"{index}.scores")
        layers.append({"width": width, "nu": detector.nu, "gamma": detector._gamma, "supportVectors": len(detector.support_)})
    return {"writers": list(WRITERS), "layers": layers, "refused": refused(folder)}


def features_of(random, count, width):
    """Pooled features: positive, of very different scales, one of them constant."""
    scales = numpy.geomspace(0.01, 10, width)
    features = numpy.abs(random.standard_normal((count, width)) * scales + 2 * scales)
    features[:, 0] = 1
    return features.astype(numpy.float32)


def refused(folder):
    """Files that cannot become a detector, by why."""
    features = numpy.random.default_rng(8).standard_normal((50, 4))
    detector = OneClassSVM().fit(features)
    values = {
        "kernel": OneClassSVM(kernel="linear").fit(features),
        "unfitted": OneClassSVM(),
        "sparse": OneClassSVM().fit(scipy.sparse.csr_matrix(features)),
        "class": SVC().fit(features, features[:, 0] > 0),
        "pipeline": make_pipeline(StandardScaler(), OneClassSVM()).fit(features),
        "random": OneClassSVM().set_params(max_iter=numpy.random.RandomState(1)),
        "list": [detector],
        "array": features,
        "objects": numpy.array([None, detector]),
    }
    for name, value in values.items():
        joblib.dump(value, folder / f"{name}.joblib")
    joblib.dump(detector, folder / "xz.joblib", compress=("xz", 3))
    joblib.dump(detector, folder / "bz2.joblib", compress=("bz2", 3))
    return [*values, "xz", "bz2"]


print(json.dumps(main(Path(sys.argv[1]))))

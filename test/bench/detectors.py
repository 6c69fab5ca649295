"""One layer's detector training as the original does it with scikit-learn, in one process on one thread.

detectors.py FEATURES.bin WIDTH OPTIONS: FEATURES.bin holds float32 rows, OPTIONS is a JSON object of nu, gammas,
validationShare, threshold, errorRate, seed, tolerance. Prints the seconds of each phase, every gamma tried and the
one chosen; imports and reading are not counted.
"""

import os

# Before NumPy is imported: its libraries read them once.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

import json
import sys
import time

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

EPSILON = 1e-8


def train(features, options):
    clock = stopwatch()
    samples = StandardScaler().fit_transform(features)
    training, validation = train_test_split(
        samples, test_size=options["validationShare"], random_state=options["seed"]
    )
    outliers = shift_edges(validation, options["threshold"])
    shifting = clock()
    trials = [judge(gamma, training, validation, outliers, options) for gamma in options["gammas"]]
    grid = clock()
    best = min(trials, key=lambda trial: trial["error"])
    final = fit(best["gamma"], samples, options)
    seconds = {"shifting": shifting, "grid": grid, "refit": clock()}
    return {**best, "trials": trials, "supportVectors": len(final.support_), "seconds": seconds}


def shift_edges(points, threshold):
    """Self-adaptive shifting, point by point, with the shift length of the original's code (`[1:]` on axis 0)."""
    k = int(np.ceil(5 * np.log10(len(points))))
    distances, indices = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points)
    edges, normals = [], []
    for i, point in enumerate(points):
        directions = point - points[indices[i, 1:]]
        directions /= np.linalg.norm(directions, axis=1, keepdims=True) + EPSILON
        normal = directions.sum(axis=0)
        if np.mean(directions @ normal >= 0) > 1 - threshold:
            edges.append(i)
            normals.append(normal / (np.linalg.norm(normal) + EPSILON))
    return points[edges] + np.array(normals) * distances[edges][1:].mean()


def judge(gamma, training, validation, outliers, options):
    start = time.perf_counter()
    svm = fit(gamma, training, options)
    error_ood = np.mean(svm.predict(outliers) == 1)
    error_ind = np.mean(svm.predict(validation) == -1)
    weight = options["errorRate"]
    return {
        "gamma": gamma,
        "supportVectors": len(svm.support_),
        "error": weight * error_ood + (1 - weight) * error_ind,
        "seconds": time.perf_counter() - start,
    }


def fit(gamma, samples, options):
    return OneClassSVM(nu=options["nu"], gamma=gamma, tol=options["tolerance"]).fit(samples)


def stopwatch():
    last = time.perf_counter()

    def clock():
        nonlocal last
        now = time.perf_counter()
        seconds, last = now - last, now
        return seconds

    return clock


if __name__ == "__main__":
    path, width, options = sys.argv[1:]
    features = np.fromfile(path, np.float32).reshape(-1, int(width)).astype(np.float64)
    print(json.dumps(train(features, json.loads(options))))

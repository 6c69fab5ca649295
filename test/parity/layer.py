"""What the original's detector training makes of a layer, with what a comparison needs to know of it.

layer.py FEATURES.bin WIDTH: FEATURES.bin holds float32 rows; prints the result as JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

sys.path.append(str(Path(__file__).parents[1]))
from bench.detectors import fit, shift_edges, train  # noqa: E402  (the original's training, as the bench times it)

OPTIONS = {
    "nu": 0.001,
    "gammas": [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
    "validationShare": 0.3,
    "threshold": 0.01,
    "errorRate": 0.5,
    "seed": 42,
    "tolerance": 1e-3,
}
# Decision values agree to this; samples nearer to the boundary may fall on either side.
DECISIONS = 3e-3


def examine(features):
    best = train(features, OPTIONS)
    scaler = StandardScaler().fit(features)
    samples = scaler.transform(features)
    training, validation = train_test_split(samples, test_size=OPTIONS["validationShare"], random_state=OPTIONS["seed"])
    outliers = shift_edges(validation, OPTIONS["threshold"])
    trial = fit(best["gamma"], training, OPTIONS)
    undecided = lambda points: np.mean(np.abs(trial.decision_function(points)) < DECISIONS)
    return {
        "gamma": best["gamma"],
        "error": best["error"],
        "errors": [one["error"] for one in best["trials"]],
        "undecided": 0.5 * undecided(outliers) + 0.5 * undecided(validation),
        "edges": len(outliers),
        "mean": scaler.mean_.tolist(),
        "scale": scaler.scale_.tolist(),
        "decisions": fit(best["gamma"], samples, OPTIONS).decision_function(samples[:1000]).tolist(),
    }


if __name__ == "__main__":
    path, width = sys.argv[1:]
    print(json.dumps(examine(np.fromfile(path, np.float32).reshape(-1, int(width)).astype(np.float64))))

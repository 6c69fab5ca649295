"""A run of the original's: feature files as h5py writes them, and what its training and detection make of them.

original-run.py DIR: writes DIR/features/{ind_train,ind_test,far_test,near_test}.hdf5, float64, a dataset a layer;
prints gamma and error of each layer, and AUROC and FPR95 of the maximum over the layers by OOD set.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
from sklearn.metrics import roc_auc_score
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

WIDTHS = [10, 24, 48, 12]
random = np.random.RandomState(0)
mixing = [random.randn(width, width) / np.sqrt(width) + np.eye(width) for width in WIDTHS]
centres = [2 * random.randn(5, width) for width in WIDTHS]


def draw(count, shift):
    """Each layer a mixture of five correlated clusters; OOD is shifted, and a little wider."""
    kinds = random.randint(5, size=count)
    spread = 1 + 0.3 * shift
    return [
        c[kinds] + spread * random.randn(count, len(m)) @ m + shift * random.randn(len(m)) for m, c in zip(mixing, centres)
    ]


def examine(features):
    best = train(features, OPTIONS)
    samples = StandardScaler().fit_transform(features)
    training, validation = train_test_split(samples, test_size=OPTIONS["validationShare"], random_state=OPTIONS["seed"])
    outliers = shift_edges(validation, OPTIONS["threshold"])
    trial = fit(best["gamma"], training, OPTIONS)
    undecided = lambda points: np.mean(np.abs(trial.decision_function(points)) < DECISIONS)
    return {
        "gamma": best["gamma"],
        "error": best["error"],
        "undecided": 0.5 * undecided(outliers) + 0.5 * undecided(validation),
    }


folder = Path(sys.argv[1]) / "features"
folder.mkdir(parents=True)
sets = {"ind_train": draw(4000, 0), "ind_test": draw(800, 0), "far_test": draw(800, 3), "near_test": draw(500, 1)}
for name, layers in sets.items():
    with h5py.File(folder / f"{name}.hdf5", "w") as file:
        for layer, values in enumerate(layers):
            file.create_dataset(str(layer), data=values)

chosen, scores = [], {name: [] for name in sets}
for layer, features in enumerate(sets["ind_train"]):
    best = examine(features)
    scaler = StandardScaler().fit(features)
    svm = fit(best["gamma"], scaler.transform(features), OPTIONS)
    for name, layers in sets.items():
        scores[name].append(-svm.decision_function(scaler.transform(layers[layer])))
    chosen.append(best)

maxima = {name: np.max(layers, axis=0) for name, layers in scores.items()}
auroc = {}
for ood in ("far", "near"):
    count = min(len(maxima["ind_test"]), len(maxima[f"{ood}_test"]))
    both = np.concatenate([maxima["ind_test"][:count], maxima[f"{ood}_test"][:count]])
    auroc[ood] = roc_auc_score(np.repeat([0, 1], count), both)
print(json.dumps({"layers": chosen, "auroc": auroc}))
